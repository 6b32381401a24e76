//! The operations of the Amazon Keyspaces API.

mod constraints;
mod decisions;
mod describe_table;
mod keyspace;
mod operations;
mod page;
mod restore_table;
mod settings;
mod table;
mod tag;
mod user_type;

use super::error::ApiError;
use super::plane::Plane;
use super::protocol::{Input, Output};
use operations::Operations;

/// The operations of the service model of 2022-02-10, each with the action that a policy has to allow for it.
pub(crate) const OPERATIONS: [(&str, &str); 19] = [
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
    let state = Operations::of(plane).await?;
    Ok(match operation {
        "CreateKeyspace" => Output::new(state.create_keyspace(input.decode()?).await?),
        "UpdateKeyspace" => Output::new(state.update_keyspace(input.decode()?).await?),
        "GetKeyspace" => Output::new(state.get_keyspace(input.decode()?)?),
        "ListKeyspaces" => Output::new(state.list_keyspaces(input.decode()?)?),
        "DeleteKeyspace" => Output::new(state.delete_keyspace(input.decode()?).await?),
        "CreateTable" => Output::new(state.create_table(input.decode()?).await?),
        "UpdateTable" => Output::new(state.update_table(input.decode()?).await?),
        "GetTable" => Output::new(state.get_table(input.decode()?).await?),
        "GetTableAutoScalingSettings" => Output::new(state.get_table_auto_scaling_settings(input.decode()?)?),
        "ListTables" => Output::new(state.list_tables(input.decode()?)?),
        "DeleteTable" => Output::new(state.delete_table(input.decode()?).await?),
        "RestoreTable" => Output::new(state.restore_table(input.decode()?).await?),
        "CreateType" => Output::new(state.create_type(input.decode()?).await?),
        "GetType" => Output::new(state.get_type(input.decode()?).await?),
        "ListTypes" => Output::new(state.list_types(input.decode()?)?),
        "DeleteType" => Output::new(state.delete_type(input.decode()?).await?),
        "TagResource" => Output::new(state.tag_resource(input.decode()?).await?),
        "UntagResource" => Output::new(state.untag_resource(input.decode()?).await?),
        "ListTagsForResource" => Output::new(state.list_tags_for_resource(input.decode()?)?),
        other => return Err(ApiError::unknown_operation(format_args!("the service has no operation {other}"))),
    })
}
