//! RESTORE TABLE: whether a table can be restored, the table that it makes, and restoring its rows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keyspaces_cql::statement::RestoreTable;
use keyspaces_cql::{Encryption, QualifiedName, RestorePoint, TableDefinition, TableOptions};

use super::Schema;
use super::catalogue::restore_point;
use super::catalogue::{CatalogueEntry, ObjectStatus, PointInTimeRows};
use super::recovery::TableRecovery;
use super::refused::Refused;
use crate::names::{SchemaObject, TableId};
use crate::recovery::Version;
use crate::recovery::WINDOW;
use crate::upstream::InternalRequestError;

/// What a RESTORE TABLE makes.
#[derive(Clone, Debug)]
pub(super) struct RestoredDefinition {
    pub(super) options: Arc<TableOptions>,
    pub(super) rows_of: PointInTimeRows,
}

/// A table that can be restored.
struct RestorableTable {
    table_id: TableId,
    /// When it was dropped.
    dropped: Option<u64>,
    versions: Vec<Version>,
    /// Its settings now, or when it was dropped.
    settings: TableOptions,
}

impl RestorableTable {
    /// The table as it was at a moment, with the settings of now but for those of TTL (API:RestoreTable).
    fn table_at(&self, moment: u64) -> Option<TableDefinition> {
        let before = self.versions.iter().rev().find(|version| version.since <= moment);
        let then = &before.or_else(|| self.versions.first())?.definition;
        let TableOptions { ttl, default_time_to_live, .. } = then.options;
        let options = TableOptions { ttl, default_time_to_live, ..self.settings.clone() };
        Some(TableDefinition { options, ..then.clone() })
    }
}

/// What a RESTORE TABLE depends on.
pub(super) struct RestoreContext<'a> {
    /// The name of the table that is restored.
    pub(super) name: &'a SchemaObject,
    /// The table that has this name now.
    pub(super) entry: Option<CatalogueEntry>,
    /// The definitions of all tables that had this name, in the order of time.
    pub(super) versions: Vec<Version>,
    /// Whether the keyspaces of source and target are in the same Regions.
    pub(super) is_in_same_regions: bool,
    pub(super) inaccessible_keys: &'a BTreeSet<String>,
    pub(super) recovery: &'a TableRecovery,
    pub(super) now: u64,
}

impl RestoreContext<'_> {
    /// The table that a RESTORE TABLE makes, or why the service refuses it.
    pub(super) fn restore(
        self,
        restore: &RestoreTable,
        target: &SchemaObject,
    ) -> Result<(TableDefinition, RestoredDefinition), Refused> {
        let mut restore = restore.definition().map_err(Refused::from)?;
        restore.target = QualifiedName::new(&target.keyspace, &target.name);
        let name = self.name;
        let source = self.source()?;
        let moment = self.moment(&source, restore.point)?;
        if !self.is_in_same_regions {
            let why = format!("the keyspace {} is not in the Regions of its own", target.keyspace);
            return Err(cannot(name, why, HOW_IT_WORKS));
        }
        for key in [&source.settings.encryption, &restore.overrides().encryption] {
            if let Some(Encryption::CustomerManagedKey(key)) = key
                && self.inaccessible_keys.contains(key)
            {
                return Err(cannot(name, format!("the service has no access to the key {key}"), HOW_IT_WORKS));
            }
        }
        let Some(then) = source.table_at(moment) else { return Err(Refused::not_found(name)) };
        let table = restore.restored(&then).map_err(Refused::from)?;
        let options = Arc::new(table.options.clone());
        Ok((table, RestoredDefinition { options, rows_of: PointInTimeRows { source: source.table_id, moment } }))
    }

    /// The table of this name, or the last that had it.
    fn source(&self) -> Result<RestorableTable, Refused> {
        let Self { name, now, .. } = *self;
        let mut versions = self.versions.clone();
        if let Some(there) = self.entry.as_ref().filter(|there| there.status != ObjectStatus::Deleting) {
            if matches!(there.status, ObjectStatus::Creating | ObjectStatus::Restoring) {
                return Err(Refused::not_found(name));
            }
            if !there.is_recoverable() {
                return Err(cannot(name, "its point-in-time recovery is not enabled", "DG:cql.ddl.table"));
            }
            versions.retain(|version| version.created == there.created);
            let settings = (*there.options).clone();
            return Ok(RestorableTable { table_id: there.table_id(name), dropped: None, versions, settings });
        }
        let Some(last) = versions.last().filter(|last| last.dropped && last.since + WINDOW >= now).cloned() else {
            return Err(Refused::not_found(name));
        };
        versions.retain(|version| version.created == last.created);
        let table_id = TableId::new(name.clone(), last.created);
        Ok(RestorableTable { table_id, dropped: Some(last.since), versions, settings: last.definition.options })
    }

    /// The moment that is meant, if it is one to which the table can be restored.
    fn moment(&self, source: &RestorableTable, point: Option<RestorePoint>) -> Result<u64, Refused> {
        let Self { name, now, .. } = *self;
        let moment = match (point, source.dropped) {
            (Some(_), Some(dropped)) => {
                let why = format!(
                    "it was dropped at {}, and a dropped table can be restored to that moment alone: leave \
                     restore_timestamp out",
                    restore_point(dropped)
                );
                return Err(cannot(name, why, "DG:cql.ddl.table"));
            }
            (Some(point), None) => u64::try_from(point.unix_millis()).unwrap_or_default(),
            (None, dropped) => dropped.unwrap_or(now),
        };
        let said = point.unwrap_or_else(|| restore_point(moment));
        if moment > now {
            return Err(cannot(name, format!("{said} is in the future: it is {}", restore_point(now)), HOW_IT_WORKS));
        }
        let created = source.table_id.created;
        if moment < created {
            let why = format!("{said} is before it was created, at {}", restore_point(created));
            return Err(cannot(name, why, HOW_IT_WORKS));
        }
        let Some(earliest) = self.recovery.history().earliest(&source.table_id, now) else {
            return Err(cannot(name, "its point-in-time recovery is not enabled yet", HOW_IT_WORKS));
        };
        if moment < earliest {
            let why = format!("{said} is before its earliest restorable timestamp, {}", restore_point(earliest));
            return Err(cannot(name, why, HOW_IT_WORKS));
        }
        Ok(moment)
    }
}

