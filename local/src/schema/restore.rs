//! RESTORE TABLE: whether a table can be restored, what is made of it, and bringing its rows back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keyspaces_cql::{Encryption, QualifiedName, RestorePoint, Statement, TableDefinition, TableOptions};

use super::catalogue::{Entry, RowsOf, Status};
use super::past::Version;
use super::plan::{no_table, refused};
use super::refused::Refused;
use super::{Definition, Schema, Store};
use crate::names::{SchemaObject, TableId};
use crate::recovery::WINDOW;
use crate::upstream::Failed;

/// What a RESTORE TABLE makes.
#[derive(Clone, Debug)]
pub(super) struct Restored {
    pub(super) options: Arc<TableOptions>,
    pub(super) rows_of: RowsOf,
}

/// A table that can be restored.
struct Source {
    life: TableId,
    /// When it was dropped.
    dropped: Option<u64>,
    versions: Vec<Version>,
    /// Its settings now, or when it was dropped.
    settings: TableOptions,
}

impl Source {
    /// The table as it was at a moment, with the settings of now but for those of TTL (API:RestoreTable).
    fn at(&self, moment: u64) -> Option<TableDefinition> {
        let before = self.versions.iter().rev().find(|version| version.since <= moment);
        let then = &before.or_else(|| self.versions.first())?.definition;
        let TableOptions { ttl, default_time_to_live, .. } = then.options;
        let options = TableOptions { ttl, default_time_to_live, ..self.settings.clone() };
        Some(TableDefinition { options, ..then.clone() })
    }
}

impl Schema {
    /// What a RESTORE TABLE makes, and the same with the CREATE TABLE of it, or why the service refuses it as things are.
    pub(super) async fn restored(
        &self,
        definition: &Definition,
        now: u64,
    ) -> Result<Option<(Definition, Restored)>, Refused> {
        let (Statement::RestoreTable(restore), Some(name)) = (&definition.statement, &definition.source) else {
            return Ok(None);
        };
        let mut restore = restore.definition().map_err(refused)?;
        restore.target = QualifiedName::new(&definition.thing.keyspace, &definition.thing.name);
        let source = self.source(name, now).await?;
        let moment = self.moment(name, &source, restore.point, now)?;
        self.check_regions(name, &definition.thing)?;
        for key in [&source.settings.encryption, &restore.overrides().encryption] {
            if let Some(Encryption::CustomerManagedKey(key)) = key
                && self.settings.inaccessible_keys.contains(key)
            {
                return Err(cannot(name, format!("the service has no access to the key {key}"), HOW_IT_WORKS));
            }
        }
        let Some(then) = source.at(moment) else { return Err(Refused::not_there(name)) };
        let table = restore.restored(&then).map_err(no_table)?;
        let create = Definition::of(&Statement::CreateTable(table.create()), None, &self.names, &self.data_center)?;
        let definition = Definition {
            change: definition.change,
            statement: definition.statement.clone(),
            source: Some(name.clone()),
            ..create
        };
        let rows_of = RowsOf { source: source.life, moment };
        Ok(Some((definition, Restored { options: Arc::new(table.options), rows_of })))
    }

    /// The table of this name, or the last that had it.
    async fn source(&self, name: &SchemaObject, now: u64) -> Result<Source, Refused> {
        let mut versions = self.past().versions(name).await?;
        if let Some(there) = self.entry(name).filter(|there| there.status != Status::Deleting) {
            if matches!(there.status, Status::Creating | Status::Restoring) {
                return Err(Refused::not_there(name));
            }
            if !there.is_recoverable() {
                return Err(cannot(name, "its point-in-time recovery is not enabled", "DG:cql.ddl.table"));
            }
            versions.retain(|version| version.created == there.created);
            let settings = (*there.options).clone();
            return Ok(Source { life: there.life(name), dropped: None, versions, settings });
        }
        let Some(last) = versions.last().filter(|last| last.dropped && last.since + WINDOW >= now).cloned() else {
            return Err(Refused::not_there(name));
        };
        versions.retain(|version| version.created == last.created);
        let life = TableId::new(name.clone(), last.created);
        Ok(Source { life, dropped: Some(last.since), versions, settings: last.definition.options })
    }

