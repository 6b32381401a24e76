//! Tags of keyspaces, tables and streams.

use keyspaces_cql::{KeyspaceChange, KeyspaceDefinition, QualifiedName, Statement, StreamTags, TableChange, Tags};
use serde::{Deserialize, Serialize};

use super::super::constraint::Constraints;
use super::super::error::ApiError;
use super::super::protocol::EmptyOutput;
use super::constraints;
use super::operation_context::OperationContext;
use super::page::PageRequest;
use crate::names::SchemaObject;
use crate::schema::Resource;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Tag {
    key: Option<String>,
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagRequest {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTags {
    resource_arn: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagList {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    tags: Vec<Tag>,
}

/// The constraints of a list of tags. In a request that removes tags, the values may be empty, because other tools send
/// empty values.
pub(super) fn constrain(constraints: &mut Constraints, path: &str, tags: Option<&[Tag]>, are_removed: bool) {
    constraints.member(path, tags).count(1..=60);
    for (index, tag) in tags.unwrap_or_default().iter().enumerate() {
        let member = |name: &str| format!("{path}.{}.member.{name}", index + 1);
        constraints.member(&member("key"), tag.key.as_deref()).required().length(1..=128);
        let min_length = if are_removed { 0 } else { 1 };
        constraints.member(&member("value"), tag.value.as_deref()).required().length(min_length..=256);
    }
}

/// The tags by key; the last one wins if a key comes twice.
pub(super) fn tags(tags: Vec<Tag>) -> Tags {
    tags.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect()
}

pub(super) async fn tag_resource(context: &OperationContext, request: TagRequest) -> Result<EmptyOutput, ApiError> {
    let (resource, tags) = tagged(context, request, false)?;
    context
        .define(&match resource {
            Resource::Keyspace(keyspace) => alter_keyspace(&keyspace, &KeyspaceChange::AddTags(tags)),
            Resource::Table(table) => alter_table(&table, &TableChange::AddTags(tags)),
            Resource::Stream(table) => alter_table(&table, &TableChange::AddStreamTags(tags)),
        })
        .await
        .map(|_| EmptyOutput {})
}

/// Removes the tags with these keys, whatever values the request contains.
pub(super) async fn untag_resource(context: &OperationContext, request: TagRequest) -> Result<EmptyOutput, ApiError> {
    let (resource, tags) = tagged(context, request, true)?;
    context
        .define(&match resource {
            Resource::Keyspace(keyspace) => alter_keyspace(&keyspace, &KeyspaceChange::DropTags(tags)),
            Resource::Table(table) => alter_table(&table, &TableChange::DropTags(tags)),
            Resource::Stream(table) => alter_table(&table, &TableChange::DropStreamTags(tags)),
        })
        .await
        .map(|_| EmptyOutput {})
}

pub(super) fn list_tags_for_resource(context: &OperationContext, request: ListTags) -> Result<TagList, ApiError> {
    let page_request =
        PageRequest { next_token: request.next_token.as_ref(), max_results: request.max_results.as_ref() };
    let mut constraints = Constraints::default();
    constraints::arn(&mut constraints, request.resource_arn.as_ref());
    page_request.constrain(&mut constraints);
    constraints.check()?;
    let arn = request.resource_arn.as_deref().unwrap_or_default();
    let tags = match resource(context, arn)? {
        Resource::Keyspace(object) | Resource::Table(object) => context.find_visible(&object)?.options.tags.clone(),
        Resource::Stream(table) => match &context.find_visible(&table)?.options.stream_tags {
            Some(StreamTags::Own(tags)) => Some(tags.clone()),
            _ => None,
        },
    };
    let list = format!("ListTagsForResource {arn}");
    let (page, next_token) = page_request.page(&list, tags.unwrap_or_default(), |(key, _)| key.clone())?;
    let tags = page.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect();
    Ok(TagList { next_token, tags })
}

fn tagged(context: &OperationContext, request: TagRequest, are_removed: bool) -> Result<(Resource, Tags), ApiError> {
    let mut constraints = Constraints::default();
    constraints::arn(&mut constraints, request.resource_arn.as_ref());
    constraints.member("tags", request.tags.as_ref()).required();
    constrain(&mut constraints, "tags", request.tags.as_deref(), are_removed);
    constraints.check()?;
    let resource = resource(context, request.resource_arn.as_deref().unwrap_or_default())?;
    Ok((resource, tags(request.tags.unwrap_or_default())))
}

fn resource(context: &OperationContext, arn: &str) -> Result<Resource, ApiError> {
    let missing = || ApiError::not_found(format!("keyspaces-local: there is no resource {arn}"), arn);
    let resource = Resource::parse(arn, &context.region).ok_or_else(missing)?;
    if let Resource::Stream(table) = &resource
        && context.schema().stream(table).as_deref() != Some(arn)
    {
        return Err(missing());
    }
    Ok(resource)
}

fn alter_keyspace(keyspace: &SchemaObject, change: &KeyspaceChange) -> Statement {
    // Only a change of Regions uses the Region.
    Statement::AlterKeyspace(KeyspaceDefinition::new(&keyspace.keyspace).alter(change, ""))
}

fn alter_table(table: &SchemaObject, change: &TableChange) -> Statement {
    Statement::AlterTable(change.alter(&QualifiedName::new(&table.keyspace, &table.name)))
}
