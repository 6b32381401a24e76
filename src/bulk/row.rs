//! Rows as serialised values, which are not decoded when they are only passed on.

use keyspaces_cql::rules::{MAX_PARTITION_KEY_BYTES, MAX_ROW_BYTES};
use keyspaces_cql::units;
use scylla::deserialize::row::{ColumnIterator, DeserializeRow};
use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::frame::response::result::ColumnSpec;
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;

use super::format::{Reason, RowCells};
use super::table::{Column, Role};
use super::value::{NULL, UNSET};
use crate::saturated::saturated;
use crate::statement::SerializedView;

/// The values of a row, each after its length; the length of null and unset is negative.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct RowValues(pub(super) Vec<u8>);

impl RowValues {
    /// Replaces null by unset, so that writing the row deletes nothing.
    pub(super) fn with_unset(mut self) -> Self {
        let mut at = 0;
        while let Some(length) = self.0.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()) {
            if length == NULL
                && let Some(place) = self.0.get_mut(at..at + 4)
            {
                place.copy_from_slice(&UNSET);
            }
            at += 4 + usize::try_from(i32::from_be_bytes(length)).unwrap_or_default();
        }
        self
    }

    /// Whether a value is null or unset.
    pub(super) fn is_null(&self, index: usize) -> bool {
        let mut rest = self.0.as_slice();
        for _ in 0..index {
            let _ = next_cell(&mut rest);
        }
        next_cell(&mut rest).is_none()
    }

    /// Selects or reorders the values.
    pub(super) fn in_order(&self, order: &[usize]) -> Self {
        let mut rest = self.0.as_slice();
        let mut cells = Vec::with_capacity(order.len());
        while !rest.is_empty() {
            let before = rest;
            let value = next_cell(&mut rest);
            let length = 4 + value.map_or(0, <[u8]>::len);
            cells.push(before.get(..length).unwrap_or(before));
            if rest.len() == before.len() {
                break;
            }
        }
        let ordered = order.iter().filter_map(|index| cells.get(*index).copied());
        Self(ordered.collect::<Vec<_>>().concat())
    }
}

/// The next cell; `None` if it is null or unset, or after the last one.
pub(super) fn next_cell<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    let (value, after) = after.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(value)
}

/// Binds values that are serialised already.
impl SerializeRow for RowValues {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        // The number of values is not checked when a row is only passed on.
        SerializedView::new(&self.0, 0).serialize(context, writer)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Accepts rows with any columns.
impl<'frame, 'metadata> DeserializeRow<'frame, 'metadata> for RowValues {
    fn type_check(_: &[ColumnSpec<'_>]) -> Result<(), TypeCheckError> {
        Ok(())
    }

    fn deserialize(columns: ColumnIterator<'frame, 'metadata>) -> Result<Self, DeserializationError> {
        let mut bytes = Vec::new();
        for column in columns {
            match column?.slice {
                Some(slice) => {
                    let value = slice.as_slice();
                    // The length came as an i32, so it fits.
                    bytes.extend_from_slice(&saturated::<i32>(value.len()).to_be_bytes());
                    bytes.extend_from_slice(value);
                }
                None => bytes.extend_from_slice(&NULL),
            }
        }
        Ok(Self(bytes))
    }
}

/// The units for writing the row, by AWS's own estimate; an error gives the reason why the row can never be written.
pub(super) fn write_units(cells: &RowCells<'_>, table: &units::Table) -> Result<u32, Reason> {
    let mut row = units::Row::default();
    let (mut key, mut last_key) = (0, 0);
    // A row without clustering columns has only static columns.
    let (mut without_clustering, mut has_regular) = (None, false);
    for (index, (column, value)) in cells.iter().enumerate() {
        let Column { cql, role, .. } = column;
        match (role, value) {
            (Role::PartitionKey, Some(value)) => {
                (key, last_key) = (key + value.len(), index);
                row.add_partition_key(table, units::value_size(cql, Some(value)).bytes);
            }
            (Role::Clustering, Some(value)) => row.add_clustering(table, units::value_size(cql, Some(value)).bytes),
            (Role::Static, Some(value)) => row.add_static(table, cql, units::value_size(cql, Some(value))),
            (Role::Regular, Some(value)) => {
                has_regular = true;
                row.add_regular(table, cql, units::value_size(cql, Some(value)));
            }
            (Role::PartitionKey, None) => {
                return Err(Reason::of_column(index, "is null, but belongs to the primary key"));
            }
            (Role::Clustering, None) => without_clustering = without_clustering.or(Some(index)),
            (Role::TimeToLive | Role::WriteTime, _) | (Role::Static | Role::Regular, None) => {}
        }
    }
    let has_statics = || cells.columns.iter().any(|column| column.role == Role::Static);
    if let Some(index) = without_clustering.filter(|_| has_regular || !has_statics()) {
        return Err(Reason::of_column(index, "is null, but belongs to the primary key"));
    }
    if key > MAX_PARTITION_KEY_BYTES {
        let problem =
            format!("makes a partition key of {key} bytes, and Keyspaces takes at most {MAX_PARTITION_KEY_BYTES}");
        return Err(Reason::of_column(last_key, problem));
    }
    let bytes = row.storage_bytes().max(row.static_bytes());
    if bytes > MAX_ROW_BYTES {
        return Err(Reason::of_record(format!("has {bytes} bytes, and Keyspaces takes at most {MAX_ROW_BYTES}")));
    }
    Ok(saturated::<u32>(row.write_units()))
}
