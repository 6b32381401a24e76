//! Rust types that do not fit CQL's, in words: which column, which CQL type, which Rust type.

use std::borrow::Cow;

use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::deserialize::{row as read_row, value as read_value};
use scylla::frame::response::result::{CollectionType, ColumnType, NativeType};
use scylla::serialize::SerializationError;
use scylla::serialize::{row as bind_row, value as bind_value};

/// Why values cannot be bound.
pub(crate) fn of_values(error: &SerializationError) -> Cow<'static, str> {
    if let Some(row) = error.downcast_ref::<bind_row::BuiltinTypeCheckError>() {
        return of_bound_shape(rust_type(row.rust_name), &row.kind).into();
    }
    if let Some(row) = error.downcast_ref::<bind_row::BuiltinSerializationError>()
        && let bind_row::BuiltinSerializationErrorKind::ColumnSerializationFailed { name, err } = &row.kind
    {
        return of_bound_value(name, err).into();
    }
    "the values do not fit the statement".into()
}

/// Why rows of the columns that a statement gives cannot be read as the row type.
pub(crate) fn of_columns(error: &TypeCheckError) -> Cow<'static, str> {
    match error.downcast_ref::<read_row::BuiltinTypeCheckError>() {
        Some(row) => of_read_shape(&rust_type(row.rust_name), &row.kind).into(),
        None => "the row type does not fit the columns".into(),
    }
}

/// Why this row cannot be read as the row type.
pub(crate) fn of_row(error: &DeserializationError) -> Cow<'static, str> {
    let row = error.downcast_ref::<read_row::BuiltinDeserializationError>();
    let Some(read_row::BuiltinDeserializationErrorKind::ColumnDeserializationFailed { column_name, err, .. }) =
        row.map(|row| &row.kind)
    else {
        return "a row cannot be read".into();
    };
    let Some(value) = err.downcast_ref::<read_value::BuiltinDeserializationError>() else {
        return format!("the column {column_name} of a row cannot be read").into();
    };
    let (rust, cql) = (rust_type(value.rust_name), cql_type(&value.cql_type));
    match &value.kind {
        read_value::BuiltinDeserializationErrorKind::ExpectedNonNull => {
            format!("the column {column_name} ({cql}) is null in a row, and {rust} has no room for that: read it as Option<{rust}>")
        }
        read_value::BuiltinDeserializationErrorKind::ValueOverflow => {
            format!("the column {column_name} ({cql}) of a row has a value that {rust} cannot hold")
        }
        kind => format!("the column {column_name} ({cql}) of a row cannot be read as {rust}: {kind}"),
    }
    .into()
}

