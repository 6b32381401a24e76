//! What is there of what is wanted.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};
use keyspaces_cql::{CapacityMode, CapacityScaling, Definitions, QualifiedName, TableDefinition};

use crate::Error;
use crate::schema::{Schema, TableStatus, keyspace_of};

/// How many tables are described concurrently.
const AT_ONCE: usize = 8;

/// What is there of what is wanted.
#[derive(Debug)]
pub(super) struct CurrentSchema {
    /// The keyspaces, all their types, and the tables that the plan depends on: the wanted tables, and all tables of a
    /// keyspace whose Regions are to change.
    pub(super) definitions: Definitions,
    /// The other tables in these keyspaces.
    pub(super) others: Vec<QualifiedName>,
    /// The names of the wanted objects.
    wanted: Vec<QualifiedName>,
}

impl CurrentSchema {
    pub(super) async fn read(schema: Schema<'_>, wanted: &Definitions) -> Result<Self, Error> {
        let plain = schema.session.is_plain_cassandra();
        let of_types = wanted.types.iter().map(|it| &it.name);
        let names: Vec<_> = wanted.tables.iter().map(|it| &it.table).chain(of_types).cloned().collect();
        let keyspaces: BTreeSet<_> =
            wanted.keyspaces.iter().map(|it| it.name.text.as_str()).chain(names.iter().map(keyspace_of)).collect();
        let mut definitions = Definitions::new();
        let (mut needed, mut others, mut busy) = (Vec::new(), Vec::new(), Vec::new());
        for keyspace in keyspaces {
            let Some(there) = schema.describe_keyspace(keyspace).await? else { continue };
            let wants = wanted.keyspaces.iter().find(|it| it.name.text == keyspace);
            let other_regions = !plain && wants.is_some_and(|wants| wants.replication != there.replication);
            definitions.keyspaces.push(there);
            definitions.types.extend(schema.types(keyspace).await?);
            for (table, status) in tables(schema, keyspace).await? {
                let name = QualifiedName::new(keyspace, table);
                if !other_regions
                    && wanted
                        .tables
                        .iter()
                        .all(|it| it.table.name.text != name.name.text || keyspace_of(&it.table) != keyspace)
                {
                    others.push(name);
                    continue;
                }
                if !matches!(status, None | Some(TableStatus::Active | TableStatus::InaccessibleEncryptionCredentials))
                {
                    busy.push(name.clone());
                }
                needed.push(name);
            }
        }
        if !busy.is_empty() {
            schema.wait_for_tables(busy.iter().map(|name| (keyspace_of(name), name.name.text.as_str()))).await?;
        }
        let described = stream::iter(needed)
            .map(|name| async move { schema.describe_table(keyspace_of(&name), &name.name.text).await });
        let described: Vec<_> = described.buffered(AT_ONCE).try_collect().await?;
        definitions.tables = described.into_iter().flatten().map(|it| it.definition).collect();
        Ok(Self { definitions, others, wanted: names })
    }

    /// What is not `now` as it was, in a few words. Of types and tables only those that are wanted, or depended on, count.
    pub(super) fn changed(&self, now: &Self) -> Option<String> {
        let (is, now) = (&self.definitions, &now.definitions);
        for keyspace in is.keyspaces.iter().chain(&now.keyspaces) {
            let of = |all: &Definitions| all.keyspaces.iter().find(|it| it.name.text == keyspace.name.text).cloned();
            if of(is) != of(now) {
                return Some(format!("the keyspace {}", keyspace.name));
            }
        }
        for name in &self.wanted {
            let of = |all: &Definitions| all.types.iter().find(|it| it.name == *name).cloned();
            if of(is) != of(now) {
                return Some(format!("the type {name}"));
            }
        }
        for table in is.tables.iter().chain(&now.tables) {
            let of = |all: &Definitions| all.tables.iter().find(|it| it.table == table.table).map(unscaled);
            if of(is) != of(now) {
                return Some(format!("the table {}", table.table));
            }
        }
        None
    }
}

async fn tables(schema: Schema<'_>, keyspace: &str) -> Result<Vec<(String, Option<TableStatus>)>, Error> {
    let bound = (keyspace.to_owned(),);
    if schema.session.is_plain_cassandra() {
        const NAMES: &str = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
        let rows: Vec<(String,)> = schema.session.rows(NAMES, bound).try_collect().await?;
        return Ok(rows.into_iter().map(|(name,)| (name, None)).collect());
    }
    const NAMES: &str = "SELECT table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = ?";
    let rows: Vec<(String, Option<String>)> = schema.session.rows(NAMES, bound).try_collect().await?;
    Ok(rows.into_iter().map(|(name, status)| (name, status.map(|word| TableStatus::of(&word)))).collect())
}

/// The table without the capacity units that auto scaling changes by itself.
fn unscaled(table: &TableDefinition) -> TableDefinition {
    let mut table = table.clone();
    let scaling = table.options.auto_scaling.clone().unwrap_or_default();
    let moves = |part: &Option<CapacityScaling>| matches!(part, Some(CapacityScaling::Target(_)));
    if let Some(CapacityMode::Provisioned { read, write }) = &mut table.options.capacity_mode {
        *read = if moves(&scaling.read) { 0 } else { *read };
        *write = if moves(&scaling.write) { 0 } else { *write };
    }
    table
}
