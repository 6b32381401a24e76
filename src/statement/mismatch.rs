//! Describes Rust types that do not fit CQL types: which column, which CQL type, which Rust type.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use keyspaces_cql::Statement;
use keyspaces_cql::statement::{Comparand, Operator, Subject, Term, TermKind};
use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::deserialize::{row as read_row, value as read_value};
use scylla::frame::response::result::{CollectionType, ColumnType, NativeType};
use scylla::serialize::SerializationError;
use scylla::serialize::{row as bind_row, value as bind_value};

use crate::counted::Counted;

pub(super) const AN_ELEMENT: &str = "an element";
pub(super) const A_KEY: &str = "a key";
pub(super) const A_VALUE: &str = "a value";

/// Describes why values cannot be bound.
pub(crate) fn explain_values(error: &SerializationError) -> Cow<'static, str> {
    if let Some(row) = error.downcast_ref::<bind_row::BuiltinTypeCheckError>() {
        return explain_bound_shape(rust_type(row.rust_name), &row.kind).into();
    }
    match failed_bound_column(error) {
        Some((name, error)) => {
            explain_bound_value(&format!("the bind marker for {name}"), &format!("the value for {name}"), error)
        }
        None => format!("the values do not fit the statement: {}", message_without_type(error)),
    }
    .into()
}

/// Describes why the row type does not fit the columns that a statement returns.
pub(crate) fn explain_columns(error: &TypeCheckError) -> Cow<'static, str> {
    match error.downcast_ref::<read_row::BuiltinTypeCheckError>() {
        Some(row) => explain_read_shape(&rust_type(row.rust_name), &row.kind).into(),
        None => format!("the row type does not fit the columns: {}", message_without_type(error)).into(),
    }
}

/// Describes why a row cannot be read as the row type.
pub(crate) fn explain_row(error: &DeserializationError) -> Cow<'static, str> {
    match failed_read_column(error) {
        Some((name, error)) => explain_read_value(&format!("the column {name}"), error),
        None => format!("a row cannot be read: {}", message_without_type(error)),
    }
    .into()
}

/// Advice on values that do not fit `statement`; `None` if the only remedy is to bind values of the right types.
pub(crate) fn advice_on_values(error: &SerializationError, statement: Option<&Statement>) -> Option<String> {
    let (name, mut error) = failed_bound_column(error)?;
    while let Some(failed) = error.downcast_ref::<bind_value::BuiltinSerializationError>() {
        (_, error) = bound_part(&failed.kind)?;
    }
    let value = error.downcast_ref::<bind_value::BuiltinTypeCheckError>()?;
    advice_on_bound_type(name, &value.got, value.rust_name, statement)
}

/// Advice on a row type that does not fit; `None` if the only remedy is to read other types.
pub(crate) fn advice_on_columns(error: &TypeCheckError) -> Option<&'static str> {
    let row = error.downcast_ref::<read_row::BuiltinTypeCheckError>()?;
    let read_row::BuiltinTypeCheckErrorKind::ColumnTypeCheckFailed { err, .. } = &row.kind else { return None };
    let mut value = err.downcast_ref::<read_value::BuiltinTypeCheckError>()?;
    while let Some((_, part)) = read_part(&value.kind) {
        value = part.downcast_ref()?;
    }
    (is_timeuuid(&value.cql_type) && is_uuid(&rust_type(value.rust_name)))
        .then_some("Read it as value::CqlTimeuuid: Uuid::from() makes a Uuid of it")
}

/// Advice on a row that cannot be read because of a null; `None` for other reasons.
pub(crate) fn advice_on_row(error: &DeserializationError) -> Option<&'static str> {
    let (_, error) = failed_read_column(error)?;
    let value = error.downcast_ref::<read_value::BuiltinDeserializationError>()?;
    matches!(value.kind, read_value::BuiltinDeserializationErrorKind::ExpectedNonNull).then_some(
        "A partition of which only static columns are written gives one row, in which every other column but the \
         partition key is null",
    )
}

