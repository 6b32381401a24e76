//! Estimates the capacity units of a statement from the sizes of its values, as AWS documents it.

use keyspaces::value::CqlValue;
use keyspaces::{Row, Session};
use keyspaces_cql::statement::{CqlTypeKind, InsertContent, Relation, Target, Term, TermKind};
use keyspaces_cql::units::{self, ReadCost};
use keyspaces_cql::value::{Value, scalar, serialize};
use keyspaces_cql::{
    ClientSideTimestamps, ColumnKind, QualifiedName, Statement, TableDefinition, Ttl, UserTypes, is_system_keyspace,
};
use serde_json::{Map, Value as Json};

/// The read units of the pages so far; `None` for system tables and a plain Cassandra, which do not charge units.
pub(super) struct ReadUnits(Option<f64>);

impl ReadUnits {
    pub(super) fn new(session: &Session, statement: &Statement) -> Self {
        let Statement::Select(select) = statement else { return Self(None) };
        Self(has_units(session, &select.table).then_some(0.0))
    }

    /// Adds a page that was read at LOCAL_QUORUM.
    pub(super) fn add(&mut self, rows: &[Row]) {
        if let Some(units) = &mut self.0 {
            let values = rows.iter().flat_map(Row::columns).filter_map(|(_, value)| value);
            *units += ReadCost::Quorum.units(values.map(serialized_len).sum());
        }
    }

    /// The units of all pages. A read that finds no row costs as much as one that finds a small row.
    pub(super) fn total(&self) -> Option<f64> {
        self.0.map(|units| units.max(ReadCost::Quorum.units(0)))
    }
}

/// The number of bytes of a value in the protocol.
fn serialized_len(value: &CqlValue) -> usize {
    match value {
        CqlValue::Empty => 0,
        CqlValue::Boolean(_) | CqlValue::TinyInt(_) => 1,
        CqlValue::SmallInt(_) => 2,
        CqlValue::Int(_) | CqlValue::Float(_) | CqlValue::Date(_) => 4,
        CqlValue::Uuid(_) | CqlValue::Timeuuid(_) => 16,
        CqlValue::Ascii(text) | CqlValue::Text(text) => text.len(),
        CqlValue::Blob(bytes) => bytes.len(),
        CqlValue::Inet(address) => {
            if address.is_ipv4() {
                4
            } else {
                16
            }
        }
        CqlValue::Varint(number) => number.as_signed_bytes_be_slice().len(),
        CqlValue::Decimal(number) => 4 + number.as_signed_be_bytes_slice_and_exponent().0.len(),
        CqlValue::List(items) | CqlValue::Set(items) => items.iter().map(|item| 4 + serialized_len(item)).sum(),
        CqlValue::Map(pairs) => pairs.iter().map(|(key, value)| 8 + serialized_len(key) + serialized_len(value)).sum(),
        CqlValue::Tuple(parts) => parts.iter().map(|part| 4 + part.as_ref().map_or(0, serialized_len)).sum(),
        CqlValue::UserDefinedType { fields, .. } => {
            fields.iter().map(|(_, field)| 4 + field.as_ref().map_or(0, serialized_len)).sum()
        }
        _ => 8,
    }
}

/// The write units of the row that a statement without bind markers writes; `None` if its table cannot be described.
pub(super) async fn written_units(session: &Session, statement: &Statement) -> Option<f64> {
    let table = match statement {
        Statement::Insert(insert) => &insert.table,
        Statement::Update(update) => &update.table,
        Statement::Delete(delete) => &delete.table,
        _ => return None,
    };
    if !has_units(session, table) {
        return None;
    }
    let keyspace = table.keyspace.as_ref()?;
    let described = session.schema().describe_table(&keyspace.text, &table.name.text).await.ok()??;
    let user_types = user_types(session, &described.definition).await?;
    let units = measure_row(statement, &described.definition, &user_types).write_units();
    Some(f64::from(u32::try_from(units).unwrap_or(u32::MAX)))
}

/// The user-defined types of a table's columns.
async fn user_types(session: &Session, table: &TableDefinition) -> Option<UserTypes> {
    let mut user_types = UserTypes::default();
    if table.columns.iter().any(|column| !column.column_type.user_types().is_empty()) {
        let keyspace = table.table.keyspace.as_ref()?;
        for definition in session.schema().types(&keyspace.text).await.ok()? {
            let fields = definition.fields.into_iter().map(|(name, field_type)| (name.text, field_type)).collect();
            user_types.insert(definition.name.name.text, fields);
        }
    }
    Some(user_types)
}

fn has_units(session: &Session, table: &QualifiedName) -> bool {
    let is_plain_cassandra = session.endpoint().server_name().is_none();
    !is_plain_cassandra && table.keyspace.as_ref().is_some_and(|keyspace| !is_system_keyspace(&keyspace.text))
}

fn measure_row(statement: &Statement, table: &TableDefinition, user_types: &UserTypes) -> units::Row {
    let mut sizes = RowSizes::new(table, user_types);
    match statement {
        Statement::Insert(insert) => match &insert.content {
            InsertContent::Values { columns, values } => {
                columns.iter().zip(values).for_each(|(column, value)| sizes.add(&column.text, value));
            }
            InsertContent::Json { json, .. } => sizes.add_json(json),
        },
        Statement::Update(update) => {
            sizes.add_key(&update.relations);
            for assignment in &update.assignments {
                if let Target::Column(column) = &assignment.target {
                    sizes.add(&column.text, &assignment.value);
                }
            }
        }
        Statement::Delete(delete) => sizes.add_key(&delete.relations),
        _ => {}
    }
    sizes.row
}

