//! File formats, and the reading and writing of rows in them.

mod csv;
mod fields;
mod json_lines;
mod records;

use std::path::Path;

pub use self::csv::Csv;
use self::fields::Framing;
pub use self::json_lines::JsonLines;
pub(super) use self::records::{COMMENT, Position, Record, Records};
use super::Nulls;
#[cfg(feature = "parquet")]
use super::Parquet;
use super::table::Column;
use super::value::{NULL, Nested, Problem, ScalarForm, UNSET, append_cell};
use crate::{Error, ErrorKind};

/// The format of a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// Comma-separated values.
    Csv(Csv),
    /// A JSON object in each line.
    JsonLines(JsonLines),
    /// Apache Parquet.
    #[cfg(feature = "parquet")]
    Parquet(Parquet),
}

/// A format whose rows are lines of text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TextFormat {
    Csv(Csv),
    JsonLines(JsonLines),
}

impl From<Csv> for Format {
    fn from(csv: Csv) -> Self {
        Self::Csv(csv)
    }
}

impl From<JsonLines> for Format {
    fn from(lines: JsonLines) -> Self {
        Self::JsonLines(lines)
    }
}

#[cfg(feature = "parquet")]
impl From<Parquet> for Format {
    fn from(parquet: Parquet) -> Self {
        Self::Parquet(parquet)
    }
}

impl Format {
    /// The format for the extension of a file name, without `.gz` and `.zst`: `.csv` is [`Csv::new`], `.json`, `.jsonl` and
    /// `.ndjson` are [`JsonLines`], `.parquet` is Parquet with the feature `parquet`.
    ///
    /// ```
    /// use keyspaces::bulk::{Csv, Format};
    ///
    /// assert_eq!(Format::from_path("sales.csv.gz"), Some(Csv::new().into()));
    /// assert_eq!(Format::from_path("sales.txt"), None);
    /// ```
    pub fn from_path(path: impl AsRef<Path>) -> Option<Self> {
        let path = path.as_ref();
        let extension = |path: &Path| path.extension().map(|it| it.to_string_lossy().to_ascii_lowercase());
        let mut found = extension(path)?;
        if super::Compression::from_path(path) != super::Compression::None {
            found = extension(Path::new(path.file_stem()?))?;
        }
        match found.as_str() {
            "csv" => Some(Csv::new().into()),
            "json" | "jsonl" | "ndjson" => Some(JsonLines::new().into()),
            #[cfg(feature = "parquet")]
            "parquet" => Some(Parquet::new().into()),
            _ => None,
        }
    }

    /// Refuses invalid settings.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Csv(csv) => {
                csv.check().map_err(|problem| Error::new(ErrorKind::Configuration, "reading CSV", problem))
            }
            _ => Ok(()),
        }
    }

    /// Whether each row is a line of text.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Csv(_) | Self::JsonLines(_))
    }

    /// The format of the file for rejected rows, which can be corrected as text.
    pub(super) fn rejected_format(&self) -> TextFormat {
        match self {
            Self::Csv(csv) => TextFormat::Csv(csv.clone()),
            Self::JsonLines(lines) => TextFormat::JsonLines(lines.clone()),
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => TextFormat::JsonLines(JsonLines::new()),
        }
    }
}

impl From<JsonLines> for TextFormat {
    fn from(lines: JsonLines) -> Self {
        Self::JsonLines(lines)
    }
}

impl From<Csv> for TextFormat {
    fn from(csv: Csv) -> Self {
        Self::Csv(csv)
    }
}

impl TextFormat {
    pub(super) fn records(&self, input: Box<dyn std::io::Read + Send>) -> Records {
        Records::new(input, self.framing())
    }

    fn framing(&self) -> Framing {
        match self {
            Self::Csv(csv) => csv.framing(),
            Self::JsonLines(_) => Framing::Lines,
        }
    }

