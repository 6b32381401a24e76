//! Bulk operations on tables: load from files, export, count, copy, and delete rows by their keys.
//!
//! ```no_run
//! # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
//! use keyspaces::bulk::{Csv, Input};
//!
//! let load = session.bulk().load("shop", "sales", Input::glob("sales/*.csv.gz")?, Csv::new());
//! let summary = load.checkpoint("sales.load").rejected_file("sales.rejected.csv").await?;
//! println!("{summary}");
//! # Ok(()) }
//! ```
//!
//! Values are converted directly between a file and the type of their column, never through another type: an `int` is
//! read as an `int`, and a `decimal` keeps all its digits.

mod batches;
mod checkpoint;
mod chunk;
mod copy;
mod encoder;
mod export;
mod files;
mod format;
mod input;
mod load;
mod load_source;
mod output;
mod pages;
#[cfg(feature = "parquet")]
mod parquet;
mod partitions;
mod progress;
mod rate;
mod read;
mod rejected;
mod retry;
mod row;
mod row_columns;
mod row_file;
mod row_files;
mod row_sender;
mod row_statement;
mod row_writer;
mod send;
mod shuffle;
mod state;
mod statement_text;
mod stream;
mod table;
mod tracker;
mod value;

use std::time::Duration;

use futures::stream::Stream;

pub use self::copy::Copy;
pub use self::export::Export;
pub use self::format::{Csv, Format, JsonLines};
pub use self::input::{Compression, Input};
pub use self::load::Load;
use self::load::Verb;
use self::load_source::LoadSource;
pub use self::output::Output;
#[cfg(feature = "parquet")]
pub use self::parquet::Parquet;
#[cfg(feature = "parquet")]
use self::parquet::{ParquetFile, ParquetFiles};
pub use self::progress::{Progress, Summary};
pub use self::rate::Rate;
pub use self::value::{BlobForm, TimestampForm};
use crate::{Error, ErrorKind, SerializeRow, Session};

/// How long an operation continues while the service accepts or returns nothing, unless the caller sets another time.
const DEFAULT_STALL_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The bulk operations on tables; created by [`Session::bulk`].
#[derive(Clone, Copy, Debug)]
pub struct Bulk<'s> {
    session: &'s Session,
}

/// The treatment of null in an input row.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Nulls {
    /// Leaves the column unchanged; in a new row it is null. Nothing is written, so nothing is billed.
    #[default]
    Unset,
    /// Writes null, which deletes the stored value.
    Null,
}

impl<'a> Bulk<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session }
    }

    /// Loads rows into a table.
    pub fn load(&self, keyspace: &str, table: &str, input: Input, format: impl Into<Format>) -> Load {
        Load::new(Verb::Load, self.session, keyspace, table, LoadSource::Files(input, format.into()))
    }

    /// Loads the rows of a stream into a table. Each row is a value that a statement can bind: a tuple with a value for
    /// each of the [`columns`](Load::columns), in their order, or a struct whose fields have the names of the columns.
    /// A stream has no checkpoint: the summary says how many rows were loaded.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// let squares = futures::stream::iter((0..1_000_000_i64).map(|n| (n, n * n)));
    /// let summary = session.bulk().load_rows("shop", "squares", squares).columns(["n", "square"]).await?;
    /// println!("{summary}");
    /// # Ok(()) }
    /// ```
    pub fn load_rows<V>(&self, keyspace: &str, table: &str, rows: impl Stream<Item = V> + Send + 'static) -> Load
    where
        V: SerializeRow + Send + 'static,
    {
        Load::new(Verb::Load, self.session, keyspace, table, LoadSource::Rows(stream::row_stream(rows)))
    }

    /// Deletes the rows whose keys are in the input: its columns are those of the primary key, and no others.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::bulk::{Csv, Input};
    ///
    /// let summary = session.bulk().delete("shop", "sales", Input::file("old.csv"), Csv::new()).await?;
    /// println!("{summary}");
    /// # Ok(()) }
    /// ```
    pub fn delete(&self, keyspace: &str, table: &str, input: Input, format: impl Into<Format>) -> Load {
        Load::new(Verb::Delete, self.session, keyspace, table, LoadSource::Files(input, format.into()))
    }

    /// Exports the rows of a table.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::ReadConsistency;
    /// use keyspaces::bulk::{JsonLines, Output};
    ///
    /// let export = session.bulk().export("shop", "sales", Output::file("sales.jsonl.zst"), JsonLines::new());
    /// let summary = export.consistency(ReadConsistency::LocalOne).checkpoint("sales.export").await?;
    /// println!("{summary}");
    /// # Ok(()) }
    /// ```
    pub fn export(&self, keyspace: &str, table: &str, output: Output, format: impl Into<Format>) -> Export {
        Export::new(self.session, keyspace, table, Some((output, format.into())))
    }

    /// Counts the rows of a table by reading all of it: Keyspaces has no `COUNT` over more than a partition
    /// (`DG:troubleshooting.cql`). The number is [`Summary::rows`]. With a [`filter`](Export::filter), counts one
    /// partition, some rows of it, or a range of tokens.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// let all = session.bulk().count("shop", "sales").await?.rows;
    /// let of_a_day = session.bulk().count("shop", "sales").filter("day = '2026-01-31'").await?.rows;
    /// let upper_half = session.bulk().count("shop", "sales").filter("token(day) > 0").await?.rows;
    /// # drop((all, of_a_day, upper_half));
    /// # Ok(()) }
    /// ```
    pub fn count(&self, keyspace: &str, table: &str) -> Export {
        Export::new(self.session, keyspace, table, None)
    }

    /// Counts the rows of each partition, and writes a row for each with the columns of its key and `count`. The rows
    /// are written while the table is read, in no particular order; with [`Export::largest`] they are written at the
    /// end. Memory holds one partition for each token range, and the largest partitions. There is no checkpoint.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use std::num::NonZeroUsize;
    ///
    /// use keyspaces::bulk::{Csv, Output};
    ///
    /// let count = session.bulk().count_by_partition("shop", "sales", Output::stdout(), Csv::new());
    /// let summary = count.largest(NonZeroUsize::new(10).unwrap()).await?;
    /// eprintln!("{} rows", summary.rows);
    /// # Ok(()) }
    /// ```
    pub fn count_by_partition(&self, keyspace: &str, table: &str, output: Output, format: impl Into<Format>) -> Export {
        Export::new(self.session, keyspace, table, Some((output, format.into()))).by_partition()
    }

    /// Copies the rows of a table to another one, which may be in another session: one of a plain Cassandra, for instance.
    ///
    /// ```no_run
    /// # async fn run(cassandra: keyspaces::Session, session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// let copy = cassandra.bulk().copy(("shop", "sales"), &session, ("shop", "sales"));
    /// let summary = copy.checkpoint("sales.copy").await?;
    /// println!("{summary}");
    /// # Ok(()) }
    /// ```
    pub fn copy(&self, table: (&str, &str), to: &Session, to_table: (&str, &str)) -> Copy {
        Copy::new((self.session, table.0, table.1), (to, to_table.0, to_table.1))
    }
}

fn task_failed(attempted: &str, error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Server, attempted.to_owned(), "a task failed").with_source(error)
}
