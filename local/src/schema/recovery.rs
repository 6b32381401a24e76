//! Point-in-time recovery of tables: when their histories begin and end, and the definitions that they had.

use std::collections::HashMap;

use keyspaces_cql::TableDefinition;

use super::SchemaStore;
use super::catalogue::{CatalogueEntry, ObjectStatus};
use crate::lock::Mutex;
use crate::names::{ObjectKind, SchemaObject, TableId};
use crate::recovery::DefinitionVersion;
use crate::recovery::RowHistory;
use crate::upstream::InternalRequestError;

/// The point-in-time recovery of an instance's tables.
#[derive(Debug)]
pub(super) struct TableRecovery {
    history: Box<dyn RowHistory>,
    /// The `earliest_restorable_timestamp` that was last shown for each table, in milliseconds since 1970.
    earliest_shown: Mutex<HashMap<SchemaObject, u64>>,
}

impl TableRecovery {
    pub(super) fn new(history: Box<dyn RowHistory>) -> Self {
        Self { history, earliest_shown: Mutex::default() }
    }

    pub(super) fn history(&self) -> &dyn RowHistory {
        &*self.history
    }

    /// The earliest moment to which a table can be restored, in milliseconds since 1970; `None` if it cannot be
    /// restored.
    pub(super) fn earliest(&self, table: &SchemaObject, entry: &CatalogueEntry, now: u64) -> Option<u64> {
        let can_be_restored = entry.is_recoverable() && entry.status != ObjectStatus::Deleting;
        if can_be_restored { self.history.earliest(&entry.table_id(table), now) } else { None }
    }

    /// The same, if it differs from the value that was last shown.
    pub(super) fn changed_earliest(&self, table: &SchemaObject, entry: &CatalogueEntry, now: u64) -> Option<u64> {
        let last_shown = self.earliest_shown.lock().get(table).copied();
        self.earliest(table, entry, now).filter(|earliest| last_shown != Some(*earliest))
    }

    /// Stores the value that is shown for a table.
    pub(super) fn set_earliest_shown(&self, table: SchemaObject, earliest: u64) {
        self.earliest_shown.lock().insert(table, earliest);
    }

    /// Begins, resumes or ends the history of a table that was created, changed, dropped, or has been restored.
    pub(super) async fn record(
        &self,
        store: &SchemaStore<'_>,
        table: &SchemaObject,
        entry: &CatalogueEntry,
        now: u64,
    ) -> Result<(), InternalRequestError> {
        // A history begins with the restored rows.
        if entry.awaited_rows.is_some() {
            return Ok(());
        }
        let table_id = entry.table_id(table);
        match (entry.status, entry.is_recoverable()) {
            (ObjectStatus::Deleting, true) => {
                save_definition(store, table, entry, now).await?;
                return self.history.end(&table_id).await;
            }
            (ObjectStatus::Deleting, false) => return Ok(()),
            (_, true) => {
                save_definition(store, table, entry, now).await?;
                self.history.begin(&table_id).await?;
            }
            // Disabling recovery deletes the history at once (DG:PointInTimeRecovery_HowItWorks).
            (ObjectStatus::Updating, false) => self.forget(store, &table_id).await?,
            (_, false) => {}
        }
        match entry.status {
            ObjectStatus::Creating | ObjectStatus::Restoring => self.forget_others(store, &table_id).await,
            _ => Ok(()),
        }
    }

    /// Whether writes to a table should be recorded and are not, because Cassandra was unavailable when the recording
    /// should have begun.
    pub(super) fn is_missing(&self, table: &SchemaObject, entry: &CatalogueEntry) -> bool {
        entry.status != ObjectStatus::Deleting && entry.is_recoverable() && !self.history.is_recorded(table)
    }

    /// Whether a table that becomes ACTIVE can be restored from then on, if recovery is enabled for it.
    pub(super) fn can_be_restored(&self, object: &SchemaObject, entry: &CatalogueEntry) -> bool {
        if object.kind != ObjectKind::Table || !entry.is_recoverable() {
            return true;
        }
        let table_id = entry.table_id(object);
        self.history.retry_baseline(&table_id);
        self.history.has_baseline(&table_id)
    }

    async fn forget(&self, store: &SchemaStore<'_>, table_id: &TableId) -> Result<(), InternalRequestError> {
        store.definitions().forget(&table_id.table, table_id.created).await?;
        self.history.forget(table_id).await
    }

    /// Forgets the dropped tables that had the name of a table: a dropped table can be restored until there is another
    /// of its name (DG:PointInTimeRecovery_HowItWorks).
    async fn forget_others(&self, store: &SchemaStore<'_>, current: &TableId) -> Result<(), InternalRequestError> {
        for version in store.definitions().versions(&current.table).await? {
            if version.created != current.created && version.dropped {
                self.forget(store, &TableId::new(current.table.clone(), version.created)).await?;
            }
        }
        Ok(())
    }
}

/// Stores the new definition of a table, or its drop.
async fn save_definition(
    store: &SchemaStore<'_>,
    table: &SchemaObject,
    entry: &CatalogueEntry,
    now: u64,
) -> Result<(), InternalRequestError> {
    let mut versions = store.definitions().versions(table).await?;
    versions.retain(|version| version.created == entry.created);
    let (definition, dropped) = match (entry.status, versions.last()) {
        // Cassandra has dropped it, so that its columns are those of the last version.
        (ObjectStatus::Deleting, Some(last)) if !last.dropped => {
            (Some(TableDefinition { options: (*entry.options).clone(), ..last.definition.clone() }), true)
        }
        (ObjectStatus::Deleting, _) => return Ok(()),
        (_, last) => {
            let definition = store.table(table, &entry.options).await?;
            (definition.filter(|now| last.is_none_or(|last| last.definition != *now)), false)
        }
    };
    let Some(definition) = definition else { return Ok(()) };
    store.definitions().add(table, &DefinitionVersion { created: entry.created, since: now, definition, dropped }).await
}
