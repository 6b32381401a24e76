//! The table that rows are loaded into or read from: its columns with their types resolved.

use std::collections::HashSet;
use std::num::NonZeroU32;

use keyspaces_cql::statement::{CqlTypeKind, NativeType};
use keyspaces_cql::{CapacityMode, ClientSideTimestamps, ColumnKind, Name, QualifiedName, Ttl, units};

use super::value::ValueType;
use crate::{Error, ErrorKind, Session};

/// A column of the rows.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value_type: ValueType,
    /// The type, in the form that the computation of units uses.
    pub(super) cql: CqlTypeKind,
    /// The type as CQL writes it.
    pub(super) type_name: String,
    pub(super) role: Role,
}

/// The role of a column in its row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    PartitionKey,
    Clustering,
    Static,
    Regular,
    /// The time to live of the row; not a column of the table.
    TimeToLive,
    /// The write time of the row; not a column of the table.
    WriteTime,
}

impl Column {
    pub(super) fn is_key(&self) -> bool {
        matches!(self.role, Role::PartitionKey | Role::Clustering)
    }

    /// Whether the table has this column.
    pub(super) fn is_stored(&self) -> bool {
        !matches!(self.role, Role::TimeToLive | Role::WriteTime)
    }

    /// The name as CQL writes it.
    pub(super) fn quoted(&self) -> String {
        Name::new(self.name.as_str()).to_string()
    }

    /// The pseudo column with the number of rows of a partition.
    pub(super) fn count() -> Self {
        Self { role: Role::Regular, ..Self::using("count", Role::WriteTime) }
    }

    /// A value for `USING`.
    pub(super) fn using(name: &str, role: Role) -> Self {
        let native = if role == Role::TimeToLive { NativeType::Int } else { NativeType::Bigint };
        Self {
            name: name.to_owned(),
            value_type: ValueType::Native(native),
            cql: CqlTypeKind::Native(native),
            type_name: native.name().to_owned(),
            role,
        }
    }
}

/// The current definition of a table.
#[derive(Clone, Debug)]
pub(super) struct DescribedTable {
    pub(super) name: QualifiedName,
    pub(super) columns: Vec<Column>,
    pub(super) units: units::Table,
    capacity: CapacityMode,
}

impl DescribedTable {
    /// Reads the definition of a table.
    pub(super) async fn describe(session: &Session, keyspace: &str, table: &str, action: &str) -> Result<Self, Error> {
        let name = QualifiedName::new(keyspace, table);
        let described = session.schema().describe_untagged(keyspace, table).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotReady, format!("{action} {name}"), "the table does not exist")
                .with_advice("Check the names of the keyspace and the table, and the Region")
        })?;
        let definition = described.definition;
        let has_user_types = definition.columns.iter().any(|column| !column.column_type.user_types().is_empty());
        let types = if has_user_types { session.schema().types(keyspace).await? } else { Vec::new() };
        let clustering = &definition.clustering_columns;
        let column_named = |name: &str| definition.columns.iter().find(|column| column.name.text == name);
        // The key columns come first, in the order of the key.
        let keys = definition.partition_key.iter().chain(clustering.iter().map(|by| &by.column));
        let keys = keys.filter_map(|key| column_named(&key.text));
        let others =
            definition.columns.iter().filter(|column| matches!(column.kind, ColumnKind::Static | ColumnKind::Regular));
        let resolve = |column: &keyspaces_cql::Column| {
            let value_type = ValueType::resolve(&column.column_type, &types).map_err(|problem| {
                let attempted = format!("{action} {name}");
                Error::new(ErrorKind::Refused, attempted, format!("the column {}: {problem}", column.name))
            })?;
            Ok(Column {
                name: column.name.text.clone(),
                value_type,
                cql: column.column_type.kind.clone(),
                type_name: column.column_type.to_string(),
                role: match column.kind {
                    ColumnKind::PartitionKey => Role::PartitionKey,
                    ColumnKind::Clustering => Role::Clustering,
                    ColumnKind::Static => Role::Static,
                    ColumnKind::Regular => Role::Regular,
                },
            })
        };
        let columns = keys.chain(others).map(resolve).collect::<Result<Vec<_>, Error>>()?;
        let options = &definition.options;
        let units = units::Table::with_columns(columns.len())
            .with_ttl(options.ttl == Some(Ttl::Enabled))
            .with_client_side_timestamps(options.client_side_timestamps == Some(ClientSideTimestamps::Enabled));
        Ok(Self { name, columns, units, capacity: options.capacity_mode.unwrap_or_default() })
    }

    /// The columns with these names, in this order.
    pub(super) fn select(&self, names: &[String], attempted: &str) -> Result<Vec<Column>, Error> {
        let mut given = HashSet::new();
        if let Some(name) = names.iter().find(|name| !given.insert(name.as_str())) {
            let problem = format!("the column {name:?} is named twice");
            return Err(Error::new(ErrorKind::Value, attempted.to_owned(), problem));
        }
        let column = |name: &String| {
            self.columns.iter().find(|column| column.name == *name).cloned().ok_or_else(|| {
                let names = self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
                Error::new(ErrorKind::Value, attempted.to_owned(), format!("{} has no column {name:?}", self.name))
                    .with_advice(format!("Its columns are {names}"))
            })
        };
        names.iter().map(column).collect()
    }

    pub(super) fn partition_key(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.role == Role::PartitionKey)
    }

    /// Whether the table has counters.
    pub(super) fn has_counters(&self) -> bool {
        self.columns.iter().any(|column| column.value_type == ValueType::Native(NativeType::Counter))
    }

    /// The provisioned units a second: for reads, and for writes.
    pub(super) fn provisioned(&self) -> Option<(NonZeroU32, NonZeroU32)> {
        match self.capacity {
            CapacityMode::OnDemand => None,
            CapacityMode::Provisioned { read, write } => Some((NonZeroU32::new(read)?, NonZeroU32::new(write)?)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A column outside the key.
    pub(crate) fn column(name: &str, value_type: ValueType) -> Column {
        let cql = CqlTypeKind::Native(NativeType::Text);
        Column { name: name.to_owned(), value_type, cql, type_name: String::new(), role: Role::Regular }
    }
}