/// The column whose value cannot be bound, and why.
fn failed_bound_column(error: &SerializationError) -> Option<(&str, &SerializationError)> {
    match &error.downcast_ref::<bind_row::BuiltinSerializationError>()?.kind {
        bind_row::BuiltinSerializationErrorKind::ColumnSerializationFailed { name, err } => Some((name, err)),
        _ => None,
    }
}

/// The column whose value cannot be read, and why.
fn failed_read_column(error: &DeserializationError) -> Option<(&str, &DeserializationError)> {
    match &error.downcast_ref::<read_row::BuiltinDeserializationError>()?.kind {
        read_row::BuiltinDeserializationErrorKind::ColumnDeserializationFailed { column_name, err, .. } => {
            Some((column_name, err))
        }
        _ => None,
    }
}

/// The message of an error of the program's own type, without the name of the driver's error that wraps it.
fn message_without_type(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let words = ["SerializationError: ", "DeserializationError: ", "TypeCheckError: "]
        .iter()
        .fold(text.as_str(), |text, name| text.strip_prefix(name).unwrap_or(text));
    words.to_owned()
}

fn is_timeuuid(cql: &ColumnType<'_>) -> bool {
    matches!(cql, ColumnType::Native(NativeType::Timeuuid))
}

fn is_uuid(rust: &str) -> bool {
    let name = rust.trim_start_matches('&');
    name == "Uuid" || name == "Option<Uuid>"
}

/// Whether a statement has `column IN (?)`.
fn has_in_with_one_marker(statement: &Statement, column: &str) -> bool {
    let relations = match statement {
        Statement::Select(select) => &select.relations,
        Statement::Update(update) => &update.relations,
        Statement::Delete(delete) => &delete.relations,
        _ => return false,
    };
    relations.iter().any(|relation| {
        let is_column = matches!(&relation.subject, Subject::Single(target) if target.column().text == column);
        let is_one_marker = |values: &[Term]| matches!(values, [Term { kind: TermKind::Marker(_), .. }]);
        is_column
            && relation.operator == Operator::In
            && matches!(&relation.comparand, Comparand::Values(values) if is_one_marker(values))
    })
}

/// The text of [`explain_values`] for a wrong number of values, from the type alone.
pub(super) fn bound_count(rust: &str, values: usize, markers: usize) -> String {
    wrong_count(&rust_type(rust), values, "the statement has", Counted(markers, "bind marker"))
}

fn wrong_count(rust: &str, values: usize, other: &str, count: Counted<usize>) -> String {
    format!("{rust} has {}, {other} {count}", Counted(values, "value"))
}

/// The text of [`explain_values`] for a type that does not fit, from the type alone. `place` is the bind marker for a
/// column, or a part of it.
pub(super) fn bound_type(place: &str, cql: &ColumnType<'_>, rust: &str) -> String {
    format!("{place} is {}, {} cannot be bound to it", cql_type(cql), rust_type(rust))
}

/// Advice on what to bind instead of a type that does not fit, if that is not obvious. `marker` is the column of the bind
/// marker.
pub(super) fn advice_on_bound_type(
    marker: &str,
    cql: &ColumnType<'_>,
    rust: &str,
    statement: Option<&Statement>,
) -> Option<String> {
    let rust = rust_type(rust);
    if is_timeuuid(cql) && is_uuid(&rust) {
        return Some("Bind a value::CqlTimeuuid: CqlTimeuuid::from() makes one of a Uuid of version 1".to_owned());
    }
    let is_several =
        ["Vec<", "HashSet<", "BTreeSet<"].iter().any(|several| rust.contains(several)) || rust.contains('[');
    (is_several && has_in_with_one_marker(statement?, marker))
        .then(|| format!("Write {marker} IN ? without parentheses, and the list is one value"))
}

fn explain_bound_shape(rust: String, kind: &bind_row::BuiltinTypeCheckErrorKind) -> String {
    use bind_row::BuiltinTypeCheckErrorKind as Kind;
    match kind {
        Kind::WrongColumnCount { rust_cols, cql_cols } => {
            wrong_count(&rust, *rust_cols, "the statement has", Counted(*cql_cols, "bind marker"))
        }
        Kind::NoColumnWithName { name } => {
            format!("{rust} has a value for {name}, the statement has no bind marker for it")
        }
        Kind::ValueMissingForColumn { name } => {
            format!("the statement has a bind marker for {name}, {rust} has no value for it")
        }
        Kind::ColumnNameMismatch { rust_column_name, db_column_name } => {
            format!("the statement's bind marker is for {db_column_name} where {rust} has {rust_column_name}")
        }
        kind => format!("{rust} does not fit the statement's bind markers: {kind}"),
    }
}

