//! The layout of a table: its columns, and which of them are its key.

use std::collections::HashMap;
use std::sync::Arc;

use keyspaces_cql::statement::{CqlType, CqlTypeKind, NativeType};
use keyspaces_cql::{ColumnKind, KnownTable, UserTypes};

use super::{Channel, connection_lost};
use crate::lock::Mutex;
use crate::names::{Names, SchemaObject, quoted};
use crate::protocol::request::Parameters;
use crate::protocol::{Binding, Malformed, Reader, Refusal, Rows, error_code};

/// A table's columns.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Layout {
    /// In the order of the primary key.
    pub(crate) partition_key: Vec<Column>,
    /// In the order of the primary key.
    pub(crate) clustering: Vec<Column>,
    pub(crate) statics: Vec<Column>,
    pub(crate) regular: Vec<Column>,
    /// The layout as the rules of statements take it.
    pub(crate) known: Arc<KnownTable>,
}

/// A column of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type as CQL writes it.
    pub(crate) cql_type: String,
    /// The type, parsed.
    pub(crate) kind: CqlTypeKind,
}

/// The layouts that were read since the last definition.
#[derive(Debug, Default)]
pub(crate) struct Layouts(Mutex<LayoutCache>);

#[derive(Debug, Default)]
struct LayoutCache {
    definitions: u64,
    layouts: HashMap<SchemaObject, Arc<Layout>>,
    /// The number of definitions when each table was last altered or dropped.
    changes: HashMap<SchemaObject, u64>,
}

impl Layouts {
    /// Removes all layouts, because a definition is about to change the schema or has changed it.
    pub(crate) fn invalidate(&self) {
        let mut cache = self.cache();
        cache.definitions += 1;
        cache.layouts.clear();
    }

    /// Records that a definition has just changed this table.
    pub(crate) fn record_change(&self, table: &SchemaObject) {
        let mut cache = self.cache();
        let definitions = cache.definitions;
        cache.changes.insert(table.clone(), definitions);
    }

    /// Whether this table was altered or dropped after this number of definitions.
    pub(crate) fn has_changed_since(&self, table: &SchemaObject, definitions: u64) -> bool {
        self.cache().changes.get(table).is_some_and(|change| *change > definitions)
    }

    /// The number of definitions so far.
    pub(crate) fn definitions(&self) -> u64 {
        self.cache().definitions
    }

    /// The layout of a table; an empty one if Cassandra has no table of this name. `expires` tells whether the table
    /// has a default time to live.
    pub(crate) async fn find(
        &self,
        cassandra: Channel<'_>,
        names: &Names,
        table: &SchemaObject,
        expires: impl FnOnce() -> bool,
    ) -> Result<Arc<Layout>, Refusal> {
        let definitions = match self.get(table) {
            Ok(layout) => return Ok(layout),
            Err(definitions) => definitions,
        };
        let values = [names.keyspace(&table.keyspace), table.name.clone()];
        let values = Binding::positional(values.iter().map(|value| Some(value.as_bytes())));
        let answer =
            cassandra.query(Layout::SELECT, &Parameters::internal(values)).await.map_err(|_| connection_lost())?;
        let unreadable = || Refusal {
            code: error_code::SERVER_ERROR,
            text: format!("keyspaces-local: the columns of {table} could not be read"),
        };
        let rows = Rows::read(&answer.body).ok().flatten();
        let mut layout = rows.and_then(|rows| Layout::read(&rows).ok()).ok_or_else(unreadable)?;
        let mut known = layout.known();
        if layout.all().any(|column| !CqlType::from(column.kind.clone()).user_types().is_empty()) {
            let user_types = user_types_of(cassandra, names, &table.keyspace).await?.ok_or_else(unreadable)?;
            known = known.with_user_types(user_types);
        }
        layout.known = Arc::new(known.expiring(expires()));
        let layout = Arc::new(layout);
        self.set(table, &layout, definitions);
        Ok(layout)
    }

    fn get(&self, table: &SchemaObject) -> Result<Arc<Layout>, u64> {
        let cache = self.cache();
        cache.layouts.get(table).map(Arc::clone).ok_or(cache.definitions)
    }

