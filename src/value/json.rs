//! Values stored as JSON.

use std::any::type_name;

use scylla::deserialize::value::DeserializeValue;
use scylla::deserialize::{DeserializationError, FrameSlice, TypeCheckError};
use scylla::frame::response::result::ColumnType;
use scylla::serialize::SerializationError;
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::{CellWriter, WrittenCellProof};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::{bind_as, check_as, read_as};

/// A value that is stored as JSON in a `text` or `ascii` column, with its serde implementations (feature `serde-1`).
///
/// ```
/// use keyspaces::value::Json;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Settings {
///     theme: String,
///     columns: Vec<String>,
/// }
///
/// #[keyspaces::row]
/// struct Account {
///     id: i64,
///     settings: Json<Settings>,
/// }
///
/// let account = Account { id: 7, settings: Json(Settings { theme: "dark".to_owned(), columns: Vec::new() }) };
/// assert_eq!(account.settings.0.theme, "dark");
/// # assert_eq!(account.id, 7);
/// ```
///
/// If a stored text is not valid JSON for `T`, reading the row fails with an error of kind
/// [`Type`](crate::ErrorKind::Type) that contains the message of `serde_json`, with line and column. For a column that
/// may be null, use `Option<Json<T>>`; the `null` of JSON is a text and not a null of CQL.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Json<T>(pub T);

impl<T> From<T> for Json<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Serialize> SerializeValue for Json<T> {
    fn serialize<'b>(
        &self,
        typ: &ColumnType<'_>,
        writer: CellWriter<'b>,
    ) -> Result<WrittenCellProof<'b>, SerializationError> {
        let text = serde_json::to_string(&self.0)
            .map_err(|problem| SerializationError::new(InvalidJson { type_name: short(type_name::<T>()), problem }))?;
        bind_as::<Self, String>(&text, typ, writer)
    }
}

impl<'frame, 'metadata, T: DeserializeOwned> DeserializeValue<'frame, 'metadata> for Json<T> {
    fn type_check(typ: &ColumnType<'_>) -> Result<(), TypeCheckError> {
        check_as::<Self, &'frame str>(typ)
    }

    fn deserialize(
        typ: &'metadata ColumnType<'metadata>,
        value: Option<FrameSlice<'frame>>,
    ) -> Result<Self, DeserializationError> {
        let text = read_as::<Self, &'frame str>(typ, value)?;
        serde_json::from_str(text)
            .map(Self)
            .map_err(|problem| DeserializationError::new(InvalidJson { type_name: short(type_name::<T>()), problem }))
    }
}

fn short(name: &'static str) -> &'static str {
    if name.contains('<') { name } else { name.rsplit("::").next().unwrap_or(name) }
}

#[derive(Debug, Error)]
#[error("not valid JSON for {type_name}: {problem}")]
struct InvalidJson {
    type_name: &'static str,
    problem: serde_json::Error,
}
