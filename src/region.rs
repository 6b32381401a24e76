use std::fmt;

use crate::{Error, ErrorKind};

/// A region's name that reads like one: lower case, `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
///
/// Whether there is such a region is not asked: AWS opens new ones, and a list would refuse them.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Region(String);

impl Region {
    /// Takes `US-EAST-1` for `us-east-1`; anything that does not read like a region is an error that says why.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let name = text.to_ascii_lowercase();
        match fault(&name) {
            None => Ok(Self(name)),
            Some(fault) => {
                Err(Error::new(ErrorKind::Configuration, format!("taking {} as a region", Quoted(text)), fault)
                    .with_advice("A region reads like us-east-1, us-gov-west-1 or cn-north-1"))
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn partition(&self) -> &'static AwsPartition {
        PARTITIONS.iter().find(|partition| self.0.starts_with(partition.prefix)).unwrap_or(&COMMERCIAL)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Regions that share a DNS suffix.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct AwsPartition {
    prefix: &'static str,
    /// What ends the standard endpoints' names.
    pub(crate) suffix: &'static str,
    /// What ends the dual-stack endpoints' names, where there are any.
    pub(crate) dual_stack_suffix: Option<&'static str>,
    /// The standard endpoints' names are FIPS endpoints.
    pub(crate) fips_by_default: bool,
}

/// Where nothing else is said.
const COMMERCIAL: AwsPartition =
    AwsPartition { prefix: "", suffix: "amazonaws.com", dual_stack_suffix: Some("api.aws"), fips_by_default: false };

/// `DG:programmatic.endpoints` speaks of the commercial regions, GovCloud and China (IPv4 only). For the others it
/// names no endpoint: their suffixes are those of the AWS SDK's table of partitions, and that Keyspaces has endpoints
/// there is unverified.
const PARTITIONS: [AwsPartition; 7] = [
    AwsPartition {
        prefix: "us-gov-",
        suffix: "amazonaws.com",
        dual_stack_suffix: Some("api.aws"),
        fips_by_default: true,
    },
    ipv4_only("cn-", "amazonaws.com.cn"),
    ipv4_only("eusc-", "amazonaws.eu"),
    ipv4_only("us-iso-", "c2s.ic.gov"),
    ipv4_only("us-isob-", "sc2s.sgov.gov"),
    ipv4_only("eu-isoe-", "cloud.adc-e.uk"),
    ipv4_only("us-isof-", "csp.hci.ic.gov"),
];

const fn ipv4_only(prefix: &'static str, suffix: &'static str) -> AwsPartition {
    AwsPartition { prefix, suffix, dual_stack_suffix: None, fips_by_default: false }
}

/// Text of unknown origin, as it may stand in an error: in quotes, escaped, not longer than a line bears.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 100;
        match self.0.char_indices().nth(LONGEST) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
        }
    }
}

/// What keeps a lower-cased text from being a region's name.
fn fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if let Some(odd) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Some(format!("it holds {odd:?}, and a region is made of letters, digits and hyphens"));
    }
    let mut parts = name.split('-');
    let area = parts.next().unwrap_or_default();
    let number = parts.next_back().unwrap_or_default();
    let places: Vec<_> = parts.collect();
    let word = |part: &&str| (2..=12).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase());
    if !(1..=2).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Some("it does not end in a hyphen and a number".to_owned());
    }
    if !word(&area) || !(1..=3).contains(&places.len()) || !places.iter().all(word) {
        return Some("it is not made of an area, a place and a number".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_like_a_region_is_taken_in_lower_case_known_or_not() {
        for name in [
            "us-east-1",
            "ap-southeast-7",
            "us-gov-west-1",
            "cn-northwest-1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eusc-de-east-1",
            "mx-central-1",
            "xx-nowhere-12",
        ] {
            assert_eq!(Region::parse(name).unwrap().as_str(), name);
            assert_eq!(Region::parse(&name.to_uppercase()).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_does_not_read_like_a_region_is_refused_with_the_reason() {
        let advice = "A region reads like us-east-1, us-gov-west-1 or cn-north-1";
        for (text, fault) in [
            ("", "it is empty"),
            (" us-east-1", "it holds ' ', and a region is made of letters, digits and hyphens"),
            ("us_east_1", "it holds '_', and a region is made of letters, digits and hyphens"),
            ("us-east-1\n", r"it holds '\n', and a region is made of letters, digits and hyphens"),
            ("us-éast-1", "it holds 'é', and a region is made of letters, digits and hyphens"),
            ("us-east", "it does not end in a hyphen and a number"),
            ("us-east-1a", "it does not end in a hyphen and a number"),
            ("us-east-", "it does not end in a hyphen and a number"),
            ("us-east-123", "it does not end in a hyphen and a number"),
            ("useast1", "it does not end in a hyphen and a number"),
            ("us-1", "it is not made of an area, a place and a number"),
            ("us--1", "it is not made of an area, a place and a number"),
            ("-east-1", "it is not made of an area, a place and a number"),
            ("us-west-2-lax-1", "it is not made of an area, a place and a number"),
            ("1", "it does not end in a hyphen and a number"),
        ] {
            let error = Region::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("taking {text:?} as a region failed: {fault}. {advice}"));
            assert_eq!(error.kind(), ErrorKind::Configuration);
        }
    }

    #[test]
    fn a_long_text_does_not_fill_the_error() {
        let text = Region::parse(&"é".repeat(1_000)).unwrap_err().to_string();
        assert!(text.starts_with(&format!("taking \"{}\"… as a region failed", "é".repeat(100))), "{text}");
    }

    #[test]
    fn each_partition_has_its_suffix() {
        let suffix = |name| Region::parse(name).unwrap().partition().suffix;
        assert_eq!(suffix("eu-west-1"), "amazonaws.com");
        assert_eq!(suffix("us-gov-east-1"), "amazonaws.com");
        assert_eq!(suffix("cn-north-1"), "amazonaws.com.cn");
        assert_eq!(suffix("eusc-de-east-1"), "amazonaws.eu");
        assert_eq!(suffix("us-iso-west-1"), "c2s.ic.gov");
        assert_eq!(suffix("us-isob-east-1"), "sc2s.sgov.gov");
        assert_eq!(suffix("eu-isoe-west-1"), "cloud.adc-e.uk");
        assert_eq!(suffix("us-isof-south-1"), "csp.hci.ic.gov");
    }
}