/// Describes why a value cannot be bound. `marker` and `value` name the bind marker for a column and its value, or parts of
/// them.
fn explain_bound_value(marker: &str, value: &str, error: &SerializationError) -> String {
    use bind_value::{
        BuiltinSerializationErrorKind as Kind, BuiltinTypeCheckErrorKind as TypeKind, UdtTypeCheckErrorKind as UdtType,
    };
    if let Some(wrong) = error.downcast_ref::<bind_value::BuiltinTypeCheckError>() {
        let (cql, rust) = (cql_type(&wrong.got), rust_type(wrong.rust_name));
        return match &wrong.kind {
            // The driver's derive macros report this for a field that only the CQL type has; the driver's own types
            // report it for a field that only the Rust value has.
            TypeKind::UdtError(UdtType::NoSuchFieldInUdt { field_name }) if has_field(&wrong.got, field_name) => {
                format!("{marker} is {cql}, which has a field {field_name}, and {rust} has none")
            }
            TypeKind::UdtError(UdtType::NoSuchFieldInUdt { field_name }) => {
                format!("{marker} is {cql}, which has no field {field_name}, and {rust} has one")
            }
            TypeKind::UdtError(UdtType::ValueMissingForUdtField { field_name }) => {
                // The driver's derive macros report this for a field that the CQL type lacks; the driver's own types
                // report it for a field that the Rust value lacks.
                format!("{marker} is {cql}, and the field {field_name} is not in both this type and {rust}")
            }
            TypeKind::UdtError(UdtType::FieldNameMismatch { rust_field_name, db_field_name }) => {
                format!("{marker} is {cql}, which has the field {db_field_name} where {rust} has {rust_field_name}")
            }
            _ => format!("{marker} is {cql}, {rust} cannot be bound to it"),
        };
    }
    let Some(failed) = error.downcast_ref::<bind_value::BuiltinSerializationError>() else {
        return format!("{value} cannot be bound: {}", message_without_type(error));
    };
    if let Some((part, error)) = bound_part(&failed.kind) {
        return explain_bound_value(&format!("{part} of {marker}"), &format!("{part} of {value}"), error);
    }
    let (cql, rust) = (cql_type(&failed.got), rust_type(failed.rust_name));
    match &failed.kind {
        Kind::ValueOverflow => format!("{value}, of type {rust}, is more than {cql} can hold"),
        kind => format!("{value} ({cql}) cannot be made from this {rust}: {kind}"),
    }
}

/// The part of a value that cannot be bound, and why.
fn bound_part(kind: &bind_value::BuiltinSerializationErrorKind) -> Option<(Cow<'static, str>, &SerializationError)> {
    use bind_value::{
        BuiltinSerializationErrorKind as Kind, MapSerializationErrorKind as Map,
        SetOrListSerializationErrorKind as List, TupleSerializationErrorKind as Tuple,
        UdtSerializationErrorKind as Udt,
    };
    match kind {
        Kind::UdtError(Udt::FieldSerializationFailed { field_name, err }) => {
            Some((format!("the field {field_name}").into(), err))
        }
        Kind::SetOrListError(List::ElementSerializationFailed(err)) => Some((AN_ELEMENT.into(), err)),
        Kind::MapError(Map::KeySerializationFailed(err)) => Some((A_KEY.into(), err)),
        Kind::MapError(Map::ValueSerializationFailed(err)) => Some((A_VALUE.into(), err)),
        Kind::TupleError(Tuple::ElementSerializationFailed { index, err }) => {
            Some((format!("part {}", index + 1).into(), err))
        }
        _ => None,
    }
}

fn has_field(cql: &ColumnType<'_>, name: &str) -> bool {
    match cql {
        ColumnType::UserDefinedType { definition, .. } => definition.field_types.iter().any(|(field, _)| field == name),
        _ => false,
    }
}

