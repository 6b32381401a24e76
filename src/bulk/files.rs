//! Reads the rows of files in a separate thread, because reading blocks and parsing takes CPU time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::Nulls;
use super::checkpoint::ResumePoint;
use super::chunk::{Chunk, Chunks, ReadRow, RowPosition};
use super::format::{RecordReader, Records, RowCells, TextFormat};
use super::input::{FileIdentity, FileWatch, Input, InputFile, changed_file_error, read_error};
use super::rejected::RejectedRow;
use super::row::{self, RowValues};
use super::table::{Column, DescribedTable};
use crate::saturated::saturated;
use crate::{Error, ErrorKind};

/// The input files. The first is open, so that the columns are known.
pub(super) struct Files {
    format: TextFormat,
    waiting: VecDeque<InputFile>,
    pub(super) identities: Vec<FileIdentity>,
    read: Arc<AtomicU64>,
    current: Option<(FileWatch, Records)>,
    number: u32,
    header: Option<Vec<String>>,
}

impl Files {
    /// Opens the first file and reads the names of its columns.
    pub(super) fn open(input: Input, format: TextFormat, attempted: &str) -> Result<Self, Error> {
        let waiting: VecDeque<_> = input.into_files(attempted)?.into();
        let identities = waiting.iter().map(|file| file.identity.clone()).collect();
        let (read, header) = (Arc::default(), format.named_columns().map(<[_]>::to_vec));
        let mut files = Self { format, waiting, identities, read, current: None, number: 0, header };
        files.next_file()?;
        Ok(files)
    }

    /// The column names from the format's settings or the first line.
    pub(super) fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    /// The counter of the bytes that were read; for compressed files, of the compressed bytes.
    pub(super) fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
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
            let record = records.next().map_err(|error| read_error(&name, &error))?;
            let Some(record) = record else {
                let problem = "the file is empty; a first line with the names of the columns is expected";
                return Err(Error::new(ErrorKind::File, format!("reading {name}"), problem));
            };
            let header = self.format.header(&record).map_err(|reason| {
                Error::new(ErrorKind::Value, format!("reading {name}"), format!("the first line {}", reason.problem))
            })?;
            match &self.header {
                None => self.header = Some(header),
                Some(first) if *first == header => {}
                Some(first) => {
                    let first_name = self.identities.first().map_or("", |file| file.name.as_str());
                    let problem = format!(
                        "its first line names the columns {}, and that of {first_name} names {}",
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

    /// Skips the rows that were acknowledged in an earlier run.
    fn skip_to(&mut self, position: RowPosition) -> Result<(), Error> {
        while self.number < position.file {
            if !self.next_file()? {
                break;
            }
        }
        let name = self.name();
        let Some((_, records)) = &mut self.current else { return Err(changed_file_error(&name)) };
        // The header is skipped and checked by the checksum like the rows.
        match records.skip_to(position.at) {
            Ok(true) => Ok(()),
            Ok(false) => Err(changed_file_error(&name)),
            Err(error) => Err(read_error(&name, &error)),
        }
    }

    fn name(&self) -> String {
        self.identities.get(self.number as usize).map(|file| file.name.clone()).unwrap_or_default()
    }

    /// Sends all rows, chunk by chunk, until the files or the receiver end.
    pub(super) fn send(
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
        let mut reader = RecordReader::new(self.format.clone(), nulls);
        let mut last_length = 64;
        while let Some((watch, records)) = &mut self.current {
            let record = records.next().map_err(|error| {
                let name = self.identities.get(self.number as usize).map_or("", |file| file.name.as_str());
                read_error(name, &error)
            })?;
            let Some(record) = record else {
                watch.check()?;
                if !self.next_file()? {
                    break;
                }
                continue;
            };
            if self.format.is_skipped(record.bytes, columns.len()) {
                continue;
            }
            let bytes = saturated::<u32>(record.bytes.len());
            let at = RowPosition { file: self.number, at: record.position, bytes };
            let row = if chunks.is_acknowledged() {
                ReadRow::AlreadyAcknowledged
            } else {
                let mut values = Vec::with_capacity(last_length);
                let read = reader.read(&record, columns, &mut values);
                last_length = values.len();
                let cells = RowCells { columns, bytes: &values };
                match read.and_then(|()| row::write_units(&cells, &table.units)) {
                    Ok(units) => ReadRow::Row { values: RowValues(values), units },
                    Err(mut reason) => {
                        if record.is_last && reason.column.is_none() {
                            reason.problem.push_str("; the file ends there without a line end");
                        }
                        ReadRow::Rejected(reason, RejectedRow::Record(record.bytes.to_vec()))
                    }
                }
            };
            if !chunks.push(at, row, last_length) {
                return Ok(());
            }
        }
        chunks.end();
        Ok(())
    }
}
