//! Apache Parquet, a format that stores rows column by column, typed and compressed.
//!
//! Writing: schema.rs (the type of a column) → shred.rs (rows to columns) → write.rs (row groups, and how writing a file
//! resumes). Reading: open.rs (a file and its rows) → leaf.rs (some rows of a column, as they are stored) → node.rs
//! (assembles a value from its leaf columns) → convert.rs (to a value of CQL); files.rs drives them.

mod convert;
mod files;
mod leaf;
mod node;
mod open;
mod scalar;
mod schema;
mod shred;
#[cfg(test)]
mod tests;
mod write;

pub(super) use self::files::ParquetFiles;
pub(super) use self::write::ParquetFile;
use super::TimestampForm;
use super::value::ScalarForm;

/// Apache Parquet, as pyarrow, Spark, DuckDB and Athena read and write it.
///
/// | CQL | Parquet |
/// |---|---|
/// | `ascii`, `text` | STRING |
/// | `blob` | BYTE_ARRAY |
/// | `boolean`, `float`, `double` | BOOLEAN, FLOAT, DOUBLE |
/// | `tinyint`, `smallint`, `int`, `bigint`, `counter` | INT32 with 8 or 16 bits, INT32, INT64 |
/// | `date`, `time` | DATE, TIME(NANOS) |
/// | `timestamp` | TIMESTAMP(MILLIS) in UTC |
/// | `uuid`, `timeuuid` | UUID |
/// | `varint`, `decimal`, `inet`, `duration` | STRING: their text, with all digits |
/// | `list`, `set` | LIST |
/// | `map` | MAP |
/// | `tuple` | a group with the fields `0`, `1`, … |
/// | a user-defined type | a group with its fields |
///
/// Reading also accepts every other type that holds the same values without loss: whole numbers of any width that fit,
/// DECIMAL, times of any unit, timestamps of any unit if no digit is below a millisecond, INT96, bytes of UTF-8 as
/// text, and text for any type, in the form of [`JsonLines`](super::JsonLines). A column whose type does not fit is
/// refused before anything is sent. A row with a value that does not fit is rejected, and written as a line of JSON. A
/// field that is missing in a file's group is null.
///
/// A file is read from its end, so it has to be on a disk, and not compressed as a whole. Pages may be compressed by
/// Snappy, gzip, LZ4 or Zstandard. A table that has a value of zero bytes in a column that is neither text nor blob
/// cannot be written, because Parquet has no form for such a value.
///
/// Files are written in row groups of 32 MB before compression, or of a million rows; with a checkpoint, a row group
/// also ends every 30 seconds. [`Output::compression`](super::Output::compression) sets the compression of pages;
/// default: Snappy, as in other tools.
///
/// ```no_run
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// use keyspaces::bulk::{Input, Output, Parquet};
///
/// let bulk = session.bulk();
/// bulk.export("shop", "sales", Output::file("sales.parquet"), Parquet::new()).await?;
/// bulk.load("shop", "sales_2", Input::file("sales.parquet"), Parquet::new()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Parquet {
    form: ScalarForm,
}

impl Default for Parquet {
    fn default() -> Self {
        Self::new()
    }
}

impl Parquet {
    /// The default settings.
    pub fn new() -> Self {
        Self { form: ScalarForm::json() }
    }

    /// The form of timestamps, for columns whose type in the file does not define it: the unit of whole numbers, the format
    /// of text, and with [`TimestampForm::IsoOrUtc`] that timestamps without a time zone, which pandas writes, are in UTC.
    /// Default: [`TimestampForm::Iso`], which refuses timestamps without a time zone, and reads whole numbers as
    /// milliseconds only if no other unit is possible.
    ///
    /// ```
    /// use keyspaces::bulk::{Parquet, TimestampForm};
    ///
    /// let of_pandas = Parquet::new().timestamps(TimestampForm::IsoOrUtc);
    /// # drop(of_pandas);
    /// ```
    pub fn timestamps(mut self, timestamps: TimestampForm) -> Self {
        self.form.timestamps = timestamps;
        self
    }
}
