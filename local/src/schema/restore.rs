//! RESTORE TABLE: whether a table can be restored, the table that it creates, and the restore of its rows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keyspaces_cql::statement::RestoreTable;
use keyspaces_cql::{Encryption, QualifiedName, RestorePoint, TableDefinition, TableOptions};

use super::Schema;
use super::catalogue::restore_point;
use super::catalogue::{CatalogueEntry, ObjectStatus, PointInTimeRows};
use super::definition_refusal::DefinitionRefusal;
use super::recovery::TableRecovery;
use crate::names::{SchemaObject, TableId};
use crate::recovery::DefinitionVersion;
use crate::recovery::RECOVERY_WINDOW;
use crate::upstream::InternalRequestError;

/// The result of a RESTORE TABLE.
#[derive(Clone, Debug)]
pub(super) struct RestoredDefinition {
    pub(super) options: Arc<TableOptions>,
    pub(super) awaited_rows: PointInTimeRows,
}

/// A table that can be restored.
struct RestorableTable {
    table_id: TableId,
    /// When it was dropped.
    dropped: Option<u64>,
    versions: Vec<DefinitionVersion>,
    /// Its settings now, or when it was dropped.
    settings: TableOptions,
}

impl RestorableTable {
    /// The table as it was at a moment, with the current settings except those of TTL (API:RestoreTable).
    fn table_at(&self, moment: u64) -> Option<TableDefinition> {
        let before = self.versions.iter().rev().find(|version| version.since <= moment);
        let then = &before.or_else(|| self.versions.first())?.definition;
        let TableOptions { ttl, default_time_to_live, .. } = then.options;
        let options = TableOptions { ttl, default_time_to_live, ..self.settings.clone() };
        Some(TableDefinition { options, ..then.clone() })
    }
}

/// The state that a RESTORE TABLE depends on.
pub(super) struct RestoreContext<'a> {
    /// The name of the table that is restored.
    pub(super) name: &'a SchemaObject,
    /// The table that has this name now.
    pub(super) entry: Option<CatalogueEntry>,
    /// The definitions of all tables that had this name, in the order of time.
    pub(super) versions: Vec<DefinitionVersion>,
    /// Whether the keyspaces of source and target are in the same Regions.
    pub(super) is_in_same_regions: bool,
    pub(super) inaccessible_keys: &'a BTreeSet<String>,
    pub(super) recovery: &'a TableRecovery,
    pub(super) now: u64,
}

impl RestoreContext<'_> {
    /// The table that a RESTORE TABLE creates, or the service's refusal.
    pub(super) fn restore(
        self,
        restore: &RestoreTable,
        target: &SchemaObject,
    ) -> Result<(TableDefinition, RestoredDefinition), DefinitionRefusal> {
        let mut restore = restore.definition().map_err(DefinitionRefusal::from)?;
        restore.target = QualifiedName::new(&target.keyspace, &target.name);
        let name = self.name;
        let source = self.source()?;
        let moment = self.moment(&source, restore.point)?;
        if !self.is_in_same_regions {
            let reason = format!("the keyspace {} is not in the same Regions as its own keyspace", target.keyspace);
            return Err(not_restorable(name, reason, RECOVERY_GUIDE));
        }
        for key in [&source.settings.encryption, &restore.overrides().encryption] {
            if let Some(Encryption::CustomerManagedKey(key)) = key
                && self.inaccessible_keys.contains(key)
            {
                return Err(not_restorable(
                    name,
                    format!("the service has no access to the key {key}"),
                    RECOVERY_GUIDE,
                ));
            }
        }
        let Some(then) = source.table_at(moment) else { return Err(DefinitionRefusal::not_found(name)) };
        let table = restore.restored(&then).map_err(DefinitionRefusal::from)?;
        let options = Arc::new(table.options.clone());
        Ok((table, RestoredDefinition { options, awaited_rows: PointInTimeRows { source: source.table_id, moment } }))
    }

    /// The table of this name, or the last that had it.
    fn source(&self) -> Result<RestorableTable, DefinitionRefusal> {
        let Self { name, now, .. } = *self;
        let mut versions = self.versions.clone();
        if let Some(entry) = self.entry.as_ref().filter(|entry| entry.status != ObjectStatus::Deleting) {
            if matches!(entry.status, ObjectStatus::Creating | ObjectStatus::Restoring) {
                return Err(DefinitionRefusal::not_found(name));
            }
            if !entry.is_recoverable() {
                return Err(not_restorable(name, "its point-in-time recovery is not enabled", "DG:cql.ddl.table"));
            }
            versions.retain(|version| version.created == entry.created);
            let settings = (*entry.options).clone();
            return Ok(RestorableTable { table_id: entry.table_id(name), dropped: None, versions, settings });
        }
        let Some(last) = versions.last().filter(|last| last.dropped && last.since + RECOVERY_WINDOW >= now).cloned()
        else {
            return Err(DefinitionRefusal::not_found(name));
        };
        versions.retain(|version| version.created == last.created);
        let table_id = TableId::new(name.clone(), last.created);
        Ok(RestorableTable { table_id, dropped: Some(last.since), versions, settings: last.definition.options })
    }

    /// The requested moment, if the table can be restored to it.
    fn moment(&self, source: &RestorableTable, point: Option<RestorePoint>) -> Result<u64, DefinitionRefusal> {
        let Self { name, now, .. } = *self;
        let moment = match (point, source.dropped) {
            (Some(_), Some(dropped)) => {
                let reason = format!(
                    "it was dropped at {}, and a dropped table can be restored to that moment alone: leave \
                     restore_timestamp out",
                    restore_point(dropped)
                );
                return Err(not_restorable(name, reason, "DG:cql.ddl.table"));
            }
            (Some(point), None) => u64::try_from(point.unix_millis()).unwrap_or_default(),
            (None, dropped) => dropped.unwrap_or(now),
        };
        let requested = point.unwrap_or_else(|| restore_point(moment));
        if moment > now {
            return Err(not_restorable(
                name,
                format!("{requested} is in the future: it is {}", restore_point(now)),
                RECOVERY_GUIDE,
            ));
        }
        let created = source.table_id.created;
        if moment < created {
            let reason = format!("{requested} is before it was created, at {}", restore_point(created));
            return Err(not_restorable(name, reason, RECOVERY_GUIDE));
        }
        let Some(earliest) = self.recovery.history().earliest(&source.table_id, now) else {
            return Err(not_restorable(name, "its point-in-time recovery is not enabled yet", RECOVERY_GUIDE));
        };
        if moment < earliest {
            let reason =
                format!("{requested} is before its earliest restorable timestamp, {}", restore_point(earliest));
            return Err(not_restorable(name, reason, RECOVERY_GUIDE));
        }
        Ok(moment)
    }
}

