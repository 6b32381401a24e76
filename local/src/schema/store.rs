//! The state of an instance, kept in Cassandra beside its clients' data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keyspaces_cql::statement::{AlterTable, AlterTableChange};
use keyspaces_cql::{
    ColumnRow, Name, QualifiedName, Statement, TableDefinition, TableOptions, TableProperty, Ttl, parse,
};
use serde_json::Value;

use super::catalogue::{Catalogue, CatalogueEntry, ObjectStatus};
use super::definition::one_copy;
use super::error::SchemaError;
use super::state;
use super::system_table_writer::SystemTableWriter;
use crate::names::{Names, ObjectKind, SchemaObject, quoted, system_tables};
use crate::recovery::DefinitionHistory;
use crate::topology::Topology;
use crate::upstream::{InternalConnection, InternalRequestError};

/// The inner keyspace of an instance.
#[derive(Debug)]
pub(super) struct SchemaStore<'a> {
    pub(super) connection: &'a InternalConnection,
    pub(super) names: &'a Names,
}

impl SchemaStore<'_> {
    /// Creates the inner keyspace and its tables if they do not exist, writes the topology, and returns Cassandra's
    /// data center.
    pub(super) async fn prepare(&self, topology: &Topology) -> Result<String, SchemaError> {
        let rows = self.connection.select("SELECT JSON data_center, partitioner FROM system.local", &[]).await?;
        let text = |field: &str| rows.first().and_then(|row| row.get(field)?.as_str()).unwrap_or_default().to_owned();
        let (data_center, found) = (text("data_center"), text("partitioner"));
        let required = topology.partitioner.class_in_cassandra();
        if found != required {
            return Err(SchemaError::Partitioner { found, required });
        }
        let inner = self.names.inner();
        let replication = one_copy(&data_center);
        self.connection
            .run(&format!("CREATE KEYSPACE IF NOT EXISTS {inner} WITH replication = {replication}"), &[])
            .await?;
        for table in system_tables::ALL {
            let name = self.names.system_table(table);
            self.connection.run(&format!("CREATE TABLE IF NOT EXISTS {name} ({})", table.columns), &[]).await?;
        }
        let state = self.state();
        let columns = "keyspace_name text, kind text, name text, status text, due bigint, options text, \
             regions frozen<list<text>>, created bigint, on_demand_since bigint, decreases frozen<list<bigint>>, \
             PRIMARY KEY (keyspace_name, kind, name)";
        self.connection.run(&format!("CREATE TABLE IF NOT EXISTS {state} ({columns})"), &[]).await?;
        // The table may have been created by a version that did not have these columns.
        let later = "pending text, before text, key_changes frozen<list<bigint>>, changing text, stream_since bigint, \
                     rows_of text";
        self.connection.run(&format!("ALTER TABLE {state} ADD IF NOT EXISTS ({later})"), &[]).await?;
        self.definitions().prepare().await?;
        self.write_topology(topology).await?;
        self.system_table_writer(&topology.region).show_system().await?;
        Ok(data_center)
    }

    /// Loads the state that the last gateway of this instance left. Objects that were created in Cassandra by others
    /// are added, those that were dropped there are removed, and definitions that were begun are finished. A keyspace
    /// that is being dropped is dropped with everything in it.
    pub(super) async fn load(&self, now: u64, region: &str) -> Result<Catalogue, SchemaError> {
        let table_writer = self.system_table_writer(region);
        let mut catalogue = Catalogue::default();
        let mut saved = BTreeSet::new();
        let rows = self.connection.select(&format!("SELECT JSON * FROM {}", self.state()), &[]).await?;
        let written: Vec<(SchemaObject, CatalogueEntry)> = rows.iter().map(state::entry).collect::<Result<_, _>>()?;
        for (object, _) in &written {
            // Cassandra's name of a long name is a hash, which is known only once it has been computed.
            self.names.keyspace(&object.keyspace);
        }
        let mut finished = Vec::new();
        for (object, entry) in written {
            let was_pending = entry.pending.is_some();
            let Some(entry) = self.finish_pending(&object, entry).await? else { continue };
            match (was_pending, object.kind, entry.status) {
                (_, ObjectKind::Keyspace, _) => {}
                (_, _, ObjectStatus::Deleting) => table_writer.show_status(&object, &entry).await?,
                (true, ..) => table_writer.show(&object, &entry).await?,
                (false, ..) => {}
            }
            finished.push((object, entry));
        }
        let in_cassandra = self.objects_in_cassandra().await?;
        let dropped: BTreeMap<String, Option<u64>> = finished
            .iter()
            .filter(|(object, entry)| object.kind == ObjectKind::Keyspace && entry.status == ObjectStatus::Deleting)
            .map(|(keyspace, entry)| (keyspace.keyspace.clone(), entry.due))
            .collect();
        for (object, mut entry) in finished {
            if let Some(due) = dropped.get(&object.keyspace).filter(|_| entry.status != ObjectStatus::Deleting) {
                entry = CatalogueEntry { status: ObjectStatus::Deleting, due: *due, ..entry };
                table_writer.show_status(&object, &entry).await?;
                self.save(&object, &entry).await?;
            }
            if entry.status == ObjectStatus::Deleting || in_cassandra.contains(&object) {
                saved.insert(object.clone());
                catalogue.set(object, entry);
            } else {
                table_writer.hide(&object).await?;
                self.forget(&object).await?;
            }
        }
        for object in in_cassandra {
            if !saved.contains(&object) {
                let options = match object.kind {
                    ObjectKind::Table => self.options_in_cassandra(&object).await?,
                    ObjectKind::Keyspace | ObjectKind::Type => TableOptions::default(),
                };
                let active = CatalogueEntry { options: Arc::new(options), created: now, ..CatalogueEntry::default() };
                table_writer.show(&object, &active).await?;
                self.save(&object, &active).await?;
                catalogue.set(object, active);
            }
        }
        Ok(catalogue)
    }

    pub(super) async fn save(&self, object: &SchemaObject, entry: &CatalogueEntry) -> Result<(), InternalRequestError> {
        self.connection.insert(&self.state(), &state::row(object, entry)).await
    }

    /// Finishes a pending definition, and returns the new entry of the object, which is saved; `None` if the object
    /// does not exist.
    pub(super) async fn finish_pending(
        &self,
        object: &SchemaObject,
        entry: CatalogueEntry,
    ) -> Result<Option<CatalogueEntry>, InternalRequestError> {
        let Some(pending) = entry.pending.clone() else { return Ok(Some(entry)) };
        let is_executed = self.is_executed(object, &entry).await?;
        let entry = if is_executed { Some(CatalogueEntry { pending: None, ..entry }) } else { pending.before.clone() };
        match &entry {
            Some(entry) => self.save(object, entry).await?,
            None => self.forget(object).await?,
        }
        Ok(entry)
    }

    /// Sends a pending definition to Cassandra again, and returns whether it is executed. Cassandra refuses it both if
    /// it was executed before and if it is not possible; Cassandra's schema shows which of the two applies.
    pub(super) async fn is_executed(
        &self,
        object: &SchemaObject,
        entry: &CatalogueEntry,
    ) -> Result<bool, InternalRequestError> {
        let Some(pending) = &entry.pending else { return Ok(true) };
        match self.connection.run(&pending.text, &[]).await {
            Ok(()) => return Ok(true),
            Err(InternalRequestError::Refused { .. }) => {}
            Err(failed) => return Err(failed),
        }
        match entry.status {
            ObjectStatus::Creating | ObjectStatus::Restoring => Ok(self.objects_in_cassandra().await?.contains(object)),
            ObjectStatus::Deleting => Ok(!self.objects_in_cassandra().await?.contains(object)),
            ObjectStatus::Active | ObjectStatus::Updating | ObjectStatus::Inaccessible => {
                self.has_columns(object, &pending.text).await
            }
        }
    }

    /// Whether a table has the columns that an ALTER TABLE adds; false for any other statement.
    async fn has_columns(&self, table: &SchemaObject, alter: &str) -> Result<bool, InternalRequestError> {
        let Ok(Statement::AlterTable(AlterTable { change: AlterTableChange::Add(added), .. })) = parse(alter) else {
            return Ok(false);
        };
        let statement = "SELECT JSON column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?";
        let rows = self.connection.select(statement, &[&self.names.keyspace(&table.keyspace), &table.name]).await?;
        let has = |name: &Name| rows.iter().any(|row| row["column_name"] == name.text.as_str());
        Ok(added.iter().all(|column| has(&column.name)))
    }

    pub(super) async fn forget(&self, object: &SchemaObject) -> Result<(), InternalRequestError> {
        let all = format!("DELETE FROM {} WHERE keyspace_name = ?", self.state());
        match object.kind {
            ObjectKind::Keyspace => self.connection.run(&all, &[&object.keyspace]).await,
            kind => {
                let one = format!("{all} AND kind = ? AND name = ?");
                self.connection.run(&one, &[&object.keyspace, kind.as_str(), &object.name]).await
            }
        }
    }

    /// A table with these options, if Cassandra has it.
    pub(super) async fn table(
        &self,
        table: &SchemaObject,
        options: &TableOptions,
    ) -> Result<Option<TableDefinition>, InternalRequestError> {
        let statement = "SELECT JSON column_name, type, kind, position, clustering_order FROM system_schema.columns WHERE \
                         keyspace_name = ? AND table_name = ?";
        let rows = self.connection.select(statement, &[&self.names.keyspace(&table.keyspace), &table.name]).await?;
        definition_of(table, options, &rows, statement)
    }

    /// The options of a table in Cassandra: a default time to live turns TTL on (DG:TTL-how-to-create-table).
    async fn options_in_cassandra(&self, table: &SchemaObject) -> Result<TableOptions, InternalRequestError> {
        let statement =
            "SELECT JSON default_time_to_live FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
        let rows = self.connection.select(statement, &[&self.names.keyspace(&table.keyspace), &table.name]).await?;
        let ttl = rows.iter().find_map(|row| u32::try_from(row["default_time_to_live"].as_u64()?).ok());
        let options = TableOptions::default();
        let seconds = ttl.filter(|seconds| *seconds > 0).map(TableProperty::DefaultTimeToLive);
        Ok(match seconds {
            Some(seconds) => options.and(seconds).and(Ttl::Enabled),
            None => options,
        })
    }

    /// The former definitions of tables.
    pub(super) fn definitions(&self) -> DefinitionHistory<'_> {
        DefinitionHistory { connection: self.connection, names: self.names }
    }

    fn system_table_writer<'a>(&'a self, region: &'a str) -> SystemTableWriter<'a> {
        SystemTableWriter { connection: self.connection, names: self.names, region, history: None }
    }

    /// Drops the instance's keyspaces, the inner one last, because a later gateway finds the others by it.
    pub(super) async fn drop_everything(&self) -> Result<(), InternalRequestError> {
        for keyspace in self.keyspaces_in_cassandra().await? {
            self.connection.run(&format!("DROP KEYSPACE IF EXISTS {}", quoted(&keyspace)), &[]).await?;
        }
        self.connection.run(&format!("DROP KEYSPACE IF EXISTS {}", self.names.inner()), &[]).await
    }

    pub(super) async fn write_topology(&self, topology: &Topology) -> Result<(), InternalRequestError> {
        let table = |name| system_tables::find("system", name).map(|table| self.names.system_table(table));
        let (Some(local), Some(peers)) = (table("local"), table("peers")) else { return Ok(()) };
        self.connection.insert(&local, &topology.local_row()).await?;
        let now: Vec<Value> = topology.peers.iter().map(|peer| topology.peer_row(peer)).collect();
        for before in self.connection.select(&format!("SELECT JSON peer FROM {peers}"), &[]).await? {
            if let Some(peer) = before["peer"].as_str().filter(|_| now.iter().all(|row| row["peer"] != before["peer"]))
            {
                self.connection.run(&format!("DELETE FROM {peers} WHERE peer = '{peer}'"), &[]).await?;
            }
        }
        self.connection.insert_all(&peers, now.into_iter()).await
    }

    async fn keyspaces_in_cassandra(&self) -> Result<Vec<String>, InternalRequestError> {
        let prefix = self.names.prefix();
        let rows = self.connection.select("SELECT JSON keyspace_name FROM system_schema.keyspaces", &[]).await?;
        let names = rows.iter().filter_map(|row| row["keyspace_name"].as_str());
        Ok(names.filter(|name| name.starts_with(&prefix)).map(str::to_owned).collect())
    }

    async fn objects_in_cassandra(&self) -> Result<BTreeSet<SchemaObject>, InternalRequestError> {
        let mut objects = BTreeSet::new();
        for upstream in self.keyspaces_in_cassandra().await? {
            let keyspace = self.names.client_keyspace(&upstream).into_owned();
            for (table, key, kind) in
                [("tables", "table_name", ObjectKind::Table), ("types", "type_name", ObjectKind::Type)]
            {
                let statement = format!("SELECT JSON {key} FROM system_schema.{table} WHERE keyspace_name = ?");
                for row in self.connection.select(&statement, &[&upstream]).await? {
                    let name = row[key].as_str().unwrap_or_default().to_owned();
                    objects.insert(SchemaObject { keyspace: keyspace.clone(), kind, name });
                }
            }
            objects.insert(SchemaObject::keyspace(keyspace));
        }
        Ok(objects)
    }

    fn state(&self) -> String {
        format!("{}.things", self.names.inner())
    }
}

/// The table that the rows of a table of columns describe, with these options; `None` without rows.
pub(super) fn definition_of(
    table: &SchemaObject,
    options: &TableOptions,
    rows: &[Value],
    statement: &str,
) -> Result<Option<TableDefinition>, InternalRequestError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let columns = rows.iter().map(|row| {
        let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
        ColumnRow {
            name: text("column_name"),
            column_type: text("type"),
            kind: text("kind"),
            position: row["position"].as_i64().and_then(|position| position.try_into().ok()).unwrap_or(-1),
            clustering_order: text("clustering_order"),
        }
    });
    let name = QualifiedName::new(&table.keyspace, &table.name);
    let definition = TableDefinition::from_columns(name, columns);
    let definition =
        definition.map_err(|none| InternalRequestError::MalformedAnswer(format!("{statement}: {none}")))?;
    Ok(Some(TableDefinition { options: options.clone(), ..definition }))
}
