//! The table that a CREATE TABLE makes.

mod builder;
mod change;
pub(crate) mod create;
mod error;
mod from_columns;
pub(crate) mod properties;
pub(crate) mod restore;
mod restore_point;

use std::collections::HashSet;
use std::fmt;

pub use builder::TableBuilder;
pub use change::{NewColumn, NewColumns, TableChange};
pub use error::{TableError, TableProblem};
// A glob, so that a new option is exported where it is declared.
pub use from_columns::{ColumnRow, FromColumnsError};
pub use properties::tags::{read_dropped_tags, read_tags};
pub use properties::*;
pub use restore::TableRestore;
pub use restore_point::RestorePoint;

use crate::statement::{ClusteringOrder, ColumnDefinition, CqlType, CreateTable, PrimaryKey, SortOrder};
use crate::{Name, QualifiedName, Span, TableDifference, Warning, rules};

/// A table: its columns, its primary key and its options.
///
/// Two definitions are equal if they define the same table, regardless of their places in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDefinition {
    /// The keyspace and the name of the table.
    pub table: QualifiedName,
    /// All columns, in the order of the text.
    pub columns: Vec<Column>,
    /// The partition key columns, in the order of the key; at least one.
    pub partition_key: Vec<Name>,
    /// The clustering columns, in the order of the key, each with the order of its values.
    pub clustering_columns: Vec<ClusteringOrder>,
    /// The options of the table.
    pub options: TableOptions,
}

/// A column of a [`TableDefinition`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Column {
    /// The name of the column.
    pub name: Name,
    /// The type of the column.
    pub column_type: CqlType,
    /// The role of the column in the table.
    pub kind: ColumnKind,
}

/// The role of a [`Column`] in its table.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ColumnKind {
    /// A column of the partition key.
    PartitionKey,
    /// A clustering column: in the primary key, after the partition key.
    Clustering,
    /// A static column, with one value for the whole partition.
    Static,
    /// A regular column, with one value for each row.
    Regular,
}

impl ColumnKind {
    pub(crate) fn is_key(self) -> bool {
        matches!(self, Self::PartitionKey | Self::Clustering)
    }
}

/// The result of `examine`, or the first error that it passed to its argument.
pub(crate) fn or_first_error<T, E>(examine: impl FnOnce(&mut dyn FnMut(E)) -> T) -> Result<T, E> {
    let mut first = None;
    let read = examine(&mut |error| {
        first.get_or_insert(error);
    });
    first.map_or(Ok(read), Err)
}

impl TableDefinition {
    /// The CREATE TABLE statement.
    #[must_use]
    pub fn create(&self) -> CreateTable {
        let columns = self.columns.iter().map(|column| ColumnDefinition {
            name: column.name.clone(),
            column_type: column.column_type.clone(),
            is_static: (column.kind == ColumnKind::Static).then(Span::default),
            primary_key: None,
            span: Span::default(),
        });
        let clustering_columns = self.clustering_columns.iter().map(|by| by.column.clone()).collect();
        let partition_key = self.partition_key.clone();
        // The default order is ascending, and needs no CLUSTERING ORDER BY.
        let ascending = self.clustering_columns.iter().all(|by| by.order == SortOrder::Ascending);
        CreateTable {
            span: Span::default(),
            if_not_exists: None,
            table: self.table.clone(),
            columns: columns.collect(),
            primary_keys: vec![PrimaryKey { partition_key, clustering_columns, span: Span::default() }],
            clustering_order: if ascending { Vec::new() } else { self.clustering_columns.clone() },
            compact_storage: None,
            options: self.options.with_options(),
        }
    }

    fn check(&self) -> Result<(), TableError> {
        if self.to_string().len() > rules::MAX_SCHEMA_BYTES {
            return Err(TableError::refused(Span::default(), &rules::SCHEMA_TOO_LARGE));
        }
        let types = self.columns.iter().flat_map(|column| column.column_type.user_types());
        if types.map(|name| &name.name.text).collect::<HashSet<_>>().len() > rules::MAX_TABLE_TYPES {
            return Err(TableError::refused(Span::default(), &rules::TOO_MANY_TYPES));
        }
        Ok(())
    }

