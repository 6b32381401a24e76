//! The values of a statement for columns: literals, bind markers and JSON.
//!
//! [`PlannedValues`] is the part that follows from the text, computed once for a prepared statement. With the values of
//! a request it gives [`SerializedValues`], from which limits are checked and capacity is computed.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use keyspaces_cql::statement::{
    AssignmentOperation, CqlTypeKind, InsertContent, NativeType, Relation, Target, Term, TermKind,
};
use keyspaces_cql::value::{self, Value};
use keyspaces_cql::{ColumnKind, Span, Statement as Tree};

use super::json;
use super::modification::ModificationRef;
use crate::protocol::Values;
use crate::upstream::Layout;

/// Where the values of one SELECT, INSERT, UPDATE or DELETE come from.
#[derive(Debug)]
pub(crate) struct PlannedValues {
    layout: Arc<Layout>,
    values: Vec<PlannedValue>,
    json: Option<JsonSource>,
    /// The bind markers of the whole statement, in their order.
    markers: Arc<[(Span, Option<String>)]>,
}

#[derive(Debug)]
struct PlannedValue {
    column: String,
    kind: ColumnKind,
    cql_type: CqlTypeKind,
    source: ValueSource,
}

#[derive(Debug)]
enum ValueSource {
    Marker {
        index: usize,
        name: String,
    },
    /// The whole value is in the text.
    Text(Value),
    /// A literal with markers in it. `default_name` is Cassandra's name for a marker without a name.
    Mixed {
        term: Box<Term>,
        default_name: String,
    },
}

/// The row of an INSERT JSON.
#[derive(Debug)]
enum JsonSource {
    Text(String),
    Marker { index: usize, name: String },
}

/// The values of one INSERT, UPDATE, DELETE or SELECT in one request.
#[derive(Debug)]
pub(crate) struct SerializedValues<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) all: Vec<SerializedValue<'a>>,
}

/// A value for a column, or for an element or a field of one.
#[derive(Debug)]
pub(crate) struct SerializedValue<'a> {
    pub(crate) column: &'a str,
    pub(crate) kind: ColumnKind,
    pub(crate) cql_type: &'a CqlTypeKind,
    /// `None` is null.
    pub(crate) bytes: Option<Cow<'a, [u8]>>,
    /// Whether these are the bytes that Cassandra stores; otherwise only their number is right.
    pub(crate) exact: bool,
}

impl PlannedValues {
    /// `markers` are those of the whole statement.
    pub(crate) fn for_select(
        relations: &[Relation],
        layout: &Arc<Layout>,
        markers: &Arc<[(Span, Option<String>)]>,
    ) -> Self {
        let mut planned = Self::new(layout, markers);
        planned.add_equalities(relations);
        planned
    }

    pub(crate) fn for_write(
        modification: ModificationRef<'_>,
        layout: &Arc<Layout>,
        markers: &Arc<[(Span, Option<String>)]>,
    ) -> Self {
        let mut planned = Self::new(layout, markers);
        match modification {
            ModificationRef::Delete(delete) => planned.add_equalities(&delete.relations),
            ModificationRef::Insert(insert) => match &insert.content {
                InsertContent::Values { columns, values } => {
                    columns.iter().zip(values).for_each(|(column, value)| planned.add_column(&column.text, value));
                }
                InsertContent::Json { json, .. } => planned.json = planned.json(json),
            },
            ModificationRef::Update(update) => {
                planned.add_equalities(&update.relations);
                for assignment in &update.assignments {
                    planned.assign(&assignment.target, assignment.operation, &assignment.value);
                }
            }
        }
        planned
    }

    fn new(layout: &Arc<Layout>, markers: &Arc<[(Span, Option<String>)]>) -> Self {
        Self { layout: Arc::clone(layout), values: Vec::new(), json: None, markers: Arc::clone(markers) }
    }

    fn add_equalities(&mut self, relations: &[Relation]) {
        for (column, value) in relations.iter().filter_map(Relation::equality) {
            self.add_column(&column.text, value);
        }
    }

    /// A value for a whole column.
    fn add_column(&mut self, column: &str, value: &Term) {
        if let Some(cql_type) = self.type_of(column) {
            self.add(column, cql_type, value, column);
        }
    }

    fn assign(&mut self, target: &Target, operation: AssignmentOperation, value: &Term) {
        let column = &target.column().text;
        let Some(cql_type) = self.type_of(column) else { return };
        let int = CqlTypeKind::Native(NativeType::Int);
        match (target, cql_type) {
            (Target::Element { key, .. }, CqlTypeKind::List(element)) => {
                self.add(column, int, key, &format!("idx({column})"));
                self.add(column, element.kind, value, &format!("value({column})"));
            }
            (Target::Element { key, .. }, CqlTypeKind::Map(key_type, value_type)) => {
                self.add(column, key_type.kind, key, &format!("key({column})"));
                self.add(column, value_type.kind, value, &format!("value({column})"));
            }
            (Target::Field { field, .. }, CqlTypeKind::UserDefined(name)) => {
                let fields = self.layout.known.user_types().fields(&name).unwrap_or_default();
                let cql_type =
                    fields.iter().find(|(name, _)| *name == field.text).map(|(_, field_type)| field_type.kind.clone());
                if let Some(cql_type) = cql_type {
                    self.add(column, cql_type, value, &field.text);
                }
            }
            // `map - {…}` names keys.
            (Target::Column(_), CqlTypeKind::Map(key, _)) if operation == AssignmentOperation::Subtract => {
                self.add(column, CqlTypeKind::Set(key), value, column);
            }
            (_, cql_type) => self.add(column, cql_type, value, column),
        }
    }

