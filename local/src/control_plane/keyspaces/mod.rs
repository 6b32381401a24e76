//! The operations of the Amazon Keyspaces API.

mod assumptions;
mod constraints;
mod describe_table;
mod keyspace;
mod operation_context;
mod page;
mod restore_table;
mod settings;
mod table;
mod tag;
mod user_type;

use super::error::ApiError;
use super::protocol::{Input, Output};
use super::state::ControlPlaneState;
use operation_context::OperationContext;

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

/// Executes an operation that [`action`] knows, for a principal with permissions.
pub(crate) async fn answer(state: &ControlPlaneState, operation: &str, input: Input<'_>) -> Result<Output, ApiError> {
    let context = OperationContext::new(state).await?;
    Ok(match operation {
        "CreateKeyspace" => Output::new(keyspace::create_keyspace(&context, input.decode()?).await?),
        "UpdateKeyspace" => Output::new(keyspace::update_keyspace(&context, input.decode()?).await?),
        "GetKeyspace" => Output::new(keyspace::get_keyspace(&context, input.decode()?)?),
        "ListKeyspaces" => Output::new(keyspace::list_keyspaces(&context, input.decode()?)?),
        "DeleteKeyspace" => Output::new(keyspace::delete_keyspace(&context, input.decode()?).await?),
        "CreateTable" => Output::new(table::create_table(&context, input.decode()?).await?),
        "UpdateTable" => Output::new(table::update_table(&context, input.decode()?).await?),
        "GetTable" => Output::new(describe_table::get_table(&context, input.decode()?).await?),
        "GetTableAutoScalingSettings" => {
            Output::new(describe_table::get_table_auto_scaling_settings(&context, input.decode()?)?)
        }
        "ListTables" => Output::new(table::list_tables(&context, input.decode()?)?),
        "DeleteTable" => Output::new(table::delete_table(&context, input.decode()?).await?),
        "RestoreTable" => Output::new(restore_table::restore_table(&context, input.decode()?).await?),
        "CreateType" => Output::new(user_type::create_type(&context, input.decode()?).await?),
        "GetType" => Output::new(user_type::get_type(&context, input.decode()?).await?),
        "ListTypes" => Output::new(user_type::list_types(&context, input.decode()?)?),
        "DeleteType" => Output::new(user_type::delete_type(&context, input.decode()?).await?),
        "TagResource" => Output::new(tag::tag_resource(&context, input.decode()?).await?),
        "UntagResource" => Output::new(tag::untag_resource(&context, input.decode()?).await?),
        "ListTagsForResource" => Output::new(tag::list_tags_for_resource(&context, input.decode()?)?),
        other => return Err(ApiError::unknown_operation(format_args!("the service has no operation {other}"))),
    })
}
