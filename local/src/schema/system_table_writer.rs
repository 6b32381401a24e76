//! The rows of the schema's system tables, made from Cassandra's own schema.

use std::iter;

use chrono::{DateTime, SecondsFormat};
use keyspaces_cql::{CapacityMode, CapacityScaling, Cdc, Encryption, PointInTimeRecovery, StreamTags, TableOptions};
use serde_json::{Map, Value, json};

use super::catalogue::{CatalogueEntry, ChangeInProgress, ObjectStatus, restore_point};
use super::user_types::TypeUses;
use super::{Change, arn_of};
use crate::names::system_tables::{self, SystemTable};
use crate::names::{Names, ObjectKind, SchemaObject};
use crate::recovery::{RECOVERY_WINDOW, RowHistory};
use crate::upstream::{InternalConnection, InternalRequestError};

/// Writes the system tables of an instance.
#[derive(Debug)]
pub(super) struct SystemTableWriter<'a> {
    pub(super) connection: &'a InternalConnection,
    pub(super) names: &'a Names,
    /// The emulated Region.
    pub(super) region: &'a str,
    /// The histories of the tables, and the time in milliseconds since 1970; not known while the gateway starts.
    pub(super) history: Option<(&'a dyn RowHistory, u64)>,
}

/// The system tables with rows of a table.
const TABLES: [(&str, &str); 4] = [
    ("system_schema", "tables"),
    ("system_schema", "columns"),
    ("system_schema_mcs", "tables"),
    ("system_schema_mcs", "columns"),
];
const TYPES: [(&str, &str); 2] = [("system_schema", "types"), ("system_schema_mcs", "types")];
const RELATED_TABLES: [(&str, &str); 3] = [
    ("system_schema_mcs", "autoscaling"),
    ("system_multiregion_info", "tables"),
    ("system_multiregion_info", "autoscaling"),
];
const KEYSPACES: [(&str, &str); 2] = [("system_schema", "keyspaces"), ("system_schema_mcs", "keyspaces")];

