//! Row types that own their data, and [`Row`], for columns that are not known when the program is written.

use std::fmt;

use scylla::deserialize::row::{ColumnIterator, DeserializeRow};
use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::frame::response::result::ColumnSpec;
use scylla::value::CqlValue;

/// A row type that owns its data: any `DeserializeRow` type without borrowed fields, such as a tuple, a derived struct or
/// [`Row`].
///
/// The fields must represent these cases:
///
/// - A column that can be null needs an `Option`, unless it is a collection: CQL stores no empty collections, and a null is read
///   as an empty `Vec`, set or map. With an `Option` it is `None`.
/// - A partition with static columns but without rows is read as one row, whose clustering columns and regular columns are null.
/// - A cell that has expired is null. A row inserted with a TTL disappears when it expires; a row updated with a TTL disappears
///   unless it has other values that remain.
/// - `TTL(name)` is an `Option<i32>`, null without a TTL. `WRITETIME(name)`, for tables with client-side timestamps, is an
///   `Option<i64>`: microseconds since 1970. The names of these columns are in lower case: a field needs
///   `#[scylla(rename = "ttl(name)")]`, or the text needs `TTL(name) AS ttl`.
/// - A struct for a user-defined type may have fewer fields than the type. Reading ignores the other fields; **writing sets
///   them to null**, including those added to the type later. `#[scylla(forbid_excess_udt_fields)]` refuses both.
pub trait OwnedRow: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static {}

impl<R> OwnedRow for R where R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static {}

/// A row whose columns are not known when the program is written.
///
/// ```no_run
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// use keyspaces::Row;
///
/// let mut rows = session.rows::<Row>("SELECT * FROM shop.names", ());
/// while let Some(row) = rows.try_next().await? {
///     for (column, value) in row.columns() {
///         println!("{column}: {value:?}");
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq)]
pub struct Row {
    columns: Vec<(String, Option<CqlValue>)>,
}

impl Row {
    /// Returns the value of the column `name`; `None` if there is no such column or it is null.
    pub fn get(&self, name: &str) -> Option<&CqlValue> {
        self.columns().find(|(column, _)| *column == name).and_then(|(_, value)| value)
    }

    /// Returns the columns in the order of the statement, each with its value, or `None` if that is null.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&str, Option<&CqlValue>)> {
        self.columns.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }

    /// Like [`columns`](Self::columns), but returns owned names and values.
    pub fn into_columns(self) -> impl ExactSizeIterator<Item = (String, Option<CqlValue>)> {
        self.columns.into_iter()
    }
}

impl<'frame, 'metadata> DeserializeRow<'frame, 'metadata> for Row {
    fn type_check(_: &[ColumnSpec<'_>]) -> Result<(), TypeCheckError> {
        Ok(())
    }

    fn deserialize(cells: ColumnIterator<'frame, 'metadata>) -> Result<Self, DeserializationError> {
        let names: Vec<String> =
            cells.clone().map(|cell| Ok(cell?.spec.name().to_owned())).collect::<Result<_, _>>()?;
        let values = scylla::value::Row::deserialize(cells)?.columns;
        Ok(Self { columns: names.into_iter().zip(values).collect() })
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.columns()).finish()
    }
}
