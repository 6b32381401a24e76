//! The file of rejected rows, which can be corrected and loaded.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::task::spawn_blocking;

use super::chunk::RowPosition;
use super::format::{COMMENT, Reason, RowCells, TextFormat};
use super::row::RowValues;
use super::row_files::RowUnit;
use super::table::Column;
use super::task_failed;
use crate::counted::Counted;
use crate::{Error, ErrorKind};

/// The reason for a rejection, written before its row.
#[derive(Debug, Serialize)]
struct Rejection<'r> {
    file: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'r str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_name: Option<&'r str>,
    reason: &'r str,
}

impl<'r> Rejection<'r> {
    fn new(file: &'r str, (unit, number): (RowUnit, u64), columns: &'r [Column], reason: &'r Reason) -> Self {
        let column = reason.column.and_then(|index| columns.get(index));
        Self {
            file,
            line: Some(number).filter(|_| unit == RowUnit::Line),
            row: Some(number).filter(|_| unit == RowUnit::Row),
            column: column.map(|column| column.name.as_str()),
            type_name: column.map(|column| column.type_name.as_str()),
            reason: &reason.problem,
        }
    }

    /// The reason in one line, for an error.
    fn message(&self) -> String {
        let Self { file, line, row, column, type_name, reason } = self;
        let (unit, number) = if line.is_some() { ("line", line) } else { ("row", row) };
        let number = number.unwrap_or_default();
        match (column, type_name) {
            (Some(column), Some(type_name)) => {
                format!("{file}, {unit} {number}: the column {column} ({type_name}): {reason}")
            }
            _ => format!("{file}, {unit} {number}: the row {reason}"),
        }
    }
}

/// The form in which a row is written to the file.
#[derive(Debug)]
pub(super) enum RejectedRow {
    /// The original record.
    Record(Vec<u8>),
    Values(RowValues),
}

/// The rejected rows of a run: a limited number, in a file if the caller named one.
pub(super) struct RejectedRows {
    pub(super) attempted: String,
    pub(super) file_names: Vec<String>,
    pub(super) position_unit: RowUnit,
    pub(super) columns: Arc<[Column]>,
    /// The maximum number of rejected rows with which the operation continues.
    pub(super) max: u64,
    pub(super) file: Option<RejectedFile>,
    /// The reason why the first row of this run was rejected.
    pub(super) first: Option<String>,
}

impl RejectedRows {
    /// Rejects a row, after `before` others. Fails without writing it if it exceeds the limit.
    pub(super) async fn reject(
        &mut self,
        before: u64,
        at: RowPosition,
        reason: Reason,
        row: RejectedRow,
    ) -> Result<(), Error> {
        let name = self.file_names.get(at.file as usize).cloned().unwrap_or_default();
        let place = (self.position_unit, at.at.line);
        let message = Rejection::new(&name, place, &self.columns, &reason).message();
        let first = self.first.get_or_insert(message);
        if before >= self.max {
            let problem = match self.max {
                0 => format!("a row was rejected: {first}"),
                1 => format!("more than 1 row was rejected; the first: {first}"),
                max => format!("more than {max} rows were rejected; the first: {first}"),
            };
            let advice = match &self.file {
                Some(file) => {
                    format!("Correct the rows in {} and load that file, or raise max_rejected()", file.path.display())
                }
                None => "Correct the row, or name a file for rejected rows".to_owned(),
            };
            return Err(Error::new(ErrorKind::Value, self.attempted.clone(), problem).with_advice(advice));
        }
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let columns = Arc::clone(&self.columns);
        let written = spawn_blocking(move || {
            let written = file.write(&Rejection::new(&name, place, &columns, &reason), &row, &columns);
            (file, written)
        });
        let (file, written) = written.await.map_err(|error| task_failed(&self.attempted, error))?;
        self.file = Some(file);
        written
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|file| file.path.clone())
    }
}

/// The file of rejected rows: a line with the reason before each row.
#[derive(Debug)]
pub(super) struct RejectedFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    format: TextFormat,
    /// The checkpoint's lock, held until all writing has ended.
    _lock: Option<Arc<File>>,
}

impl RejectedFile {
    /// Refuses a file that has rows of another operation. Accepts a file with only the names of the columns, which is
    /// left from a run that rejected no row.
    pub(super) fn check_unused(path: &Path, format: &TextFormat, columns: &[Column]) -> Result<(), Error> {
        let header = header(format, columns);
        let mut found = Vec::new();
        let read = File::open(path).and_then(|file| file.take(header.len() as u64 + 1).read_to_end(&mut found));
        match read {
            Ok(_) if header.starts_with(&found) => Ok(()),
            Ok(_) => {
                Err(Error::new(ErrorKind::File, attempted(path), "the file exists and has rows of another operation")
                    .with_advice("Load its rows, or move it away"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(path, error)),
        }
    }

    /// Opens the file and truncates it to the length in the checkpoint. Without one, starts the file with the names of
    /// the columns.
    pub(super) fn open(
        path: &Path,
        format: &TextFormat,
        columns: &[Column],
        known: u64,
        lock: Option<Arc<File>>,
    ) -> Result<Self, Error> {
        let failed = |error: io::Error| failed(path, error);
        let mut file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if length < known {
            let problem =
                format!("the file has {}, and had {known} when the checkpoint was written", Counted(length, "byte"));
            return Err(Error::new(ErrorKind::File, attempted(path), problem)
                .with_advice("Put the file back, or start again with another checkpoint"));
        }
        file.set_len(known).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut rejected = Self { path: path.to_owned(), file, bytes: known, format: format.clone(), _lock: lock };
        if known == 0 {
            rejected.append(&header(format, columns))?;
        }
        Ok(rejected)
    }

    fn write(&mut self, rejection: &Rejection<'_>, row: &RejectedRow, columns: &[Column]) -> Result<(), Error> {
        let message = serde_json::to_string(rejection).map_err(|error| failed(&self.path, io::Error::other(error)))?;
        let mut bytes = [COMMENT, message.as_bytes(), b"\n"].concat();
        match row {
            RejectedRow::Record(record) => bytes.extend_from_slice(record),
            RejectedRow::Values(values) => {
                let mut line = String::new();
                self.format
                    .write(&RowCells { columns, bytes: &values.0 }, &mut line)
                    .map_err(|reason| failed(&self.path, io::Error::other(format!("a value {}", reason.problem))))?;
                bytes.extend_from_slice(line.trim_end_matches('\n').as_bytes());
            }
        }
        bytes.push(b'\n');
        self.append(&bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|error| failed(&self.path, error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Syncs the file to the disk, and returns its length.
    pub(super) fn sync(&self) -> Result<u64, Error> {
        self.file.sync_data().map_err(|error| failed(&self.path, error))?;
        Ok(self.bytes)
    }
}

/// The header before the first row.
fn header(format: &TextFormat, columns: &[Column]) -> Vec<u8> {
    let mut header = String::new();
    format.write_header(columns.iter().map(|column| column.name.as_str()), &mut header);
    header.into_bytes()
}

fn attempted(path: &Path) -> String {
    format!("writing rejected rows to {}", path.display())
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::File, attempted(path), error.to_string()).with_source(error)
}
