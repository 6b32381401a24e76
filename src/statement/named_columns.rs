//! Selects the columns that a row type names, because `SELECT *` and answers to conditional writes may have other
//! columns, too.

use std::sync::Arc;

use scylla::deserialize::row::{BuiltinTypeCheckError, BuiltinTypeCheckErrorKind, ColumnIterator, DeserializeRow};
use scylla::deserialize::{DeserializationError, FrameSlice, TypeCheckError};
use scylla::frame::response::result::ColumnSpec;
use scylla::response::query_result::{QueryRowsResult, RowsError};

use crate::row::OwnedRow;
use crate::saturated::saturated;

/// The columns that a row type names, among all those returned.
#[derive(Debug)]
pub(crate) struct NamedColumns {
    /// All returned columns.
    all: Vec<ColumnSpec<'static>>,
    kept: Vec<usize>,
    columns: Vec<ColumnSpec<'static>>,
}

/// The cells of a row: the bytes of each, or `None` for a null.
pub(super) type NamedCells<'r> = Vec<Option<FrameSlice<'r>>>;

impl NamedColumns {
    /// Keeps the columns that `R` names, and leaves out `except`. A tuple has no names, so it must match all columns.
    pub(crate) fn select<R: OwnedRow>(
        columns: &[ColumnSpec<'_>],
        except: Option<usize>,
    ) -> Result<Self, TypeCheckError> {
        Self::select_checked(&|columns| R::type_check(columns), columns, except)
    }

    fn select_checked(
        type_check: &dyn Fn(&[ColumnSpec<'_>]) -> Result<(), TypeCheckError>,
        columns: &[ColumnSpec<'_>],
        except: Option<usize>,
    ) -> Result<Self, TypeCheckError> {
        let all: Vec<ColumnSpec<'static>> = columns.iter().map(|column| column.clone().into_owned()).collect();
        let kept: Vec<usize> = (0..all.len()).filter(|index| Some(*index) != except).collect();
        let mut named = Self { columns: kept.iter().map(|index| all[*index].clone()).collect(), kept, all };
        while let Err(error) = type_check(&named.columns) {
            match unknown_column(&error).filter(|index| *index < named.kept.len()) {
                Some(index) => {
                    named.kept.remove(index);
                    named.columns.remove(index);
                }
                None => return Err(error),
            }
        }
        Ok(named)
    }

    pub(super) fn read<R: OwnedRow>(&self, row: &NamedCells<'_>) -> Result<R, DeserializationError> {
        read_row(&self.columns, &self.bytes(row))
    }

    /// Encodes the cells of the named columns as a row.
    fn bytes(&self, row: &NamedCells<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for cell in self.kept.iter().map(|index| row.get(*index).copied().flatten()) {
            let slice = cell.map(|cell| cell.as_slice());
            // The length fits, because it arrived in a frame as an i32.
            let length = slice.map_or(-1, |slice| saturated::<i32>(slice.len()));
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(slice.unwrap_or_default());
        }
        bytes
    }

    /// Whether the selection was made from exactly these columns.
    pub(crate) fn matches(&self, columns: &[ColumnSpec<'_>]) -> bool {
        self.all == columns
    }

    /// Returns an iterator that decodes the rows of a page.
    pub(crate) fn rows<'p, R: OwnedRow>(
        self: Arc<Self>,
        page: &'p QueryRowsResult,
    ) -> Result<impl Iterator<Item = Result<R, DeserializationError>> + use<'p, R>, RowsError> {
        let rows = page.rows::<ColumnIterator<'_, '_>>()?;
        Ok(rows.map(move |row| self.read(&cells(row?)?)))
    }
}

/// Returns the cells of a row, undecoded.
pub(super) fn cells<'r>(row: ColumnIterator<'r, '_>) -> Result<NamedCells<'r>, DeserializationError> {
    row.map(|cell| cell.map(|cell| cell.slice)).collect()
}

// Generic over the lifetime, so that the row type may be any type that owns its data.
fn read_row<'b, R: DeserializeRow<'b, 'b>>(
    columns: &'b [ColumnSpec<'b>],
    bytes: &'b [u8],
) -> Result<R, DeserializationError> {
    R::deserialize(ColumnIterator::new(columns, FrameSlice::new_borrowed(bytes)))
}

/// The index of a column that the row type has no field for.
fn unknown_column(error: &TypeCheckError) -> Option<usize> {
    match error.downcast_ref::<BuiltinTypeCheckError>().map(|error| &error.kind) {
        Some(
            BuiltinTypeCheckErrorKind::ColumnWithUnknownName { column_index, .. }
            | BuiltinTypeCheckErrorKind::ColumnNameMismatch { column_index, .. },
        ) => Some(*column_index),
        _ => None,
    }
}