    /// The column names in the format's settings.
    pub(super) fn named_columns(&self) -> Option<&[String]> {
        match self {
            Self::Csv(csv) => csv.columns.as_deref(),
            Self::JsonLines(_) => None,
        }
    }

    /// Whether the first record of a file is a header.
    pub(super) fn has_header(&self) -> bool {
        matches!(self, Self::Csv(csv) if csv.columns.is_none())
    }

    /// The column names in the header record.
    pub(super) fn header(&self, record: &Record<'_>) -> Result<Vec<String>, Reason> {
        let text = std::str::from_utf8(record.bytes).map_err(|_| Reason::of_record("is not valid UTF-8"))?;
        match self {
            Self::Csv(csv) => csv.header(record, text),
            Self::JsonLines(_) => Ok(Vec::new()),
        }
    }

    /// Whether a record is not a row: an empty line (unless the table has one column, where it may be a null), or a
    /// comment with the reason why the next row was rejected.
    pub(super) fn is_skipped(&self, record: &[u8], columns: usize) -> bool {
        if record.starts_with(COMMENT) {
            return true;
        }
        match self {
            Self::Csv(_) => record.is_empty() && columns > 1,
            Self::JsonLines(_) => record.iter().all(u8::is_ascii_whitespace),
        }
    }

    /// Appends the header of a file.
    pub(super) fn write_header<'n>(&self, names: impl Iterator<Item = &'n str>, out: &mut String) {
        match self {
            Self::Csv(csv) => csv.write_header(names, out),
            Self::JsonLines(_) => {}
        }
    }

    /// Appends a row.
    pub(super) fn write(&self, row: &RowCells<'_>, out: &mut String) -> Result<(), Reason> {
        match self {
            Self::Csv(csv) => csv.write(row, out),
            Self::JsonLines(lines) => lines.write(row, out),
        }
    }
}

/// The reason why a record can never be loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Reason {
    /// The number of the column; `None` if the record as a whole is invalid.
    pub(super) column: Option<usize>,
    pub(super) problem: Problem,
}

impl Reason {
    pub(super) fn of_record(problem: impl Into<Problem>) -> Self {
        Self { column: None, problem: problem.into() }
    }

    pub(super) fn of_column(column: usize, problem: impl Into<Problem>) -> Self {
        Self { column: Some(column), problem: problem.into() }
    }
}

/// Reads records, reusing its buffers.
pub(super) struct RecordReader {
    format: TextFormat,
    nulls: Nulls,
    /// The text of a field that has escapes.
    unescaped: String,
}

impl RecordReader {
    pub(super) fn new(format: TextFormat, nulls: Nulls) -> Self {
        Self { format, nulls, unescaped: String::new() }
    }

    /// Appends the cells of a record.
    pub(super) fn read(&mut self, record: &Record<'_>, columns: &[Column], out: &mut Vec<u8>) -> Result<(), Reason> {
        let Ok(text) = std::str::from_utf8(record.bytes) else { return Err(self.no_utf_8(record)) };
        let mut cells = RecordCells { columns, nulls: self.nulls, bytes: out };
        match &self.format {
            TextFormat::Csv(csv) => csv.read(record, text, &mut self.unescaped, &mut cells),
            TextFormat::JsonLines(lines) => lines.read(text, &mut cells),
        }
    }

    fn no_utf_8(&self, record: &Record<'_>) -> Reason {
        let column = match &self.format {
            TextFormat::Csv(_) => record.fields.first_not_utf_8(record.bytes),
            TextFormat::JsonLines(_) => None,
        };
        Reason { column, problem: "is not valid UTF-8".to_owned() }
    }
}

/// The cells of the row that is being read.
pub(super) struct RecordCells<'c> {
    pub(super) columns: &'c [Column],
    pub(super) nulls: Nulls,
    pub(super) bytes: &'c mut Vec<u8>,
}

