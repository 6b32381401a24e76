//! What is there, as the system tables show it, for those who do not ask in CQL.

use keyspaces_cql::TableDefinition;
use serde_json::Value;

use super::Schema;
use super::catalogue::{Changing, Entry, Status};
use super::store::definition_of;
use crate::names::system_tables::SystemTable;
use crate::names::{ObjectKind, SchemaObject};
use crate::upstream::Failed;

/// A table as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct DescribedTable {
    pub(crate) entry: Entry,
    /// Its columns are those that are shown, all of those that are being added among them.
    pub(crate) definition: TableDefinition,
    /// The earliest moment to which it can be restored, in milliseconds since 1970.
    pub(crate) earliest_restorable: Option<u64>,
    pub(crate) stream: Option<String>,
}

impl Schema {
    /// What is known of a thing that is shown: a keyspace that is being created is not.
    pub(crate) fn shown(&self, thing: &SchemaObject) -> Option<Entry> {
        let is_shown = |entry: &Entry| thing.kind != ObjectKind::Keyspace || entry.status != Status::Creating;
        self.entry(thing).filter(is_shown)
    }

    /// The keyspaces that are shown, by their names.
    pub(crate) fn shown_keyspaces(&self) -> Vec<(SchemaObject, Entry)> {
        let catalogue = self.catalogue();
        let keyspaces = catalogue.all().filter(|(thing, _)| thing.kind == ObjectKind::Keyspace);
        let shown = keyspaces.filter(|(_, entry)| entry.status != Status::Creating);
        shown.map(|(thing, entry)| (thing.clone(), entry.clone())).collect()
    }

    /// The tables or the types of a keyspace, by their names.
    pub(crate) fn shown_within(&self, keyspace: &str, kind: ObjectKind) -> Vec<SchemaObject> {
        let catalogue = self.catalogue();
        let within = catalogue.within(keyspace).filter(|(thing, _)| thing.kind == kind);
        within.map(|(thing, _)| thing.clone()).collect()
    }

    /// A table as it is shown; nothing if there is none of this name.
    pub(crate) async fn described(&self, table: &SchemaObject) -> Result<Option<DescribedTable>, Failed> {
        let Some(entry) = self.shown(table) else { return Ok(None) };
        let statement = format!(
            "SELECT JSON column_name, type, kind, position, clustering_order FROM {} WHERE keyspace_name = ? AND \
             table_name = ?",
            self.mcs("columns")
        );
        let rows = self.own.select(&statement, &[&table.keyspace, &table.name]).await?;
        let Some(definition) = definition_of(table, &entry.options, &rows, &statement)? else { return Ok(None) };
        let recoverable = entry.is_recoverable() && entry.status != Status::Deleting;
        let earliest = recoverable.then(|| self.history.earliest(&entry.life(table), self.clock.millis())).flatten();
        let stream = self.mirror().stream(table, &entry);
        Ok(Some(DescribedTable { entry, definition, earliest_restorable: earliest, stream }))
    }

    /// The row of a type in `system_schema_mcs.types`.
    pub(crate) async fn described_type(&self, user_type: &SchemaObject) -> Result<Option<Value>, Failed> {
        let statement = format!("SELECT JSON * FROM {} WHERE keyspace_name = ? AND type_name = ?", self.mcs("types"));
        let mut rows = self.own.select(&statement, &[&user_type.keyspace, &user_type.name]).await?;
        Ok(rows.pop())
    }

    /// The resource name of the latest CDC stream of a table, if it has had one.
    pub(crate) fn stream(&self, table: &SchemaObject) -> Option<String> {
        self.mirror().stream(table, &self.entry(table)?)
    }

    /// How long an ALTER TABLE takes, in milliseconds.
    pub(crate) fn millis_of_alter_table(&self) -> u64 {
        self.settings.delays.of(ObjectKind::Table, super::Change::Alter)
    }

    /// What time it is, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.clock.millis()
    }

    fn mcs(&self, name: &'static str) -> String {
        self.names.system_table(&SystemTable { keyspace: "system_schema_mcs", name, columns: "" })
    }
}

impl Entry {
    /// The columns that are being added.
    pub(crate) fn added_columns(&self) -> &[String] {
        match &self.changing {
            Some(Changing::Columns(names)) => names,
            _ => &[],
        }
    }

    /// The Region that a keyspace is getting.
    pub(crate) fn added_region(&self) -> Option<&str> {
        match &self.changing {
            Some(Changing::Region(region)) => Some(region),
            _ => None,
        }
    }

    /// `ENABLED`, `ENABLING` or `DISABLING`: how far the CDC stream of a table is. Of one that is off nothing is shown
    /// (DG:keyspaces-delete-cdc).
    pub(crate) fn stream_status(&self) -> Option<&'static str> {
        let is_on = matches!(self.options.cdc, Some(keyspaces_cql::Cdc::On(_)));
        match (is_on, self.changing == Some(Changing::Stream)) {
            (true, true) => Some("ENABLING"),
            (true, false) => Some("ENABLED"),
            (false, true) => Some("DISABLING"),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
impl Schema {
    /// Has these without a word to the Cassandra behind: for tests of what depends on their number alone.
    pub(crate) fn take_for_there(&self, objects: impl IntoIterator<Item = SchemaObject>) {
        for object in objects {
            self.set(&object, Some(Entry::default()));
        }
    }
}
