//! Decodes the answer to a conditional write: whether it was applied, and the row that did not meet the condition.

use scylla::deserialize::row::ColumnIterator;
use scylla::deserialize::value::DeserializeValue;
use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::frame::response::result::{ColumnSpec, ColumnType, NativeType};
use scylla::response::query_result::{QueryResult, QueryRowsResult};

use super::info::StatementInfo;
use super::mismatch;
use super::named_columns::{NamedColumns, cells};
use crate::row::OwnedRow;
use crate::{Error, ErrorKind};

/// The column that says whether the write was applied.
const APPLIED_COLUMN: &str = "[applied]";

#[derive(Debug, PartialEq)]
pub(super) enum Answer<T> {
    Applied,
    NotApplied(T),
}

/// Decodes the answer to one conditional statement.
pub(super) fn decode_one<R: OwnedRow>(info: &StatementInfo, result: QueryResult) -> Result<Answer<Option<R>>, Error> {
    match decode_batch(info, result)? {
        Answer::Applied => Ok(Answer::Applied),
        Answer::NotApplied(rows) => Ok(Answer::NotApplied(rows.into_iter().next())),
    }
}

/// Decodes the answer to a batch with conditional statements: one row for each row that exists.
pub(super) fn decode_batch<R: OwnedRow>(info: &StatementInfo, result: QueryResult) -> Result<Answer<Vec<R>>, Error> {
    let missing_applied_column =
        || Error::new(ErrorKind::Server, info.attempted.clone(), "the answer does not say whether it was applied");
    let rows = result.into_rows_result().map_err(|error| missing_applied_column().with_source(error))?;
    let columns = rows.column_specs();
    let applied = columns
        .get_by_name(APPLIED_COLUMN)
        .filter(|(_, column)| is_boolean(column))
        .ok_or_else(missing_applied_column)?
        .0;
    let row_type_error = |why: std::borrow::Cow<'static, str>| {
        let problem = format!("it was not applied, and the existing row cannot be read: {why}");
        Error::new(ErrorKind::Type, info.attempted.clone(), problem)
    };
    match read(&rows, columns.as_slice(), applied) {
        Ok(answer) => Ok(answer),
        Err(Unreadable::Shape(error)) => Err(row_type_error(mismatch::explain_columns(&error))
            .with_advice("Derive DeserializeRow for a type that names the columns to read: the others are ignored")
            .with_source(error)),
        Err(Unreadable::Row(error)) => Err(row_type_error(mismatch::explain_row(&error)).with_source(error)),
        Err(Unreadable::NoAppliedColumn) => Err(missing_applied_column()),
    }
}

enum Unreadable {
    Shape(TypeCheckError),
    Row(DeserializationError),
    NoAppliedColumn,
}

fn read<R: OwnedRow>(
    rows: &QueryRowsResult,
    columns: &[ColumnSpec<'_>],
    applied: usize,
) -> Result<Answer<Vec<R>>, Unreadable> {
    let mut named = None;
    let mut existing = Vec::new();
    let rows = rows.rows::<ColumnIterator<'_, '_>>().map_err(|_| Unreadable::NoAppliedColumn)?;
    let mut has_rows = false;
    for row in rows {
        let row = row.and_then(cells).map_err(Unreadable::Row)?;
        let is_applied =
            row.get(applied).and_then(|slice| bool::deserialize(&ColumnType::Native(NativeType::Boolean), *slice).ok());
        if is_applied.ok_or(Unreadable::NoAppliedColumn)? {
            return Ok(Answer::Applied);
        }
        has_rows = true;
        if columns.len() == 1 {
            continue;
        }
        let named = match &mut named {
            Some(named) => named,
            none => none.insert(NamedColumns::select::<R>(columns, Some(applied)).map_err(Unreadable::Shape)?),
        };
        existing.push(named.read::<R>(&row).map_err(Unreadable::Row)?);
    }
    if has_rows { Ok(Answer::NotApplied(existing)) } else { Err(Unreadable::NoAppliedColumn) }
}

fn is_boolean(column: &ColumnSpec<'_>) -> bool {
    matches!(column.typ(), ColumnType::Native(NativeType::Boolean))
}
