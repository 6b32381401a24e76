//! The Regions of keyspaces.

use std::collections::BTreeSet;

use super::definition_refusal::DefinitionRefusal;

/// The Regions of Amazon Keyspaces: those of `DG:CDC_access-endpoints` and botocore's endpoints of 2026-11. AWS adds
/// some every year.
const KNOWN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Whether a keyspace of the Region `home` may be in these Regions.
pub(super) fn check(regions: &BTreeSet<String>, home: &str) -> Result<(), DefinitionRefusal> {
    if home.starts_with("us-gov-") || home.starts_with("cn-") {
        return Err(DefinitionRefusal::impossible(format!(
            "a keyspace in {home} cannot be in another Region (DG:multiRegion-replication_usage-notes)"
        )));
    }
    if regions.iter().all(|region| region != home) {
        return Err(DefinitionRefusal::impossible(format!(
            "a keyspace in several Regions has to include the Region of the endpoint, {home} (DG:keyspaces-mrr-create, \
             DG:keyspaces-multi-region-add-replica)"
        )));
    }
    match regions.iter().find(|region| *region != home && !KNOWN.contains(&region.as_str())) {
        Some(unknown) => Err(DefinitionRefusal::impossible(format!(
            "Amazon Keyspaces has no Region {unknown} (DG:programmatic.endpoints)"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(regions: &[&str], home: &str) -> String {
        let regions: BTreeSet<_> = regions.iter().map(|region| (*region).to_owned()).collect();
        check(&regions, home).map_or_else(|refused| refused.refusal.text, |()| "fine".to_owned())
    }

    #[test]
    fn a_keyspaces_regions_exist_and_include_the_endpoints() {
        for (regions, home, expected) in [
            (&["us-east-1", "eu-west-1"], "us-east-1", "fine"),
            (
                &["us-west-2", "eu-west-1"],
                "us-east-1",
                "keyspaces-local: a keyspace in several Regions has to include the Region of the endpoint, us-east-1 \
                 (DG:keyspaces-mrr-create, DG:keyspaces-multi-region-add-replica)",
            ),
            (
                &["us-east-1", "eu-west-99"],
                "us-east-1",
                "keyspaces-local: Amazon Keyspaces has no Region eu-west-99 (DG:programmatic.endpoints)",
            ),
            (
                &["us-gov-west-1", "us-gov-east-1"],
                "us-gov-west-1",
                "keyspaces-local: a keyspace in us-gov-west-1 cannot be in another Region \
                 (DG:multiRegion-replication_usage-notes)",
            ),
            (
                &["cn-north-1", "cn-northwest-1"],
                "cn-north-1",
                "keyspaces-local: a keyspace in cn-north-1 cannot be in another Region (DG:multiRegion-replication_usage-notes)",
            ),
        ] {
            assert_eq!(check_text(regions, home), expected);
        }
    }
}
