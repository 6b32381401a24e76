//! Rows that can never be loaded, in a file that can be mended and loaded.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::format::{COMMENT, Format, Reason, RowCells};
use super::table::Column;
use crate::{Error, ErrorKind};

/// Why a row was rejected, as it stands before the row.
#[derive(Debug, Serialize)]
pub(super) struct Rejection<'r> {
    pub(super) file: &'r str,
    pub(super) line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<&'r str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) type_name: Option<&'r str>,
    pub(super) reason: &'r str,
}

impl<'r> Rejection<'r> {
    pub(super) fn new(file: &'r str, line: u64, columns: &'r [Column], reason: &'r Reason) -> Self {
        let column = reason.column.and_then(|index| columns.get(index));
        Self {
            file,
            line,
            column: column.map(|column| column.name.as_str()),
            type_name: column.map(|column| column.type_name.as_str()),
            reason: &reason.problem,
        }
    }

    /// In a line, for an error.
    pub(super) fn told(&self) -> String {
        let Self { file, line, column, type_name, reason } = self;
        match (column, type_name) {
            (Some(column), Some(type_name)) => {
                format!("{file}, line {line}: the column {column} ({type_name}): {reason}")
            }
            _ => format!("{file}, line {line}: the row {reason}"),
        }
    }
}

/// What of a row goes to the file.
pub(super) enum RejectedRow<'r> {
    /// The record as it was read.
    Record(&'r [u8]),
    Cells(RowCells<'r>),
}

/// A file of rejected rows with its path.
pub(super) type RejectedTo = (PathBuf, RejectedFile);

/// The file of rejected rows: before each row a line that says why.
#[derive(Debug)]
pub(super) struct RejectedFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    format: Format,
}

impl RejectedFile {
    /// Opens the file and cuts it to the bytes that a checkpoint knows; a new one has only the line that names the columns.
    pub(super) fn open(path: &Path, format: &Format, columns: &[Column], known: u64) -> Result<Self, Error> {
        let failed = |error: io::Error| failed(path, error);
        let mut file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if known == 0 && length > 0 {
            return Err(Error::new(ErrorKind::File, attempted(path), "there is such a file, with other rows in it")
                .with_advice("Load what is in it or move it away"));
        }
        if length < known {
            let problem = format!("it has {length} bytes, and had {known} when the checkpoint was written");
            return Err(Error::new(ErrorKind::File, attempted(path), problem)
                .with_advice("Put the file back, or begin anew with another checkpoint"));
        }
        file.set_len(known).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut rejected = Self { path: path.to_owned(), file, bytes: known, format: format.clone() };
        if known == 0 {
            let mut header = String::new();
            format.write_header(columns.iter().map(|column| column.name.as_str()), &mut header);
            rejected.append(header.as_bytes())?;
        }
        Ok(rejected)
    }

    pub(super) fn write(&mut self, rejection: &Rejection<'_>, row: &RejectedRow<'_>) -> Result<(), Error> {
        let told = serde_json::to_string(rejection).map_err(|error| failed(&self.path, io::Error::other(error)))?;
        let mut bytes = [COMMENT, told.as_bytes(), b"\n"].concat();
        match row {
            RejectedRow::Record(record) => bytes.extend_from_slice(record),
            RejectedRow::Cells(cells) => {
                let mut line = String::new();
                self.format
                    .write(cells, &mut line)
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

    /// Brings the file to the disk, and says how long it is.
    pub(super) fn sync(&self) -> Result<u64, Error> {
        self.file.sync_data().map_err(|error| failed(&self.path, error))?;
        Ok(self.bytes)
    }
}

fn attempted(path: &Path) -> String {
    format!("writing rejected rows to {}", path.display())
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::File, attempted(path), error.to_string()).with_source(error)
}