impl SystemTableWriter<'_> {
    /// Shows an object as it is now.
    pub(super) async fn show(&self, object: &SchemaObject, entry: &CatalogueEntry) -> Result<(), InternalRequestError> {
        match object.kind {
            ObjectKind::Keyspace => self.show_keyspace(&object.keyspace, entry).await,
            ObjectKind::Table => self.show_table(object, entry).await,
            ObjectKind::Type => self.show_type(object, entry).await,
        }?;
        self.show_tags(object, entry).await
    }

    /// Shows the status of a table or a type that is shown already.
    pub(super) async fn show_status(
        &self,
        object: &SchemaObject,
        entry: &CatalogueEntry,
    ) -> Result<(), InternalRequestError> {
        let (table, key) = match object.kind {
            ObjectKind::Keyspace => return Ok(()),
            ObjectKind::Table => ("tables", "table_name"),
            ObjectKind::Type => ("types", "type_name"),
        };
        let row = json!({"keyspace_name": object.keyspace, key: object.name, "status": entry.status.as_str()});
        self.connection.update_all(&self.table("system_schema_mcs", table), iter::once(row)).await?;
        let replicas = self.regions(&object.keyspace).await?.into_iter().map(|region| {
            json!({"keyspace_name": object.keyspace, key: object.name, "region": region, "status": entry.status.as_str()})
        });
        self.connection.update_all(&self.table("system_multiregion_info", table), replicas).await
    }

    /// Shows which tables and types use these types of a keyspace, and how deep they are nested.
    pub(super) async fn show_uses(
        &self,
        keyspace: &str,
        types: &[String],
        uses: &TypeUses,
    ) -> Result<(), InternalRequestError> {
        let rows = types.iter().map(|name| {
            json!({
                "keyspace_name": keyspace, "type_name": name, "max_nesting_depth": uses.depth(name),
                "direct_referring_tables": uses.tables_using(name).collect::<Vec<_>>(),
                "direct_parent_types": uses.types_using(name).collect::<Vec<_>>(),
            })
        });
        self.connection.update_all(&self.table("system_schema_mcs", "types"), rows).await
    }

    /// The Regions that are shown for a keyspace in several Regions.
    async fn regions(&self, keyspace: &str) -> Result<Vec<String>, InternalRequestError> {
        let table = self.table("system_multiregion_info", "keyspaces");
        let rows = self
            .connection
            .select(&format!("SELECT JSON region FROM {table} WHERE keyspace_name = ?"), &[keyspace])
            .await?;
        Ok(rows.iter().filter_map(|row| Some(row["region"].as_str()?.to_owned())).collect())
    }

    /// Deletes the rows of an object.
    pub(super) async fn hide(&self, object: &SchemaObject) -> Result<(), InternalRequestError> {
        let (tables, key): (&[_], _) = match object.kind {
            ObjectKind::Keyspace => (&[KEYSPACES.as_slice(), &TABLES, &TYPES].concat(), None),
            ObjectKind::Table => (&TABLES, Some("table_name")),
            ObjectKind::Type => (&TYPES, Some("type_name")),
        };
        self.delete_related_rows(object).await?;
        self.delete(tables, key, object).await
    }

    /// Shows the system keyspaces, which `system_schema` lists as well.
    pub(super) async fn show_system(&self) -> Result<(), InternalRequestError> {
        for keyspace in system_tables::KEYSPACES {
            self.connection.insert(&self.table("system_schema", "keyspaces"), &keyspace_row(keyspace, &[])).await?;
        }
        for (from, to, fields) in [("tables", "tables", TABLE_FIELDS), ("columns", "columns", COLUMN_FIELDS)] {
            let statement = format!("SELECT JSON * FROM system_schema.{from} WHERE keyspace_name = ?");
            let rows = self.connection.select(&statement, &[self.names.inner()]).await?;
            let rows = rows.iter().filter_map(|row| {
                let inner = row.get("table_name")?.as_str()?;
                let (keyspace, table) = system_tables::split(inner)?;
                let mut row = pick(row, fields);
                if from == "tables" {
                    row.extend(storage_options());
                }
                row.insert("keyspace_name".into(), keyspace.into());
                row.insert("table_name".into(), table.into());
                Some(Value::Object(row))
            });
            self.connection.insert_all(&self.table("system_schema", to), rows).await?;
        }
        Ok(())
    }

    async fn show_keyspace(&self, keyspace: &str, entry: &CatalogueEntry) -> Result<(), InternalRequestError> {
        for (in_keyspace, name) in KEYSPACES {
            self.connection.insert(&self.table(in_keyspace, name), &keyspace_row(keyspace, &entry.regions)).await?;
        }
        for region in &entry.regions {
            // In mixed case, as in DG:keyspaces-multi-region-replica-status.
            let (status, progress) = match &entry.changing {
                Some(ChangeInProgress::Region(added)) if added == region => ("Creating", Some("0%")),
                _ if entry.due.is_some() => ("Updating", None),
                _ => ("Active", None),
            };
            let row = json!({
                "keyspace_name": keyspace, "region": region, "status": status, "tables_replication_progress": progress,
            });
            self.connection.insert(&self.table("system_multiregion_info", "keyspaces"), &row).await?;
        }
        Ok(())
    }

    async fn show_table(&self, table: &SchemaObject, entry: &CatalogueEntry) -> Result<(), InternalRequestError> {
        let custom_properties = self.custom_properties(table, entry);
        for row in self.cassandra_rows("tables", "table_name", table).await? {
            let mut row = self.with_client_keyspace(pick(&row, TABLE_FIELDS), table);
            row.extend(storage_options());
            self.connection.insert(&self.table("system_schema", "tables"), &Value::Object(row.clone())).await?;
            row.insert("cdc".into(), matches!(entry.options.cdc, Some(Cdc::On(_))).into());
            row.insert("status".into(), entry.status.as_str().into());
            let cdc = custom_properties.get("cdc_specification").cloned();
            row.insert("cdc_specification".into(), cdc.unwrap_or(Value::Null));
            row.insert("custom_properties".into(), Value::Object(custom_properties.clone()));
            row.insert("latest_stream_arn".into(), self.stream(table, entry).into());
            row.insert("creation_time".into(), timestamp(entry.created));
            self.connection.insert(&self.table("system_schema_mcs", "tables"), &Value::Object(row)).await?;
        }
        let rows = self.cassandra_rows("columns", "table_name", table).await?;
        let rows: Vec<_> =
            rows.iter().map(|row| Value::Object(self.with_client_keyspace(pick(row, COLUMN_FIELDS), table))).collect();
        for keyspace in ["system_schema", "system_schema_mcs"] {
            self.connection.insert_all(&self.table(keyspace, "columns"), rows.iter().cloned()).await?;
        }
        if let Some(scaling) = entry.options.auto_scaling.as_ref().filter(|_| entry.status == ObjectStatus::Active) {
            let row = json!({
                "keyspace_name": table.keyspace,
                "table_name": table.name,
                "provisioned_read_capacity_autoscaling_update": scaling.read.map(CapacityScaling::to_system_table),
                "provisioned_write_capacity_autoscaling_update": scaling.write.map(CapacityScaling::to_system_table),
            });
            self.connection.insert(&self.table("system_schema_mcs", "autoscaling"), &row).await?;
        }
        self.show_stream_tags(table, entry).await?;
        self.show_replicas(table, entry, &custom_properties).await
    }

    /// Shows a table of a keyspace in several Regions, in each of them.
    async fn show_replicas(
        &self,
        table: &SchemaObject,
        entry: &CatalogueEntry,
        custom_properties: &Map<String, Value>,
    ) -> Result<(), InternalRequestError> {
        for region in self.regions(&table.keyspace).await? {
            let mut properties = custom_properties.clone();
            let replicas = entry.options.replica_capacity.as_ref();
            if let (Some(units), Some(mode)) =
                (replicas.and_then(|replicas| replicas.get(&region)), properties.get_mut("capacity_mode"))
            {
                mode["read_capacity_units"] = units.to_string().into();
            }
            let row = json!({
                "keyspace_name": table.keyspace, "table_name": table.name, "region": region,
                "status": entry.status.as_str(), "custom_properties": properties,
            });
            self.connection.insert(&self.table("system_multiregion_info", "tables"), &row).await?;
            if let Some(scaling) = entry.options.auto_scaling.as_ref().filter(|_| entry.status == ObjectStatus::Active)
            {
                let read = scaling.replicas.get(&region).copied().or(scaling.read);
                let row = json!({
                    "keyspace_name": table.keyspace,
                    "table_name": table.name,
                    "region": region,
                    "provisioned_read_capacity_autoscaling_update": read.map(CapacityScaling::to_system_table),
                    "provisioned_write_capacity_autoscaling_update": scaling.write.map(CapacityScaling::to_system_table),
                });
                self.connection.insert(&self.table("system_multiregion_info", "autoscaling"), &row).await?;
            }
        }
        Ok(())
    }

    async fn show_tags(&self, object: &SchemaObject, entry: &CatalogueEntry) -> Result<(), InternalRequestError> {
        let (Some(tags), Some(resource)) = (&entry.options.tags, self.resource(object)) else { return Ok(()) };
        let (kind, name) = match object.kind {
            ObjectKind::Keyspace => ("keyspace", &object.keyspace),
            _ => (object.kind.as_str(), &object.name),
        };
        let row = json!({
            "resource_id": resource, "keyspace_name": object.keyspace, "resource_name": name, "resource_type": kind,
            "tags": tags,
        });
        self.connection.insert(&self.table("system_schema_mcs", "tags"), &row).await
    }

    /// The tags of a CDC stream are those of a resource of its own (DG:Tagging.Operations.view.stream).
    async fn show_stream_tags(&self, table: &SchemaObject, entry: &CatalogueEntry) -> Result<(), InternalRequestError> {
        let Some(stream) = self.stream(table, entry) else { return Ok(()) };
        let Some(StreamTags::Own(tags)) = &entry.options.stream_tags else { return Ok(()) };
        let label = stream.rsplit('/').next().unwrap_or_default();
        let row = json!({
            "resource_id": stream, "keyspace_name": table.keyspace, "resource_name": label, "resource_type": "stream",
            "tags": tags,
        });
        self.connection.insert(&self.table("system_schema_mcs", "tags"), &row).await
    }

    /// Adds an event to the history of a table.
    pub(super) async fn add_to_history(
        &self,
        table: &SchemaObject,
        entry: &CatalogueEntry,
        change: Change,
        now: u64,
    ) -> Result<(), InternalRequestError> {
        // The service's names of these events are not known.
        let event = match change {
            Change::Create => "CREATE",
            Change::Alter => "UPDATE",
            Change::Drop => "DELETE",
            Change::Restore => "RESTORE",
        };
        let row = json!({
            "keyspace_name": table.keyspace, "table_name": table.name, "event_time": timestamp(now),
            "creation_time": timestamp(entry.created), "custom_properties": self.custom_properties(table, entry), "event": event,
        });
        self.connection.insert(&self.table("system_schema_mcs", "tables_history"), &row).await
    }

    /// Deletes the rows of tags, auto scaling and replicas.
    async fn delete_related_rows(&self, object: &SchemaObject) -> Result<(), InternalRequestError> {
        let (tables, key): (&[_], _) = match object.kind {
            ObjectKind::Keyspace => (&[("system_multiregion_info", "keyspaces")], None),
            ObjectKind::Table => (&RELATED_TABLES, Some("table_name")),
            ObjectKind::Type => (&[("system_multiregion_info", "types")], Some("type_name")),
        };
        if let Some(resource) = self.resource(object) {
            self.hide_tags(&resource).await?;
        }
        self.delete(tables, key, object).await
    }

    /// Hides the tags of a resource, and of the streams of a table.
    async fn hide_tags(&self, resource: &str) -> Result<(), InternalRequestError> {
        let tags = self.table("system_schema_mcs", "tags");
        let streams = format!("{resource}/stream/");
        for row in self.connection.select(&format!("SELECT JSON resource_id FROM {tags}"), &[]).await? {
            let tagged = row["resource_id"].as_str().unwrap_or_default();
            if tagged == resource || tagged.starts_with(&streams) {
                self.connection.run(&format!("DELETE FROM {tags} WHERE resource_id = ?"), &[tagged]).await?;
            }
        }
        Ok(())
    }

    /// Deletes the rows of an object whose name is in the column `key`.
    async fn delete(
        &self,
        tables: &[(&'static str, &'static str)],
        key: Option<&str>,
        object: &SchemaObject,
    ) -> Result<(), InternalRequestError> {
        for (keyspace, name) in tables {
            let mut statement = format!("DELETE FROM {} WHERE keyspace_name = ?", self.table(keyspace, name));
            let mut values = vec![object.keyspace.as_str()];
            if let Some(key) = key {
                statement.push_str(&format!(" AND {key} = ?"));
                values.push(&object.name);
            }
            self.connection.run(&statement, &values).await?;
        }
        Ok(())
    }

    /// The ARN of an object that can have tags.
    fn resource(&self, object: &SchemaObject) -> Option<String> {
        (object.kind != ObjectKind::Type).then(|| arn_of(object, self.region))
    }

    async fn show_type(&self, user_type: &SchemaObject, entry: &CatalogueEntry) -> Result<(), InternalRequestError> {
        for row in self.cassandra_rows("types", "type_name", user_type).await? {
            let mut row = self.with_client_keyspace(pick(&row, TYPE_FIELDS), user_type);
            self.connection.insert(&self.table("system_schema", "types"), &Value::Object(row.clone())).await?;
            row.insert("status".into(), entry.status.as_str().into());
            row.insert("last_modified_timestamp".into(), timestamp(entry.created));
            let table = self.table("system_schema_mcs", "types");
            self.connection.update_all(&table, iter::once(Value::Object(row))).await?;
        }
        let replicas = self.regions(&user_type.keyspace).await?.into_iter().map(|region| {
            json!({
                "keyspace_name": user_type.keyspace, "type_name": user_type.name, "region": region,
                "status": entry.status.as_str(),
            })
        });
        self.connection.insert_all(&self.table("system_multiregion_info", "types"), replicas).await
    }

    /// The options that were given, the defaults of others (DG:cql.ddl.table), and those that the service adds
    /// (DG:keyspaces-enable-cdc-new-table, DG:restoretabletopointintime, DG:restoredeleted).
    fn custom_properties(&self, table: &SchemaObject, entry: &CatalogueEntry) -> Map<String, Value> {
        let defaults = TableOptions::default()
            .and(CapacityMode::default())
            .and(Encryption::default())
            .and(PointInTimeRecovery::default());
        let mut custom_properties = defaults.custom_properties();
        // The tags of a stream are shown with those of all resources.
        let options = TableOptions { stream_tags: None, ..(*entry.options).clone() };
        custom_properties.extend(options.custom_properties());
        if let (Some(mode), None | Some(CapacityMode::OnDemand)) =
            (custom_properties.get_mut("capacity_mode"), entry.options.capacity_mode)
        {
            let since = entry.on_demand_since.unwrap_or(entry.created);
            mode.insert("last_update_to_pay_per_request_timestamp".into(), since.to_string());
        }
        if let Some(status) = entry.stream_status() {
            let cdc = custom_properties.entry("cdc_specification".into()).or_default();
            cdc.insert("status".into(), status.into());
            cdc.extend(self.stream(table, entry).map(|arn| ("latest_stream_arn".into(), arn)));
        }
        if let Some((history, now)) = self.history.filter(|_| entry.is_recoverable()) {
            let recovery = custom_properties.entry("point_in_time_recovery".into()).or_default();
            if entry.status == ObjectStatus::Deleting {
                recovery.insert("restorable_until_time".into(), restore_point(now + RECOVERY_WINDOW).to_string());
            } else if let Some(earliest) = history.earliest(&entry.table_id(table), now) {
                PointInTimeRecovery::show_earliest_restorable(&mut custom_properties, restore_point(earliest));
            }
        }
        custom_properties.into_iter().map(|(name, settings)| (name, json!(settings))).collect()
    }

    /// The ARN of the latest CDC stream of a table, named for when it was turned on
    /// (DG:keyspaces-enable-cdc-new-table).
    pub(super) fn stream(&self, table: &SchemaObject, entry: &CatalogueEntry) -> Option<String> {
        let since = DateTime::from_timestamp_millis(i64::try_from(entry.stream_since?).ok()?)?;
        Some(format!("{}/stream/{}", self.resource(table)?, since.format("%Y-%m-%dT%H:%M:%S%.3f")))
    }

    async fn cassandra_rows(
        &self,
        table: &str,
        key: &str,
        object: &SchemaObject,
    ) -> Result<Vec<Value>, InternalRequestError> {
        let statement = format!("SELECT JSON * FROM system_schema.{table} WHERE keyspace_name = ? AND {key} = ?");
        self.connection.select(&statement, &[&self.names.keyspace(&object.keyspace), &object.name]).await
    }

    fn with_client_keyspace(&self, mut row: Map<String, Value>, object: &SchemaObject) -> Map<String, Value> {
        row.insert("keyspace_name".into(), object.keyspace.clone().into());
        row
    }

    fn table(&self, keyspace: &'static str, name: &'static str) -> String {
        self.names.system_table(&SystemTable { keyspace, name, columns: "" })
    }
}

