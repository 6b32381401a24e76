//! The schema: definitions take effect after a delay, and `system_schema_mcs` shows their progress.
//!
//! It is stored in the backing Cassandra, so that the next gateway over the same instance resumes where the last one
//! ended.

mod arn;
mod catalogue;
mod definition;
mod definition_refusal;
mod delays;
mod describe;
mod error;
mod next_entry;
mod preconditions;
mod quotas;
mod recovery;
mod regions;
mod restore;
mod state;
mod store;
mod system_table_writer;
mod user_types;
mod writer;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLockReadGuard};

use keyspaces_cql::{CapacityMode, TableOptions};
use serde_json::Value;
use tokio::sync::{Mutex, Notify};

use crate::clock::{Clock, millis};
use crate::lock::{self, RwLock};
#[cfg(test)]
use crate::names::TableId;
use crate::names::{Names, ObjectKind, SchemaObject, system_tables};
use crate::protocol::{Frame, Refusal, error_code};
use crate::recovery::RowHistory;
use crate::topology::Topology;
use crate::upstream::{InternalConnection, InternalRequestError};
pub(crate) use arn::{Resource, arn_of};
use catalogue::Catalogue;
pub(crate) use catalogue::{CatalogueEntry, Features, ObjectStatus};
pub(crate) use definition::{Change, Definition};
pub(crate) use definition_refusal::{DefinitionRefusal, RefusalCause, in_progress_text};
pub use delays::Ddl;
pub(crate) use delays::Delays;
pub(crate) use describe::DescribedTable;
pub(crate) use error::SchemaError;
use recovery::TableRecovery;
use store::SchemaStore;
use system_table_writer::SystemTableWriter;
use writer::SchemaWriter;

/// The schema of one instance.
#[derive(Debug)]
pub(crate) struct Schema {
    names: Arc<Names>,
    connection: InternalConnection,
    recovery: TableRecovery,
    data_center: String,
    settings: SchemaSettings,
    clock: MillisClock,
    catalogue: RwLock<Catalogue>,
    next_due: AtomicU64,
    /// Held during a change, so that one is made at a time.
    write_lock: Mutex<()>,
    /// Notified when a table begins to wait for its rows.
    restore_requested: Notify,
    /// Whether no further restore may start.
    is_closing: AtomicBool,
    /// The nodes that the system tables show.
    topology: lock::Mutex<Topology>,
}

/// The settings of an instance.
#[derive(Clone, Debug)]
pub(crate) struct SchemaSettings {
    pub(crate) delays: Delays,
    /// The emulated Region.
    pub(crate) region: String,
    /// The KMS keys that the service has no access to.
    pub(crate) inaccessible_keys: BTreeSet<String>,
    /// The maximum bytes of the history of a table.
    pub(crate) history_bytes: u64,
}

/// The clock, in milliseconds since 1970.
#[derive(Clone)]
struct MillisClock(Clock);

impl Schema {
    /// Creates the keyspace and the tables of an instance in Cassandra if they do not exist, and returns Cassandra's
    /// data center.
    pub(crate) async fn prepare(
        connection: &InternalConnection,
        names: &Names,
        topology: &Topology,
    ) -> Result<String, SchemaError> {
        SchemaStore { connection, names }.prepare(topology).await
    }

    /// Loads the schema of an instance from Cassandra, which was [prepared](Self::prepare) for it.
    pub(crate) async fn open(
        connection: InternalConnection,
        names: Arc<Names>,
        data_center: String,
        topology: &Topology,
        settings: SchemaSettings,
        clock: Clock,
        history: Box<dyn RowHistory>,
    ) -> Result<Self, SchemaError> {
        let clock = MillisClock(clock);
        let catalogue =
            SchemaStore { connection: &connection, names: &names }.load(clock.millis(), &settings.region).await?;
        let schema = Self {
            names,
            recovery: TableRecovery::new(history),
            data_center,
            settings,
            clock,
            next_due: AtomicU64::new(catalogue.next_due().unwrap_or(u64::MAX)),
            catalogue: RwLock::new(catalogue),
            write_lock: Mutex::new(()),
            restore_requested: Notify::new(),
            is_closing: AtomicBool::new(false),
            topology: lock::Mutex::new(topology.clone()),
            connection,
        };
        schema.resume().await?;
        Ok(schema)
    }

