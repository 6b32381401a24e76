//! The operations of the Amazon Keyspaces API.

use super::error::ApiError;
use super::plane::Plane;
use super::protocol::{Input, Output};

/// The operations of the service model of 2022-02-10, each with the action that a policy has to allow for it.
const OPERATIONS: [(&str, &str); 19] = [
    ("CreateKeyspace", "cassandra:Create"),
    ("CreateTable", "cassandra:Create"),
    ("CreateType", "cassandra:Create"),
    ("DeleteKeyspace", "cassandra:Drop"),
    ("DeleteTable", "cassandra:Drop"),
    ("DeleteType", "cassandra:Drop"),
    ("GetKeyspace", "cassandra:Select"),
    ("GetTable", "cassandra:Select"),
    ("GetTableAutoScalingSettings", "cassandra:Select"),
    ("GetType", "cassandra:Select"),
    ("ListKeyspaces", "cassandra:Select"),
    ("ListTables", "cassandra:Select"),
    ("ListTagsForResource", "cassandra:Select"),
    ("ListTypes", "cassandra:Select"),
    ("RestoreTable", "cassandra:Restore"),
    ("TagResource", "cassandra:TagResource"),
    ("UntagResource", "cassandra:UntagResource"),
    ("UpdateKeyspace", "cassandra:Alter"),
    ("UpdateTable", "cassandra:Alter"),
];

/// The action that a policy has to allow for an operation; None if the service has no such operation.
pub(crate) fn action(operation: &str) -> Option<&'static str> {
    OPERATIONS.iter().find(|(name, _)| *name == operation).map(|(_, action)| *action)
}

/// Carries out an operation that [`action`] knows, for a principal with permissions.
pub(crate) async fn answer(plane: &Plane, operation: &str, input: Input<'_>) -> Result<Output, ApiError> {
    let _ = (plane, input);
    Err(ApiError::not_emulated(operation))
}
