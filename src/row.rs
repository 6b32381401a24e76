//! Rows: any type that owns what it holds, or one for columns that are not known when the program is written.

use std::fmt;

use scylla::deserialize::row::{ColumnIterator, DeserializeRow};
use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::frame::response::result::ColumnSpec;
use scylla::value::CqlValue;

/// A row type that owns what it holds: any `DeserializeRow` type without borrowed fields, a tuple, a derived struct or
/// [`Row`].
///
/// What its fields have to be ready for:
///
/// - A column that is null needs an `Option`, unless it is a collection: CQL stores no empty ones, and a null is read as an
///   empty `Vec`, set or map. With an `Option` it is `None`.
/// - A partition that has static columns and no rows is read as one row, in which all clustering columns and all other columns
///   are null.
/// - A cell that has expired is null. A row that was inserted with a TTL is gone after it, one that was updated with a TTL too
///   unless something else of it is left.
/// - `TTL(name)` is an `Option<i32>`, null without a TTL, and `WRITETIME(name)`, of tables with client-side timestamps, an
///   `Option<i64>`, microseconds since 1970. The columns are called so in lower case: a field needs `#[scylla(rename = "ttl(name)")]`, or the text `TTL(name) AS ttl`.
/// - A struct for a user-defined type may have fewer fields than the type. Read, it leaves the others out; **written, it sets
///   them to null**, also those that were added to the type later. `#[scylla(forbid_excess_udt_fields)]` refuses that, when it
///   is read and when it is bound.
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
    /// The value of the column `name`, if there is such a column and it is not null.
    pub fn get(&self, name: &str) -> Option<&CqlValue> {
        self.columns().find(|(column, _)| *column == name).and_then(|(_, value)| value)
    }

    /// The columns in the order of the statement, with their values where they are not null.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&str, Option<&CqlValue>)> {
        self.columns.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }

    /// As [`columns`](Self::columns), owned.
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
