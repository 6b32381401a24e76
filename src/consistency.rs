use std::fmt;

use scylla::statement::Consistency;

/// The consistency level of a read. Amazon Keyspaces supports these three (`DG:consistency`).
///
/// Writes always use `LOCAL_QUORUM`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ReadConsistency {
    /// `ONE`: uses half the read capacity of [`LocalQuorum`](Self::LocalQuorum), and may miss the latest writes.
    One,
    /// `LOCAL_ONE`: the same as [`One`](Self::One).
    LocalOne,
    /// `LOCAL_QUORUM`, the default: returns every write that was acknowledged in this Region before the read.
    #[default]
    LocalQuorum,
}

impl ReadConsistency {
    pub(crate) fn as_driver(self) -> Consistency {
        match self {
            Self::One => Consistency::One,
            Self::LocalOne => Consistency::LocalOne,
            Self::LocalQuorum => Consistency::LocalQuorum,
        }
    }
}

/// Prints the name in CQL: `LOCAL_QUORUM`.
impl fmt::Display for ReadConsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "ONE",
            Self::LocalOne => "LOCAL_ONE",
            Self::LocalQuorum => "LOCAL_QUORUM",
        })
    }
}

/// The only consistency that the service accepts for a write (`DG:consistency`).
pub(crate) const WRITE_CONSISTENCY: Consistency = Consistency::LocalQuorum;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_consistency_has_three_levels_and_defaults_to_local_quorum() {
        assert_eq!(ReadConsistency::default(), ReadConsistency::LocalQuorum);
        for (ours, drivers, name) in [
            (ReadConsistency::One, Consistency::One, "ONE"),
            (ReadConsistency::LocalOne, Consistency::LocalOne, "LOCAL_ONE"),
            (ReadConsistency::LocalQuorum, Consistency::LocalQuorum, "LOCAL_QUORUM"),
        ] {
            assert_eq!(ours.as_driver(), drivers);
            assert_eq!(ours.to_string(), name);
        }
    }

    #[test]
    fn writes_use_local_quorum() {
        assert_eq!(WRITE_CONSISTENCY, Consistency::LocalQuorum);
    }
}
