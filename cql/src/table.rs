//! The table that a CREATE TABLE makes.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;

use crate::statement::{ClusteringOrder, CqlType, CreateTable, Order, PrimaryKey};
use crate::{Name, QualifiedName, Span};

/// A table: its columns and which of them are its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableDefinition {
    /// Its name.
    pub table: QualifiedName,
    /// All columns, in the order of the text.
    pub columns: Vec<Column>,
    /// The columns of the partition key, in their order; at least one.
    pub partition_key: Vec<Name>,
    /// The clustering columns, in their order, each with the order of its values.
    pub clustering_columns: Vec<ClusteringOrder>,
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

/// Why a CREATE TABLE makes no table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableError {
    /// What in the text is wrong.
    pub span: Span,
    /// What is wrong with it.
    pub problem: TableProblem,
}

/// What is wrong in a [`TableError`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TableProblem {
    /// There is no primary key.
    NoPrimaryKey,
    /// There is more than one.
    SeveralPrimaryKeys,
    /// Two columns have this name.
    ColumnTwice(String),
    /// The primary key names this column, which is not there.
    KeyColumnMissing(String),
    /// The primary key names this column twice.
    KeyColumnTwice(String),
    /// This column is in the primary key, and static.
    StaticKeyColumn(String),
    /// This column is static, and there are no clustering columns.
    StaticWithoutClustering(String),
    /// CLUSTERING ORDER BY names other columns than the clustering columns, or names them in another order.
    ClusteringOrder,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            TableProblem::NoPrimaryKey => f.write_str("the table has no PRIMARY KEY"),
            TableProblem::SeveralPrimaryKeys => f.write_str("the table has more than one PRIMARY KEY"),
            TableProblem::ColumnTwice(name) => write!(f, "two columns have the name {name}"),
            TableProblem::KeyColumnMissing(name) => {
                write!(f, "PRIMARY KEY names {name}, which is no column of the table")
            }
            TableProblem::KeyColumnTwice(name) => write!(f, "PRIMARY KEY names {name} twice"),
            TableProblem::StaticKeyColumn(name) => write!(f, "{name} is in the PRIMARY KEY and cannot be STATIC"),
            TableProblem::StaticWithoutClustering(name) => {
                write!(f, "{name} cannot be STATIC: the table has no clustering columns")
            }
            TableProblem::ClusteringOrder => {
                f.write_str("CLUSTERING ORDER BY has to name all clustering columns, in the order of the PRIMARY KEY")
            }
        }
    }
}

impl Error for TableError {}

impl CreateTable {
    /// The table that it makes.
    ///
    /// # Errors
    ///
    /// What keeps it from making one: these are Cassandra's rules for every table, not Keyspaces' own.
    pub fn definition(&self) -> Result<TableDefinition, TableError> {
        let key = self.key()?;
        let partition_key: HashSet<_> = key.partition_key.iter().map(|name| &name.text).collect();
        let clustering_columns: HashSet<_> = key.clustering_columns.iter().map(|name| &name.text).collect();
        let mut columns = Vec::with_capacity(self.columns.len());
        let mut names = HashSet::new();
        for column in &self.columns {
            if !names.insert(column.name.text.as_str()) {
                return Err(error(column.name.span, TableProblem::ColumnTwice(column.name.to_string())));
            }
            let kind = match column.is_static {
                _ if partition_key.contains(&column.name.text) => ColumnKind::PartitionKey,
                _ if clustering_columns.contains(&column.name.text) => ColumnKind::Clustering,
                Some(_) => ColumnKind::Static,
                None => ColumnKind::Regular,
            };
            if let Some(span) = column.is_static {
                let name = column.name.to_string();
                if kind != ColumnKind::Static {
                    return Err(error(span, TableProblem::StaticKeyColumn(name)));
                }
                if key.clustering_columns.is_empty() {
                    return Err(error(span, TableProblem::StaticWithoutClustering(name)));
                }
            }
            columns.push(Column { name: column.name.clone(), column_type: column.column_type.clone(), kind });
        }
        let mut in_key = HashSet::new();
        for name in key.partition_key.iter().chain(&key.clustering_columns) {
            if !names.contains(name.text.as_str()) {
                return Err(error(name.span, TableProblem::KeyColumnMissing(name.to_string())));
            }
            if !in_key.insert(name.text.as_str()) {
                return Err(error(name.span, TableProblem::KeyColumnTwice(name.to_string())));
            }
        }
        let clustering_columns = self.clustering(&key.clustering_columns)?;
        Ok(TableDefinition { table: self.table.clone(), columns, partition_key: key.partition_key, clustering_columns })
    }

