//! The consistency levels that the service accepts (DG:consistency).

use std::fmt;

/// A consistency level, with the protocol's numbers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(missing_docs, reason = "Cassandra's own names")]
pub enum Consistency {
    Any,
    One,
    Two,
    Three,
    Quorum,
    All,
    LocalQuorum,
    EachQuorum,
    Serial,
    LocalSerial,
    LocalOne,
}

impl Consistency {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Any, "ANY"),
        (Self::One, "ONE"),
        (Self::Two, "TWO"),
        (Self::Three, "THREE"),
        (Self::Quorum, "QUORUM"),
        (Self::All, "ALL"),
        (Self::LocalQuorum, "LOCAL_QUORUM"),
        (Self::EachQuorum, "EACH_QUORUM"),
        (Self::Serial, "SERIAL"),
        (Self::LocalSerial, "LOCAL_SERIAL"),
        (Self::LocalOne, "LOCAL_ONE"),
    ];

    pub(crate) fn from_code(code: u16) -> Option<Self> {
        Self::ALL.get(usize::from(code)).map(|(level, _)| *level)
    }

    pub(crate) const fn code(self) -> u16 {
        self as u16
    }

    pub(crate) const fn is_serial(self) -> bool {
        matches!(self, Self::Serial | Self::LocalSerial)
    }

    /// Returns the service's own error text if it accepts no read, or no write, at this level.
    pub(crate) fn check(self, reads: bool) -> Result<(), String> {
        const READS: &[Consistency] = &[Consistency::One, Consistency::LocalQuorum, Consistency::LocalOne];
        const WRITES: &[Consistency] = &[Consistency::LocalQuorum];
        let supported = if reads { READS } else { WRITES };
        if supported.contains(&self) {
            return Ok(());
        }
        let supported: Vec<String> = supported.iter().map(ToString::to_string).collect();
        Err(format!(
            "Consistency level {self} is not supported for this operation. Supported consistency levels are: {}",
            supported.join(", ")
        ))
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL[*self as usize].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consistency_codes_match_the_protocol() {
        for code in 0..=10 {
            assert_eq!(Consistency::from_code(code).unwrap().code(), code);
        }
        assert_eq!(Consistency::from_code(11), None);
        assert_eq!(Consistency::from_code(6), Some(Consistency::LocalQuorum));
        assert_eq!(Consistency::from_code(10), Some(Consistency::LocalOne));
    }

    #[test]
    fn consistency_refusals_have_the_text_of_the_service() {
        assert_eq!(
            Consistency::Quorum.check(true).unwrap_err(),
            "Consistency level QUORUM is not supported for this operation. \
             Supported consistency levels are: ONE, LOCAL_QUORUM, LOCAL_ONE"
        );
        assert_eq!(
            Consistency::LocalOne.check(false).unwrap_err(),
            "Consistency level LOCAL_ONE is not supported for this operation. \
             Supported consistency levels are: LOCAL_QUORUM"
        );
    }

    #[test]
    fn reads_accept_three_consistency_levels_and_writes_one() {
        let taken =
            |reads| (0..=10).filter_map(Consistency::from_code).filter(|l| l.check(reads).is_ok()).collect::<Vec<_>>();
        assert_eq!(taken(true), [Consistency::One, Consistency::LocalQuorum, Consistency::LocalOne]);
        assert_eq!(taken(false), [Consistency::LocalQuorum]);
    }
}
