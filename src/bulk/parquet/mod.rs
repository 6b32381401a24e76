//! Apache Parquet: the columns of the rows one after the other, with types and compressed.
//!
//! What is written: schema.rs (the type of a column) → shred.rs (rows to columns) → write.rs (row groups, and how a file is gone
//! on with). What is read: open.rs (a file and its rows) → leaf.rs (some rows of a column, as they are stored) → node.rs (a value
//! put together from its columns) → convert.rs (to a value of CQL), all of it by files.rs.

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
/// Reading also takes every other type that says the same without a loss: whole numbers of any width that fit, DECIMAL,
/// times and timestamps of any unit as long as nothing is smaller than a millisecond, INT96, bytes of UTF-8 as text, and text
/// for any type, in the form that [`JsonLines`](super::JsonLines) has. A column whose type does not fit is refused before
/// anything is sent; a value that does not is a rejected row, which is written as a line of JSON. A field that a file's group
/// lacks is null.
///
/// A file is read from its end, so it has to be on a disk, and not inside another compression. Pages may be compressed by
/// Snappy, gzip, LZ4 or Zstandard. A table that has a value of no bytes in a column that is neither text nor blob cannot be
/// written: Parquet has no form for it.
///
/// Files are written in row groups of 32 MB before they are compressed, and of fewer rows where a checkpoint ends one, each 30
/// seconds. [`Output::compression`](super::Output::compression) says how pages are compressed; default: Snappy, as other
/// tools do.
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
    /// As it is written by default.
    pub fn new() -> Self {
        Self { form: ScalarForm::json() }
    }

    /// How timestamps are read where the type of the file's column does not say it: what a whole number counts, what a text
    /// looks like, and with [`TimestampForm::IsoOrUtc`] that timestamps without a time zone, which pandas writes, are in UTC.
    /// Default: [`TimestampForm::Iso`], which refuses those and reads whole numbers as milliseconds only where they can be no
    /// other unit.
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
