//! Shared by `derive(Value)`, [`AsText`](super::AsText) and `Json`: a type is bound and read as another type, and
//! errors name the type of the program.

use std::any::type_name;
use std::fmt::Debug;

use scylla::deserialize::value::{
    BuiltinDeserializationError, BuiltinTypeCheckError as WrongReadType, DeserializeValue,
};
use scylla::deserialize::{DeserializationError, FrameSlice, TypeCheckError};
use scylla::frame::response::result::ColumnType;
use scylla::serialize::SerializationError;
use scylla::serialize::value::{BuiltinSerializationError, BuiltinTypeCheckError as WrongBoundType, SerializeValue};
use scylla::serialize::writers::{CellWriter, WrittenCellProof};
use thiserror::Error;

/// Binds `value`, the form in which a `T` is stored.
pub fn bind_as<'b, T, V: SerializeValue>(
    value: &V,
    typ: &ColumnType<'_>,
    writer: CellWriter<'b>,
) -> Result<WrittenCellProof<'b>, SerializationError> {
    value.serialize(typ, writer).map_err(|error| with_outer_type(error, type_name::<V>(), type_name::<T>()))
}

/// Checks that a `T`, which is stored as a `V`, can be read from a column of this type.
pub fn check_as<'frame, 'metadata, T, V: DeserializeValue<'frame, 'metadata>>(
    typ: &ColumnType<'_>,
) -> Result<(), TypeCheckError> {
    V::type_check(typ).map_err(|error| match error.downcast_ref::<WrongReadType>() {
        Some(wrong) if wrong.rust_name == type_name::<V>() => {
            TypeCheckError::new(WrongReadType { rust_name: type_name::<T>(), ..wrong.clone() })
        }
        _ => error,
    })
}

/// Reads the `V` in which a `T` is stored.
pub fn read_as<'frame, 'metadata, T, V: DeserializeValue<'frame, 'metadata>>(
    typ: &'metadata ColumnType<'metadata>,
    value: Option<FrameSlice<'frame>>,
) -> Result<V, DeserializationError> {
    V::deserialize(typ, value).map_err(|error| match error.downcast_ref::<BuiltinDeserializationError>() {
        Some(wrong) if wrong.rust_name == type_name::<V>() => {
            DeserializationError::new(BuiltinDeserializationError { rust_name: type_name::<T>(), ..wrong.clone() })
        }
        _ => error,
    })
}

/// The error for a stored value that is not a variant of the enum `T`.
pub fn unknown_variant<T>(stored: &dyn Debug, known: &'static str) -> DeserializationError {
    let name = type_name::<T>();
    let name = name.rsplit("::").next().unwrap_or(name);
    // A stored text may be as long as a row.
    let stored = format!("{stored:?}").chars().take(80).collect();
    DeserializationError::new(UnknownVariant { stored, name, known })
}

#[derive(Debug, Error)]
#[error("{stored} is not a {name}, which is one of {known}")]
struct UnknownVariant {
    stored: String,
    name: &'static str,
    known: &'static str,
}

/// Returns the error with `outer`, the type that the program binds, in the place of `inner`.
fn with_outer_type(error: SerializationError, inner: &str, outer: &'static str) -> SerializationError {
    if let Some(wrong) = error.downcast_ref::<WrongBoundType>()
        && wrong.rust_name == inner
    {
        return SerializationError::new(WrongBoundType { rust_name: outer, ..wrong.clone() });
    }
    match error.downcast_ref::<BuiltinSerializationError>() {
        Some(wrong) if wrong.rust_name == inner => {
            SerializationError::new(BuiltinSerializationError { rust_name: outer, ..wrong.clone() })
        }
        _ => error,
    }
}
