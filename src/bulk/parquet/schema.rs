//! The schema of the Parquet files that are written.

use std::sync::Arc;

use keyspaces_cql::statement::NativeType;
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::errors::Result;
use parquet::schema::types::{Type, TypePtr};

use crate::bulk::table::Column;
use crate::bulk::value::ValueType;

/// The schema of a file with the columns of a table; each may be null.
pub(super) fn schema(columns: &[Column]) -> Result<TypePtr> {
    let field = |column: &Column| field(&column.name, &column.value_type, Repetition::OPTIONAL);
    let fields = columns.iter().map(field).collect::<Result<_>>()?;
    Type::group_type_builder("schema").with_fields(fields).build().map(Arc::new)
}

fn field(name: &str, value_type: &ValueType, repetition: Repetition) -> Result<TypePtr> {
    let group = |fields: Vec<TypePtr>, repetition: Repetition, name: &str, logical: Option<LogicalType>| {
        Type::group_type_builder(name)
            .with_repetition(repetition)
            .with_fields(fields)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    };
    match value_type {
        ValueType::Native(native) => scalar(name, *native, repetition),
        ValueType::List(element) | ValueType::Set(element) => {
            let element = field("element", element, Repetition::REQUIRED)?;
            let list = group(vec![element], Repetition::REPEATED, "list", None)?;
            group(vec![list], repetition, name, Some(LogicalType::List))
        }
        ValueType::Map(key, value) => {
            let pair = [field("key", key, Repetition::REQUIRED)?, field("value", value, Repetition::REQUIRED)?];
            let pairs = group(pair.into(), Repetition::REPEATED, "key_value", None)?;
            group(vec![pairs], repetition, name, Some(LogicalType::Map))
        }
        ValueType::Tuple(types) => {
            let part =
                |(index, value_type): (usize, &ValueType)| field(&index.to_string(), value_type, Repetition::OPTIONAL);
            group(types.iter().enumerate().map(part).collect::<Result<_>>()?, repetition, name, None)
        }
        ValueType::UserDefined(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value_type)| field(name, value_type, Repetition::OPTIONAL))
                .collect::<Result<_>>()?;
            group(fields, repetition, name, None)
        }
    }
}

fn scalar(name: &str, native: NativeType, repetition: Repetition) -> Result<TypePtr> {
    let (logical, length) = match native {
        NativeType::Tinyint => (Some(LogicalType::integer(8, true)), -1),
        NativeType::Smallint => (Some(LogicalType::integer(16, true)), -1),
        NativeType::Date => (Some(LogicalType::Date), -1),
        NativeType::Time => (Some(LogicalType::time(false, TimeUnit::NANOS)), -1),
        NativeType::Timestamp => (Some(LogicalType::timestamp(true, TimeUnit::MILLIS)), -1),
        NativeType::Uuid | NativeType::Timeuuid => (Some(LogicalType::Uuid), 16),
        _ if is_text(native) => (Some(LogicalType::String), -1),
        _ => (None, -1),
    };
    Type::primitive_type_builder(name, physical(native))
        .with_repetition(repetition)
        .with_logical_type(logical)
        .with_length(length)
        .build()
        .map(Arc::new)
}

/// The physical type of a CQL type.
pub(super) fn physical(native: NativeType) -> PhysicalType {
    match native {
        NativeType::Boolean => PhysicalType::BOOLEAN,
        NativeType::Tinyint | NativeType::Smallint | NativeType::Int | NativeType::Date => PhysicalType::INT32,
        NativeType::Bigint | NativeType::Counter | NativeType::Time | NativeType::Timestamp => PhysicalType::INT64,
        NativeType::Float => PhysicalType::FLOAT,
        NativeType::Double => PhysicalType::DOUBLE,
        NativeType::Uuid | NativeType::Timeuuid => PhysicalType::FIXED_LEN_BYTE_ARRAY,
        NativeType::Ascii
        | NativeType::Text
        | NativeType::Varchar
        | NativeType::Blob
        | NativeType::Varint
        | NativeType::Decimal
        | NativeType::Inet
        | NativeType::Duration => PhysicalType::BYTE_ARRAY,
    }
}

/// Whether a type is written as text. `varint` and `decimal` are, because a numeric column in Parquet has a fixed
/// number of digits before and after the point.
pub(super) fn is_text(native: NativeType) -> bool {
    physical(native) == PhysicalType::BYTE_ARRAY && native != NativeType::Blob
}