impl RecordCells<'_> {
    pub(super) fn null(&mut self, index: usize) -> Result<(), Reason> {
        let column = self.columns.get(index).ok_or_else(|| Reason::of_record("has too many fields"))?;
        // `write_units` checks later whether the key of this row may be null.
        if column.is_key() {
            self.bytes.extend_from_slice(&NULL);
            return Ok(());
        }
        let is_unset = self.nulls == Nulls::Unset || !column.is_stored();
        self.bytes.extend_from_slice(if is_unset { &UNSET } else { &NULL });
        Ok(())
    }

    fn absent(&mut self, index: usize) {
        let is_key = self.columns.get(index).is_some_and(Column::is_key);
        self.bytes.extend_from_slice(if is_key { &NULL } else { &UNSET });
    }

    fn text(&mut self, index: usize, text: &str, form: &ScalarForm, nested: Nested) -> Result<(), Reason> {
        self.value(index, |column, out| column.value_type.append_from_text(text, form, nested, out))
    }

    pub(super) fn value(
        &mut self,
        index: usize,
        append: impl FnOnce(&Column, &mut Vec<u8>) -> Result<(), Problem>,
    ) -> Result<(), Reason> {
        let column = self.columns.get(index).ok_or_else(|| Reason::of_record("has too many fields"))?;
        append_cell(self.bytes, |out| append(column, out)).map_err(|problem| Reason::of_column(index, problem))
    }
}

/// A row with its columns: serialised values, each after its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowCells<'c> {
    pub(super) columns: &'c [Column],
    pub(super) bytes: &'c [u8],
}

impl<'c> RowCells<'c> {
    /// The columns with their values; null and unset are `None`.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'c Column, Option<&'c [u8]>)> {
        let mut rest = self.bytes;
        self.columns.iter().map(move |column| (column, super::row::next_cell(&mut rest)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::table::tests::column;
    use super::super::value::tests::typed_value;
    use super::*;

    fn formats() -> Vec<TextFormat> {
        vec![
            Csv::new().into(),
            Csv::cqlsh().into(),
            Csv::new().delimiter(b'\t').null("\\N").into(),
            JsonLines::new().into(),
        ]
    }

    proptest! {
        /// Rows of any types, with nulls among their values, read back the same after being written. Null and empty text
        /// stay different.
        #[test]
        fn row_round_trips_through_each_format(row in proptest::collection::vec(proptest::option::of(typed_value()), 1..6)) {
            let columns: Vec<_> = row.iter().enumerate().map(|(index, value)| {
                let text = crate::bulk::value::ValueType::Native(keyspaces_cql::statement::NativeType::Text);
                column(&format!("Column {index}"), value.as_ref().map_or(text, |(of, _)| of.clone()))
            }).collect();
            let mut bytes = Vec::new();
            for value in &row {
                match value {
                    Some((_, value)) => append_cell(&mut bytes, |out| { out.extend_from_slice(value); Ok(()) }).unwrap(),
                    None => bytes.extend_from_slice(&NULL),
                }
            }
            for format in formats() {
                let mut written = String::new();
                format.write_header(columns.iter().map(|column| column.name.as_str()), &mut written);
                format.write(&RowCells { columns: &columns, bytes: &bytes }, &mut written).unwrap();
                let mut records = format.records(Box::new(std::io::Cursor::new(written.clone().into_bytes())));
                if format.has_header() {
                    let header = records.next().unwrap().unwrap();
                    let names: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
                    prop_assert_eq!(format.header(&header), Ok(names));
                }
                let mut again = Vec::new();
                let record = records.next().unwrap().unwrap();
                let read = RecordReader::new(format.clone(), Nulls::Null)
                    .read(&record, &columns, &mut again);
                prop_assert_eq!(read, Ok(()), "{:?} {}", format, written);
                prop_assert_eq!(&again, &bytes, "{:?} {}", format, written);
                prop_assert!(records.next().unwrap().is_none());
            }
        }
    }
}
