//! Builds a table definition column by column.

use super::{TableDefinition, TableError, TableOptions, TableProperty};
use crate::statement::{ClusteringOrder, ColumnDefinition, CqlType, CreateTable, PrimaryKey, SortOrder};
use crate::{Name, QualifiedName, Span};

/// A builder of a table definition. [`build`](Self::build) reports an invalid definition.
#[derive(Clone, Debug)]
#[must_use = "a table is made by `.build()`"]
pub struct TableBuilder {
    table: QualifiedName,
    columns: Vec<ColumnDefinition>,
    partition_key: Vec<Name>,
    clustering_order: Vec<ClusteringOrder>,
    options: TableOptions,
}

pub(crate) fn builder(keyspace: impl Into<String>, table: impl Into<String>) -> TableBuilder {
    TableBuilder {
        table: QualifiedName::new(keyspace, table),
        columns: Vec::new(),
        partition_key: Vec::new(),
        clustering_order: Vec::new(),
        options: TableOptions::default(),
    }
}

impl TableBuilder {
    /// Adds a column to the partition key.
    pub fn partition_key(mut self, name: impl Into<String>, column_type: impl Into<CqlType>) -> Self {
        let name = self.add(name, column_type, None);
        self.partition_key.push(name);
        self
    }

    /// Adds a clustering column, with the order of its values inside a partition.
    pub fn clustering_column(
        mut self,
        name: impl Into<String>,
        column_type: impl Into<CqlType>,
        order: SortOrder,
    ) -> Self {
        let column = self.add(name, column_type, None);
        self.clustering_order.push(ClusteringOrder { column, order, span: Span::default() });
        self
    }

    /// Adds a column with one value for each row.
    pub fn column(mut self, name: impl Into<String>, column_type: impl Into<CqlType>) -> Self {
        self.add(name, column_type, None);
        self
    }

    /// Adds a static column, with one value for the whole partition.
    pub fn static_column(mut self, name: impl Into<String>, column_type: impl Into<CqlType>) -> Self {
        self.add(name, column_type, Some(Span::default()));
        self
    }

    /// Sets an option.
    pub fn with(mut self, property: impl Into<TableProperty>) -> Self {
        self.options = self.options.and(property);
        self
    }

    /// Sets the time to live, in seconds, of writes without one of their own. This turns TTL on permanently.
    pub fn default_time_to_live(self, seconds: u32) -> Self {
        self.with(TableProperty::DefaultTimeToLive(seconds))
    }

    /// Adds a tag.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.tags.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// Builds the table definition.
    ///
    /// # Errors
    ///
    /// The definition is invalid in CQL, or Keyspaces refuses it.
    pub fn build(self) -> Result<TableDefinition, TableError> {
        let clustering_columns = self.clustering_order.iter().map(|order| order.column.clone()).collect();
        let key = PrimaryKey { partition_key: self.partition_key, clustering_columns, span: Span::default() };
        let create = CreateTable {
            span: Span::default(),
            if_not_exists: None,
            table: self.table,
            columns: self.columns,
            primary_keys: if key.partition_key.is_empty() { Vec::new() } else { vec![key] },
            clustering_order: self.clustering_order,
            compact_storage: None,
            options: self.options.with_options(),
        };
        create.definition()
    }

    fn add(&mut self, name: impl Into<String>, column_type: impl Into<CqlType>, is_static: Option<Span>) -> Name {
        let name = Name::new(name);
        self.columns.push(ColumnDefinition {
            name: name.clone(),
            column_type: column_type.into(),
            is_static,
            primary_key: None,
            span: Span::default(),
        });
        name
    }
}
