//! The current state of the objects that a plan depends on.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};
use keyspaces_cql::{CapacityMode, CapacityScaling, Definitions, QualifiedName, TableDefinition};

use crate::Error;
use crate::schema::{Schema, TableStatus, keyspace_of};

/// How many tables are described concurrently.
const CONCURRENT_DESCRIPTIONS: usize = 8;

/// The current state of the objects that a plan depends on.
#[derive(Debug)]
pub(super) struct CurrentSchema {
    /// The keyspaces, all their types, and the tables that the plan depends on: the desired tables, and all tables of a
    /// keyspace whose Regions change.
    pub(super) definitions: Definitions,
    /// The other tables in these keyspaces.
    pub(super) others: Vec<QualifiedName>,
    /// The names of the desired tables and types.
    desired: Vec<QualifiedName>,
}

impl CurrentSchema {
    pub(super) async fn read(schema: Schema<'_>, desired: &Definitions) -> Result<Self, Error> {
        let plain = schema.session.is_plain_cassandra();
        let type_names = desired.types.iter().map(|user_type| &user_type.name);
        let names: Vec<_> = desired.tables.iter().map(|table| &table.table).chain(type_names).cloned().collect();
        let keyspaces: BTreeSet<_> = desired
            .keyspaces
            .iter()
            .map(|keyspace| keyspace.name.text.as_str())
            .chain(names.iter().map(keyspace_of))
            .collect();
        let mut definitions = Definitions::new();
        let (mut needed, mut others, mut busy) = (Vec::new(), Vec::new(), Vec::new());
        for keyspace in keyspaces {
            let Some(current) = schema.describe_keyspace(keyspace).await? else { continue };
            let change = desired.keyspaces.iter().find(|desired| desired.name.text == keyspace);
            let regions_change = !plain && change.is_some_and(|desired| desired.replication != current.replication);
            let is_desired = |name: &QualifiedName| {
                let same = |table: &TableDefinition| {
                    table.table.name.text == name.name.text && keyspace_of(&table.table) == keyspace
                };
                desired.tables.iter().any(same)
            };
            definitions.keyspaces.push(current);
            definitions.types.extend(schema.types(keyspace).await?);
            for (table, status) in tables(schema, keyspace).await? {
                let name = QualifiedName::new(keyspace, table);
                if !regions_change && !is_desired(&name) {
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
        let described: Vec<_> = described.buffered(CONCURRENT_DESCRIPTIONS).try_collect().await?;
        definitions.tables = described.into_iter().flatten().map(|table| table.definition).collect();
        Ok(Self { definitions, others, desired: names })
    }

    /// Names the first object that differs in `now`, among the keyspaces, the desired types and the tables that the
    /// plan depends on.
    pub(super) fn first_change(&self, now: &Self) -> Option<String> {
        let (before, now) = (&self.definitions, &now.definitions);
        for keyspace in before.keyspaces.iter().chain(&now.keyspaces) {
            let find =
                |all: &Definitions| all.keyspaces.iter().find(|other| other.name.text == keyspace.name.text).cloned();
            if find(before) != find(now) {
                return Some(format!("the keyspace {}", keyspace.name));
            }
        }
        for name in &self.desired {
            let find = |all: &Definitions| all.types.iter().find(|user_type| user_type.name == *name).cloned();
            if find(before) != find(now) {
                return Some(format!("the type {name}"));
            }
        }
        for table in before.tables.iter().chain(&now.tables) {
            let find = |all: &Definitions| all.tables.iter().find(|other| other.table == table.table).map(unscaled);
            if find(before) != find(now) {
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
    Ok(rows.into_iter().map(|(name, status)| (name, status.map(|word| TableStatus::parse(&word)))).collect())
}

/// Returns the table without the capacity units that auto scaling changes.
fn unscaled(table: &TableDefinition) -> TableDefinition {
    let mut table = table.clone();
    let scaling = table.options.auto_scaling.clone().unwrap_or_default();
    let is_scaled = |scaling: &Option<CapacityScaling>| matches!(scaling, Some(CapacityScaling::Target(_)));
    if let Some(CapacityMode::Provisioned { read, write }) = &mut table.options.capacity_mode {
        *read = if is_scaled(&scaling.read) { 0 } else { *read };
        *write = if is_scaled(&scaling.write) { 0 } else { *write };
    }
    table
}