/// Restores the rows of all tables that wait for them, until the schema is closing.
pub(super) async fn restore_rows(schema: &Schema) {
    let mut given_up = BTreeSet::new();
    // Neither restored nor dropped: the next gateway begins the restore again.
    let log = |table: &SchemaObject, failed: InternalRequestError| {
        tracing::error!(error = &failed as &dyn std::error::Error, "{table} remains RESTORING");
    };
    for (table, _) in waiting_for_rows(schema) {
        let truncate = format!("TRUNCATE {}", schema.names.qualified(&table));
        if let Err(failed) = schema.connection.run(&truncate, &[]).await {
            log(&table, failed);
            given_up.insert(table);
        }
    }
    while !schema.is_closing.load(Ordering::Acquire) {
        let mut waiting = waiting_for_rows(schema).into_iter();
        let Some((table, entry)) = waiting.find(|(table, _)| !given_up.contains(table)) else {
            schema.rows_wanted.notified().await;
            continue;
        };
        let Some(rows_of) = entry.rows_of.clone() else { continue };
        let restored = schema.recovery.history().bring_back(&rows_of.source, rows_of.moment, &table).await;
        if let Err(failed) = schema.exclusive().await.end_restore(&table, &entry, &rows_of, restored).await {
            log(&table, failed);
            given_up.insert(table);
        }
    }
}

fn waiting_for_rows(schema: &Schema) -> Vec<(SchemaObject, CatalogueEntry)> {
    let catalogue = schema.catalogue();
    let waiting = catalogue.all().filter(|(_, entry)| entry.rows_of.is_some() && entry.pending.is_none());
    waiting.map(|(table, entry)| (table.clone(), entry.clone())).collect()
}

const HOW_IT_WORKS: &str = "DG:PointInTimeRecovery_HowItWorks";

/// What the service says to none of these is known.
fn cannot(source: &SchemaObject, why: impl std::fmt::Display, who: &str) -> Refused {
    Refused::impossible(format!("{source} cannot be restored: {why} ({who}; what the service says here is not known)"))
}

#[cfg(test)]
mod tests {
    use keyspaces_cql::statement::NativeType;
    use keyspaces_cql::{CapacityMode, PointInTimeRecovery, TableProperty, Ttl};

    use super::*;

    #[test]
    fn a_table_is_that_of_the_moment_with_the_settings_of_now() {
        let table = |columns: &[&str]| {
            let builder = TableDefinition::builder("ks", "t").partition_key("id", NativeType::Int);
            columns.iter().fold(builder, |builder, name| builder.column(*name, NativeType::Text))
        };
        let version = |since, definition| Version { created: 10, since, definition, dropped: false };
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
