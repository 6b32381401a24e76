//! Values stored as text.

use std::fmt::Display;
use std::str::FromStr;

use scylla::deserialize::value::DeserializeValue;
use scylla::deserialize::{DeserializationError, FrameSlice, TypeCheckError};
use scylla::frame::response::result::ColumnType;
use scylla::serialize::SerializationError;
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::{CellWriter, WrittenCellProof};
use thiserror::Error;

use super::{bind_as, check_as, read_as};

/// A value that is stored in a `text` or `ascii` column: written with its [`Display`], and read with its [`FromStr`].
///
/// ```
/// use std::net::SocketAddr;
///
/// use keyspaces::value::AsText;
///
/// #[keyspaces::row]
/// struct Service {
///     name: String,
///     address: AsText<SocketAddr>,
/// }
///
/// let service = Service { name: "mail".to_owned(), address: AsText("127.0.0.1:25".parse().unwrap()) };
/// assert_eq!(service.address.0.port(), 25);
/// # assert_eq!(service.name, "mail");
/// ```
///
/// If a stored text cannot be parsed, reading the row fails with an error of kind [`Type`](crate::ErrorKind::Type) that
/// contains the text of `FromStr::Err`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AsText<T>(pub T);

impl<T> From<T> for AsText<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Display> SerializeValue for AsText<T> {
    fn serialize<'b>(
        &self,
        typ: &ColumnType<'_>,
        writer: CellWriter<'b>,
    ) -> Result<WrittenCellProof<'b>, SerializationError> {
        bind_as::<Self, String>(&self.0.to_string(), typ, writer)
    }
}

impl<'frame, 'metadata, T: FromStr<Err: Display>> DeserializeValue<'frame, 'metadata> for AsText<T> {
    fn type_check(typ: &ColumnType<'_>) -> Result<(), TypeCheckError> {
        check_as::<Self, &'frame str>(typ)
    }

    fn deserialize(
        typ: &'metadata ColumnType<'metadata>,
        value: Option<FrameSlice<'frame>>,
    ) -> Result<Self, DeserializationError> {
        let text = read_as::<Self, &'frame str>(typ, value)?;
        text.parse().map(Self).map_err(|problem: T::Err| DeserializationError::new(InvalidText(problem.to_string())))
    }
}

#[derive(Debug, Error)]
#[error("{0}")]
struct InvalidText(String);
