//! Table definitions from the rows of `system_schema.columns`.

use std::error::Error;
use std::fmt;

use super::{Column, ColumnKind, TableDefinition, TableOptions};
use crate::statement::{ClusteringOrder, CqlType, SortOrder};
use crate::{Name, QualifiedName, Span, SyntaxError};

/// A row of `system_schema.columns`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ColumnRow {
    /// `column_name`
    pub name: String,
    /// `type`, as CQL writes it.
    pub column_type: String,
    /// `kind`: `partition_key`, `clustering`, `static` or `regular`.
    pub kind: String,
    /// `position`: the index in the column's part of the key; -1 outside of it.
    pub position: i32,
    /// `clustering_order`: `asc`, `desc`, or `none` outside the clustering columns.
    pub clustering_order: String,
}

/// An error in rows of `system_schema.columns`, which prevents them from defining a table.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FromColumnsError {
    /// No row is a partition key column.
    NoPartitionKey,
    /// The type of a column cannot be parsed.
    Type {
        /// The name of the column.
        column: String,
        /// The type of the column.
        column_type: String,
        /// The syntax error of the type.
        error: Box<SyntaxError>,
    },
}

pub(crate) fn from_columns(
    table: QualifiedName,
    rows: impl IntoIterator<Item = ColumnRow>,
) -> Result<TableDefinition, FromColumnsError> {
    let mut columns = Vec::new();
    for ColumnRow { name, column_type, kind, position, clustering_order } in rows {
        let kind = match kind.as_str() {
            "partition_key" => ColumnKind::PartitionKey,
            "clustering" => ColumnKind::Clustering,
            "static" => ColumnKind::Static,
            _ => ColumnKind::Regular,
        };
        let column_type: CqlType = match column_type.parse() {
            Ok(column_type) => column_type,
            Err(error) => return Err(FromColumnsError::Type { column: name, column_type, error: error.into() }),
        };
        let descending = clustering_order.eq_ignore_ascii_case("desc");
        let order = if descending { SortOrder::Descending } else { SortOrder::Ascending };
        columns.push((kind as u8, position, order, Column { name: Name::new(name), column_type, kind }));
    }
    columns.sort_by(|one, other| (one.0, one.1, &one.3.name.text).cmp(&(other.0, other.1, &other.3.name.text)));
    let of_kind = |kind| columns.iter().filter(move |(.., column)| column.kind == kind);
    let partition_key: Vec<_> = of_kind(ColumnKind::PartitionKey).map(|(.., column)| column.name.clone()).collect();
    if partition_key.is_empty() {
        return Err(FromColumnsError::NoPartitionKey);
    }
    let clustering_columns = of_kind(ColumnKind::Clustering).map(|(_, _, order, column)| ClusteringOrder {
        column: column.name.clone(),
        order: *order,
        span: Span::default(),
    });
    Ok(TableDefinition {
        clustering_columns: clustering_columns.collect(),
        table,
        columns: columns.into_iter().map(|(.., column)| column).collect(),
        partition_key,
        options: TableOptions::default(),
    })
}

impl fmt::Display for FromColumnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPartitionKey => f.write_str("none of its columns is in the partition key"),
            Self::Type { column, column_type, .. } => {
                write!(f, "the type {column_type} of its column {column} cannot be read")
            }
        }
    }
}

impl Error for FromColumnsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoPartitionKey => None,
            Self::Type { error, .. } => Some(error.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, column_type: &str, kind: &str, position: i32, order: &str) -> ColumnRow {
        ColumnRow {
            name: name.to_owned(),
            column_type: column_type.to_owned(),
            kind: kind.to_owned(),
            position,
            clustering_order: order.to_owned(),
        }
    }

    #[test]
    fn table_definition_is_rebuilt_from_column_rows_in_any_order() {
        let rows = [
            column("payload", "text", "regular", -1, "none"),
            column("owner", "frozen<list<int>>", "static", -1, "none"),
            column("event_time", "timestamp", "clustering", 0, "desc"),
            column("event_date", "date", "partition_key", 1, "none"),
            column("device_id", "text", "partition_key", 0, "none"),
        ];
        let table = TableDefinition::from_columns(QualifiedName::new("ks", "t"), rows).map(|table| table.to_string());
        assert_eq!(
            table.as_deref(),
            Ok(
                "CREATE TABLE ks.t (device_id text, event_date date, event_time timestamp, owner frozen<list<int>> STATIC, \
                payload text, PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC)"
            )
        );
    }

    #[test]
    fn column_rows_that_form_no_table_are_refused_with_the_reason() {
        let read = |rows: [ColumnRow; 1]| TableDefinition::from_columns(QualifiedName::new("ks", "t"), rows);
        let no_key = read([column("a", "int", "regular", -1, "none")]).unwrap_err();
        assert_eq!(no_key.to_string(), "none of its columns is in the partition key");
        let no_type = read([column("a", "list<", "partition_key", 0, "none")]).unwrap_err();
        assert_eq!(no_type.to_string(), "the type list< of its column a cannot be read");
    }
}