    fn type_of(&self, column: &str) -> Option<CqlTypeKind> {
        self.layout.known.column(column).map(|column| column.column_type.kind.clone())
    }

    /// `default_name` is Cassandra's name for a marker without a name.
    fn add(&mut self, column: &str, cql_type: CqlTypeKind, value: &Term, default_name: &str) {
        let Some(kind) = self.layout.known.column(column).map(|column| column.kind) else { return };
        let source = match &value.kind {
            TermKind::Marker(_) => match self.marker(value, default_name) {
                Some((index, name)) => ValueSource::Marker { index, name: name.to_owned() },
                None => return,
            },
            _ if value.has_markers() => {
                ValueSource::Mixed { term: Box::new(value.clone()), default_name: default_name.to_owned() }
            }
            _ => {
                let types = self.layout.known.user_types();
                ValueSource::Text(value::serialize(value, &cql_type, types, &|_, _| Value::null(), default_name))
            }
        };
        self.values.push(PlannedValue { column: column.to_owned(), kind, cql_type, source });
    }

    fn json(&self, json: &Term) -> Option<JsonSource> {
        match &json.kind {
            TermKind::Constant(constant) => Some(JsonSource::Text(constant.text.clone())),
            _ => {
                let (index, name) = self.marker(json, "[json]")?;
                Some(JsonSource::Marker { index, name: name.to_owned() })
            }
        }
    }

    /// The index of the marker that a term is, and the name under which its value may be bound.
    fn marker<'n>(&'n self, term: &Term, default_name: &'n str) -> Option<(usize, &'n str)> {
        let (index, (_, name)) = self.markers.iter().enumerate().find(|(_, (span, _))| *span == term.span)?;
        Some((index, name.as_deref().unwrap_or(default_name)))
    }

    /// The values of a request. A marker that is not set has none.
    pub(crate) fn bind<'a>(&'a self, values: &Values<'a>) -> SerializedValues<'a> {
        let planned = self.values.iter().filter_map(|value| {
            let (bytes, exact) = match &value.source {
                ValueSource::Text(value) => (value.bytes.as_deref().map(Cow::Borrowed), value.is_exact),
                ValueSource::Marker { index, name } if values.is_unset(*index, name) => return None,
                ValueSource::Marker { index, name } => (values.get(*index, name).map(Cow::Borrowed), true),
                ValueSource::Mixed { term, default_name } => {
                    let bound = |term: &Term, default_name: &str| {
                        let bytes = self.marker(term, default_name).and_then(|(index, name)| values.get(index, name));
                        bytes.map_or_else(Value::null, Value::from_bytes)
                    };
                    let types = self.layout.known.user_types();
                    let value = value::serialize(term, &value.cql_type, types, &bound, default_name);
                    (value.bytes.map(Cow::Owned), value.is_exact)
                }
            };
            Some(SerializedValue { column: &value.column, kind: value.kind, cql_type: &value.cql_type, bytes, exact })
        });
        let mut all: Vec<_> = planned.collect();
        let row = match &self.json {
            Some(JsonSource::Text(text)) => Some(text.as_bytes()),
            Some(JsonSource::Marker { index, name }) => values.get(*index, name),
            None => None,
        };
        for (name, value) in row.and_then(json::row).into_iter().flatten() {
            let Some(column) = self.layout.all().find(|column| column.name == name) else { continue };
            let Some(kind) = self.layout.known.column(&name).map(|column| column.kind) else { continue };
            let Value { bytes, is_exact } = json::serialize(&value, &column.kind, self.layout.known.user_types());
            all.push(SerializedValue {
                column: &column.name,
                kind,
                cql_type: &column.kind,
                bytes: bytes.map(Cow::Owned),
                exact: is_exact,
            });
        }
        SerializedValues { layout: &self.layout, all }
    }
}

impl SerializedValues<'_> {
    /// The bytes of the values for columns of this kind, in the protocol.
    pub(crate) fn bytes(&self, kind: ColumnKind) -> usize {
        let values = self.all.iter().filter(|value| value.kind == kind);
        values.map(|value| value.bytes.as_ref().map_or(0, |bytes| bytes.len())).sum()
    }

    /// The bytes of the whole value of a column, if they are known.
    pub(crate) fn value(&self, column: &str) -> Option<&[u8]> {
        self.all.iter().find(|value| value.column == column && value.exact)?.bytes.as_deref()
    }

    /// A hash of the partition key, if all of it is known.
    pub(crate) fn partition(&self) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        for column in &self.layout.partition_key {
            self.value(&column.name)?.hash(&mut hasher);
        }
        Some(hasher.finish())
    }
}

/// The bind markers of a statement, in their order.
pub(crate) fn markers(statement: &Tree) -> Arc<[(Span, Option<String>)]> {
    let markers = statement.bind_markers().into_iter();
    markers.map(|marker| (marker.span, marker.name.as_ref().map(|name| name.text.clone()))).collect()
}

impl SerializedValue<'_> {
    /// The number of digits of the longest `varint` or `decimal` in the value.
    pub(crate) fn max_digits(&self, layout: &Layout) -> usize {
        let digits = |bytes: &Cow<'_, [u8]>| value::max_digits(self.cql_type, bytes, layout.known.user_types());
        self.bytes.as_ref().map_or(0, digits)
    }
}

#[cfg(test)]
mod tests;
