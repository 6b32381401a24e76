//! An open Parquet file: its columns, and its rows in order.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use keyspaces_cql::QualifiedName;
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::leaf::{Leaf, LeafPosition, Leaves};
use super::node::{Node, Value};
use crate::bulk::input::{FileWatch, InputFile, read_error};
use crate::bulk::table::Column;
use crate::saturated::saturated;
use crate::{Error, ErrorKind};

/// The rows that are decoded together; fewer if they are long.
const BATCH_ROWS: u64 = 1_024;
const BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// The footer is followed by its length and the letters PAR1.
const AFTER_FOOTER: u64 = 8;

/// A file that is being read.
pub(super) struct OpenFile {
    pub(super) watch: FileWatch,
    /// The checksum of the footer. The footer has the offset, size, minimum and maximum of each column of each row
    /// group, so the checksum distinguishes the file from another of the same size.
    pub(super) footer_crc: u32,
    name: String,
    bytes: u64,
    reader: SerializedFileReader<File>,
    /// The columns to load, in the order of the table's columns.
    nodes: Vec<Node>,
    /// The current row group, and the number of its rows that no batch has read yet.
    group: usize,
    rows_left: u64,
    /// The readers of the leaves; `None` for a leaf that is not read.
    columns: Vec<Option<ColumnReader>>,
    batch: Leaves,
    /// The number of rows in the batch, and the next row of it.
    batch_rows: u64,
    batch_row: u64,
    at: Vec<LeafPosition>,
    /// The positions at which the last row began.
    row_at: Vec<LeafPosition>,
    /// The index of the next row in the file.
    row: u64,
    /// The index of the first row to read.
    first_row: u64,
}

/// The next row of a file.
pub(super) struct NextRow {
    pub(super) index: u64,
    pub(super) is_first_of_batch: bool,
}

impl OpenFile {
    pub(super) fn open(file: InputFile) -> Result<Self, Error> {
        let name = file.identity.name.clone();
        let (watch, mut file) = file.open_seekable()?;
        let bytes = file.metadata().map_err(|error| read_error(&name, &error))?.len();
        let (footer_crc, reader) =
            read_footer(&mut file).map_err(|error| read_error(&name, &error)).and_then(|crc| {
                Ok((crc, guarded(|| SerializedFileReader::new(file)).map_err(|error| failed(&name, error))?))
            })?;
        Ok(Self {
            watch,
            footer_crc,
            name,
            bytes,
            reader,
            nodes: Vec::new(),
            group: 0,
            rows_left: 0,
            columns: Vec::new(),
            batch: Leaves::default(),
            batch_rows: 0,
            batch_row: 0,
            at: Vec::new(),
            row_at: Vec::new(),
            row: 0,
            first_row: 0,
        })
    }

    /// The names of the file's columns.
    pub(super) fn column_names(&self) -> Vec<String> {
        let schema = self.reader.metadata().file_metadata().schema();
        schema.get_fields().iter().map(|field| field.name().to_owned()).collect()
    }

    pub(super) fn rows(&self) -> u64 {
        (0..self.reader.num_row_groups()).fold(0, |rows, group| rows.saturating_add(self.rows_of(group)))
    }

    fn rows_of(&self, group: usize) -> u64 {
        let group = self.reader.metadata().row_groups().get(group);
        group.and_then(|group| u64::try_from(group.num_rows()).ok()).unwrap_or_default()
    }