    /// Resumes the histories of the tables, and finishes the changes that the last gateway left unfinished.
    async fn resume(&self) -> Result<(), InternalRequestError> {
        let (store, now) = (self.store(), self.clock.millis());
        store.definitions().forget_expired(now).await?;
        let tables: Vec<_> = {
            let catalogue = self.catalogue();
            let tables = catalogue.all().filter(|(object, entry)| {
                object.kind == ObjectKind::Table && (entry.is_recoverable() || entry.status == ObjectStatus::Updating)
            });
            tables.map(|(object, entry)| (object.clone(), entry.clone())).collect()
        };
        for (table, entry) in tables {
            self.recovery.record(&store, &table, &entry, now).await?;
        }
        let writer = self.writer().await;
        for keyspace in self.keyspaces() {
            writer.show_uses(&keyspace).await?;
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The data center of the backing Cassandra, which replication options have to name.
    pub(crate) fn data_center(&self) -> &str {
        &self.data_center
    }

    /// The nodes that the system tables show.
    pub(crate) fn topology(&self) -> Topology {
        self.topology.lock().clone()
    }

    /// Changes the nodes that the system tables show.
    pub(crate) async fn show_topology(&self, topology: &Topology) -> Result<(), InternalRequestError> {
        let _writer = self.writer().await;
        self.store().write_topology(topology).await?;
        *self.topology.lock() = topology.clone();
        Ok(())
    }

    /// Whether an object exists, ACTIVE or not yet. An object that is being dropped does not.
    pub(crate) fn has(&self, object: &SchemaObject) -> bool {
        self.entry(object).is_some_and(|entry| entry.status != ObjectStatus::Deleting)
    }

    /// Whether a keyspace can be used; otherwise the service's refusal.
    pub(crate) fn check_keyspace(&self, keyspace: &str) -> Result<(), Refusal> {
        let usable = system_tables::is_system(keyspace)
            || self.entry(&SchemaObject::keyspace(keyspace)).is_some_and(|entry| entry.is_usable());
        if usable { Ok(()) } else { Err(unconfigured(&SchemaObject::keyspace(keyspace))) }
    }

    /// Whether a table can be used, and has the features that the statement needs; otherwise the service's refusal.
    pub(crate) fn check_table(&self, table: &SchemaObject, needs: Features) -> Result<(), Refusal> {
        self.check_keyspace(&table.keyspace)?;
        let features = if system_tables::is_system(&table.keyspace) {
            system_tables::find(&table.keyspace, &table.name).map(|_| Features::default())
        } else {
            self.entry(table).filter(CatalogueEntry::is_usable).map(|entry| entry.features())
        };
        let features = features.ok_or_else(|| unconfigured(table))?;
        if needs.ttl && !features.ttl {
            let rule = &keyspaces_cql::rules::TTL_OFF;
            return Err(Refusal { code: rule.error_code(), text: rule.server_message.unwrap_or(rule.refuses).into() });
        }
        if needs.timestamps && !features.timestamps {
            let text = format!(
                "keyspaces-local: client-side timestamps are not enabled for {table}: USING TIMESTAMP and WRITETIME \
                 need them (the service's message is not known)"
            );
            return Err(Refusal { code: error_code::INVALID, text });
        }
        Ok(())
    }

    /// The features that are turned on for a table.
    pub(crate) fn features(&self, table: &SchemaObject) -> Features {
        self.entry(table).map(|entry| entry.features()).unwrap_or_default()
    }

    /// The capacity mode of a table.
    pub(crate) fn capacity_mode(&self, table: &SchemaObject) -> CapacityMode {
        self.options(table).and_then(|options| options.capacity_mode).unwrap_or_default()
    }

    /// Applies the changes that are due. Call it before a statement reads the schema; it costs nothing if none is due.
    /// Returns whether a definition was finished that could not be sent to Cassandra before.
    pub(crate) async fn apply_due_changes(&self) -> Result<bool, InternalRequestError> {
        if self.next_due.load(Ordering::Acquire) > self.clock.millis() {
            return Ok(false);
        }
        self.writer().await.apply_due_changes().await
    }

    /// The options of a table, if it exists.
    pub(crate) fn options(&self, table: &SchemaObject) -> Option<Arc<TableOptions>> {
        self.catalogue().get(table).map(|entry| entry.options)
    }

    /// Executes a definition, which takes effect after the delay that is set, and returns Cassandra's answer with the
    /// client's names.
    pub(crate) async fn define(&self, definition: &Definition) -> Result<Frame, DefinitionRefusal> {
        let delay_millis = self.settings.delays.get(definition.object.kind, definition.change);
        self.writer().await.define(definition, delay_millis).await
    }

    /// Executes a definition that takes effect at once.
    pub(crate) async fn define_at_once(&self, definition: &Definition) -> Result<Frame, DefinitionRefusal> {
        let answer = self.writer().await.define(definition, 0).await?;
        self.apply_due_changes().await?;
        Ok(answer)
    }

    /// Drops everything that this instance has in Cassandra.
    pub(crate) async fn drop_everything(&self) -> Result<(), InternalRequestError> {
        let _writer = self.writer().await;
        self.store().drop_everything().await
    }

    /// Restores the rows of all tables that wait for them, until [`stop_restoring`](Self::stop_restoring). A restore
    /// that a killed gateway had begun starts again.
    pub(crate) async fn restore_rows(&self) {
        restore::restore_rows(self).await;
    }

    /// Lets the current restore finish, and starts no other.
    pub(crate) fn stop_restoring(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.restore_requested.notify_one();
    }

    /// Updates the earliest restorable timestamps that have moved: with time, or because older entries were removed.
    /// Call it before the system tables are read.
    pub(crate) async fn refresh_earliest(&self) -> Result<(), InternalRequestError> {
        let now = self.clock.millis();
        let moved = |table: &SchemaObject, entry: &CatalogueEntry| self.recovery.changed_earliest(table, entry, now);
        if !self.catalogue().all().any(|(table, entry)| moved(table, entry).is_some()) {
            return Ok(());
        }
        let _writer = self.writer().await;
        let all: Vec<_> = {
            let catalogue = self.catalogue();
            let moved = catalogue.all().filter_map(|(table, entry)| Some((table, entry, moved(table, entry)?)));
            moved.map(|(table, entry, earliest)| (table.clone(), entry.clone(), earliest)).collect()
        };
        for (table, entry, earliest) in all {
            self.system_table_writer().show(&table, &entry).await?;
            self.recovery.set_earliest_shown(table, earliest);
        }
        Ok(())
    }

    /// The entry of an object that is shown to clients. A keyspace that is being created is not.
    pub(crate) fn visible_entry(&self, object: &SchemaObject) -> Option<CatalogueEntry> {
        let is_visible =
            |entry: &CatalogueEntry| object.kind != ObjectKind::Keyspace || entry.status != ObjectStatus::Creating;
        self.entry(object).filter(is_visible)
    }

    /// The keyspaces that are shown, by their names.
    pub(crate) fn visible_keyspaces(&self) -> Vec<(SchemaObject, CatalogueEntry)> {
        let catalogue = self.catalogue();
        let keyspaces = catalogue.all().filter(|(object, _)| object.kind == ObjectKind::Keyspace);
        let listed = keyspaces.filter(|(_, entry)| entry.status != ObjectStatus::Creating);
        listed.map(|(object, entry)| (object.clone(), entry.clone())).collect()
    }

    /// The tables or the types of a keyspace, by their names.
    pub(crate) fn visible_objects(&self, keyspace: &str, kind: ObjectKind) -> Vec<SchemaObject> {
        let catalogue = self.catalogue();
        let within = catalogue.within(keyspace).filter(|(object, _)| object.kind == kind);
        within.map(|(object, _)| object.clone()).collect()
    }

    /// A table as the system tables show it, if it exists.
    pub(crate) async fn describe_table(
        &self,
        table: &SchemaObject,
    ) -> Result<Option<DescribedTable>, InternalRequestError> {
        let Some(entry) = self.visible_entry(table) else { return Ok(None) };
        let Some(definition) = describe::table(&self.connection, &self.names, table, &entry.options).await? else {
            return Ok(None);
        };
        let earliest_restorable = self.recovery.earliest(table, &entry, self.clock.millis());
        let stream = self.system_table_writer().stream(table, &entry);
        Ok(Some(DescribedTable { entry, definition, earliest_restorable, stream }))
    }

    /// The row of a type in `system_schema_mcs.types`.
    pub(crate) async fn describe_type(&self, user_type: &SchemaObject) -> Result<Option<Value>, InternalRequestError> {
        describe::user_type(&self.connection, &self.names, user_type).await
    }

    /// The resource name of the latest CDC stream of a table, if it has had one.
    pub(crate) fn stream(&self, table: &SchemaObject) -> Option<String> {
        self.system_table_writer().stream(table, &self.entry(table)?)
    }

    /// How long an ALTER TABLE takes, in milliseconds.
    pub(crate) fn millis_of_alter_table(&self) -> u64 {
        self.settings.delays.get(ObjectKind::Table, Change::Alter)
    }

    /// The time, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.clock.millis()
    }

    /// Adds these objects without defining them in Cassandra, for tests that depend only on their number.
    #[cfg(test)]
    pub(crate) fn assume_exists(&self, objects: impl IntoIterator<Item = SchemaObject>) {
        for object in objects {
            self.set(&object, Some(CatalogueEntry::default()));
        }
    }

    #[cfg(test)]
    pub(crate) fn table_id(&self, table: &SchemaObject) -> Option<TableId> {
        self.entry(table).map(|entry| entry.table_id(table))
    }

    fn keyspaces(&self) -> Vec<String> {
        let catalogue = self.catalogue();
        let keyspaces = catalogue.all().filter(|(object, _)| object.kind == ObjectKind::Keyspace);
        keyspaces.map(|(object, _)| object.keyspace.clone()).collect()
    }

    fn system_table_writer(&self) -> SystemTableWriter<'_> {
        let history = Some((self.recovery.history(), self.clock.millis()));
        SystemTableWriter { connection: &self.connection, names: &self.names, region: &self.settings.region, history }
    }

