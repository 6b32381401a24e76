//! The capacity that an operation may use.

use std::num::{NonZeroU8, NonZeroU32};
use std::str::FromStr;

use keyspaces::bulk::Rate;

/// `500` units a second, or `80%` of the provisioned capacity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RateArgument(pub(super) Rate);

impl FromStr for RateArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem =
            || "expected units a second, such as 500, or a share of the provisioned capacity, such as 80%".to_owned();
        let rate = match text.strip_suffix('%') {
            Some(percent) => percent.parse::<NonZeroU8>().map(Rate::PercentOfProvisioned),
            None => text.parse::<NonZeroU32>().map(Rate::Units),
        };
        rate.map(Self).map_err(|_| problem())
    }
}

impl RateArgument {
    /// The given rate, else one that adapts to throttling.
    pub(super) fn or_adaptive(given: Option<Self>) -> Rate {
        given.map_or(Rate::Adaptive, |Self(rate)| rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_argument_is_units_or_a_percentage() {
        assert_eq!("500".parse(), Ok(RateArgument(Rate::Units(NonZeroU32::new(500).unwrap()))));
        assert_eq!("80%".parse(), Ok(RateArgument(Rate::PercentOfProvisioned(NonZeroU8::new(80).unwrap()))));
        assert_eq!(
            "0".parse::<RateArgument>().unwrap_err(),
            "expected units a second, such as 500, or a share of the provisioned capacity, such as 80%"
        );
    }
}
