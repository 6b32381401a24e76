//! The constraints that several operations share, as the service model has them.

use super::super::constraint::Constraints;

/// The pattern of names of keyspaces and tables.
const NAME: &str = "[a-zA-Z0-9][a-zA-Z0-9_]{0,47}";
/// The pattern of resource names.
const ARN: &str = "arn:(aws[a-zA-Z0-9-]*):cassandra:.+.*";

/// Checks the name of a keyspace or a table, which is required.
pub(super) fn name(constraints: &mut Constraints, path: &str, name: Option<&String>) {
    let is_name = |name: &str| {
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_word && !name.starts_with('_') && (1..=48).contains(&name.len())
    };
    let member = constraints.member(path, name.map(String::as_str)).required();
    member.length(1..=48).pattern(NAME, is_name);
}

/// Checks the name of a type, which is required.
pub(super) fn type_name(constraints: &mut Constraints, name: Option<&String>) {
    constraints.member("typeName", name.map(String::as_str)).required().length(1..=48);
}

/// Checks a resource name, which is required.
pub(super) fn arn(constraints: &mut Constraints, arn: Option<&String>) {
    let is_arn = |arn: &str| {
        let mut parts = arn.splitn(4, ':');
        let (first, partition) = (parts.next(), parts.next().unwrap_or_default());
        let is_partition = partition
            .strip_prefix("aws")
            .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        first == Some("arn")
            && is_partition
            && parts.next() == Some("cassandra")
            && parts.next().is_some_and(|resource| !resource.is_empty())
    };
    let member = constraints.member("resourceArn", arn.map(String::as_str)).required();
    member.length(20..=1000).pattern(ARN, is_arn);
}

/// Checks that a text is one of the values that the model lists.
pub(super) fn one_of(constraints: &mut Constraints, path: &str, text: Option<&String>, values: &[&str]) {
    constraints.member(path, text.map(String::as_str)).required().one_of(values);
}

/// Checks a number of capacity units.
pub(super) fn units(constraints: &mut Constraints, path: &str, units: Option<&i64>) {
    constraints.member(path, units).range(1..=i64::MAX);
}
