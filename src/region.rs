//! The names of regions.

use std::fmt;

use crate::{Error, ErrorKind};

/// A name in the form of a region name, in lower case: `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
///
/// Whether the region exists is not checked: AWS opens new regions, and a list would refuse them.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Region(String);

impl Region {
    /// Parses a region name, in lower or upper case.
    ///
    /// # Errors
    ///
    /// `Configuration`, with the reason, if the text does not have the form of a region name.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let name = text.to_ascii_lowercase();
        match problem(&name) {
            None => Ok(Self(name)),
            Some(problem) => {
                Err(Error::new(ErrorKind::Configuration, format!("parsing {} as a region", Quoted(text)), problem)
                    .with_advice("A region name looks like us-east-1, us-gov-west-1 or cn-north-1"))
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
    /// The end of the names of standard endpoints.
    pub(crate) suffix: &'static str,
    /// The end of the names of dual-stack endpoints; `None` if the partition has none.
    pub(crate) dual_stack_suffix: Option<&'static str>,
    /// Whether the standard endpoints are FIPS endpoints.
    pub(crate) fips_by_default: bool,
}

/// The partition of all regions without one of the prefixes below.
const COMMERCIAL: AwsPartition =
    AwsPartition { prefix: "", suffix: "amazonaws.com", dual_stack_suffix: Some("api.aws"), fips_by_default: false };

/// `DG:programmatic.endpoints` lists endpoints of the commercial regions, GovCloud and China (IPv4 only). It lists none
/// for the other partitions. Their suffixes are from the AWS SDK's table of partitions; whether Keyspaces has endpoints
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

/// Text of unknown origin as it may appear in an error: quoted, escaped, and cut to 100 characters.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_CHARS: usize = 100;
        match self.0.char_indices().nth(MAX_CHARS) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
        }
    }
}

/// Why a text in lower case does not have the form of a region name; `None` if it has.
fn problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if let Some(odd) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Some(format!("it contains {odd:?}, and a region name has only letters, digits and hyphens"));
    }
    let mut parts = name.split('-');
    let area = parts.next().unwrap_or_default();
    let number = parts.next_back().unwrap_or_default();
    let places: Vec<_> = parts.collect();
    let is_word = |part: &&str| (2..=12).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase());
    if !(1..=2).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Some("it does not end in a hyphen and a number".to_owned());
    }
    if !is_word(&area) || !(1..=3).contains(&places.len()) || !places.iter().all(is_word) {
        return Some("it does not consist of an area, a place and a number".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_the_form_of_a_region_name_is_accepted_in_lower_case_known_or_not() {
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
    fn a_text_in_another_form_is_refused_with_the_reason() {
        let advice = "A region name looks like us-east-1, us-gov-west-1 or cn-north-1";
        for (text, fault) in [
            ("", "it is empty"),
            (" us-east-1", "it contains ' ', and a region name has only letters, digits and hyphens"),
            ("us_east_1", "it contains '_', and a region name has only letters, digits and hyphens"),
            ("us-east-1\n", r"it contains '\n', and a region name has only letters, digits and hyphens"),
            ("us-éast-1", "it contains 'é', and a region name has only letters, digits and hyphens"),
            ("us-east", "it does not end in a hyphen and a number"),
            ("us-east-1a", "it does not end in a hyphen and a number"),
            ("us-east-", "it does not end in a hyphen and a number"),
            ("us-east-123", "it does not end in a hyphen and a number"),
            ("useast1", "it does not end in a hyphen and a number"),
            ("us-1", "it does not consist of an area, a place and a number"),
            ("us--1", "it does not consist of an area, a place and a number"),
            ("-east-1", "it does not consist of an area, a place and a number"),
            ("us-west-2-lax-1", "it does not consist of an area, a place and a number"),
            ("1", "it does not end in a hyphen and a number"),
        ] {
            let error = Region::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("parsing {text:?} as a region failed: {fault}. {advice}"));
            assert_eq!(error.kind(), ErrorKind::Configuration);
        }
    }

    #[test]
    fn long_region_text_is_truncated_in_the_error() {
        let text = Region::parse(&"é".repeat(1_000)).unwrap_err().to_string();
        assert!(text.starts_with(&format!("parsing \"{}\"… as a region failed", "é".repeat(100))), "{text}");
    }

    #[test]
    fn each_aws_partition_has_its_dns_suffix() {
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
