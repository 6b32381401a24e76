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

impl<'a> Schema<'a> {
    /// Brings back a table as it was at a moment of the last 35 days, as a new table, if point-in-time recovery was on at that
    /// moment and has been since (`DG:PointInTimeRecovery_HowItWorks`). The table itself is not touched; one that was dropped
    /// can be brought back too.
    ///
    /// Columns, rows and TTL are those of the moment. Capacity mode, auto scaling, encryption and point-in-time recovery are
    /// those that the table has now, or had when it was dropped, unless [told otherwise](Restore::with). Tags and a CDC stream
    /// do not come with it.
    ///
    /// It takes the service up to 20 minutes for an empty table, and hours for a large one; so the change waits for up to
    /// 3 hours unless [told otherwise](SchemaChange::within), and tells meanwhile that the table is
    /// [`Restoring`](super::TableStatus::Restoring). A program that was started again goes on waiting with
    /// [`wait_for_tables`](Self::wait_for_tables). Four restores may be under way at once (`DG:quotas`).
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// use chrono::{DateTime, Utc};
    /// use keyspaces::schema::CapacityMode;
    ///
    /// let schema = session.schema();
    /// let before: DateTime<Utc> = "2026-06-30T04:05:00Z".parse()?;
    /// schema.restore_table("shop", "users").at(before).with(CapacityMode::OnDemand).into("shop", "users_restored").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The change has the errors of every [change](crate::Session::schema). Nothing is sent, and the kind is
    /// [`Refused`](crate::ErrorKind::Refused), if recovery is off, the moment is before
    /// [the earliest](super::TableDescription::earliest_restorable) or in the future, the new table is there already, its
    /// keyspace is not, or the session is one to a plain Cassandra, which has nothing to restore from.
    pub fn restore_table(&self, keyspace: &str, table: &str) -> Restore<'a> {
        let source = QualifiedName::new(keyspace, table);
        Restore { schema: *self, restore: TableRestore::new(source.clone(), source) }
    }
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