    /// Selects the columns to load, and checks their types.
    pub(super) fn bind(&mut self, columns: &[Column], table: &QualifiedName) -> Result<(), Error> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let mut leaves = 0;
        let mut found = Vec::new();
        for (root, field) in schema.root_schema().get_fields().iter().enumerate() {
            let first = leaves;
            let node = Node::of_column(field, &mut leaves);
            if node.is_err() {
                let is_below = |leaf: &usize| schema.get_column_root_idx(*leaf) == root;
                leaves = first + (0..schema.num_columns()).filter(is_below).count();
            }
            found.push((field.name(), Some(node)));
        }
        let refused = |problem: String| Error::new(ErrorKind::Value, format!("reading {}", self.name), problem);
        let mut nodes = Vec::with_capacity(columns.len());
        for column in columns {
            let name = &column.name;
            let node = found.iter_mut().find(|(known, _)| known == name).and_then(|(_, node)| node.take());
            let node = node
                .ok_or_else(|| {
                    let names = self.column_names().join(", ");
                    refused(format!("the file has no column {name:?}")).with_advice(format!("Its columns are {names}"))
                })?
                .map_err(|problem| refused(format!("the column {name:?} cannot be read: {problem}")))?;
            node.check(&column.value_type).map_err(|found| {
                refused(format!("the column {name:?} is {found}, and that of {table} is {}", column.type_name))
            })?;
            nodes.push(node);
        }
        self.nodes = nodes;
        self.at = vec![LeafPosition::default(); schema.num_columns()];
        Ok(())
    }

    /// Makes `row` the first row to read.
    pub(super) fn skip_to(&mut self, row: u64) {
        self.first_row = row;
    }

    /// The estimated bytes of the rows that are decoded, up to the end of the current batch.
    pub(super) fn bytes_read(&self) -> u64 {
        let decoded_rows = self.row - self.batch_row + self.batch_rows;
        let read = u128::from(decoded_rows) * u128::from(self.bytes) / u128::from(self.rows().max(1));
        u64::try_from(read).map_or(self.bytes, |read| read.min(self.bytes))
    }

    /// Moves to the next row, which the caller then takes; `None` after the last.
    pub(super) fn next_row(&mut self) -> Result<Option<NextRow>, Error> {
        while self.batch_row == self.batch_rows {
            if self.rows_left == 0 && !self.next_group()? {
                return Ok(None);
            }
            if self.rows_left > 0 {
                self.next_batch()?;
            }
        }
        Ok(Some(NextRow { index: self.row, is_first_of_batch: self.batch_row == 0 }))
    }

    /// Opens the next row group; false if there is none.
    fn next_group(&mut self) -> Result<bool, Error> {
        let name = &self.name;
        while self.group < self.reader.num_row_groups()
            && self.row.saturating_add(self.rows_of(self.group)) <= self.first_row
        {
            self.row += self.rows_of(self.group);
            self.group += 1;
        }
        if self.group == self.reader.num_row_groups() {
            return Ok(false);
        }
        self.rows_left = self.rows_of(self.group);
        let group = guarded(|| self.reader.get_row_group(self.group)).map_err(|error| failed(name, error))?;
        self.columns.clear();
        self.columns.resize_with(self.at.len(), || None);
        for leaf in self.nodes.iter().flat_map(Node::leaves) {
            let reader = guarded(|| group.get_column_reader(leaf)).map_err(|error| failed(name, error))?;
            if let Some(column) = self.columns.get_mut(leaf) {
                *column = Some(reader);
            }
        }
        self.group += 1;
        let skipped = self.first_row.saturating_sub(self.row);
        if skipped > 0 {
            let rows = saturated::<usize>(skipped);
            for column in self.columns.iter_mut().flatten() {
                guarded(|| Leaf::skip(column, rows)).map_err(|error| failed(name, error))?;
            }
            self.row += skipped;
            self.rows_left -= skipped;
        }
        Ok(true)
    }

    fn next_batch(&mut self) -> Result<(), Error> {
        let metadata = self.reader.metadata().row_group(self.group - 1);
        let row_bytes = metadata.total_byte_size().cast_unsigned() / metadata.num_rows().cast_unsigned().max(1);
        let rows = (BATCH_BYTES / row_bytes.max(1)).clamp(1, BATCH_ROWS).min(self.rows_left);
        let schema = metadata.schema_descr();
        let rows_to_read = saturated::<usize>(rows);
        let mut leaves = Vec::with_capacity(self.columns.len());
        for (index, column) in self.columns.iter_mut().enumerate() {
            leaves.push(match column {
                Some(column) => {
                    let descriptor = schema.column(index);
                    let levels = (descriptor.max_def_level(), descriptor.max_rep_level());
                    let leaf = guarded(|| Leaf::read(column, levels, rows_to_read));
                    Some(leaf.map_err(|error| failed(&self.name, error))?)
                }
                None => None,
            });
        }
        self.batch = Leaves(leaves);
        (self.batch_rows, self.batch_row) = (rows, 0);
        self.rows_left -= rows;
        self.at.fill(LeafPosition::default());
        Ok(())
    }

    /// Takes the next row: calls `each` with the index and the value of each column.
    pub(super) fn take_row(&mut self, each: impl FnMut(usize, Value<'_>)) -> Result<(), Error> {
        self.row_at.clone_from(&self.at);
        self.batch_row += 1;
        self.row += 1;
        self.take_values(each)
    }

    /// Takes the last row a second time.
    pub(super) fn take_row_again(&mut self, each: impl FnMut(usize, Value<'_>)) -> Result<(), Error> {
        self.at.clone_from(&self.row_at);
        self.take_values(each)
    }

    /// Skips the next row.
    pub(super) fn skip_row(&mut self) -> Result<(), Error> {
        self.take_row(|_, _| {})
    }

    fn take_values(&mut self, mut each: impl FnMut(usize, Value<'_>)) -> Result<(), Error> {
        for (index, node) in self.nodes.iter().enumerate() {
            let value = node.take(&self.batch, &mut self.at);
            let is_whole = node.leaves().all(|leaf| {
                let position = self.at.get(leaf);
                self.batch.get(leaf).zip(position).is_some_and(|(leaf, at)| leaf.is_at_row(at))
            });
            let Some(value) = value.filter(|_| is_whole) else {
                return Err(failed(
                    &self.name,
                    ParquetError::EOF("the levels of a column contradict each other".to_owned()),
                ));
            };
            each(index, value);
        }
        Ok(())
    }
}

/// The checksum of the footer's bytes. Decoding checks later whether they are a footer.
fn read_footer(file: &mut File) -> io::Result<u32> {
    let length = file.metadata()?.len();
    let mut end = [0; 8];
    file.seek(SeekFrom::Start(length.saturating_sub(AFTER_FOOTER)))?;
    let read = file.read(&mut end)?;
    let footer = end.first_chunk::<4>().filter(|_| read == end.len()).map_or(0, |length| u32::from_le_bytes(*length));
    let begin = length.saturating_sub(AFTER_FOOTER).saturating_sub(footer.into());
    file.seek(SeekFrom::Start(begin))?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    file.rewind()?;
    Ok(hasher.finalize())
}

/// Runs a decoder. The decoder panics on some damaged files; a panic is reported as an error of the file.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(ParquetError::General(text.unwrap_or("it cannot be decoded").to_owned()))
    })
}

fn failed(name: &str, error: ParquetError) -> Error {
    let problem = match &error {
        ParquetError::General(problem) | ParquetError::EOF(problem) => problem.clone(),
        error => error.to_string(),
    };
    Error::new(
        ErrorKind::File,
        format!("reading {name}"),
        format!("the file is not a complete Parquet file: {problem}"),
    )
    .with_advice("Write it or copy it again")
    .with_source(error)
}
