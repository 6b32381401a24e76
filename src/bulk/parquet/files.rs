//! Reads the rows of Parquet files in a separate thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::Parquet;
use super::convert::{append, write_raw_json};
use super::node::Value;
use super::open::OpenFile;
use crate::Error;
use crate::bulk::Nulls;
use crate::bulk::checkpoint::ResumePoint;
use crate::bulk::chunk::{Chunk, Chunks, ReadRow, RowPosition};
use crate::bulk::format::{Position, Reason, RecordCells, RowCells};
use crate::bulk::input::{FileIdentity, Input, InputFile, changed_file_error};
use crate::bulk::rejected::RejectedRow;
use crate::bulk::row::{RowValues, write_units};
use crate::bulk::table::{Column, DescribedTable};
use crate::bulk::value::append_json_name;
use crate::bulk::value::json::write_json;
use crate::saturated::saturated;

/// The input files. The first is open, so that the columns are known.
pub(in crate::bulk) struct ParquetFiles {
    format: Parquet,
    waiting: VecDeque<InputFile>,
    pub(in crate::bulk) identities: Vec<FileIdentity>,
    read: Arc<AtomicU64>,
    current: Option<OpenFile>,
    number: u32,
    header: Vec<String>,
}

impl ParquetFiles {
    /// Opens the first file and reads its columns. `columns` names the columns to load; `None` loads all.
    pub(in crate::bulk) fn open(
        input: Input,
        format: Parquet,
        attempted: &str,
        columns: Option<&[String]>,
    ) -> Result<Self, Error> {
        let waiting: VecDeque<_> = input.into_files(attempted)?.into();
        let identities = waiting.iter().map(|file| file.identity.clone()).collect();
        let mut files =
            Self { format, waiting, identities, read: Arc::default(), current: None, number: 0, header: Vec::new() };
        files.next_file()?;
        if let Some(open) = &files.current {
            files.header = columns.map_or_else(|| open.column_names(), <[_]>::to_vec);
        }
        Ok(files)
    }

    /// The columns to load.
    pub(in crate::bulk) fn header(&self) -> &[String] {
        &self.header
    }

    /// The counter of the bytes that were read.
    pub(in crate::bulk) fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    fn next_file(&mut self) -> Result<bool, Error> {
        if let Some(open) = self.current.take() {
            open.watch.check()?;
            self.number += 1;
        }
        let Some(file) = self.waiting.pop_front() else { return Ok(false) };
        self.current = Some(OpenFile::open(file)?);
        Ok(true)
    }

    /// Skips the rows that were acknowledged in an earlier run.
    fn skip_to(&mut self, position: RowPosition) -> Result<(), Error> {
        while self.number < position.file {
            if !self.next_file()? {
                break;
            }
        }
        let name = self.identities.get(self.number as usize).map_or("", |file| file.name.as_str());
        match &mut self.current {
            Some(open) if open.footer_crc == position.at.crc && position.at.offset < open.rows() => {
                open.skip_to(position.at.offset);
                Ok(())
            }
            _ => Err(changed_file_error(name)),
        }
    }

    /// Sends all rows, chunk by chunk, until the files or the receiver end.
    pub(in crate::bulk) fn send(
        mut self,
        table: &DescribedTable,
        columns: &[Column],
        nulls: Nulls,
        resume: Option<&ResumePoint>,
        to: &mpsc::Sender<Result<Chunk, Error>>,
    ) -> Result<(), Error> {
        if let Some(resume) = resume {
            self.skip_to(resume.position)?;
        }
        let mut chunks = Chunks::new(to, resume);
        let bytes_before = |number: u32, files: &[FileIdentity]| {
            files.iter().take(number as usize).filter_map(|file| file.bytes).sum::<u64>()
        };
        while let Some(open) = &mut self.current {
            open.bind(columns, &table.name)?;
            let before = bytes_before(self.number, &self.identities);
            while let Some(row) = open.next_row()? {
                if row.is_first_of_batch {
                    self.read.store(before + open.bytes_read(), Ordering::Relaxed);
                }
                let position = Position { offset: row.index, line: row.index + 1, crc: open.footer_crc };
                let mut values = Vec::with_capacity(64);
                let (row, bytes) = if chunks.is_acknowledged() {
                    open.skip_row()?;
                    (ReadRow::AlreadyAcknowledged, 0)
                } else {
                    let reason = read_row(open, &self.format, columns, nulls, &mut values)?;
                    let bytes = values.len();
                    (measured(open, &self.format, columns, table, reason, values)?, bytes)
                };
                let at = RowPosition { file: self.number, at: position, bytes: saturated::<u32>(bytes) };
                if !chunks.push(at, row, bytes) {
                    return Ok(());
                }
            }
            if !self.next_file()? {
                break;
            }
        }
        self.read.store(bytes_before(u32::MAX, &self.identities), Ordering::Relaxed);
        chunks.end();
        Ok(())
    }
}

/// Appends the cells of the next row. Returns the reason if the row can never be loaded.
pub(super) fn read_row(
    open: &mut OpenFile,
    format: &Parquet,
    columns: &[Column],
    nulls: Nulls,
    bytes: &mut Vec<u8>,
) -> Result<Option<Reason>, Error> {
    let mut reason = None;
    let mut cells = RecordCells { columns, nulls, bytes };
    open.take_row(|index, value| {
        let read = match value {
            Value::Null => cells.null(index),
            value => cells.value(index, |column, out| append(&value, &column.value_type, &format.form, out)),
        };
        if let Err(problem) = read {
            reason.get_or_insert(problem);
        }
    })?;
    Ok(reason)
}

/// Returns the row with its units, or a rejected row as text to be corrected.
fn measured(
    open: &mut OpenFile,
    format: &Parquet,
    columns: &[Column],
    table: &DescribedTable,
    reason: Option<Reason>,
    values: Vec<u8>,
) -> Result<ReadRow, Error> {
    let Some(reason) = reason else {
        return Ok(match write_units(&RowCells { columns, bytes: &values }, &table.units) {
            Ok(units) => ReadRow::Row { values: RowValues(values), units },
            Err(reason) => ReadRow::Rejected(reason, RejectedRow::Values(RowValues(values))),
        });
    };
    let mut line = "{".to_owned();
    open.take_row_again(|index, value| {
        let Some(column) = columns.get(index) else { return };
        if index > 0 {
            line.push_str(", ");
        }
        append_json_name(&column.name, &mut line);
        line.push_str(": ");
        let mut bytes = Vec::new();
        let is_good = value != Value::Null && append(&value, &column.value_type, &format.form, &mut bytes).is_ok();
        let from = line.len();
        let lines = &crate::bulk::value::ScalarForm::json();
        if !is_good || write_json(&column.value_type, &bytes, lines, &mut line).is_err() {
            line.truncate(from);
            write_raw_json(&value, &mut line);
        }
    })?;
    line.push('}');
    Ok(ReadRow::Rejected(reason, RejectedRow::Record(line.into_bytes())))
}
