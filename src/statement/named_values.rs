//! Values bound by the names of their bind markers.

use std::any::type_name;
use std::fmt;

use scylla::serialize::SerializationError;
use scylla::serialize::row::{
    BuiltinSerializationError, BuiltinSerializationErrorKind, RowSerializationContext, SerializeRow,
};
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::RowWriter;
use thiserror::Error;

/// Values bound by the names of their bind markers, of any types and in any order: `:name` in the text, or the column's
/// name for a `?`. A derived [`SerializeRow`](crate::SerializeRow) does the same with the names of its fields.
///
/// ```no_run
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// use keyspaces::{Row, Select, value::NamedValues};
///
/// let between: Select<NamedValues, Row> =
///     session.prepare("SELECT * FROM shop.sales WHERE id = :id AND at >= :since AND at < :until").await?;
/// let rows = between.rows(NamedValues::new().with("id", "7").with("since", 1_i64).with("until", 2_i64));
/// # drop(rows);
/// # Ok(()) }
/// ```
///
/// Binding fails with an error of kind [`Type`](crate::ErrorKind::Type) if the statement has no bind marker with the
/// name of a value, or if there is no value for a bind marker.
#[derive(Default)]
pub struct NamedValues<'v>(Vec<(&'v str, BoxedValue<'v>)>);

type BoxedValue<'v> = Box<dyn SerializeValue + Send + Sync + 'v>;

/// The error for names that do not fit a statement.
#[derive(Debug, Error)]
enum NamedValuesError {
    #[error("the statement has a bind marker for {0}, and there is no value of that name")]
    NoValue(String),
    #[error("there is a value for {0}, and the statement has no bind marker of that name")]
    NoMarker(String),
}

impl<'v> NamedValues<'v> {
    /// Creates an empty set of values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, or replaces the value of the same name. Give the name as the server stores it: in lower case, unless
    /// it is quoted in the text.
    #[must_use]
    pub fn with(mut self, name: &'v str, value: impl SerializeValue + Send + Sync + 'v) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, Box::new(value)));
        self
    }
}

impl SerializeRow for NamedValues<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let markers = context.columns();
        if let Some((name, _)) = self.0.iter().find(|(name, _)| markers.iter().all(|marker| marker.name() != *name)) {
            return Err(SerializationError::new(NamedValuesError::NoMarker((*name).to_owned())));
        }
        for marker in markers {
            let Some((_, value)) = self.0.iter().find(|(name, _)| *name == marker.name()) else {
                return Err(SerializationError::new(NamedValuesError::NoValue(marker.name().to_owned())));
            };
            // Serializes the value and not the box, because the driver's errors contain the name of the type.
            (**value).serialize(marker.typ(), writer.make_cell_writer()).map_err(|err| {
                let name = marker.name().to_owned();
                let kind = BuiltinSerializationErrorKind::ColumnSerializationFailed { name, err };
                SerializationError::new(BuiltinSerializationError { rust_name: type_name::<Self>(), kind })
            })?;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for NamedValues<'_> {
    /// Prints the names only, because the values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
