//! Decoded rows of a row group, column by column, as they are stored.

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::errors::{ParquetError, Result};

use super::scalar::{Scalar, ScalarKind};

/// The entries of one leaf column.
pub(super) struct Leaf {
    /// The definition level of an entry with a value. If it is 0, every entry has a value and no levels are stored.
    max_definition: i16,
    /// The largest repetition level. If it is 0, each entry is a row.
    max_repetition: i16,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    entries: usize,
    values: LeafValues,
}

/// The position of the next entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeafPosition {
    pub(super) level: usize,
    value: usize,
}

/// The leaves of all columns; a leaf that is not read is `None`.
#[derive(Default)]
pub(super) struct Leaves(pub(super) Vec<Option<Leaf>>);

enum LeafValues {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    FixedBytes(Vec<FixedLenByteArray>),
}

impl Leaves {
    pub(super) fn get(&self, leaf: usize) -> Option<&Leaf> {
        self.0.get(leaf)?.as_ref()
    }
}

impl Leaf {
    /// Reads up to `rows` rows of the row group.
    pub(super) fn read(
        reader: &mut ColumnReader,
        (max_definition, max_repetition): (i16, i16),
        rows: usize,
    ) -> Result<Self> {
        let mut leaf = Self {
            max_definition,
            max_repetition,
            definitions: Vec::new(),
            repetitions: Vec::new(),
            entries: 0,
            values: LeafValues::Boolean(Vec::new()),
        };
        leaf.values = match reader {
            ColumnReader::BoolColumnReader(reader) => LeafValues::Boolean(leaf.read_values(reader, rows)?),
            ColumnReader::Int32ColumnReader(reader) => LeafValues::Int32(leaf.read_values(reader, rows)?),
            ColumnReader::Int64ColumnReader(reader) => LeafValues::Int64(leaf.read_values(reader, rows)?),
            ColumnReader::Int96ColumnReader(reader) => LeafValues::Int96(leaf.read_values(reader, rows)?),
            ColumnReader::FloatColumnReader(reader) => LeafValues::Float(leaf.read_values(reader, rows)?),
            ColumnReader::DoubleColumnReader(reader) => LeafValues::Double(leaf.read_values(reader, rows)?),
            ColumnReader::ByteArrayColumnReader(reader) => LeafValues::Bytes(leaf.read_values(reader, rows)?),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                LeafValues::FixedBytes(leaf.read_values(reader, rows)?)
            }
        };
        Ok(leaf)
    }

    /// Skips up to `rows` rows.
    pub(super) fn skip(reader: &mut ColumnReader, rows: usize) -> Result<()> {
        let skipped = match reader {
            ColumnReader::BoolColumnReader(reader) => reader.skip_records(rows)?,
            ColumnReader::Int32ColumnReader(reader) => reader.skip_records(rows)?,
            ColumnReader::Int64ColumnReader(reader) => reader.skip_records(rows)?,
            ColumnReader::Int96ColumnReader(reader) => reader.skip_records(rows)?,
            ColumnReader::FloatColumnReader(reader) => reader.skip_records(rows)?,
            ColumnReader::DoubleColumnReader(reader) => reader.skip_records(rows)?,
            ColumnReader::ByteArrayColumnReader(reader) => reader.skip_records(rows)?,
            ColumnReader::FixedLenByteArrayColumnReader(reader) => reader.skip_records(rows)?,
        };
        if skipped == rows { Ok(()) } else { Err(ParquetError::EOF("a column has too few rows".to_owned())) }
    }

    fn read_values<T: DataType>(&mut self, reader: &mut ColumnReaderImpl<T>, rows: usize) -> Result<Vec<T::T>> {
        let mut values = Vec::new();
        let (_, count, levels) =
            reader.read_records(rows, Some(&mut self.definitions), Some(&mut self.repetitions), &mut values)?;
        self.entries = if self.max_definition == 0 { count } else { levels };
        Ok(values)
    }

    /// The definition level of the next entry; `None` after the last entry.
    pub(super) fn definition(&self, at: &LeafPosition) -> Option<i16> {
        match self.max_definition {
            0 => (at.level < self.entries).then_some(0),
            _ => self.definitions.get(at.level).copied(),
        }
    }

    /// The repetition level of the next entry; `None` after the last entry.
    pub(super) fn repetition(&self, at: &LeafPosition) -> Option<i16> {
        match self.max_repetition {
            0 => (at.level < self.entries).then_some(0),
            _ => self.repetitions.get(at.level).copied(),
        }
    }

    /// Whether the next entry begins another row, or no entry is left.
    pub(super) fn is_at_row(&self, at: &LeafPosition) -> bool {
        self.repetition(at).is_none_or(|repetition| repetition == 0)
    }

    /// Returns the value of the next entry, and advances the position.
    pub(super) fn take(&self, kind: ScalarKind, at: &mut LeafPosition) -> Option<Scalar<'_>> {
        if self.definition(at)? != self.max_definition {
            return None;
        }
        let index = at.value;
        at.level += 1;
        at.value += 1;
        Some(match &self.values {
            LeafValues::Boolean(values) => Scalar::Boolean(*values.get(index)?),
            LeafValues::Int32(values) => kind.of_i32(*values.get(index)?),
            LeafValues::Int64(values) => kind.of_i64(*values.get(index)?),
            LeafValues::Int96(values) => ScalarKind::of_int96(values.get(index)?),
            LeafValues::Float(values) => Scalar::Float(*values.get(index)?),
            LeafValues::Double(values) => Scalar::Double(*values.get(index)?),
            LeafValues::Bytes(values) => kind.of_bytes(values.get(index)?.data()),
            LeafValues::FixedBytes(values) => kind.of_bytes(values.get(index)?.data()),
        })
    }
}