fn explain_read_shape(rust: &str, kind: &read_row::BuiltinTypeCheckErrorKind) -> String {
    use read_row::BuiltinTypeCheckErrorKind as Kind;
    match kind {
        Kind::WrongColumnCount { rust_cols, cql_cols } => {
            wrong_count(rust, *rust_cols, "the rows have", Counted(*cql_cols, "column"))
        }
        Kind::ColumnWithUnknownName { column_name, .. } => {
            format!("the rows have a column {column_name}, {rust} has no field for it")
        }
        Kind::ValuesMissingForColumns { column_names } => {
            format!("{rust} has fields for {}, the rows have no such columns", column_names.join(", "))
        }
        Kind::ColumnNameMismatch { rust_column_name, db_column_name, .. } => {
            format!("the rows have the column {db_column_name} where {rust} has {rust_column_name}")
        }
        Kind::ColumnTypeCheckFailed { column_name, err, .. } => {
            explain_read_type(&format!("the column {column_name}"), err)
        }
        Kind::DuplicatedColumn { column_name, .. } => format!("the rows have the column {column_name} twice"),
        kind => format!("{rust} does not fit the columns: {kind}"),
    }
}

/// `place` names a column or a part of one.
fn explain_read_type(place: &str, error: &TypeCheckError) -> String {
    use read_value::{BuiltinTypeCheckErrorKind as Kind, UdtTypeCheckErrorKind as Udt};
    let Some(wrong) = error.downcast_ref::<read_value::BuiltinTypeCheckError>() else {
        return format!("{place} cannot be read as its field's type: {}", message_without_type(error));
    };
    let (cql, rust) = (cql_type(&wrong.cql_type), rust_type(wrong.rust_name));
    if let Some((part, error)) = read_part(&wrong.kind) {
        return explain_read_type(&format!("{part} of {place}"), error);
    }
    match &wrong.kind {
        Kind::UdtError(Udt::ValuesMissingForUdtFields { field_names }) => {
            format!("{place} is {cql}, which has no field {}, and {rust} has", field_names.join(", "))
        }
        Kind::UdtError(Udt::ExcessFieldInUdt { db_field_name }) => {
            format!("{place} is {cql}, which has a field {db_field_name}, and {rust} has none")
        }
        Kind::UdtError(Udt::FieldNameMismatch { rust_field_name, db_field_name, .. }) => {
            format!("{place} is {cql}, which has the field {db_field_name} where {rust} has {rust_field_name}")
        }
        _ => format!("{place} is {cql}, it cannot be read as {rust}"),
    }
}

/// The part of a column that cannot be read, and why.
fn read_part(kind: &read_value::BuiltinTypeCheckErrorKind) -> Option<(Cow<'static, str>, &TypeCheckError)> {
    use read_value::{
        BuiltinTypeCheckErrorKind as Kind, MapTypeCheckErrorKind as Map, SetOrListTypeCheckErrorKind as List,
        TupleTypeCheckErrorKind as Tuple, UdtTypeCheckErrorKind as Udt,
    };
    match kind {
        Kind::SetOrListError(List::ElementTypeCheckFailed(err)) => Some((AN_ELEMENT.into(), err)),
        Kind::MapError(Map::KeyTypeCheckFailed(err)) => Some((A_KEY.into(), err)),
        Kind::MapError(Map::ValueTypeCheckFailed(err)) => Some((A_VALUE.into(), err)),
        Kind::TupleError(Tuple::FieldTypeCheckFailed { position, err }) => {
            Some((format!("part {}", position + 1).into(), err))
        }
        Kind::UdtError(Udt::FieldTypeCheckFailed { field_name, err }) => {
            Some((format!("the field {field_name}").into(), err))
        }
        _ => None,
    }
}