    /// Remembers a layout that was read after this number of definitions, unless there was another one since.
    fn set(&self, table: &SchemaObject, layout: &Arc<Layout>, definitions: u64) {
        let mut cache = self.cache();
        if cache.definitions == definitions {
            cache.layouts.insert(table.clone(), Arc::clone(layout));
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, LayoutCache> {
        self.0.lock()
    }
}

impl Layout {
    /// The query of the columns, with markers for Cassandra's name of the keyspace and the name of the table.
    pub(crate) const SELECT: &str = "SELECT column_name, kind, position, type FROM system_schema.columns WHERE \
                                     keyspace_name = ? AND table_name = ?";

    /// Reads the rows of [`SELECT`](Self::SELECT).
    pub(crate) fn read(rows: &Rows) -> Result<Self, Malformed> {
        let mut columns = Vec::with_capacity(rows.count);
        for row in rows.iter() {
            let mut reader = Reader::new(row);
            let mut text = || Ok(String::from_utf8_lossy(reader.bytes()?.ok_or(Malformed)?).into_owned());
            let (name, kind): (String, String) = (text()?, text()?);
            let position = reader.bytes()?.and_then(|bytes| bytes.try_into().ok()).map_or(-1, i32::from_be_bytes);
            let cql_type = String::from_utf8_lossy(reader.bytes()?.ok_or(Malformed)?).into_owned();
            columns.push((kind, position, Column::new(name, cql_type)));
        }
        columns.sort_by_key(|(_, position, _)| *position);
        let mut layout = Self::default();
        for (kind, _, column) in columns {
            match kind.as_str() {
                "partition_key" => layout.partition_key.push(column),
                "clustering" => layout.clustering.push(column),
                "static" => layout.statics.push(column),
                _ => layout.regular.push(column),
            }
        }
        Ok(layout)
    }

    fn known(&self) -> KnownTable {
        let kinds = [
            (ColumnKind::PartitionKey, &self.partition_key),
            (ColumnKind::Clustering, &self.clustering),
            (ColumnKind::Static, &self.statics),
            (ColumnKind::Regular, &self.regular),
        ];
        KnownTable::new(kinds.into_iter().flat_map(|(kind, columns)| {
            columns.iter().map(move |column| (column.name.clone(), kind, column.kind.clone().into()))
        }))
        .with_clustering(self.clustering.iter().map(|column| column.name.clone()))
    }

    /// The layout with `bigint` columns in place of counters.
    pub(crate) fn with_bigint_counters(&self) -> Self {
        let mut layout = self.clone();
        for column in layout.statics.iter_mut().chain(&mut layout.regular) {
            if column.cql_type == "counter" {
                *column = Column::new(std::mem::take(&mut column.name), "bigint".into());
            }
        }
        layout
    }

    /// The columns and the key, in the syntax of CREATE TABLE.
    pub(crate) fn definition(&self) -> String {
        let names =
            |columns: &[Column]| columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
        let columns = self.all().map(|column| {
            let is_static = if is_among(&self.statics, &column.name) { " STATIC" } else { "" };
            format!("{} {}{is_static}, ", quoted(&column.name), column.cql_type)
        });
        let clustering = if self.clustering.is_empty() { "" } else { ", " };
        let clustering = format!("{clustering}{}", names(&self.clustering));
        format!("{}PRIMARY KEY (({}){clustering})", columns.collect::<String>(), names(&self.partition_key))
    }

    /// The columns of the primary key.
    pub(crate) fn key(&self) -> impl Iterator<Item = &Column> {
        self.partition_key.iter().chain(&self.clustering)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Column> {
        self.key().chain(&self.statics).chain(&self.regular)
    }
}

impl Column {
    pub(crate) fn new(name: String, cql_type: String) -> Self {
        Self { name, kind: parse_type(&cql_type), cql_type }
    }

    /// The name of its user-defined type, if its fields are stored each by itself.
    pub(crate) fn user_type(&self) -> Option<&str> {
        match &self.kind {
            CqlTypeKind::UserDefined(name) => Some(&name.name.text),
            _ => None,
        }
    }
}

/// Whether one of the columns has this name.
pub(crate) fn is_among(columns: &[Column], name: &str) -> bool {
    columns.iter().any(|column| column.name == name)
}

/// The user-defined types of a keyspace; `None` if Cassandra's answer cannot be read.
async fn user_types_of(cassandra: Channel<'_>, names: &Names, keyspace: &str) -> Result<Option<UserTypes>, Refusal> {
    const SELECT: &str = "SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = ?";
    let values = Binding::positional([Some(names.keyspace(keyspace).as_bytes())]);
    let answer = cassandra.query(SELECT, &Parameters::internal(values)).await.map_err(|_| connection_lost())?;
    let rows = Rows::read(&answer.body).ok().flatten();
    Ok(rows.and_then(|rows| user_types(&rows).ok()))
}

/// Reads the rows of `system_schema.types`.
fn user_types(rows: &Rows) -> Result<UserTypes, Malformed> {
    let texts = |bytes: Option<&[u8]>| {
        let mut list = Reader::new(bytes.ok_or(Malformed)?);
        let text = |list: &mut Reader<'_>| Ok(String::from_utf8_lossy(list.bytes()?.ok_or(Malformed)?).into_owned());
        (0..list.int()?).map(|_| text(&mut list)).collect::<Result<Vec<_>, Malformed>>()
    };
    let mut user_types = UserTypes::default();
    for row in rows.iter() {
        let mut reader = Reader::new(row);
        let name = String::from_utf8_lossy(reader.bytes()?.ok_or(Malformed)?).into_owned();
        let (names, types) = (texts(reader.bytes()?)?, texts(reader.bytes()?)?);
        user_types.insert(
            name,
            names.into_iter().zip(types.iter().map(|field_type| parse_type(field_type).into())).collect(),
        );
    }
    Ok(user_types)
}

/// Parses a type. A type that cannot be parsed becomes a blob.
fn parse_type(cql_type: &str) -> CqlTypeKind {
    cql_type.parse::<CqlType>().map_or(CqlTypeKind::Native(NativeType::Blob), |cql_type| cql_type.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_read_before_a_definition_is_not_cached() {
        let (layouts, table) = (Layouts::default(), SchemaObject::table("ks", "t"));
        let definitions = layouts.get(&table).unwrap_err();
        layouts.invalidate();
        layouts.set(&table, &Arc::default(), definitions);
        let definitions = layouts.get(&table).unwrap_err();
        layouts.set(&table, &Arc::default(), definitions);
        assert!(layouts.get(&table).is_ok());
        layouts.invalidate();
        assert!(layouts.get(&table).is_err());
    }
}