    /// The moment that is meant, if it is one to which the table can be restored.
    fn moment(
        &self,
        name: &SchemaObject,
        source: &Source,
        point: Option<RestorePoint>,
        now: u64,
    ) -> Result<u64, Refused> {
        let moment = match (point, source.dropped) {
            (Some(_), Some(dropped)) => {
                let why = format!(
                    "it was dropped at {}, and a dropped table can be restored to that moment alone: leave \
                     restore_timestamp out",
                    at(dropped)
                );
                return Err(cannot(name, why, "DG:cql.ddl.table"));
            }
            (Some(point), None) => u64::try_from(point.unix_millis()).unwrap_or_default(),
            (None, dropped) => dropped.unwrap_or(now),
        };
        let said = point.unwrap_or_else(|| at(moment));
        if moment > now {
            return Err(cannot(name, format!("{said} is in the future: it is {}", at(now)), HOW_IT_WORKS));
        }
        let created = source.life.created;
        if moment < created {
            let why = format!("{said} is before it was created, at {}", at(created));
            return Err(cannot(name, why, HOW_IT_WORKS));
        }
        let Some(earliest) = self.history.earliest(&source.life, now) else {
            return Err(cannot(name, "its point-in-time recovery is not enabled yet", HOW_IT_WORKS));
        };
        if moment < earliest {
            let why = format!("{said} is before its earliest restorable timestamp, {}", at(earliest));
            return Err(cannot(name, why, HOW_IT_WORKS));
        }
        Ok(moment)
    }

    fn check_regions(&self, source: &SchemaObject, target: &SchemaObject) -> Result<(), Refused> {
        let regions = |table: &SchemaObject| {
            let mut regions =
                self.entry(&SchemaObject::keyspace(&table.keyspace)).map(|of| of.regions).unwrap_or_default();
            regions.sort_unstable();
            regions
        };
        if source.keyspace == target.keyspace || regions(source) == regions(target) {
            return Ok(());
        }
        let why = format!("the keyspace {} is not in the Regions of its own", target.keyspace);
        Err(cannot(source, why, HOW_IT_WORKS))
    }

    /// Brings rows back to whatever is being restored, until [`stop_restoring`](Self::stop_restoring).
    ///
    /// What was begun by a gateway that has ended is begun anew.
    pub(crate) async fn bring_rows_back(&self) {
        let mut given_up = BTreeSet::new();
        for (table, _) in self.waiting_for_rows() {
            let truncate = format!("TRUNCATE {}", self.names.qualified(&table));
            if let Err(failed) = self.own.run(&truncate, &[]).await {
                tracing::error!(error = &failed as &dyn std::error::Error, "{table} remains RESTORING");
                given_up.insert(table);
            }
        }
        while !self.is_closing.load(Ordering::Acquire) {
            if let Some((table, entry)) =
                self.waiting_for_rows().into_iter().find(|(table, _)| !given_up.contains(table))
            {
                if let Err(failed) = self.give_rows(&table, entry).await {
                    // Neither restored nor dropped: the next gateway begins it anew.
                    tracing::error!(error = &failed as &dyn std::error::Error, "{table} remains RESTORING");
                    given_up.insert(table);
                }
            } else {
                self.rows_wanted.notified().await;
            }
        }
    }

    /// Lets a table that is being given its rows have them all, and begins no other.
    pub(crate) fn stop_restoring(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.rows_wanted.notify_one();
    }

    fn waiting_for_rows(&self) -> Vec<(SchemaObject, Entry)> {
        let catalogue = self.catalogue();
        let waiting = catalogue.all().filter(|(_, entry)| entry.rows_of.is_some() && entry.pending.is_none());
        waiting.map(|(table, entry)| (table.clone(), entry.clone())).collect()
    }

    /// Gives a table the rows that it waits for; if that cannot be, it is dropped.
    async fn give_rows(&self, table: &SchemaObject, entry: Entry) -> Result<(), Failed> {
        let Some(rows_of) = &entry.rows_of else { return Ok(()) };
        let given = self.history.bring_back(&rows_of.source, rows_of.moment, table).await;
        let _turn = self.turn.lock().await;
        let store = Store { own: &self.own, names: &self.names };
        match given {
            Ok(()) => {
                let there = Entry { rows_of: None, ..entry.clone() };
                store.save(table, &there).await?;
                self.set(table, Some(there.clone()));
                // What fails here is done when the table is due.
                self.record(table, &there, self.clock.millis()).await
            }
            Err(failed) => {
                let source = &rows_of.source.table;
                tracing::error!(
                    error = &failed as &dyn std::error::Error,
                    "{table} is dropped: the rows of {source} cannot be brought back"
                );
                self.own.run(&format!("DROP TABLE IF EXISTS {}", self.names.qualified(table)), &[]).await?;
                self.mirror().hide(table).await?;
                store.forget(table).await?;
                self.set(table, None);
                Ok(())
            }
        }
    }
}

const HOW_IT_WORKS: &str = "DG:PointInTimeRecovery_HowItWorks";

/// What the service says to none of these is known.
fn cannot(source: &SchemaObject, why: impl std::fmt::Display, who: &str) -> Refused {
    Refused::impossible(format!("{source} cannot be restored: {why} ({who}; what the service says here is not known)"))
}

pub(super) fn at(millis: u64) -> RestorePoint {
    RestorePoint::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX))
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
        let source = Source {
            life: TableId::new(SchemaObject::table("ks", "t"), 10),
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
            let then = source.at(moment).unwrap();
            assert_eq!((then.columns.len(), &then.options), (columns, options), "{moment}");
        }
    }
}