/// Adds up the sizes of the values of a row.
struct RowSizes<'t> {
    table: &'t TableDefinition,
    user_types: &'t UserTypes,
    sizes: units::Table,
    row: units::Row,
}

impl<'t> RowSizes<'t> {
    fn new(table: &'t TableDefinition, user_types: &'t UserTypes) -> Self {
        let options = &table.options;
        let sizes = units::Table::with_columns(table.columns.len())
            .with_ttl(options.ttl == Some(Ttl::Enabled))
            .with_client_side_timestamps(options.client_side_timestamps == Some(ClientSideTimestamps::Enabled));
        Self { table, user_types, sizes, row: units::Row::default() }
    }

    fn add_key(&mut self, relations: &[Relation]) {
        for (column, value) in relations.iter().filter_map(Relation::equality) {
            self.add(&column.text, value);
        }
    }

    fn add(&mut self, column: &str, value: &Term) {
        let user_types = self.user_types;
        self.add_value(column, |cql_type| serialize(value, cql_type, user_types, &|_, _| Value::null(), column));
    }

    fn add_json(&mut self, json: &Term) {
        let TermKind::Constant(text) = &json.kind else { return };
        let object: Map<String, Json> = serde_json::from_str(&text.text).unwrap_or_default();
        for (column, value) in &object {
            self.add_value(column, |cql_type| match (value, cql_type) {
                (Json::Null, _) => Value::null(),
                (Json::String(text), CqlTypeKind::Native(native)) => scalar(*native, text),
                (value, CqlTypeKind::Native(native)) => scalar(*native, &value.to_string()),
                (value, _) => Value::from_bytes(value.to_string()),
            });
        }
    }

    fn add_value(&mut self, column: &str, value: impl FnOnce(&CqlTypeKind) -> Value) {
        let Some(column) = self.table.columns.iter().find(|known| known.name.text == column) else { return };
        let cql_type = &column.column_type.kind;
        let size = units::value_size(cql_type, value(cql_type).bytes.as_deref());
        match column.kind {
            ColumnKind::PartitionKey => self.row.add_partition_key(&self.sizes, size.bytes),
            ColumnKind::Clustering => self.row.add_clustering(&self.sizes, size.bytes),
            ColumnKind::Static => self.row.add_static(&self.sizes, cql_type, size),
            ColumnKind::Regular => self.row.add_regular(&self.sizes, cql_type, size),
        }
    }
}

/// `1 read unit`
pub(super) fn units_text(units: f64, kind: &str) -> String {
    format!("{units} {kind} unit{}", if units > 1.0 { "s" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(table: &str, statement: &str) -> u64 {
        let Ok(Statement::CreateTable(create)) = keyspaces_cql::parse(table) else { panic!("{table}") };
        let mut user_types = UserTypes::default();
        user_types.insert("address", vec![("street".to_owned(), "text".parse().unwrap())]);
        measure_row(&keyspaces_cql::parse(statement).unwrap(), &create.definition().unwrap(), &user_types).write_units()
    }

    #[test]
    fn write_units_are_estimated_from_the_statements_row() {
        let table = "CREATE TABLE shop.t (id int PRIMARY KEY, v text, n int)";
        let long = "x".repeat(1_100);
        for (statement, expected) in [
            ("INSERT INTO shop.t (id, v) VALUES (1, 'a')".to_owned(), 1),
            (format!("INSERT INTO shop.t (id, v) VALUES (1, '{long}')"), 2),
            (format!("INSERT INTO shop.t JSON '{{\"id\": 1, \"v\": \"{long}\"}}'"), 2),
            (format!("UPDATE shop.t SET v = '{long}' WHERE id = 1"), 2),
            ("DELETE FROM shop.t WHERE id = 1".to_owned(), 1),
        ] {
            assert_eq!(units(table, &statement), expected, "{statement:.60}");
        }
    }

    #[test]
    fn user_defined_types_count_the_units_of_their_fields() {
        let table = "CREATE TABLE shop.t (id int PRIMARY KEY, a address, f frozen<address>, l list<frozen<address>>)";
        let street = "x".repeat(1_100);
        for (column, value) in [
            ("a", format!("{{street: '{street}'}}")),
            ("f", format!("{{street: '{street}'}}")),
            ("l", format!("[{{street: '{street}'}}]")),
        ] {
            for statement in [
                format!("INSERT INTO shop.t (id, {column}) VALUES (1, {value})"),
                format!("UPDATE shop.t SET {column} = {value} WHERE id = 1"),
            ] {
                assert_eq!(units(table, &statement), 2, "{statement:.60}");
            }
        }
    }

    #[test]
    fn value_sizes_match_the_protocol_encoding() {
        let text = || CqlValue::Text("abc".to_owned());
        for (value, expected) in [
            (text(), 3),
            (CqlValue::Int(1), 4),
            (CqlValue::BigInt(1), 8),
            (CqlValue::List(vec![text(), text()]), 14),
            (CqlValue::Map(vec![(text(), CqlValue::Int(1))]), 15),
            (CqlValue::Tuple(vec![None, Some(text())]), 11),
        ] {
            assert_eq!(serialized_len(&value), expected, "{value:?}");
        }
        assert_eq!((units_text(1.0, "read"), units_text(2.0, "write")), ("1 read unit".into(), "2 write units".into()));
    }
}
