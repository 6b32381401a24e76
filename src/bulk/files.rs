//! Reads the rows of files in a thread of its own: reading blocks, and parsing is work.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::Nulls;
use super::checkpoint::Resume;
use super::format::{Format, Position, Reason, RecordReader, Records, RowCells};
use super::input::{FileIdentity, FileWatch, Input, InputFile, cannot};
use super::rejected::RejectedRow;
use super::row::{self, RowValues};
use super::table::{Column, Table};
use crate::{Error, ErrorKind};

/// Rows that go from the reader to the sender together.
const CHUNK_ROWS: usize = 256;
const CHUNK_BYTES: usize = 256 * 1024;

/// What a reader gives.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// In the order of their ordinals, without a gap.
    pub(super) rows: Vec<Read>,
    /// Where to go on after rows that were read from a table.
    pub(super) scan: Option<String>,
}

/// A row that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// Which of all rows of the input it is.
    pub(super) ordinal: u64,
    pub(super) at: RowPosition,
    pub(super) row: ReadRow,
}

#[derive(Debug)]
pub(super) enum ReadRow {
    Row {
        values: RowValues,
        units: u32,
    },
    Rejected(Reason, RejectedRow),
    /// Acknowledged by the run that is gone on with.
    Done,
}

/// Where a row begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct RowPosition {
    pub(super) file: u32,
    pub(super) at: Position,
    /// The size of the record.
    pub(super) bytes: u32,
}

/// Files opened so far that their columns are known.
pub(super) struct Files {
    format: Format,
    waiting: VecDeque<InputFile>,
    pub(super) identities: Vec<FileIdentity>,
    read: Arc<AtomicU64>,
    current: Option<(FileWatch, Records)>,
    number: u32,
    header: Option<Vec<String>>,
}

impl Files {
    /// Opens the first file and reads which columns it names.
    pub(super) fn open(input: Input, format: Format, attempted: String) -> Result<Self, Error> {
        format.check()?;
        let waiting: VecDeque<_> = input.into_files(&attempted)?.into();
        let identities = waiting.iter().map(|file| file.identity.clone()).collect();
        let (read, header) = (Arc::default(), format.named_columns().map(<[_]>::to_vec));
        let mut files = Self { format, waiting, identities, read, current: None, number: 0, header };
        files.next_file()?;
        Ok(files)
    }