/// Restores the rows of all tables that wait for them, until the schema is closing.
pub(super) async fn restore_rows(schema: &Schema) {
    let mut failed_tables = BTreeSet::new();
    // Neither restored nor dropped: the next gateway begins the restore again.
    let log = |table: &SchemaObject, failed: InternalRequestError| {
        tracing::error!(error = &failed as &dyn std::error::Error, "{table} remains RESTORING");
    };
    for (table, _) in waiting_for_rows(schema) {
        let truncate = format!("TRUNCATE {}", schema.names.qualified(&table));
        if let Err(failed) = schema.connection.run(&truncate, &[]).await {
            log(&table, failed);
            failed_tables.insert(table);
        }
    }
    while !schema.is_closing.load(Ordering::Acquire) {
        let mut waiting = waiting_for_rows(schema).into_iter();
        let Some((table, entry)) = waiting.find(|(table, _)| !failed_tables.contains(table)) else {
            schema.restore_requested.notified().await;
            continue;
        };
        let Some(awaited_rows) = entry.awaited_rows.clone() else { continue };
        let restored = schema.recovery.history().restore(&awaited_rows.source, awaited_rows.moment, &table).await;
        if let Err(failed) = schema.writer().await.end_restore(&table, &entry, &awaited_rows, restored).await {
            log(&table, failed);
            failed_tables.insert(table);
        }
    }
}

fn waiting_for_rows(schema: &Schema) -> Vec<(SchemaObject, CatalogueEntry)> {
    let catalogue = schema.catalogue();
    let waiting = catalogue.all().filter(|(_, entry)| entry.awaited_rows.is_some() && entry.pending.is_none());
    waiting.map(|(table, entry)| (table.clone(), entry.clone())).collect()
}

const RECOVERY_GUIDE: &str = "DG:PointInTimeRecovery_HowItWorks";

/// The service's messages for these refusals are not known.
fn not_restorable(source: &SchemaObject, reason: impl std::fmt::Display, source_page: &str) -> DefinitionRefusal {
    DefinitionRefusal::impossible(format!(
        "{source} cannot be restored: {reason} ({source_page}; the service's message is not known)"
    ))
}

#[cfg(test)]
mod tests {
    use keyspaces_cql::statement::NativeType;
    use keyspaces_cql::{CapacityMode, PointInTimeRecovery, TableProperty, Ttl};

    use super::*;

    #[test]
    fn a_restored_table_has_the_columns_of_the_moment_and_the_current_settings() {
        let table = |columns: &[&str]| {
            let builder = TableDefinition::builder("ks", "t").partition_key("id", NativeType::Int);
            columns.iter().fold(builder, |builder, name| builder.column(*name, NativeType::Text))
        };
        let version = |since, definition| DefinitionVersion { created: 10, since, definition, dropped: false };
        let settings = TableOptions::default()
            .and(PointInTimeRecovery::Enabled)
            .and(CapacityMode::Provisioned { read: 7, write: 8 })
            .and(Ttl::Enabled)
            .and(TableProperty::DefaultTimeToLive(60));
        let source = RestorableTable {
            table_id: TableId::new(SchemaObject::table("ks", "t"), 10),
            dropped: None,
            versions: vec![
                version(10, table(&[]).build().unwrap()),
                version(20, table(&["a"]).with(CapacityMode::OnDemand).build().unwrap()),
                version(30, table(&["a", "b"]).default_time_to_live(60).build().unwrap()),
            ],
            settings: settings.clone(),
        };
        let without_ttl = TableOptions { ttl: None, default_time_to_live: None, ..settings.clone() };
        for (moment, columns, options) in
            [(9, 1, &without_ttl), (19, 1, &without_ttl), (20, 2, &without_ttl), (99, 3, &settings)]
        {
            let then = source.table_at(moment).unwrap();
            assert_eq!((then.columns.len(), &then.options), (columns, options), "{moment}");
        }
    }
}
