//! A table from what `system_schema.columns` shows of it.

use std::error::Error;
use std::fmt;

use super::{Column, ColumnKind, TableDefinition, TableOptions};
use crate::statement::{ClusteringOrder, CqlType, Order};
use crate::{Name, QualifiedName, Span, SyntaxError};

/// A row of `system_schema.columns`, as far as it is about what a table is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ColumnRow<'a> {
    /// `column_name`
    pub name: &'a str,
    /// `type`
    pub column_type: &'a str,
    /// `kind`: `partition_key`, `clustering`, `static` or `regular`
    pub kind: &'a str,
    /// `position` in the partition key or among the clustering columns
    pub position: i32,
    /// `clustering_order`: `asc`, `desc` or `none`
    pub clustering_order: &'a str,
}

/// Why rows make no table.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NoTable {
    /// The type of this column cannot be read.
    Type {
        /// The name of the column.
        column: String,
        /// The type, as it is shown.
        shown: String,
        /// Where it is no type.
        error: SyntaxError,
    },
    /// There is no partition key among them.
    NoPartitionKey,
}

impl TableDefinition {
    /// The table that has these columns, without its options. The key comes in its order, then static and other columns by
    /// their names, which is all of their order that is kept.
    ///
    /// # Errors
    ///
    /// The type of a column cannot be read, or there is no partition key.
    pub fn from_schema<'a>(
        table: QualifiedName,
        rows: impl IntoIterator<Item = ColumnRow<'a>>,
    ) -> Result<Self, NoTable> {
        let mut columns = Vec::new();
        for row in rows {
            let kind = match row.kind {
                "partition_key" => ColumnKind::PartitionKey,
                "clustering" => ColumnKind::Clustering,
                "static" => ColumnKind::Static,
                _ => ColumnKind::Regular,
            };
            let column_type: CqlType = row.column_type.parse().map_err(|error| NoTable::Type {
                column: row.name.to_owned(),
                shown: row.column_type.to_owned(),
                error,
            })?;
            let descending = row.clustering_order.eq_ignore_ascii_case("desc");
            let order = if descending { Order::Descending } else { Order::Ascending };
            columns.push((kind as u8, row.position, order, Column { name: Name::new(row.name), column_type, kind }));
        }
        columns.sort_by(|one, other| (one.0, one.1, &one.3.name.text).cmp(&(other.0, other.1, &other.3.name.text)));
        let of_kind = |kind| columns.iter().filter(move |(.., column)| column.kind == kind);
        let partition_key: Vec<_> = of_kind(ColumnKind::PartitionKey).map(|(.., column)| column.name.clone()).collect();
        let clustering_columns = of_kind(ColumnKind::Clustering).map(|(_, _, order, column)| ClusteringOrder {
            column: column.name.clone(),
            order: *order,
            span: Span::default(),
        });
        let clustering_columns = clustering_columns.collect();
        if partition_key.is_empty() {
            return Err(NoTable::NoPartitionKey);
        }
        Ok(Self {
            table,
            columns: columns.into_iter().map(|(.., column)| column).collect(),
            partition_key,
            clustering_columns,
            options: TableOptions::default(),
        })
    }
}

impl fmt::Display for NoTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { column, shown, .. } => write!(f, "the type {shown} of its column {column} cannot be read"),
            Self::NoPartitionKey => f.write_str("its columns have no partition key among them"),
        }
    }
}

impl Error for NoTable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Type { error, .. } => Some(error),
            Self::NoPartitionKey => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: ColumnRow<'_> =
        ColumnRow { name: "v", column_type: "int", kind: "regular", position: -1, clustering_order: "none" };

    #[test]
    fn rows_in_any_order_make_the_table_that_they_show() {
        let rows = [
            ROW,
            ColumnRow { name: "At", kind: "clustering", position: 0, clustering_order: "desc", ..ROW },
            ColumnRow { name: "b", kind: "partition_key", position: 1, ..ROW },
            ColumnRow { name: "s", kind: "static", column_type: "frozen<list<text>>", ..ROW },
            ColumnRow { name: "a", kind: "partition_key", position: 0, column_type: "uuid", ..ROW },
        ];
        let table = TableDefinition::from_schema(QualifiedName::new("ks", "t"), rows).unwrap();
        assert_eq!(
            table.to_string(),
            "CREATE TABLE ks.t (a uuid, b int, \"At\" int, s frozen<list<text>> STATIC, v int, PRIMARY KEY ((a, b), \"At\")) \
             WITH CLUSTERING ORDER BY (\"At\" DESC)"
        );
    }

    #[test]
    fn rows_that_make_none_are_told() {
        let of = |rows: &[ColumnRow<'_>]| {
            TableDefinition::from_schema(QualifiedName::new("ks", "t"), rows.iter().copied()).unwrap_err().to_string()
        };
        assert_eq!(of(&[ROW]), "its columns have no partition key among them");
        assert_eq!(of(&[ColumnRow { column_type: "list<", ..ROW }]), "the type list< of its column v cannot be read");
    }
}
