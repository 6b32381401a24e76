//! Restores a table as it was at an earlier time.

use chrono::{DateTime, Utc};
use keyspaces_cql::{QualifiedName, RestoreOverride, RestorePoint, Statement, TableRestore};

use super::{Schema, SchemaChange};

/// A restore that still needs the name of the new table: [`into`](Self::into) sets it and returns the change. From
/// [`Schema::restore_table`].
#[derive(Clone, Debug)]
#[must_use = "nothing is restored until the change that `.into(…)` returns is awaited"]
pub struct Restore<'a> {
    schema: Schema<'a>,
    restore: TableRestore,
}

pub(crate) fn restore_table<'a>(schema: &Schema<'a>, keyspace: &str, table: &str) -> Restore<'a> {
    let source = QualifiedName::new(keyspace, table);
    Restore { schema: *schema, restore: TableRestore::new(source.clone(), source) }
}

impl<'a> Restore<'a> {
    /// Sets the time to restore, in UTC, truncated to the millisecond. Default: now, or for a dropped table the time at
    /// which it was dropped.
    pub fn at(mut self, moment: DateTime<Utc>) -> Self {
        self.restore = self.restore.at(RestorePoint::from_unix_millis(moment.timestamp_millis()));
        self
    }

    /// Sets an option that the new table has instead of the original's: capacity mode, encryption, point-in-time recovery, auto
    /// scaling, the read capacity of single Regions, or tags. No other options can be set (`DG:cql.ddl.table`).
    pub fn with(mut self, setting: impl Into<RestoreOverride>) -> Self {
        self.restore = self.restore.with(setting);
        self
    }

    /// Adds a tag to the new table.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.restore = self.restore.tag(key, value);
        self
    }

    /// Returns the change that restores into a new table of this name. The keyspace must exist.
    pub fn into(mut self, keyspace: &str, table: &str) -> SchemaChange<'a> {
        self.restore.target = QualifiedName::new(keyspace, table);
        self.schema.one(Statement::RestoreTable(self.restore.statement()))
    }
}