/// The fields of a table's row that come from Cassandra.
const TABLE_FIELDS: &[&str] = &["table_name", "comment", "default_time_to_live", "extensions", "flags", "id"];

/// The options that the service ignores, as it shows them for every table (DG:TTL-how-to-create-table).
fn storage_options() -> Map<String, Value> {
    let class = |name: &str| json!({"class": format!("com.amazonaws.cassandra.{name}")});
    let options = [
        ("bloom_filter_fp_chance", json!(0.01)),
        ("caching", class("DefaultCaching")),
        ("compaction", class("DefaultCompaction")),
        ("compression", class("DefaultCompression")),
        ("crc_check_chance", json!(1.0)),
        ("dclocal_read_repair_chance", json!(0.0)),
        ("gc_grace_seconds", json!(7_776_000)),
        ("max_index_interval", json!(2_048)),
        ("memtable_flush_period_in_ms", json!(3_600_000)),
        ("min_index_interval", json!(128)),
        ("read_repair_chance", json!(0.0)),
        ("speculative_retry", json!("99PERCENTILE")),
    ];
    options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

const COLUMN_FIELDS: &[&str] =
    &["table_name", "column_name", "clustering_order", "column_name_bytes", "kind", "position", "type"];

const TYPE_FIELDS: &[&str] = &["type_name", "field_names", "field_types"];

/// Keeps only the fields that Cassandra 3.11 has, too.
fn pick(row: &Value, fields: &[&str]) -> Map<String, Value> {
    fields.iter().filter_map(|field| Some(((*field).to_owned(), row.get(field)?.clone()))).collect()
}

/// The row of a keyspace, with the replication that the service shows for a single Region (tutorial in
/// DG:keyspaces-create).
fn keyspace_row(keyspace: &str, regions: &[String]) -> Value {
    let mut replication = Map::new();
    if regions.is_empty() {
        replication.insert("class".into(), "org.apache.cassandra.locator.SimpleStrategy".into());
        replication.insert("replication_factor".into(), "3".into());
    } else {
        replication.insert("class".into(), "org.apache.cassandra.locator.NetworkTopologyStrategy".into());
        replication.extend(regions.iter().map(|region| (region.clone(), "3".into())));
    }
    json!({"keyspace_name": keyspace, "durable_writes": true, "replication": replication})
}

fn timestamp(millis: u64) -> Value {
    let at = i64::try_from(millis).ok().and_then(DateTime::from_timestamp_millis);
    at.map_or(Value::Null, |at| at.to_rfc3339_opts(SecondsFormat::Millis, true).into())
}