fn of_bound_shape(rust: String, kind: &bind_row::BuiltinTypeCheckErrorKind) -> String {
    use bind_row::BuiltinTypeCheckErrorKind as Kind;
    match kind {
        Kind::WrongColumnCount { rust_cols, cql_cols } => {
            format!("{rust} has {rust_cols} values, the statement has {cql_cols} bind markers")
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

fn of_bound_value(column: &str, error: &SerializationError) -> String {
    if let Some(value) = error.downcast_ref::<bind_value::BuiltinTypeCheckError>() {
        return format!(
            "the bind marker for {column} is {}, {} cannot be bound to it",
            cql_type(&value.got),
            rust_type(value.rust_name)
        );
    }
    match error.downcast_ref::<bind_value::BuiltinSerializationError>() {
        Some(value) if matches!(value.kind, bind_value::BuiltinSerializationErrorKind::ValueOverflow) => format!(
            "the value for {column}, of type {}, is more than {} can hold",
            rust_type(value.rust_name),
            cql_type(&value.got)
        ),
        Some(value) => format!(
            "the value for {column} ({}) cannot be made from this {}: {}",
            cql_type(&value.got),
            rust_type(value.rust_name),
            value.kind
        ),
        None => format!("the value for {column} cannot be bound: {error}"),
    }
}

fn of_read_shape(rust: &str, kind: &read_row::BuiltinTypeCheckErrorKind) -> String {
    use read_row::BuiltinTypeCheckErrorKind as Kind;
    match kind {
        Kind::WrongColumnCount { rust_cols, cql_cols } => {
            format!("{rust} has {rust_cols} values, the rows have {cql_cols} columns")
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
        Kind::ColumnTypeCheckFailed { column_name, err, .. } => of_read_type(column_name, err),
        Kind::DuplicatedColumn { column_name, .. } => format!("the rows have the column {column_name} twice"),
        kind => format!("{rust} does not fit the columns: {kind}"),
    }
}

fn of_read_type(column: &str, error: &TypeCheckError) -> String {
    match error.downcast_ref::<read_value::BuiltinTypeCheckError>() {
        Some(value) => format!(
            "the column {column} is {}, it cannot be read as {}",
            cql_type(&value.cql_type),
            rust_type(value.rust_name)
        ),
        None => format!("the column {column} cannot be read as its field's type: {error}"),
    }
}

/// A CQL type as CQL writes it.
fn cql_type(of: &ColumnType<'_>) -> String {
    match of {
        ColumnType::Native(native) => native_type(native).to_owned(),
        ColumnType::Collection { frozen, typ } => {
            let inner = match typ {
                CollectionType::List(of) => format!("list<{}>", cql_type(of)),
                CollectionType::Set(of) => format!("set<{}>", cql_type(of)),
                CollectionType::Map(key, value) => format!("map<{}, {}>", cql_type(key), cql_type(value)),
                _ => "a collection".into(),
            };
            if *frozen { format!("frozen<{inner}>") } else { inner }
        }
        ColumnType::Vector { typ, dimensions } => format!("vector<{}, {dimensions}>", cql_type(typ)),
        ColumnType::UserDefinedType { definition, .. } => definition.name.to_string(),
        ColumnType::Tuple(of) => format!("tuple<{}>", of.iter().map(cql_type).collect::<Vec<_>>().join(", ")),
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
    // The derive wraps the user's own type.
    match short.strip_prefix("ByName<'_, ").and_then(|own| own.strip_suffix('>')) {
        Some(own) => own.to_owned(),
        None => short,
    }
}

#[cfg(test)]
mod tests {
    use scylla::deserialize::FrameSlice;
    use scylla::deserialize::row::{ColumnIterator, DeserializeRow};
    use scylla::frame::response::result::{ColumnSpec, TableSpec};
    use scylla::serialize::row::{RowSerializationContext, SerializeRow};
    use scylla::serialize::writers::RowWriter;

    use super::*;

    fn columns() -> [ColumnSpec<'static>; 2] {
        let column =
            |name, native| ColumnSpec::borrowed(name, ColumnType::Native(native), TableSpec::borrowed("shop", "names"));
        [column("id", NativeType::Int), column("name", NativeType::Text)]
    }

    fn bound(values: &impl SerializeRow) -> String {
        let error = values
            .serialize(&RowSerializationContext::from_specs(&columns()), &mut RowWriter::new(&mut Vec::new()))
            .expect_err("these values do not fit");
        of_values(&error).into_owned()
    }

    fn checked<R: for<'a, 'b> DeserializeRow<'a, 'b>>() -> String {
        of_columns(&R::type_check(&columns()).expect_err("this row type does not fit")).into_owned()
    }

    #[test]
    fn values_that_do_not_fit_are_told_by_column_cql_type_and_rust_type() {
        assert_eq!(bound(&(7,)), "(i32,) has 1 values, the statement has 2 bind markers");
        assert_eq!(bound(&("7", "Ada")), "the bind marker for id is int, &str cannot be bound to it");
        assert_eq!(bound(&(7, Some(2.5_f64))), "the bind marker for name is text, Option<f64> cannot be bound to it");
        let by_name = std::collections::BTreeMap::from([("id", 7), ("size", 8)]);
        assert_eq!(
            bound(&by_name),
            "the statement has a bind marker for name, BTreeMap<&str, i32> has no value for it"
        );
    }

    #[test]
    fn a_row_type_that_does_not_fit_is_told_by_column_cql_type_and_rust_type() {
        assert_eq!(checked::<(i32,)>(), "(i32,) has 1 values, the rows have 2 columns");
        assert_eq!(checked::<(i64, String)>(), "the column id is int, it cannot be read as i64");
        assert_eq!(checked::<(i32, f64)>(), "the column name is text, it cannot be read as f64");
    }

    #[test]
    fn a_null_without_an_option_is_told_with_the_option_that_it_takes() {
        let columns = columns();
        let row = [0, 0, 0, 4, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff];
        let cells = ColumnIterator::new(&columns, FrameSlice::new_borrowed(&row));
        let error = <(i32, String)>::deserialize(cells).expect_err("the name is null");
        assert_eq!(
            of_row(&error),
            "the column name (text) is null in a row, and String has no room for that: read it as Option<String>"
        );
    }

    #[test]
    fn a_rust_type_is_named_without_paths() {
        assert_eq!(rust_type("core::option::Option<alloc::string::String>"), "Option<String>");
        assert_eq!(rust_type("(i32, &[shop::orders::Order])"), "(i32, &[Order])");
        assert_eq!(
            rust_type("scylla_cql_core::_macro_internal::ser::row::ByName<'_, shop::main::{{closure}}::Order>"),
            "Order"
        );
        assert_eq!(cql_type(&ColumnType::Tuple(vec![ColumnType::Native(NativeType::Int); 2])), "tuple<int, int>");
    }
}
