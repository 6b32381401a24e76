//! The operations on keyspaces.

use std::collections::BTreeSet;

use keyspaces_cql::statement::DropKeyspace;
use keyspaces_cql::{KeyspaceDefinition, Name, Replication, Span, Statement, rules};
use serde::{Deserialize, Serialize};

use super::super::constraint::Constraints;
use super::super::error::ApiError;
use super::super::protocol::EmptyOutput;
use super::operation_context::{ChangedResource, OperationContext};
use super::page::PageRequest;
use super::settings::SettingStatus;
use super::tag::{self, Tag};
use super::{constraints, settings};
use crate::names::SchemaObject;
use crate::protocol::refused_by;
use crate::schema::CatalogueEntry;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyspaceRequest {
    pub(super) keyspace_name: Option<String>,
    tags: Option<Vec<Tag>>,
    replication_specification: Option<ReplicationSpecification>,
    client_side_timestamps: Option<SettingStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplicationSpecification {
    replication_strategy: Option<String>,
    region_list: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListKeyspaces {
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyspaceList {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    keyspaces: Vec<Keyspace>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Keyspace {
    keyspace_name: String,
    resource_arn: String,
    replication_strategy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_regions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_group_statuses: Option<Vec<ReplicationGroupStatus>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplicationGroupStatus {
    region: String,
    keyspace_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tables_replication_progress: Option<&'static str>,
}

impl KeyspaceRequest {
    fn check(&self, replication_required: bool) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        constraints::name(&mut constraints, "keyspaceName", self.keyspace_name.as_ref());
        tag::constrain(&mut constraints, "tags", self.tags.as_deref(), false);
        let replication = constraints.member("replicationSpecification", self.replication_specification.as_ref());
        if replication_required {
            replication.required();
        }
        if let Some(replication) = &self.replication_specification {
            let strategies = ["SINGLE_REGION", "MULTI_REGION"];
            let path = "replicationSpecification.replicationStrategy";
            constraints::one_of(&mut constraints, path, replication.replication_strategy.as_ref(), &strategies);
            let path = "replicationSpecification.regionList";
            constraints.member(path, replication.region_list.as_deref()).count(2..=usize::MAX);
            for (index, region) in replication.region_list.iter().flatten().enumerate() {
                let path = format!("{path}.{}.member", index + 1);
                constraints.member(&path, Some(region.as_str())).length(2..=25);
            }
        }
        settings::enabled(&mut constraints, "clientSideTimestamps", self.client_side_timestamps.as_ref());
        constraints.check()
    }

    fn replication(&self) -> Result<Replication, ApiError> {
        let Some(specification) = &self.replication_specification else { return Ok(Replication::SingleRegion) };
        let regions = specification.region_list.as_deref().unwrap_or_default();
        if specification.replication_strategy.as_deref() == Some("SINGLE_REGION") {
            return match regions {
                [] => Ok(Replication::SingleRegion),
                _ => Err(ApiError::not_emulated("a regionList beside SINGLE_REGION")),
            };
        }
        let distinct: BTreeSet<String> = regions.iter().cloned().collect();
        if distinct.len() < regions.len() {
            return Err(ApiError::validation(refused_by(&rules::DUPLICATE_REGION).text));
        }
        Ok(Replication::MultiRegion(distinct))
    }

    /// The keyspace that a request names, once its name meets the constraints.
    fn named(&self) -> Result<SchemaObject, ApiError> {
        let mut constraints = Constraints::default();
        constraints::name(&mut constraints, "keyspaceName", self.keyspace_name.as_ref());
        constraints.check()?;
        Ok(SchemaObject::keyspace(self.keyspace_name.clone().unwrap_or_default()))
    }
}

pub(super) async fn create_keyspace(
    context: &OperationContext,
    request: KeyspaceRequest,
) -> Result<ChangedResource, ApiError> {
    request.check(false)?;
    let replication = request.replication()?;
    let definition = KeyspaceDefinition::new(request.keyspace_name.unwrap_or_default());
    let tags = tag::tags(request.tags.unwrap_or_default());
    let definition = KeyspaceDefinition { replication, tags, ..definition };
    context.define(&Statement::CreateKeyspace(definition.create())).await
}

pub(super) async fn update_keyspace(
    context: &OperationContext,
    request: KeyspaceRequest,
) -> Result<ChangedResource, ApiError> {
    request.check(true)?;
    let replication = request.replication()?;
    let timestamps = request.client_side_timestamps.is_some();
    let name = Name::new(request.keyspace_name.unwrap_or_default());
    context.define(&Statement::AlterKeyspace(replication.alter(&name, timestamps))).await
}

pub(super) async fn delete_keyspace(
    context: &OperationContext,
    request: KeyspaceRequest,
) -> Result<EmptyOutput, ApiError> {
    let keyspace = Name::new(request.named()?.keyspace);
    let drop = DropKeyspace { span: Span::default(), if_exists: None, keyspace };
    context.define(&Statement::DropKeyspace(drop)).await.map(|_| EmptyOutput {})
}

/// GetKeyspace. A keyspace that is being created is not found, so one that is found can be used.
pub(super) fn get_keyspace(context: &OperationContext, request: KeyspaceRequest) -> Result<Keyspace, ApiError> {
    let keyspace = request.named()?;
    let entry = context.find_visible(&keyspace)?;
    let group = entry.regions.iter().map(|region| ReplicationGroupStatus::new(&entry, region)).collect();
    let statuses = (!entry.regions.is_empty()).then_some(group);
    Ok(Keyspace { replication_group_statuses: statuses, ..keyspace_output(context, &keyspace, &entry) })
}

pub(super) fn list_keyspaces(context: &OperationContext, request: ListKeyspaces) -> Result<KeyspaceList, ApiError> {
    let page_request =
        PageRequest { next_token: request.next_token.as_ref(), max_results: request.max_results.as_ref() };
    let mut constraints = Constraints::default();
    page_request.constrain(&mut constraints);
    constraints.check()?;
    let all = context.schema().visible_keyspaces();
    let (page, next_token) = page_request.page("ListKeyspaces", all, |(object, _)| object.keyspace.clone())?;
    let keyspaces = page.iter().map(|(object, entry)| keyspace_output(context, object, entry)).collect();
    Ok(KeyspaceList { next_token, keyspaces })
}

fn keyspace_output(context: &OperationContext, object: &SchemaObject, entry: &CatalogueEntry) -> Keyspace {
    let is_in_several = !entry.regions.is_empty();
    Keyspace {
        keyspace_name: object.keyspace.clone(),
        resource_arn: context.arn(object),
        replication_strategy: if is_in_several { "MULTI_REGION" } else { "SINGLE_REGION" },
        replication_regions: is_in_several.then(|| entry.regions.clone()),
        replication_group_statuses: None,
    }
}

impl ReplicationGroupStatus {
    fn new(entry: &CatalogueEntry, region: &str) -> Self {
        let is_added = entry.added_region() == Some(region);
        let keyspace_status = match entry.status.as_str() {
            "UPDATING" if is_added => "CREATING",
            status => status,
        };
        let progress = is_added.then_some("0%");
        Self { region: region.to_owned(), keyspace_status, tables_replication_progress: progress }
    }
}
