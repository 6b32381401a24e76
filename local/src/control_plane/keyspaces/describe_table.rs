//! GetTable and GetTableAutoScalingSettings.

use keyspaces_cql::{CapacityMode, Cdc, PointInTimeRecovery, TableOptions};
use serde::Serialize;

use super::super::error::ApiError;
use super::super::protocol::Timestamp;
use super::assumptions::{ACTIVE_DELAY_DIVISOR, DEFAULT_WARM_READ_UNITS, DEFAULT_WARM_WRITE_UNITS};
use super::operation_context::{OperationContext, failed};
use super::settings::{
    AutoScalingSettings, AutoScalingSpecification, CapacitySpecification, EncryptionSpecification, SettingStatus,
};
use super::table::{Comment, SchemaDefinition, TableNameRequest};
use crate::names::SchemaObject;
use crate::schema::{CatalogueEntry, DescribedTable};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableDescription {
    keyspace_name: String,
    table_name: String,
    resource_arn: String,
    creation_timestamp: Timestamp,
    status: &'static str,
    schema_definition: SchemaDefinition,
    capacity_specification: CapacitySpecification,
    encryption_specification: EncryptionSpecification,
    point_in_time_recovery: RecoverySummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<SettingStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_time_to_live: Option<u32>,
    comment: Comment,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_side_timestamps: Option<SettingStatus>,
    replica_specifications: Vec<Replica>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_stream_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cdc_specification: Option<CdcSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_throughput_specification: Option<WarmThroughput>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RecoverySummary {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest_restorable_timestamp: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CdcSummary {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    view_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WarmThroughput {
    read_units_per_second: u32,
    write_units_per_second: u32,
    status: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replica {
    region: String,
    status: &'static str,
    capacity_specification: CapacitySpecification,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_throughput_specification: Option<WarmThroughput>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableScaling {
    keyspace_name: String,
    table_name: String,
    resource_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_scaling_specification: Option<AutoScalingSpecification>,
    replica_specifications: Vec<ReplicaScaling>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplicaScaling {
    region: String,
    auto_scaling_specification: AutoScalingSpecification,
}

pub(super) async fn get_table(
    context: &OperationContext,
    request: TableNameRequest,
) -> Result<TableDescription, ApiError> {
    let object = request.named()?;
    context.find_visible(&object)?;
    let described = context.schema().describe_table(&object).await.map_err(failed)?;
    let described = described.ok_or_else(|| context.not_found(&object))?;
    let DescribedTable { entry, definition, earliest_restorable, stream } = described;
    let status = status(context, &entry);
    let options = &entry.options;
    let capacity = capacity(&entry, options.capacity_mode.unwrap_or_default());
    let recovery = options.point_in_time_recovery.unwrap_or_default();
    let enabled = || SettingStatus { status: Some("ENABLED".to_owned()) };
    let view = match options.cdc {
        Some(Cdc::On(view)) => Some(view.name()),
        _ => None,
    };
    let replicas = regions(context, &object).into_iter().map(|region| Replica {
        status,
        capacity_specification: capacity_in(&entry, &region),
        warm_throughput_specification: WarmThroughput::from_entry(&entry),
        region,
    });
    Ok(TableDescription {
        resource_arn: context.arn(&object),
        keyspace_name: object.keyspace.clone(),
        table_name: object.name.clone(),
        creation_timestamp: Timestamp::from_millis(entry.created),
        status,
        schema_definition: SchemaDefinition::from_definition(&definition, entry.added_columns()),
        capacity_specification: capacity,
        encryption_specification: EncryptionSpecification::from_encryption(
            &options.encryption.clone().unwrap_or_default(),
        ),
        point_in_time_recovery: RecoverySummary {
            status: if recovery == PointInTimeRecovery::Enabled { "ENABLED" } else { "DISABLED" },
            earliest_restorable_timestamp: earliest_restorable.map(Timestamp::from_millis),
        },
        ttl: options.ttl.map(|_| enabled()),
        default_time_to_live: options.default_time_to_live,
        comment: Comment { message: Some(options.comment.clone().unwrap_or_default()) },
        client_side_timestamps: options.client_side_timestamps.map(|_| enabled()),
        replica_specifications: replicas.collect(),
        latest_stream_arn: stream,
        cdc_specification: entry.stream_status().map(|status| CdcSummary { status, view_type: view }),
        warm_throughput_specification: WarmThroughput::from_entry(&entry),
    })
}

pub(super) fn get_table_auto_scaling_settings(
    context: &OperationContext,
    request: TableNameRequest,
) -> Result<TableScaling, ApiError> {
    let object = request.named()?;
    let entry = context.find_visible(&object)?;
    let in_region = |region: String| {
        let auto_scaling_specification = scaling_in(&entry.options, Some(&region))?;
        Some(ReplicaScaling { region, auto_scaling_specification })
    };
    Ok(TableScaling {
        resource_arn: context.arn(&object),
        auto_scaling_specification: scaling_in(&entry.options, None),
        replica_specifications: regions(context, &object).into_iter().filter_map(in_region).collect(),
        keyspace_name: object.keyspace,
        table_name: object.name,
    })
}

/// The Regions of a table in several Regions; empty for a table in one Region.
fn regions(context: &OperationContext, table: &SchemaObject) -> Vec<String> {
    context
        .schema()
        .visible_entry(&SchemaObject::keyspace(&table.keyspace))
        .map(|keyspace| keyspace.regions)
        .unwrap_or_default()
}

/// The status that is shown. While columns are added, it is ACTIVE at first.
fn status(context: &OperationContext, entry: &CatalogueEntry) -> &'static str {
    let later = context.schema().millis_of_alter_table() / ACTIVE_DELAY_DIVISOR;
    let still_active = entry.due.is_some_and(|due| context.schema().now() + later < due);
    if !entry.added_columns().is_empty() && still_active { "ACTIVE" } else { entry.status.as_str() }
}

impl WarmThroughput {
    fn from_entry(entry: &CatalogueEntry) -> Option<Self> {
        let warm = entry.options.warm_throughput?;
        Some(Self {
            read_units_per_second: warm.read.unwrap_or(DEFAULT_WARM_READ_UNITS),
            write_units_per_second: warm.write.unwrap_or(DEFAULT_WARM_WRITE_UNITS),
            status: if entry.status.as_str() == "UPDATING" { "UPDATING" } else { "AVAILABLE" },
        })
    }
}

fn capacity(entry: &CatalogueEntry, mode: CapacityMode) -> CapacitySpecification {
    CapacitySpecification::from_mode(mode, entry.on_demand_since.unwrap_or(entry.created))
}

/// Reads have their own capacity in each Region; writes are the same in all.
fn capacity_in(entry: &CatalogueEntry, region: &str) -> CapacitySpecification {
    let own = entry.options.replica_capacity.as_ref().and_then(|replicas| replicas.get(region)).copied();
    capacity(
        entry,
        match entry.options.capacity_mode.unwrap_or_default() {
            CapacityMode::Provisioned { read, write } => CapacityMode::Provisioned { read: own.unwrap_or(read), write },
            CapacityMode::OnDemand => CapacityMode::OnDemand,
        },
    )
}

fn scaling_in(options: &TableOptions, region: Option<&str>) -> Option<AutoScalingSpecification> {
    let scaling = options.auto_scaling.as_ref()?;
    let own = region.and_then(|region| scaling.replicas.get(region));
    let specification = AutoScalingSpecification {
        write_capacity_auto_scaling: scaling.write.as_ref().map(AutoScalingSettings::from_scaling),
        read_capacity_auto_scaling: own.or(scaling.read.as_ref()).map(AutoScalingSettings::from_scaling),
    };
    Some(specification)
}
