//! How much of a table's capacity an operation may use.

use std::num::{NonZeroU8, NonZeroU32};
use std::str::FromStr;

use keyspaces::bulk::Rate;

/// `500` units a second or `80%` of what is provisioned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pace(pub(super) Rate);

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write units a second, as 500, or a share of the provisioned capacity, as 80%".to_owned();
        let rate = match text.strip_suffix('%') {
            Some(percent) => percent.parse::<NonZeroU8>().map(Rate::PercentOfProvisioned),
            None => text.parse::<NonZeroU32>().map(Rate::Units),
        };
        rate.map(Self).map_err(|_| wrong())
    }
}

impl Pace {
    /// The rate that is asked for, else what the table takes.
    pub(super) fn or_adaptive(asked: Option<Self>) -> Rate {
        asked.map_or(Rate::Adaptive, |Self(rate)| rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_units_or_a_share() {
        assert_eq!("500".parse(), Ok(Pace(Rate::Units(NonZeroU32::new(500).unwrap()))));
        assert_eq!("80%".parse(), Ok(Pace(Rate::PercentOfProvisioned(NonZeroU8::new(80).unwrap()))));
        assert_eq!(
            "0".parse::<Pace>().unwrap_err(),
            "write units a second, as 500, or a share of the provisioned capacity, as 80%"
        );
    }
}
