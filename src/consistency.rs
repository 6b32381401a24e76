use std::fmt;

use scylla::statement::Consistency;

/// How many replicas a read waits for. These three are all that Amazon Keyspaces has (`DG:consistency`).
///
/// A write has nothing to choose: it waits for a local quorum, always.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ReadConsistency {
    /// `ONE`: half the read capacity of [`LocalQuorum`](Self::LocalQuorum), and may miss the latest writes.
    One,
    /// `LOCAL_ONE`: as [`One`](Self::One).
    LocalOne,
    /// `LOCAL_QUORUM`, the default: sees every write that was acknowledged in this region before it.
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

/// Its name in CQL: `LOCAL_QUORUM`.
impl fmt::Display for ReadConsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "ONE",
            Self::LocalOne => "LOCAL_ONE",
            Self::LocalQuorum => "LOCAL_QUORUM",
        })
    }
}

/// The only consistency that the service takes for a write (`DG:consistency`).
pub(crate) const WRITE_CONSISTENCY: Consistency = Consistency::LocalQuorum;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_may_have_three_consistencies_and_has_local_quorum_unless_told() {
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
    fn a_write_waits_for_a_local_quorum() {
        assert_eq!(WRITE_CONSISTENCY, Consistency::LocalQuorum);
    }
}