    async fn writer(&self) -> SchemaWriter<'_> {
        SchemaWriter { schema: self, _guard: self.write_lock.lock().await }
    }

    fn store(&self) -> SchemaStore<'_> {
        SchemaStore { connection: &self.connection, names: &self.names }
    }

    fn catalogue(&self) -> RwLockReadGuard<'_, Catalogue> {
        self.catalogue.read()
    }

    fn entry(&self, object: &SchemaObject) -> Option<CatalogueEntry> {
        self.catalogue().get(object)
    }

    fn set(&self, object: &SchemaObject, entry: Option<CatalogueEntry>) {
        let mut catalogue = self.catalogue.write();
        match entry {
            Some(entry) => catalogue.set(object.clone(), entry),
            None => catalogue.remove(object),
        }
        self.next_due.store(catalogue.next_due().unwrap_or(u64::MAX), Ordering::Release);
    }
}

impl MillisClock {
    fn millis(&self) -> u64 {
        millis((self.0)())
    }
}

impl std::fmt::Debug for MillisClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MillisClock({})", self.millis())
    }
}

/// The service's refusal of an object that does not exist, or not yet (DG:troubleshooting.cql). The text for a type is
/// Cassandra's.
pub(crate) fn unconfigured(object: &SchemaObject) -> Refusal {
    let text = match object.kind {
        ObjectKind::Keyspace => format!("unconfigured keyspace {}", object.keyspace),
        ObjectKind::Table => format!("unconfigured table {}.{}", object.keyspace, object.name),
        ObjectKind::Type => format!("Type '{}.{}' doesn't exist", object.keyspace, object.name),
    };
    Refusal { code: error_code::INVALID, text }
}
