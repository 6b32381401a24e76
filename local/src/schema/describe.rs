//! Tables and types as the system tables show them, for the control plane.

use keyspaces_cql::{TableDefinition, TableOptions};
use serde_json::Value;

use super::catalogue::CatalogueEntry;
use super::store::definition_of;
use crate::names::system_tables::SystemTable;
use crate::names::{Names, SchemaObject};
use crate::upstream::{InternalConnection, InternalRequestError};

/// A table as clients see it.
#[derive(Clone, Debug)]
pub(crate) struct DescribedTable {
    pub(crate) entry: CatalogueEntry,
    /// Its columns are the visible ones, including those that are being added.
    pub(crate) definition: TableDefinition,
    /// The earliest moment to which it can be restored, in milliseconds since 1970.
    pub(crate) earliest_restorable: Option<u64>,
    pub(crate) stream: Option<String>,
}

/// The definition of a table by the columns that `system_schema_mcs` shows.
pub(super) async fn table(
    connection: &InternalConnection,
    names: &Names,
    table: &SchemaObject,
    options: &TableOptions,
) -> Result<Option<TableDefinition>, InternalRequestError> {
    let statement = format!(
        "SELECT JSON column_name, type, kind, position, clustering_order FROM {} WHERE keyspace_name = ? AND table_name = ?",
        mcs(names, "columns")
    );
    let rows = connection.select(&statement, &[&table.keyspace, &table.name]).await?;
    definition_of(table, options, &rows, &statement)
}

/// The row of a type in `system_schema_mcs.types`.
pub(super) async fn user_type(
    connection: &InternalConnection,
    names: &Names,
    user_type: &SchemaObject,
) -> Result<Option<Value>, InternalRequestError> {
    let statement = format!("SELECT JSON * FROM {} WHERE keyspace_name = ? AND type_name = ?", mcs(names, "types"));
    let mut rows = connection.select(&statement, &[&user_type.keyspace, &user_type.name]).await?;
    Ok(rows.pop())
}

fn mcs(names: &Names, name: &'static str) -> String {
    names.system_table(&SystemTable { keyspace: "system_schema_mcs", name, columns: "" })
}
