//! Point-in-time recovery of tables: when their histories begin and end, and what the tables were meanwhile.

use std::sync::PoisonError;

use keyspaces_cql::{PointInTimeRecovery, TableDefinition};

use super::catalogue::{Entry, Status};
use super::past::{Past, Version};
use super::{Schema, Store};
use crate::names::{ObjectKind, SchemaObject, TableId};
use crate::upstream::Failed;

impl Entry {
    /// Whether what is written to it is kept, so that it can be restored.
    pub(super) fn is_recoverable(&self) -> bool {
        self.options.point_in_time_recovery == Some(PointInTimeRecovery::Enabled)
    }

    /// Which table it is, among those that had or will have its name.
    pub(crate) fn life(&self, table: &SchemaObject) -> TableId {
        TableId::new(table.clone(), self.created)
    }
}

impl Schema {
    #[cfg(test)]
    pub(crate) fn life(&self, table: &SchemaObject) -> Option<TableId> {
        self.entry(table).map(|entry| entry.life(table))
    }

    /// Goes on with the histories of the tables that are there, and catches up with what the last gateway left undone.
    pub(super) async fn go_on_recording(&self) -> Result<(), Failed> {
        self.past().forget_expired(self.clock.millis()).await?;
        let tables: Vec<_> = {
            let catalogue = self.catalogue();
            let tables = catalogue.all().filter(|(thing, entry)| {
                thing.kind == ObjectKind::Table && (entry.is_recoverable() || entry.status == Status::Updating)
            });
            tables.map(|(thing, entry)| (thing.clone(), entry.clone())).collect()
        };
        for (table, entry) in tables {
            self.record(&table, &entry, self.clock.millis()).await?;
        }
        Ok(())
    }

    /// Begins, goes on with or ends the history of a table that is created, changed, dropped, or has been given its rows.
    pub(super) async fn record(&self, table: &SchemaObject, entry: &Entry, now: u64) -> Result<(), Failed> {
        // The rows that are brought back are the first that it has.
        if entry.rows_of.is_some() {
            return Ok(());
        }
        let life = entry.life(table);
        match (entry.status, entry.is_recoverable()) {
            (Status::Deleting, true) => {
                self.remember(table, entry, now).await?;
                return self.history.end(&life).await;
            }
            (Status::Deleting, false) => return Ok(()),
            (_, true) => {
                self.remember(table, entry, now).await?;
                self.history.begin(&life).await?;
            }
            // Disabling deletes what was kept, at once (DG:PointInTimeRecovery_HowItWorks).
            (Status::Updating, false) => self.forget(&life).await?,
            (_, false) => {}
        }
        match entry.status {
            Status::Creating | Status::Restoring => self.forget_others(&life).await,
            _ => Ok(()),
        }
    }

    /// Whether what is written to a table is to be kept, and is not: Cassandra was away when that was to begin.
    pub(super) fn is_missing_in_history(&self, table: &SchemaObject, entry: &Entry) -> bool {
        entry.status != Status::Deleting && entry.is_recoverable() && !self.history.is_recorded(table)
    }

    /// Whether a table that is to become ACTIVE can be restored from then on, if that was asked for.
    pub(super) fn can_be_restored(&self, thing: &SchemaObject, entry: &Entry) -> bool {
        if thing.kind != ObjectKind::Table || !entry.is_recoverable() {
            return true;
        }
        let life = entry.life(thing);
        self.history.try_again(&life);
        self.history.is_begun(&life)
    }

    /// Shows since when tables can be restored, where that has moved: with the time, and with what had to be forgotten.
    /// To be called before it is read.
    pub(crate) async fn show_earliest(&self) -> Result<(), Failed> {
        let now = self.clock.millis();
        let moved = |table: &SchemaObject, entry: &Entry| {
            let may_move = entry.is_recoverable() && entry.status != Status::Deleting;
            let earliest = if may_move { self.history.earliest(&entry.life(table), now) } else { None };
            earliest.filter(|earliest| self.earliest_shown().get(table) != Some(earliest))
        };
        if !self.catalogue().all().any(|(table, entry)| moved(table, entry).is_some()) {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        let all: Vec<_> = {
            let catalogue = self.catalogue();
            let moved = catalogue.all().filter_map(|(table, entry)| Some((table, entry, moved(table, entry)?)));
            moved.map(|(table, entry, earliest)| (table.clone(), entry.clone(), earliest)).collect()
        };
        for (table, entry, earliest) in all {
            self.mirror().show(&table, &entry).await?;
            self.earliest_shown().insert(table, earliest);
        }
        Ok(())
    }

    pub(super) fn past(&self) -> Past<'_> {
        Past { own: &self.own, names: &self.names }
    }

    /// Keeps what a table has become, or that it is gone.
    async fn remember(&self, table: &SchemaObject, entry: &Entry, now: u64) -> Result<(), Failed> {
        let mut versions = self.past().versions(table).await?;
        versions.retain(|version| version.created == entry.created);
        let (definition, dropped) = match (entry.status, versions.last()) {
            // Cassandra has dropped it; its columns are those that it had last.
            (Status::Deleting, Some(last)) if !last.dropped => {
                (Some(TableDefinition { options: (*entry.options).clone(), ..last.definition.clone() }), true)
            }
            (Status::Deleting, _) => return Ok(()),
            (_, last) => {
                let store = Store { own: &self.own, names: &self.names };
                let definition = store.table(table, &entry.options).await?;
                (definition.filter(|now| last.is_none_or(|last| last.definition != *now)), false)
            }
        };
        let Some(definition) = definition else { return Ok(()) };
        self.past().add(table, &Version { created: entry.created, since: now, definition, dropped }).await
    }

    async fn forget(&self, life: &TableId) -> Result<(), Failed> {
        self.past().forget(&life.table, life.created).await?;
        self.history.forget(life).await
    }

    /// Forgets those that had the name of a table and were dropped: a dropped table can be restored until there is another
    /// of its name (DG:PointInTimeRecovery_HowItWorks).
    async fn forget_others(&self, there: &TableId) -> Result<(), Failed> {
        for version in self.past().versions(&there.table).await? {
            if version.created != there.created && version.dropped {
                self.forget(&TableId::new(there.table.clone(), version.created)).await?;
            }
        }
        Ok(())
    }

    fn earliest_shown(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<SchemaObject, u64>> {
        self.earliest_shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
