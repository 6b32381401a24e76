//! A JSON object in each line, in the form of `SELECT JSON` and `INSERT JSON`.

use super::{Reason, RecordCells, RowCells};
use crate::bulk::value::json::{append_from_json, write_json};
use crate::bulk::value::{ScalarForm, append_json_name, is_null, json_name, parse_object};
use crate::bulk::{BlobForm, TimestampForm};

/// A JSON object in each line, in the form that `SELECT JSON` returns and `INSERT JSON` accepts.
///
/// The members are columns; a name with other than lower-case letters may be in double quotes inside the JSON string,
/// as in CQL. `null` is null, and a column without a member is not changed. Numbers keep all their digits, and may be
/// strings; the floating-point numbers that JSON lacks are `"NaN"`, `"Infinity"`, `"-Infinity"`. Blobs are `"0xcafe"`,
/// keys of maps are strings.
///
/// ```
/// use keyspaces::bulk::{JsonLines, TimestampForm};
///
/// let lines = JsonLines::new().timestamps(TimestampForm::UnixSeconds);
/// # drop(lines);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct JsonLines {
    form: ScalarForm,
}

impl Default for JsonLines {
    fn default() -> Self {
        Self::new()
    }
}

impl JsonLines {
    /// The form of `SELECT JSON`.
    pub fn new() -> Self {
        Self { form: ScalarForm::json() }
    }

    /// The form of blobs. Default: hexadecimal.
    pub fn blobs(mut self, blobs: BlobForm) -> Self {
        self.form.blobs = blobs;
        self
    }

    /// The form of timestamps. Default: [`TimestampForm::Iso`], in which a number is read as milliseconds since 1970, as
    /// `INSERT JSON` does.
    pub fn timestamps(mut self, timestamps: TimestampForm) -> Self {
        self.form.timestamps = timestamps;
        self
    }

    /// See [`Csv::empty_values`](super::Csv::empty_values).
    pub fn empty_values(mut self) -> Self {
        self.form.empty_values = true;
        self
    }

    pub(super) fn read(&self, record: &str, cells: &mut RecordCells<'_>) -> Result<(), Reason> {
        let members = parse_object(record).map_err(Reason::of_record)?;
        let columns = cells.columns;
        let is_column = |name: &str| columns.iter().any(|column| column.name == name || column.name == json_name(name));
        if let Some((name, _)) = members.iter().find(|(name, _)| !is_column(name)) {
            return Err(Reason::of_record(format!("has the member {name:?}, which is not one of the columns to load")));
        }
        for (index, column) in columns.iter().enumerate() {
            let mut matching =
                members.iter().filter(|(name, _)| *name == column.name || json_name(name) == column.name);
            let member = matching.next();
            if matching.next().is_some() {
                return Err(Reason::of_column(index, "occurs twice"));
            }
            match member {
                None => cells.absent(index),
                Some((_, raw)) if is_null(raw) => cells.null(index)?,
                Some((_, raw)) => {
                    cells.value(index, |column, out| append_from_json(&column.value_type, raw, &self.form, out))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn write(&self, row: &RowCells<'_>, out: &mut String) -> Result<(), Reason> {
        out.push('{');
        for (index, (column, value)) in row.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            append_json_name(&column.name, out);
            out.push_str(": ");
            match value {
                None => out.push_str("null"),
                Some(value) => {
                    let written = write_json(&column.value_type, value, &self.form, out);
                    written.map_err(|problem| Reason::of_column(index, problem))?;
                }
            }
        }
        out.push_str("}\n");
        Ok(())
    }
}
