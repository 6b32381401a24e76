//! What the schema's system tables say: rows made from Cassandra's own schema.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use super::catalogue::{Entry, Kind, Thing};
use super::names::Names;
use super::system_tables::{self, SystemTable};
use crate::gateway::{Failed, Own};

/// Writes into the system tables of an instance.
#[derive(Debug)]
pub(super) struct Mirror<'a> {
    pub(super) own: &'a Own,
    pub(super) names: &'a Names,
}

/// Where a thing has rows beside those of its own name: one key column more than the keyspace, called this.
const TABLES: [(&str, &str); 4] = [
    ("system_schema", "tables"),
    ("system_schema", "columns"),
    ("system_schema_mcs", "tables"),
    ("system_schema_mcs", "columns"),
];
const TYPES: [(&str, &str); 2] = [("system_schema", "types"), ("system_schema_mcs", "types")];
const KEYSPACES: [(&str, &str); 2] = [("system_schema", "keyspaces"), ("system_schema_mcs", "keyspaces")];

impl Mirror<'_> {
    /// Shows a thing as Cassandra has it now.
    pub(super) async fn show(&self, thing: &Thing, entry: Entry, now: u64) -> Result<(), Failed> {
        match thing.kind {
            Kind::Keyspace => self.show_keyspace(&thing.keyspace).await,
            Kind::Table => self.show_table(thing, entry, now).await,
            Kind::Type => self.show_type(thing, entry, now).await,
        }
    }

    /// Shows the status of a table or a type that is shown already.
    pub(super) async fn show_status(&self, thing: &Thing, entry: Entry) -> Result<(), Failed> {
        let (table, key) = match thing.kind {
            Kind::Keyspace => return Ok(()),
            Kind::Table => ("tables", "table_name"),
            Kind::Type => ("types", "type_name"),
        };
        let row = json!({"keyspace_name": thing.keyspace, key: thing.name, "status": entry.status.word()});
        let statement = format!("INSERT INTO {} JSON ? DEFAULT UNSET", self.table("system_schema_mcs", table));
        self.own.run(&statement, &[&row.to_string()]).await
    }

    /// Shows nothing of a thing any more.
    pub(super) async fn hide(&self, thing: &Thing) -> Result<(), Failed> {
        let (places, key): (&[_], _) = match thing.kind {
            Kind::Keyspace => (&[KEYSPACES.as_slice(), &TABLES, &TYPES].concat(), None),
            Kind::Table => (&TABLES, Some("table_name")),
            Kind::Type => (&TYPES, Some("type_name")),
        };
        for (keyspace, name) in places {
            let mut statement = format!("DELETE FROM {} WHERE keyspace_name = ?", self.table(keyspace, name));
            let mut values = vec![thing.keyspace.as_str()];
            if let Some(key) = key {
                statement.push_str(&format!(" AND {key} = ?"));
                values.push(&thing.name);
            }
            self.own.run(&statement, &values).await?;
        }
        Ok(())
    }

    /// Shows the system keyspaces themselves, as `system_schema` lists them too.
    pub(super) async fn show_system(&self) -> Result<(), Failed> {
        for keyspace in system_tables::KEYSPACES {
            self.own.insert(&self.table("system_schema", "keyspaces"), &keyspace_row(keyspace)).await?;
        }
        for (from, to, fields) in [("tables", "tables", TABLE_FIELDS), ("columns", "columns", COLUMN_FIELDS)] {
            let statement = format!("SELECT JSON * FROM system_schema.{from} WHERE keyspace_name = ?");
            let rows = self.own.select(&statement, &[self.names.inner()]).await?;
            let rows = rows.iter().filter_map(|row| {
                let inner = row.get("table_name")?.as_str()?;
                let (keyspace, table) = system_tables::split(inner)?;
                let mut row = only(row, fields);
                row.insert("keyspace_name".into(), keyspace.into());
                row.insert("table_name".into(), table.into());
                Some(Value::Object(row))
            });
            self.own.insert_all(&self.table("system_schema", to), rows).await?;
        }
        Ok(())
    }

    async fn show_keyspace(&self, keyspace: &str) -> Result<(), Failed> {
        for (in_keyspace, name) in KEYSPACES {
            self.own.insert(&self.table(in_keyspace, name), &keyspace_row(keyspace)).await?;
        }
        Ok(())
    }

    async fn show_table(&self, table: &Thing, entry: Entry, now: u64) -> Result<(), Failed> {
        for row in self.cassandras("tables", "table_name", table).await? {
            let mut row = self.renamed(only(&row, TABLE_FIELDS), table);
            self.own.insert(&self.table("system_schema", "tables"), &Value::Object(row.clone())).await?;
            row.insert("status".into(), entry.status.word().into());
            row.insert("custom_properties".into(), custom_properties(now));
            row.insert("creation_time".into(), timestamp(now));
            self.own.insert(&self.table("system_schema_mcs", "tables"), &Value::Object(row)).await?;
        }
        let rows = self.cassandras("columns", "table_name", table).await?;
        let rows: Vec<_> =
            rows.iter().map(|row| Value::Object(self.renamed(only(row, COLUMN_FIELDS), table))).collect();
        for keyspace in ["system_schema", "system_schema_mcs"] {
            self.own.insert_all(&self.table(keyspace, "columns"), rows.iter().cloned()).await?;
        }
        Ok(())
    }

    async fn show_type(&self, user_type: &Thing, entry: Entry, now: u64) -> Result<(), Failed> {
        for row in self.cassandras("types", "type_name", user_type).await? {
            let mut row = self.renamed(only(&row, TYPE_FIELDS), user_type);
            self.own.insert(&self.table("system_schema", "types"), &Value::Object(row.clone())).await?;
            row.insert("status".into(), entry.status.word().into());
            row.insert("last_modified_timestamp".into(), timestamp(now));
            self.own.insert(&self.table("system_schema_mcs", "types"), &Value::Object(row)).await?;
        }
        Ok(())
    }

    async fn cassandras(&self, table: &str, key: &str, thing: &Thing) -> Result<Vec<Value>, Failed> {
        let statement = format!("SELECT JSON * FROM system_schema.{table} WHERE keyspace_name = ? AND {key} = ?");
        self.own.select(&statement, &[&self.names.keyspace(&thing.keyspace), &thing.name]).await
    }

    fn renamed(&self, mut row: Map<String, Value>, thing: &Thing) -> Map<String, Value> {
        row.insert("keyspace_name".into(), thing.keyspace.clone().into());
        row
    }

    fn table(&self, keyspace: &'static str, name: &'static str) -> String {
        self.names.system_table(&SystemTable { keyspace, name, columns: "" })
    }
}

