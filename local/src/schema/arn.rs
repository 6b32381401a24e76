//! Amazon Resource Names of keyspaces, tables and streams.

use crate::names::{ObjectKind, SchemaObject};

/// The account in every ARN: the example account of the API reference (API:TagResource).
const ACCOUNT: &str = "111122223333";

/// The resource that an ARN names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Resource {
    Keyspace(SchemaObject),
    Table(SchemaObject),
    /// A CDC stream of this table.
    Stream(SchemaObject),
}

/// The ARN of an object in this Region; a type has the ARN of its keyspace. A keyspace's ARN ends with a slash.
pub(crate) fn arn_of(object: &SchemaObject, region: &str) -> String {
    let keyspace = format!("{}{}/", prefix(region), object.keyspace);
    match object.kind {
        ObjectKind::Keyspace | ObjectKind::Type => keyspace,
        ObjectKind::Table => format!("{keyspace}table/{}", object.name),
    }
}

impl Resource {
    /// The resource that an ARN names, whether it exists or not; `None` if the ARN is of another Region or account.
    pub(crate) fn parse(arn: &str, region: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.strip_prefix(&prefix(region))?.split('/').collect();
        match parts.as_slice() {
            // The ARN of a keyspace is accepted without its slash, too.
            [keyspace] | [keyspace, ""] => Some(Self::Keyspace(SchemaObject::keyspace(*keyspace))),
            [keyspace, "table", table] => Some(Self::Table(SchemaObject::table(*keyspace, *table))),
            [keyspace, "table", table, "stream", _] => Some(Self::Stream(SchemaObject::table(*keyspace, *table))),
            _ => None,
        }
    }
}

/// `arn:aws:cassandra:us-east-1:111122223333:/keyspace/`
fn prefix(region: &str) -> String {
    let partition = match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:cassandra:{region}:{ACCOUNT}:/keyspace/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let (keyspace, table) = (SchemaObject::keyspace("ks"), SchemaObject::table("ks", "t"));
        for (region, partition) in [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
            let of_keyspace = format!("arn:{partition}:cassandra:{region}:111122223333:/keyspace/ks/");
            assert_eq!(arn_of(&keyspace, region), of_keyspace);
            assert_eq!(arn_of(&SchemaObject::user_type("ks", "y"), region), of_keyspace);
            assert_eq!(arn_of(&table, region), format!("{of_keyspace}table/t"));
            assert_eq!(Resource::parse(&of_keyspace, region), Some(Resource::Keyspace(keyspace.clone())));
            let without_slash = of_keyspace.trim_end_matches('/');
            assert_eq!(Resource::parse(without_slash, region), Some(Resource::Keyspace(keyspace.clone())));
            assert_eq!(Resource::parse(&arn_of(&table, region), region), Some(Resource::Table(table.clone())));
            let stream = format!("{}/stream/2026-11-25T21:00:00.000", arn_of(&table, region));
            assert_eq!(Resource::parse(&stream, region), Some(Resource::Stream(table.clone())));
        }
    }

    #[test]
    fn an_arn_of_another_region_or_account_has_no_resource() {
        for other in [
            "",
            "arn:aws:cassandra:eu-west-1:111122223333:/keyspace/ks/",
            "arn:aws-cn:cassandra:us-east-1:111122223333:/keyspace/ks/",
            "arn:aws:cassandra:us-east-1:999999999999:/keyspace/ks/",
            "arn:aws:dynamodb:us-east-1:111122223333:table/t",
            "arn:aws:cassandra:us-east-1:111122223333:/keyspace/ks/index/i",
            "arn:aws:cassandra:us-east-1:111122223333:/keyspace/ks/table/t/",
        ] {
            assert_eq!(Resource::parse(other, "us-east-1"), None, "{other}");
        }
    }
}
