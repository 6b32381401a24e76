//! RestoreTable.

use keyspaces_cql::{QualifiedName, RestoreOverride, RestorePoint, Statement, TableProperty, TableRestore};
use serde::{Deserialize, Serialize};

use super::super::constraint::Constraints;
use super::super::error::ApiError;
use super::super::protocol::Timestamp;
use super::constraints;
use super::operation_context::OperationContext;
use super::settings::{
    AutoScalingSpecification, CapacitySpecification, EncryptionSpecification, ReplicaSpecification, SettingStatus,
    TableSettings,
};
use super::tag::{self, Tag};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestoreTable {
    source_keyspace_name: Option<String>,
    source_table_name: Option<String>,
    target_keyspace_name: Option<String>,
    target_table_name: Option<String>,
    restore_timestamp: Option<Timestamp>,
    capacity_specification_override: Option<CapacitySpecification>,
    encryption_specification_override: Option<EncryptionSpecification>,
    point_in_time_recovery_override: Option<SettingStatus>,
    tags_override: Option<Vec<Tag>>,
    auto_scaling_specification: Option<AutoScalingSpecification>,
    replica_specifications: Option<Vec<ReplicaSpecification>>,
}

#[derive(Debug, Serialize)]
pub(super) struct RestoredTable {
    #[serde(rename = "restoredTableARN")]
    restored_table_arn: String,
}

pub(super) async fn restore_table(
    context: &OperationContext,
    request: RestoreTable,
) -> Result<RestoredTable, ApiError> {
    let settings = TableSettings {
        capacity: request.capacity_specification_override.as_ref(),
        encryption: request.encryption_specification_override.as_ref(),
        recovery: request.point_in_time_recovery_override.as_ref(),
        auto_scaling: request.auto_scaling_specification.as_ref(),
        replicas: request.replica_specifications.as_deref(),
        ..TableSettings::default()
    };
    let mut constraints = Constraints::default();
    for (path, name) in [
        ("sourceKeyspaceName", &request.source_keyspace_name),
        ("sourceTableName", &request.source_table_name),
        ("targetKeyspaceName", &request.target_keyspace_name),
        ("targetTableName", &request.target_table_name),
    ] {
        constraints::name(&mut constraints, path, name.as_ref());
    }
    settings.constrain(&mut constraints, "Override");
    tag::constrain(&mut constraints, "tagsOverride", request.tags_override.as_deref(), false);
    constraints.check()?;
    let mut options = settings.options()?;
    if let Some(tags) = request.tags_override {
        options = options.and(TableProperty::Tags(tag::tags(tags)));
    }
    let name = |keyspace: Option<String>, table: Option<String>| {
        QualifiedName::new(keyspace.unwrap_or_default(), table.unwrap_or_default())
    };
    let source = name(request.source_keyspace_name, request.source_table_name);
    let target = name(request.target_keyspace_name, request.target_table_name);
    let mut restore = TableRestore::new(source, target);
    if let Some(timestamp) = request.restore_timestamp {
        restore = restore.at(RestorePoint::from_unix_millis(timestamp.millis()));
    }
    for property in options.properties() {
        let setting = RestoreOverride::try_from(property);
        restore = restore.with(setting.map_err(|error| ApiError::validation(error.to_string()))?);
    }
    let restored = context.define(&Statement::RestoreTable(restore.statement())).await?;
    Ok(RestoredTable { restored_table_arn: restored.resource_arn })
}
