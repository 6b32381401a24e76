//! Changes of the schema, made one at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyspaces_cql::{Encryption, Statement};
use tokio::sync::MutexGuard;

use super::catalogue::{CatalogueEntry, ChangeInProgress, ObjectStatus, PendingDefinition, PointInTimeRows};
use super::definition::schema_change;
use super::definition_refusal::DefinitionRefusal;
use super::next_entry::{self, CurrentSchema};
use super::restore::{RestoreContext, RestoredDefinition};
use super::user_types::TypeUses;
use super::{Change, Definition, Schema, preconditions};
use crate::names::{ObjectKind, SchemaObject};
use crate::protocol::metadata::{is_schema_change, with_client_names};
use crate::protocol::{Frame, is_outcome_unknown};
use crate::upstream::InternalRequestError;

/// Exclusive access to a schema, which every change of it needs.
pub(super) struct SchemaWriter<'a> {
    pub(super) schema: &'a Schema,
    pub(super) _guard: MutexGuard<'a, ()>,
}

impl SchemaWriter<'_> {
    /// Executes a definition that takes effect after `delay_millis`.
    ///
    /// The intended change is stored first, with the text for Cassandra, so that the next gateway finishes a definition
    /// that a killed one has begun. If Cassandra's answer is lost, the text is sent again.
    pub(super) async fn define(&self, definition: &Definition, delay_millis: u64) -> Result<Frame, DefinitionRefusal> {
        self.apply_due_changes().await?;
        preconditions::check(&self.schema.catalogue(), definition)?;
        let now = self.schema.clock.millis();
        let restored = self.restored(definition, now).await?;
        let definition = restored.as_ref().map_or(definition, |(definition, _)| definition);
        preconditions::check_types(&self.schema.catalogue(), &definition.types)?;
        let Definition { change, object, conditional, text, .. } = definition;
        let before = self.schema.entry(object);
        let nothing_to_do = match change {
            // Cassandra refuses an object that exists, or accepts IF NOT EXISTS.
            Change::Create => before.is_some(),
            Change::Alter | Change::Drop => *conditional && before.is_none(),
            Change::Restore => false,
        };
        if nothing_to_do {
            return self.execute(definition).await;
        }
        let mut current = self.current(definition, before.as_ref()).await?;
        current.restored = restored.as_ref().map(|(_, restored)| restored.clone());
        let mut after =
            next_entry::next_entry(&self.schema.catalogue(), definition, current, now, &self.schema.settings.region)?;
        after.due = Some(now + delay_millis);
        after.pending = text.clone().map(|text| Arc::new(PendingDefinition { text, before: before.clone() }));
        let store = self.schema.store();
        store.save(object, &after).await?;
        let answer = self.execute(definition).await;
        let is_executed = match &answer {
            Ok(answer) if !is_outcome_unknown(answer) => is_schema_change(answer),
            _ => match store.is_executed(object, &after).await {
                Ok(is_executed) => is_executed,
                // Sent again when it is due, or by the next gateway.
                Err(_) => {
                    self.schema.set(object, Some(after));
                    return answer;
                }
            },
        };
        if is_executed {
            self.begin(definition, CatalogueEntry { pending: None, ..after }, now).await?;
            return match answer {
                Ok(answer) if is_schema_change(&answer) => Ok(answer),
                _ => Ok(schema_change(*change, object)),
            };
        }
        match before {
            Some(before) => store.save(object, &before).await,
            None => store.forget(object).await,
        }?;
        answer
    }

    /// The current state in Cassandra of the object of a definition.
    async fn current(
        &self,
        definition: &Definition,
        before: Option<&CatalogueEntry>,
    ) -> Result<CurrentSchema, InternalRequestError> {
        let Definition { change, object, types, .. } = definition;
        let mut current = CurrentSchema::default();
        if let (ObjectKind::Table, Change::Alter, Some(before)) = (object.kind, change, before) {
            current.table = self.schema.store().table(object, &before.options).await?;
        }
        if !types.is_empty() {
            current.uses = TypeUses::read(&self.schema.connection, &self.schema.names, &object.keyspace).await?;
        }
        Ok(current)
    }

    /// Sends Cassandra its part of a definition. Without one, returns the answer to a definition that changed
    /// something.
    async fn execute(&self, definition: &Definition) -> Result<Frame, DefinitionRefusal> {
        let Definition { change, object, text, .. } = definition;
        let Some(text) = text else { return Ok(schema_change(*change, object)) };
        let answer = self.schema.connection.call(text, &[]).await.map_err(InternalRequestError::from)?;
        with_client_names(answer, &*self.schema.names)
            .map_err(|error| InternalRequestError::MalformedAnswer(error.to_string()).into())
    }

    /// Shows that a change has started.
    async fn begin(
        &self,
        definition: &Definition,
        after: CatalogueEntry,
        now: u64,
    ) -> Result<(), InternalRequestError> {
        let Definition { change, object, .. } = definition;
        let store = self.schema.store();
        let mut changes = vec![(object.clone(), after.clone())];
        if object.kind == ObjectKind::Keyspace && *change == Change::Drop {
            let catalogue = self.schema.catalogue();
            changes.extend(catalogue.within(&object.keyspace).map(|(within, before)| {
                (within.clone(), CatalogueEntry { status: after.status, due: after.due, ..before.clone() })
            }));
        }
        let table_writer = self.schema.system_table_writer();
        for (object, entry) in changes {
            store.save(&object, &entry).await?;
            match (object.kind, change) {
                // A keyspace is shown when it is ready, and until it is gone (DG:keyspaces-create).
                (ObjectKind::Keyspace, Change::Create | Change::Drop) => {}
                (_, Change::Create | Change::Alter | Change::Restore) => table_writer.show(&object, &entry).await?,
                (_, Change::Drop) => table_writer.show_status(&object, &entry).await?,
            }
            if object.kind == ObjectKind::Table {
                self.schema.recovery.record(&store, &object, &entry, now).await?;
                table_writer.add_to_history(&object, &entry, *change, now).await?;
            }
            self.schema.set(&object, Some(entry));
        }
        self.schema.restore_requested.notify_one();
        // A definition that names no type does not change which objects use a type.
        match change {
            Change::Create | Change::Alter
                if definition.types.is_empty() && definition.object.kind != ObjectKind::Type =>
            {
                Ok(())
            }
            _ => self.show_uses(&definition.object.keyspace).await,
        }
    }

    /// Shows which tables and types use the user-defined types of a keyspace, if it has any.
    pub(super) async fn show_uses(&self, keyspace: &str) -> Result<(), InternalRequestError> {
        let types: Vec<String> = {
            let catalogue = self.schema.catalogue();
            let within = catalogue.within(keyspace);
            let types = within
                .filter(|(object, entry)| object.kind == ObjectKind::Type && entry.status != ObjectStatus::Deleting);
            types.map(|(object, _)| object.name.clone()).collect()
        };
        if types.is_empty() {
            return Ok(());
        }
        let uses = TypeUses::read(&self.schema.connection, &self.schema.names, keyspace).await?;
        self.schema.system_table_writer().show_uses(keyspace, &types, &uses).await
    }

    /// Applies the changes that are due. Returns whether a definition was finished that could not be sent to Cassandra
    /// before.
    pub(super) async fn apply_due_changes(&self) -> Result<bool, InternalRequestError> {
        let now = self.schema.clock.millis();
        let due = self.schema.catalogue().due(now);
        let (store, table_writer) = (self.schema.store(), self.schema.system_table_writer());
        let mut finished = BTreeSet::new();
        for (object, entry) in due {
            let pending = entry.pending.clone();
            finished.extend(pending.as_ref().map(|_| object.keyspace.clone()));
            let Some(entry) = store.finish_pending(&object, entry).await? else {
                self.schema.set(&object, None);
                continue;
            };
            if entry.awaited_rows.is_some() {
                table_writer.show(&object, &entry).await?;
                self.schema.set(&object, Some(entry));
                self.schema.restore_requested.notify_one();
                continue;
            }
            let is_late = pending.is_some_and(|pending| pending.before.as_ref() != Some(&entry));
            if object.kind == ObjectKind::Table && (is_late || self.schema.recovery.is_missing(&object, &entry)) {
                self.schema.recovery.record(&store, &object, &entry, now).await?;
                self.schema.set(&object, Some(entry.clone()));
            }
            if entry.status == ObjectStatus::Deleting {
                table_writer.hide(&object).await?;
                store.forget(&object).await?;
                self.schema.set(&object, None);
                continue;
            }
            if !self.schema.recovery.can_be_restored(&object, &entry) {
                continue;
            }
            let adds_region = matches!(entry.changing, Some(ChangeInProgress::Region(_)));
            let completed = self.with_key_status(entry.completed());
            // Everything is shown again: a gateway may have ended after the definition and before it was shown.
            table_writer.show(&object, &completed).await?;
            if adds_region {
                let within: Vec<_> = {
                    let catalogue = self.schema.catalogue();
                    let within = catalogue.within(&object.keyspace);
                    within.map(|(within, entry)| (within.clone(), entry.clone())).collect()
                };
                for (within, entry) in within {
                    table_writer.show(&within, &entry).await?;
                }
            }
            store.save(&object, &completed).await?;
            self.schema.set(&object, Some(completed));
        }
        for keyspace in &finished {
            self.show_uses(keyspace).await?;
        }
        Ok(!finished.is_empty())
    }

    /// A table whose KMS key the service may not use is inaccessible.
    fn with_key_status(&self, entry: CatalogueEntry) -> CatalogueEntry {
        match &entry.options.encryption {
            Some(Encryption::CustomerManagedKey(key)) if self.schema.settings.inaccessible_keys.contains(key) => {
                CatalogueEntry { status: ObjectStatus::Inaccessible, ..entry }
            }
            _ => entry,
        }
    }

    /// Ends the restore of a table: it has its rows now, or it is dropped because they could not be restored.
    pub(super) async fn end_restore(
        &self,
        table: &SchemaObject,
        entry: &CatalogueEntry,
        awaited_rows: &PointInTimeRows,
        restored: Result<(), InternalRequestError>,
    ) -> Result<(), InternalRequestError> {
        let store = self.schema.store();
        match restored {
            Ok(()) => {
                let restored = CatalogueEntry { awaited_rows: None, ..entry.clone() };
                store.save(table, &restored).await?;
                self.schema.set(table, Some(restored.clone()));
                // If this fails, it is done when the table is due.
                self.schema.recovery.record(&store, table, &restored, self.schema.clock.millis()).await
            }
            Err(failed) => {
                let source = &awaited_rows.source.table;
                tracing::error!(
                    error = &failed as &dyn std::error::Error,
                    "{table} is dropped: the rows of {source} could not be restored"
                );
                self.schema
                    .connection
                    .run(&format!("DROP TABLE IF EXISTS {}", self.schema.names.qualified(table)), &[])
                    .await?;
                self.schema.system_table_writer().hide(table).await?;
                store.forget(table).await?;
                self.schema.set(table, None);
                Ok(())
            }
        }
    }

    /// For a RESTORE TABLE, the CREATE TABLE that replaces it, and the table that it creates; `None` for any other
    /// definition.
    async fn restored(
        &self,
        definition: &Definition,
        now: u64,
    ) -> Result<Option<(Definition, RestoredDefinition)>, DefinitionRefusal> {
        let (Statement::RestoreTable(restore), Some(source)) = (&definition.statement, &definition.source) else {
            return Ok(None);
        };
        let schema = self.schema;
        let versions = schema.store().definitions().versions(source).await?;
        let regions = |table: &SchemaObject| {
            let keyspace = schema.entry(&SchemaObject::keyspace(&table.keyspace));
            let mut regions = keyspace.map(|keyspace| keyspace.regions).unwrap_or_default();
            regions.sort_unstable();
            regions
        };
        let context = RestoreContext {
            name: source,
            entry: schema.entry(source),
            versions,
            is_in_same_regions: source.keyspace == definition.object.keyspace
                || regions(source) == regions(&definition.object),
            inaccessible_keys: &schema.settings.inaccessible_keys,
            recovery: &schema.recovery,
            now,
        };
        let (table, restored) = context.restore(restore, &definition.object)?;
        let create = Statement::CreateTable(table.create());
        let create = Definition::new(&create, None, &schema.names, &schema.data_center)?;
        let definition = Definition {
            change: definition.change,
            statement: definition.statement.clone(),
            source: Some(source.clone()),
            ..create
        };
        Ok(Some((definition, restored)))
    }
}