/// `place` names a column or a part of one.
fn explain_read_value(place: &str, error: &DeserializationError) -> String {
    // This type is public only in the module for the driver's derive macros.
    use scylla::_macro_internal::UdtDeserializationErrorKind as Udt;

    use read_value::{
        BuiltinDeserializationErrorKind as Kind, MapDeserializationErrorKind as Map,
        SetOrListDeserializationErrorKind as List, TupleDeserializationErrorKind as Tuple,
    };
    let Some(wrong) = error.downcast_ref::<read_value::BuiltinDeserializationError>() else {
        return format!("{place} of a row cannot be read: {}", message_without_type(error));
    };
    let (cql, rust) = (cql_type(&wrong.cql_type), rust_type(wrong.rust_name));
    let part = |part: String, error| explain_read_value(&format!("{part} of {place}"), error);
    match &wrong.kind {
        Kind::ExpectedNonNull => {
            format!("{place} ({cql}) is null in a row, and {rust} cannot hold null: read it as Option<{rust}>")
        }
        Kind::ValueOverflow => format!("{place} ({cql}) of a row has a value that {rust} cannot hold"),
        Kind::SetOrListError(List::ElementDeserializationFailed(err)) => part(AN_ELEMENT.to_owned(), err),
        Kind::MapError(Map::KeyDeserializationFailed(err)) => part(A_KEY.to_owned(), err),
        Kind::MapError(Map::ValueDeserializationFailed(err)) => part(A_VALUE.to_owned(), err),
        Kind::TupleError(Tuple::FieldDeserializationFailed { position, err }) => {
            part(format!("part {}", position + 1), err)
        }
        Kind::UdtError(Udt::FieldDeserializationFailed { field_name, err }) => {
            part(format!("the field {field_name}"), err)
        }
        kind => format!("{place} ({cql}) of a row cannot be read as {rust}: {kind}"),
    }
}

/// The name of a CQL type in CQL.
fn cql_type(column_type: &ColumnType<'_>) -> String {
    match column_type {
        ColumnType::Native(native) => native_type(native).to_owned(),
        ColumnType::Collection { frozen, typ } => {
            let inner = match typ {
                CollectionType::List(column_type) => format!("list<{}>", cql_type(column_type)),
                CollectionType::Set(column_type) => format!("set<{}>", cql_type(column_type)),
                CollectionType::Map(key, value) => format!("map<{}, {}>", cql_type(key), cql_type(value)),
                _ => "a collection".into(),
            };
            if *frozen { format!("frozen<{inner}>") } else { inner }
        }
        ColumnType::Vector { typ, dimensions } => format!("vector<{}, {dimensions}>", cql_type(typ)),
        ColumnType::UserDefinedType { definition, .. } => definition.name.to_string(),
        ColumnType::Tuple(column_type) => {
            format!("tuple<{}>", column_type.iter().map(cql_type).collect::<Vec<_>>().join(", "))
        }
        _ => "of a type that is not known".into(),
    }
}

fn native_type(native: &NativeType) -> &'static str {
    match native {
        NativeType::Ascii => "ascii",
        NativeType::Boolean => "boolean",
        NativeType::Blob => "blob",
        NativeType::Counter => "counter",
        NativeType::Date => "date",
        NativeType::Decimal => "decimal",
        NativeType::Double => "double",
        NativeType::Duration => "duration",
        NativeType::Float => "float",
        NativeType::Int => "int",
        NativeType::BigInt => "bigint",
        NativeType::Text => "text",
        NativeType::Timestamp => "timestamp",
        NativeType::Inet => "inet",
        NativeType::SmallInt => "smallint",
        NativeType::TinyInt => "tinyint",
        NativeType::Time => "time",
        NativeType::Timeuuid => "timeuuid",
        NativeType::Uuid => "uuid",
        NativeType::Varint => "varint",
        _ => "of a type that is not known",
    }
}

/// A Rust type without the paths of its parts: `Option<String>`.
fn rust_type(full: &str) -> String {
    let in_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '{' | '}');
    let mut short = String::with_capacity(full.len());
    for part in full.split_inclusive(|c| !in_path(c)) {
        let (path, sign) = part.split_at(part.trim_end_matches(|c| !in_path(c)).len());
        short.push_str(path.rsplit("::").next().unwrap_or(path).trim_start_matches("{{closure}}"));
        short.push_str(sign);
    }
    // The driver's derive macros wrap the program's own type.
    match short.strip_prefix("ByName<'_, ").and_then(|own| own.strip_suffix('>')) {
        Some(own) => own.to_owned(),
        None => short,
    }
}