    /// `PRIMARY KEY (…)`, or the one column with `PRIMARY KEY` after it.
    fn key(&self) -> Result<PrimaryKey, TableError> {
        let of_columns = self.columns.iter().filter_map(|column| {
            let span = column.primary_key?;
            Some(PrimaryKey { partition_key: vec![column.name.clone()], clustering_columns: Vec::new(), span })
        });
        let mut keys = of_columns.chain(self.primary_keys.iter().cloned());
        match (keys.next(), keys.next()) {
            (None, _) => Err(error(self.table.span(), TableProblem::NoPrimaryKey)),
            (Some(key), None) => Ok(key),
            (Some(_), Some(second)) => Err(error(second.span, TableProblem::SeveralPrimaryKeys)),
        }
    }

    fn clustering(&self, columns: &[Name]) -> Result<Vec<ClusteringOrder>, TableError> {
        if self.clustering_order.is_empty() {
            let ascending =
                |column: &Name| ClusteringOrder { column: column.clone(), order: Order::Ascending, span: column.span };
            return Ok(columns.iter().map(ascending).collect());
        }
        let named = self.clustering_order.iter().map(|order| &order.column.text);
        if named.eq(columns.iter().map(|column| &column.text)) {
            Ok(self.clustering_order.clone())
        } else {
            let spans = self.clustering_order.iter().map(|order| order.span);
            Err(error(spans.reduce(Span::to).unwrap_or_default(), TableProblem::ClusteringOrder))
        }
    }
}

fn error(span: Span, problem: TableProblem) -> TableError {
    TableError { span, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Statement, parse};

    fn definition(text: &str) -> Result<TableDefinition, String> {
        let Ok(Statement::CreateTable(create)) = parse(text) else { panic!("{text} is no CREATE TABLE") };
        create.definition().map_err(|error| format!("{error} ({})", &text[error.span.range()]))
    }

    #[test]
    fn a_definition_tells_the_key_and_its_order() {
        let table = definition(
            "CREATE TABLE ks.events (device_id text, event_date date, event_time timestamp, owner text STATIC, payload text, \
             PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC)",
        )
        .unwrap();
        let names: Vec<_> = table.partition_key.iter().map(|name| name.text.as_str()).collect();
        assert_eq!(names, ["device_id", "event_date"]);
        assert_eq!(table.clustering_columns.len(), 1);
        assert_eq!(table.clustering_columns[0].column.text, "event_time");
        assert_eq!(table.clustering_columns[0].order, Order::Descending);
        let kinds: Vec<_> = table.columns.iter().map(|column| column.kind).collect();
        use ColumnKind::{Clustering, PartitionKey, Regular, Static};
        assert_eq!(kinds, [PartitionKey, PartitionKey, Clustering, Static, Regular]);
    }

    #[test]
    fn a_key_may_stand_beside_its_column() {
        let table = definition("CREATE TABLE t (id uuid PRIMARY KEY, name text)").unwrap();
        assert_eq!(table.partition_key[0].text, "id");
        assert!(table.clustering_columns.is_empty());
    }

    #[test]
    fn what_makes_no_table_is_refused_with_the_reason() {
        for (text, expected) in [
            ("CREATE TABLE ks.t (a int)", "the table has no PRIMARY KEY (ks.t)"),
            (
                "CREATE TABLE t (a int PRIMARY KEY, PRIMARY KEY (a))",
                "the table has more than one PRIMARY KEY (PRIMARY KEY (a))",
            ),
            ("CREATE TABLE t (a int PRIMARY KEY, A text)", "two columns have the name a (A)"),
            ("CREATE TABLE t (a int, PRIMARY KEY (a, b))", "PRIMARY KEY names b, which is no column of the table (b)"),
            ("CREATE TABLE t (a int, PRIMARY KEY (a, a))", "PRIMARY KEY names a twice (a)"),
            ("CREATE TABLE t (a int STATIC PRIMARY KEY)", "a is in the PRIMARY KEY and cannot be STATIC (STATIC)"),
            (
                "CREATE TABLE t (a int PRIMARY KEY, b int STATIC)",
                "b cannot be STATIC: the table has no clustering columns (STATIC)",
            ),
            (
                "CREATE TABLE t (a int, b int, c int, PRIMARY KEY (a, b, c)) WITH CLUSTERING ORDER BY (c DESC, b ASC)",
                "CLUSTERING ORDER BY has to name all clustering columns, in the order of the PRIMARY KEY (c DESC, b ASC)",
            ),
        ] {
            assert_eq!(definition(text), Err(expected.to_owned()));
        }
    }
}
