//! A table brought back as it was at a moment.

use chrono::{DateTime, Utc};
use keyspaces_cql::{QualifiedName, RestoreOverride, RestorePoint, Statement, TableRestore};

use super::{Schema, SchemaChange};

/// A table to be brought back, which lacks the name that it is to have: [`into`](Self::into) gives the change.
#[derive(Clone, Debug)]
#[must_use = "nothing is restored until `.into(…)` says where to, and that is awaited"]
pub struct Restore<'a> {
    schema: Schema<'a>,
    restore: TableRestore,
}

pub(crate) fn restore_table<'a>(schema: &Schema<'a>, keyspace: &str, table: &str) -> Restore<'a> {
    let source = QualifiedName::new(keyspace, table);
    Restore { schema: *schema, restore: TableRestore::new(source.clone(), source) }
}

impl<'a> Restore<'a> {
    /// As the table was at this moment, cut to the millisecond; unless said, as it is now or was when it was dropped.
    pub fn at(mut self, moment: DateTime<Utc>) -> Self {
        self.restore = self.restore.at(RestorePoint::from_unix_millis(moment.timestamp_millis()));
        self
    }

    /// With a setting that is not the one of the table: capacity mode, encryption, point-in-time recovery, auto scaling, the
    /// read capacity of single Regions, tags. There are no others (`DG:cql.ddl.table`).
    pub fn with(mut self, setting: impl Into<RestoreOverride>) -> Self {
        self.restore = self.restore.with(setting);
        self
    }

    /// With one more tag.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.restore = self.restore.tag(key, value);
        self
    }

    /// As a new table of this name in this keyspace, which is there.
    pub fn into(mut self, keyspace: &str, table: &str) -> SchemaChange<'a> {
        self.restore.target = QualifiedName::new(keyspace, table);
        self.schema.one(Statement::RestoreTable(self.restore.statement()))
    }
}
