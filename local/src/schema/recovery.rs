//! Point-in-time recovery of tables: when their histories begin and end.

use std::sync::PoisonError;

use keyspaces_cql::PointInTimeRecovery;

use super::Schema;
use super::catalogue::{Entry, Kind, Status, Thing};
use crate::gateway::Failed;
use crate::history::Life;

impl Entry {
    fn is_recoverable(&self) -> bool {
        self.options.point_in_time_recovery == Some(PointInTimeRecovery::Enabled)
    }

    /// Which table it is, among those that had or will have its name.
    pub(crate) fn life(&self, table: &Thing) -> Life {
        Life::new(table.clone(), self.created)
    }
}

impl Schema {
    #[cfg(test)]
    pub(crate) fn life(&self, table: &Thing) -> Option<Life> {
        self.entry(table).map(|entry| entry.life(table))
    }

    /// Goes on with the histories of the tables that are there.
    pub(super) async fn go_on_recording(&self) -> Result<(), Failed> {
        let tables: Vec<_> = {
            let catalogue = self.catalogue.read().unwrap_or_else(PoisonError::into_inner);
            let tables = catalogue.all().filter(|(thing, entry)| thing.kind == Kind::Table && entry.is_recoverable());
            tables
                .filter(|(_, entry)| entry.status != Status::Deleting)
                .map(|(thing, entry)| entry.life(thing))
                .collect()
        };
        for life in tables {
            self.history.begin(&life).await?;
        }
        Ok(())
    }

    /// Begins, goes on with or ends the history of a table that is created, changed or dropped.
    pub(super) async fn record(&self, table: &Thing, entry: &Entry) -> Result<(), Failed> {
        let life = entry.life(table);
        match (entry.status, entry.is_recoverable()) {
            (Status::Deleting, true) => self.history.end(&life).await,
            (Status::Creating, false) => self.history.forget_those_of(table, None).await,
            (_, true) => self.history.begin(&life).await,
            (_, false) => self.history.forget(&life).await,
        }
    }

    /// Whether a table that is to become ACTIVE can be restored from then on, if that was asked for.
    pub(super) fn can_be_restored(&self, thing: &Thing, entry: &Entry) -> bool {
        if thing.kind != Kind::Table || !entry.is_recoverable() {
            return true;
        }
        let life = entry.life(thing);
        self.history.try_again(&life);
        self.history.is_begun(&life)
    }
}