    /// The costs and risks of creating the table. Irreversible settings are not included, because a new table can be dropped.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static Warning> {
        crate::difference::warning::table_warnings(self)
    }

    /// The changes that turn this table into `to`, one for each ALTER TABLE.
    ///
    /// Columns and key always become those of `to`. An option that `to` does not set stays as it is, and so do options that
    /// Keyspaces accepts and ignores, since nothing shows their values. If `to` sets tags, they become the complete set of
    /// tags, except for the tags that AWS itself assigns (`aws:…`). Capacity units that auto scaling changes make no
    /// difference while they are within its bounds. A KMS key that `to` names by its alias makes no difference if the
    /// table has any KMS key, since the service does not show the alias.
    ///
    /// ```
    /// use keyspaces_cql::{PointInTimeRecovery, TableDefinition};
    /// use keyspaces_cql::statement::NativeType;
    ///
    /// let table = || TableDefinition::builder("shop", "names").partition_key("id", NativeType::Int);
    /// let (current, desired) = (table().build()?, table().with(PointInTimeRecovery::Enabled).build()?);
    /// let difference = current.difference(&desired);
    /// let statements: Vec<_> = difference.changes.iter().map(|change| change.alter(&current.table).to_string()).collect();
    /// assert_eq!(
    ///     statements,
    ///     ["ALTER TABLE shop.names WITH custom_properties = {'point_in_time_recovery': {'status': 'enabled'}}"]
    /// );
    /// assert_eq!(
    ///     difference.changes[0].warnings(&current)[0].to_string(),
    ///     "costs money: the data for restores is stored in addition to the table (DG:PointInTimeRecovery)"
    /// );
    /// # Ok::<(), keyspaces_cql::TableError>(())
    /// ```
    #[must_use]
    pub fn difference(&self, to: &Self) -> TableDifference {
        crate::difference::table::between(self, to)
    }

    /// The table after this change.
    ///
    /// # Errors
    ///
    /// The table already has a column of that name, the stream is on with another view type, or Keyspaces does not accept the
    /// result.
    pub fn changed(&self, change: &TableChange) -> Result<Self, TableError> {
        change::changed(self, change)
    }

    /// Starts a definition of a table with this name in this keyspace.
    ///
    /// ```
    /// use keyspaces_cql::statement::{NativeType, SortOrder};
    /// use keyspaces_cql::{CapacityMode, TableDefinition};
    ///
    /// let table = TableDefinition::builder("plant", "readings")
    ///     .partition_key("sensor", NativeType::Uuid)
    ///     .clustering_column("at", NativeType::Timestamp, SortOrder::Descending)
    ///     .column("celsius", NativeType::Double)
    ///     .with(CapacityMode::Provisioned { read: 100, write: 50 })
    ///     .build()?;
    /// assert_eq!(
    ///     table.to_string(),
    ///     "CREATE TABLE plant.readings (sensor uuid, at timestamp, celsius double, PRIMARY KEY ((sensor), at)) \
    ///      WITH CLUSTERING ORDER BY (at DESC) AND custom_properties = {'capacity_mode': {'throughput_mode': \
    ///      'PROVISIONED', 'read_capacity_units': 100, 'write_capacity_units': 50}}"
    /// );
    /// # Ok::<(), keyspaces_cql::TableError>(())
    /// ```
    pub fn builder(keyspace: impl Into<String>, table: impl Into<String>) -> TableBuilder {
        builder::builder(keyspace, table)
    }

    /// The table that has these columns, without options. The columns are in the order of the key, followed by static and
    /// other columns by name; no other order is stored.
    ///
    /// # Errors
    ///
    /// The columns do not define a table.
    pub fn from_columns(
        table: QualifiedName,
        columns: impl IntoIterator<Item = ColumnRow>,
    ) -> Result<Self, FromColumnsError> {
        from_columns::from_columns(table, columns)
    }
}

impl fmt::Display for TableDefinition {
    /// Writes the CREATE TABLE statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.create().fmt(f)
    }
}