const TABLE_FIELDS: &[&str] = &[
    "table_name",
    "bloom_filter_fp_chance",
    "caching",
    "cdc",
    "comment",
    "compaction",
    "compression",
    "crc_check_chance",
    "dclocal_read_repair_chance",
    "default_time_to_live",
    "extensions",
    "flags",
    "gc_grace_seconds",
    "id",
    "max_index_interval",
    "memtable_flush_period_in_ms",
    "min_index_interval",
    "read_repair_chance",
    "speculative_retry",
];

const COLUMN_FIELDS: &[&str] =
    &["table_name", "column_name", "clustering_order", "column_name_bytes", "kind", "position", "type"];

const TYPE_FIELDS: &[&str] = &["type_name", "field_names", "field_types"];

/// The fields that Cassandra 3.11 has too.
fn only(row: &Value, fields: &[&str]) -> Map<String, Value> {
    fields.iter().filter_map(|field| Some(((*field).to_owned(), row.get(field)?.clone()))).collect()
}

/// With the replication that the service shows for every keyspace of a single Region (DG:keyspaces-create's tutorial).
fn keyspace_row(keyspace: &str) -> Value {
    json!({
        "keyspace_name": keyspace,
        "durable_writes": true,
        "replication": {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "3"},
    })
}

/// What a table has if nothing is said (DG:cql.ddl.table).
fn custom_properties(now: u64) -> Value {
    json!({
        "capacity_mode": {
            "last_update_to_pay_per_request_timestamp": now.to_string(),
            "throughput_mode": "PAY_PER_REQUEST",
        },
        "encryption_specification": {"encryption_type": "AWS_OWNED_KMS_KEY"},
        "point_in_time_recovery": {"status": "disabled"},
    })
}

fn timestamp(millis: u64) -> Value {
    let at = i64::try_from(millis).ok().and_then(DateTime::from_timestamp_millis);
    at.map_or(Value::Null, |at| at.to_rfc3339_opts(SecondsFormat::Millis, true).into())
}
