//! The table that a CREATE TABLE makes.

mod builder;
mod change;
pub(crate) mod create;
mod error;
pub(crate) mod properties;
pub(crate) mod restore;
mod restore_point;
mod shown;

use std::collections::HashSet;
use std::fmt;

pub use builder::TableBuilder;
pub use change::{NewColumn, NewColumns, TableChange};
pub use error::{TableError, TableProblem};
// All of them, so that an option is exported where it is declared.
pub use properties::tags::{read_dropped_tags, read_tags};
pub use properties::*;
pub use restore::TableRestore;
pub use restore_point::RestorePoint;
pub use shown::{ShownColumn, ShownError};

use crate::statement::{ClusteringOrder, ColumnDefinition, CqlType, CreateTable, Order, PrimaryKey};
use crate::{Mark, Name, QualifiedName, Span, TableDifference, rules};

/// A table: its columns, which of them are its key, and its options.
///
/// Two are equal if they are the same table, wherever in a text they stand.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDefinition {
    /// Its name.
    pub table: QualifiedName,
    /// All columns, in the order of the text.
    pub columns: Vec<Column>,
    /// The columns of the partition key, in their order; at least one.
    pub partition_key: Vec<Name>,
    /// The clustering columns, in their order, each with the order of its values.
    pub clustering_columns: Vec<ClusteringOrder>,
    /// Its options.
    pub options: TableOptions,
}

/// A column of a [`TableDefinition`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub column_type: CqlType,
    /// What it is in the table.
    pub kind: ColumnKind,
}

/// What a [`Column`] is in its table.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ColumnKind {
    /// In the partition key.
    PartitionKey,
    /// In the primary key, after the partition key.
    Clustering,
    /// One value for the whole partition.
    Static,
    /// One value for each row.
    Regular,
}

impl ColumnKind {
    pub(crate) fn is_key(self) -> bool {
        matches!(self, Self::PartitionKey | Self::Clustering)
    }
}

/// What is read, or the first of the errors that are told.
pub(crate) fn or_first<T, E>(examine: impl FnOnce(&mut dyn FnMut(E)) -> T) -> Result<T, E> {
    let mut first = None;
    let read = examine(&mut |error| {
        first.get_or_insert(error);
    });
    first.map_or(Ok(read), Err)
}

impl TableDefinition {
    /// The statement that makes it.
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
        // Without a word about it the order is ascending.
        let ascending = self.clustering_columns.iter().all(|by| by.order == Order::Ascending);
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
        if types.map(|name| &name.name.text).collect::<HashSet<_>>().len() > rules::MAX_TYPES_OF_A_TABLE {
            return Err(TableError::refused(Span::default(), &rules::TOO_MANY_TYPES));
        }
        Ok(())
    }

    /// What to know before it is created. What cannot be undone is not among it: it can be dropped.
    #[must_use]
    pub fn marks(&self) -> Vec<&'static Mark> {
        crate::difference::mark::marks_of_a_table(self)
    }

    /// What makes `to` of this table, one change for each ALTER TABLE.
    ///
    /// Columns and key are those of `to`, whatever that takes. An option that `to` does not say is left as it is, and so are
    /// options that Keyspaces takes and ignores, since nothing shows what they are. Tags that are said are all tags there are
    /// to be, but for those that AWS itself sets (`aws:…`). Units that auto scaling moves by itself are no difference as long
    /// as they are within its bounds, and neither is a KMS key that is wanted by its alias where there is a key, since the
    /// service does not show what it was named by.
    ///
    /// ```
    /// use keyspaces_cql::{PointInTimeRecovery, TableDefinition};
    /// use keyspaces_cql::statement::NativeType;
    ///
    /// let table = || TableDefinition::builder("shop", "names").partition_key("id", NativeType::Int);
    /// let (there, to) = (table().build()?, table().with(PointInTimeRecovery::Enabled).build()?);
    /// let difference = there.difference(&to);
    /// let statements: Vec<_> = difference.changes.iter().map(|change| change.of(&there.table).to_string()).collect();
    /// assert_eq!(
    ///     statements,
    ///     ["ALTER TABLE shop.names WITH custom_properties = {'point_in_time_recovery': {'status': 'enabled'}}"]
    /// );
    /// assert_eq!(
    ///     difference.changes[0].marks(&there)[0].to_string(),
    ///     "costs money: what can be restored is stored beside the table (DG:PointInTimeRecovery)"
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
    /// The table has such a column, the stream is on with another view type, or it would be no table that Keyspaces takes.
    pub fn changed(&self, change: &TableChange) -> Result<Self, TableError> {
        change::changed(self, change)
    }

    /// A table of this name in this keyspace, to be put together.
    ///
    /// ```
    /// use keyspaces_cql::statement::{NativeType, Order};
    /// use keyspaces_cql::{CapacityMode, TableDefinition};
    ///
    /// let table = TableDefinition::builder("plant", "readings")
    ///     .partition_key("sensor", NativeType::Uuid)
    ///     .clustering_column("at", NativeType::Timestamp, Order::Descending)
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

    /// The table that has these columns, without options: the key in its order, then static and other columns by their
    /// names, which is all of their order that is kept.
    ///
    /// # Errors
    ///
    /// They make no table.
    pub fn from_columns(
        table: QualifiedName,
        shown: impl IntoIterator<Item = ShownColumn>,
    ) -> Result<Self, ShownError> {
        shown::from_columns(table, shown)
    }
}

impl fmt::Display for TableDefinition {
    /// The CREATE TABLE that makes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.create().fmt(f)
    }
}
