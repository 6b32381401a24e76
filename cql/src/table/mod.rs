//! The table that a CREATE TABLE makes.

mod builder;
mod change;
mod create;
mod error;
mod properties;
mod restore;
mod restore_point;
mod shown;

use std::collections::HashSet;
use std::fmt;

pub use builder::TableBuilder;
pub use change::{NewColumn, NewColumns, TableChange};
pub use error::{TableError, TableProblem};
pub use properties::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, ClientSideTimestamps, Encryption, PointInTimeRecovery,
    PropertyError, PropertyProblem, ReplicaCapacity, StreamTags, TableOptions, TableProperty, Tags, TargetTracking,
    Ttl, WarmThroughput, read_dropped_tags, read_tags,
};
pub(crate) use properties::{is_assigned_by_aws, tags_option, tags_term};
pub use restore::{RestoreOverride, TableRestore};
pub use restore_point::RestorePoint;
pub use shown::{ShownColumn, ShownError};

use crate::statement::{ClusteringOrder, ColumnDefinition, CqlType, CreateTable, Order, PrimaryKey};
use crate::{Name, QualifiedName, Span, rules};

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
}

impl fmt::Display for TableDefinition {
    /// The CREATE TABLE that makes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.create().fmt(f)
    }
}