    /// The columns that the format or the first line names.
    pub(super) fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    /// Counts the bytes that were read, compressed ones where they are.
    pub(super) fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.identities.iter().map(|identity| identity.name.clone()).collect()
    }

    fn next_file(&mut self) -> Result<bool, Error> {
        if self.current.take().is_some() {
            self.number += 1;
        }
        let Some(file) = self.waiting.pop_front() else { return Ok(false) };
        let name = file.identity.name.clone();
        let (watch, input) = file.open(&self.read)?;
        let mut records = self.format.records(input);
        if self.format.has_header() {
            let record = records.next().map_err(|error| cannot(&name, &error))?;
            let Some(record) = record else {
                let problem = "it is empty, where a first line that names the columns is expected";
                return Err(Error::new(ErrorKind::File, format!("reading {name}"), problem));
            };
            let header = self.format.header(&record).map_err(|reason| {
                Error::new(ErrorKind::Value, format!("reading {name}"), format!("its first line {}", reason.problem))
            })?;
            match &self.header {
                None => self.header = Some(header),
                Some(first) if *first == header => {}
                Some(first) => {
                    let first_name = self.identities.first().map_or("", |file| file.name.as_str());
                    let problem = format!(
                        "its first line names the columns {}, that of {first_name} {}",
                        header.join(", "),
                        first.join(", ")
                    );
                    return Err(Error::new(ErrorKind::Value, format!("reading {name}"), problem)
                        .with_advice("Load files with different columns one by one"));
                }
            }
        }
        self.current = Some((watch, records));
        Ok(true)
    }

    /// Passes over what was acknowledged before.
    fn skip_to(&mut self, position: RowPosition) -> Result<(), Error> {
        while self.number < position.file {
            if !self.next_file()? {
                break;
            }
        }
        let name = self.name();
        let changed = || {
            let problem = "what was loaded of it before is not the same any more";
            Error::new(ErrorKind::Cursor, format!("reading {name}"), problem)
                .with_advice("Put the file back as it was, or load it from its beginning with another checkpoint")
        };
        let Some((_, records)) = &mut self.current else { return Err(changed()) };
        // Of the header too.
        match records.skip_to(position.at) {
            Ok(true) => Ok(()),
            Ok(false) => Err(changed()),
            Err(error) => Err(cannot(&name, &error)),
        }
    }

    fn name(&self) -> String {
        self.identities.get(self.number as usize).map(|file| file.name.clone()).unwrap_or_default()
    }

    /// Sends all rows, chunk by chunk, until there are no more or nobody takes them.
    pub(super) fn send(
        mut self,
        table: &Table,
        columns: &[Column],
        nulls: Nulls,
        resume: Option<&Resume>,
        to: &mpsc::Sender<Result<Chunk, Error>>,
    ) {
        if let Err(error) = self.try_send(table, columns, nulls, resume, to) {
            // Whoever is gone needs no error.
            let _ = to.blocking_send(Err(error));
        }
    }

    fn try_send(
        &mut self,
        table: &Table,
        columns: &[Column],
        nulls: Nulls,
        resume: Option<&Resume>,
        to: &mpsc::Sender<Result<Chunk, Error>>,
    ) -> Result<(), Error> {
        let mut ordinal = 0;
        let mut unsent = HashSet::new();
        let mut read_to = 0;
        if let Some(resume) = resume {
            self.skip_to(resume.position)?;
            ordinal = resume.ordinal;
            unsent = resume.unsent.iter().copied().collect();
            read_to = resume.read_to;
        }
        let mut reader = RecordReader::new(self.format.clone(), nulls);
        let (mut chunk, mut gathered) = (Chunk::default(), 0);
        let mut last_length = 64;
        while let Some((watch, records)) = &mut self.current {
            let record = records.next().map_err(|error| {
                let name = self.identities.get(self.number as usize).map_or("", |file| file.name.as_str());
                cannot(name, &error)
            })?;
            let Some(record) = record else {
                watch.check()?;
                if !self.next_file()? {
                    break;
                }
                continue;
            };
            if self.format.is_no_row(record.bytes, columns.len()) {
                continue;
            }
            let bytes = u32::try_from(record.bytes.len()).unwrap_or(u32::MAX);
            let at = RowPosition { file: self.number, at: record.position, bytes };
            let row = if ordinal < read_to && !unsent.contains(&ordinal) {
                ReadRow::Done
            } else {
                let mut values = Vec::with_capacity(last_length);
                let read = reader.read(&record, columns, &mut values);
                last_length = values.len();
                let cells = RowCells { columns, bytes: &values };
                match read.and_then(|()| row::write_units(&cells, &table.units)) {
                    Ok(units) => ReadRow::Row { values: RowValues(values), units },
                    Err(mut reason) => {
                        if record.is_last && reason.column.is_none() {
                            reason.problem.push_str("; the file ends there without the end of a line");
                        }
                        ReadRow::Rejected(reason, RejectedRow::Record(record.bytes.to_vec()))
                    }
                }
            };
            gathered += last_length;
            chunk.rows.push(Read { ordinal, at, row });
            ordinal += 1;
            if chunk.rows.len() >= CHUNK_ROWS || gathered >= CHUNK_BYTES {
                gathered = 0;
                if to.blocking_send(Ok(std::mem::take(&mut chunk))).is_err() {
                    return Ok(());
                }
            }
        }
        // If nobody takes it, nobody needs it.
        let _ = to.blocking_send(Ok(chunk));
        Ok(())
    }
}
