//! Loads rows into a table.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::batches::Batches;
use super::checkpoint::Operation;
use super::format::Format;
use super::load_source::{LoadSource, OpenLoadSource};
use super::progress::{Progress, Summary, throttles};
use super::rate::Rate;
use super::rejected::RejectedRows;
use super::row_columns::ColumnSettings;
use super::row_statement::{RowStatement, prepare_insert};
use super::send::Sending;
use super::state::open_state;
use super::statement_text::{delete, insert};
use super::table::{Column, DescribedTable, Role};
use super::{DEFAULT_STALL_TIMEOUT, Nulls};
use crate::{Error, ErrorKind, Session};

/// The chunks that are read ahead of the sender.
const CHUNKS_AHEAD: usize = 4;

/// The maximum number of rejected rows if a file for them is named or the run is dry, unless the caller sets another
/// number.
pub(super) const DEFAULT_MAX_REJECTED: u64 = 100;

/// The maximum number of rows in flight: for each connection, and in total.
const IN_FLIGHT_PER_CONNECTION: usize = 32;
const MAX_IN_FLIGHT: usize = 1_024;

/// A future that loads rows into a table, from files, standard input, a reader or a stream. Created by
/// [`Bulk::load`](super::Bulk::load) and [`Bulk::load_rows`](super::Bulk::load_rows).
///
/// Rows are shuffled in a bounded buffer and sent as fast as the [`rate`](Self::rate) allows. Rows that the service
/// does not accept in time are sent again until they are acknowledged. Rows that can never be loaded are rejected: the
/// first such row ends the load, unless [`rejected_file`](Self::rejected_file) names a file for them. Memory use does
/// not depend on the size of the input.
///
/// With a [`checkpoint`](Self::checkpoint), the same call resumes after any interruption, including SIGKILL at any
/// moment. Rows that were acknowledged in the last second before may then be sent a second time. This is safe, because
/// each write replaces the earlier one.
///
/// A dropped load sends nothing more. Rows already sent remain. With a checkpoint, the same call resumes from it.
///
/// # Errors
///
/// [`File`](ErrorKind::File) if a file cannot be read or was changed; [`Value`](ErrorKind::Value) if the columns are
/// not the table's, or too many rows are rejected; [`Cursor`](ErrorKind::Cursor) if the checkpoint belongs to another
/// operation; [`Refused`](ErrorKind::Refused) for a table of counters; [`NotReady`](ErrorKind::NotReady) if the table
/// does not exist, or was dropped; the error of the last row if the service accepted no row for as long as the
/// [`stall_timeout`](Self::stall_timeout).
#[must_use]
pub struct Load {
    verb: Verb,
    session: Session,
    keyspace: String,
    table: String,
    source: LoadSource,
    columns: Option<Vec<String>>,
    nulls: Nulls,
    ttl_column: Option<String>,
    write_time_column: Option<String>,
    rate: Rate,
    shuffle: usize,
    in_flight: Option<NonZeroUsize>,
    stall_timeout: Duration,
    checkpoint: Option<PathBuf>,
    rejected_file: Option<PathBuf>,
    max_rejected: Option<u64>,
    allow_counters: bool,
    batches: bool,
    dry_run: bool,
    progress: watch::Sender<Progress>,
    stop_signal: Option<BoxFuture<'static, ()>>,
}

/// The statement for each row of the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    Load,
    /// Deletes the row of a key.
    Delete,
}

impl Verb {
    /// The operation in error texts, before the name of the table.
    fn action(self) -> &'static str {
        match self {
            Self::Load => "loading",
            Self::Delete => "deleting from",
        }
    }
}

impl Load {
    pub(super) fn new(verb: Verb, session: &Session, keyspace: &str, table: &str, source: LoadSource) -> Self {
        Self {
            verb,
            session: session.clone(),
            keyspace: keyspace.to_owned(),
            table: table.to_owned(),
            source,
            columns: None,
            nulls: Nulls::Unset,
            ttl_column: None,
            write_time_column: None,
            rate: Rate::Adaptive,
            shuffle: 10_000,
            in_flight: None,
            stall_timeout: DEFAULT_STALL_TIMEOUT,
            checkpoint: None,
            rejected_file: None,
            max_rejected: None,
            allow_counters: false,
            batches: false,
            dry_run: false,
            progress: watch::Sender::new(Progress::default()),
            stop_signal: None,
        }
    }

    /// The columns to load from JSON, Parquet or a stream. Default: all columns of the table, or of the Parquet file. In
    /// CSV the first line or [`Csv::columns`](super::Csv::columns) names the columns.
    pub fn columns(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The treatment of nulls in a row. Default: [`Nulls::Unset`].
    pub fn nulls(self, nulls: Nulls) -> Self {
        Self { nulls, ..self }
    }

    /// The input column with the time to live of its row, in seconds; it is not a column of the table. A row with null
    /// gets the table's default time to live. TTL must be enabled for the table.
    pub fn ttl_column(self, column: impl Into<String>) -> Self {
        Self { ttl_column: Some(column.into()), ..self }
    }

    /// The input column with the write time of its row, in microseconds since 1970; it is not a column of the table.
    /// Client-side timestamps must be enabled for the table. The service accepts no write time that is more than two
    /// days old or more than five minutes ahead.
    pub fn write_time_column(self, column: impl Into<String>) -> Self {
        Self { write_time_column: Some(column.into()), ..self }
    }

    /// The limit of capacity units a second that the load uses. Default: [`Rate::Adaptive`].
    pub fn rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    /// The number of rows that are shuffled together, so that an input in partition order does not concentrate its
    /// writes on one partition after the other. Default: 10,000, but at most 32 MB. 1 keeps the rows in order.
    pub fn shuffle(self, rows: NonZeroUsize) -> Self {
        Self { shuffle: rows.get(), ..self }
    }

    /// The maximum number of rows in flight at the same time. Default: 32 for each connection of the session, at most
    /// 1,024.
    pub fn in_flight(self, rows: NonZeroUsize) -> Self {
        Self { in_flight: Some(rows), ..self }
    }

    /// How long the service may accept no row before the load ends with an error. Until then, the load retries after
    /// throttling, lost connections and expired credentials. Default: 15 minutes.
    pub fn stall_timeout(self, stall_timeout: Duration) -> Self {
        Self { stall_timeout, ..self }
    }

    /// The checkpoint file, written every second. If it exists, the load resumes from it, provided that its table, options
    /// and files are the same. Default: none.
    pub fn checkpoint(self, path: impl Into<PathBuf>) -> Self {
        Self { checkpoint: Some(path.into()), ..self }
    }

    /// The file for rows that can never be loaded: each in its original form, after a line with file, line, column, type
    /// and reason. The file can be corrected and loaded like the input. Default: none, and the first such row ends the
    /// load, unless it is a [dry run](Self::dry_run).
    pub fn rejected_file(self, path: impl Into<PathBuf>) -> Self {
        Self { rejected_file: Some(path.into()), ..self }
    }

    /// The maximum number of rejected rows with which the load continues; one more ends it, and is not written to the file.
    /// Default: 100 with a file for them or in a [dry run](Self::dry_run), otherwise none.
    pub fn max_rejected(self, rows: u64) -> Self {
        Self { max_rejected: Some(rows), ..self }
    }

    /// Loads a table of counters: the values of each row are added to its counters. Default: refused, because a row that is
    /// sent twice is counted twice: when a killed load resumes, this happens to the rows of its last second.
    pub fn allow_counters(self) -> Self {
        Self { allow_counters: true, ..self }
    }

    /// Sends consecutive rows of one partition as one unlogged batch, of at most 30 rows (DG:quotas) and 32 KiB. Default:
    /// each row is a request of its own.
    ///
    /// A row takes the same capacity units in a batch and alone, so this saves no capacity. It saves requests: a
    /// connection accepts 3,000 a second. It helps if rows are small, a partition has many of them, and the input is in
    /// partition order. The drawback: all rows of a batch go to one partition at once, which accepts 1,000 units a
    /// second, and a batch is shuffled as a unit. Rows of a refused batch are sent one by one, so that no row is
    /// rejected because of another. Refused for a table of counters.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::bulk::{Csv, Input};
    ///
    /// let load = session.bulk().load("shop", "readings", Input::file("by-sensor.csv"), Csv::new());
    /// load.batches_by_partition().await?;
    /// # Ok(()) }
    /// ```
    pub fn batches_by_partition(self) -> Self {
        Self { batches: true, ..self }
    }

    /// Reads, checks and measures everything, but sends nothing: the summary has the rows, bytes and units. No file is
    /// written.
    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }

    /// Reports the progress, several times a second.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Stops when `signal` is ready: reads no more rows, waits up to ten seconds for the rows in flight, and ends with an
    /// incomplete summary.
    ///
    /// ```no_run
    /// # async fn run(load: keyspaces::bulk::Load) -> Result<(), keyspaces::Error> {
    /// let summary = load.stop_when(async { drop(tokio::signal::ctrl_c().await) }).await?;
    /// println!("{summary}");
    /// # Ok(()) }
    /// ```
    pub fn stop_when(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { stop_signal: Some(Box::pin(signal)), ..self }
    }

    async fn run(self) -> Result<Summary, Error> {
        let action = self.verb.action();
        let attempted = format!("{action} {}.{}", self.keyspace, self.table);
        let table = DescribedTable::describe(&self.session, &self.keyspace, &self.table, action).await?;
        self.refuse_conflicting_settings(&table, &attempted)?;

        let format = self.source.format();
        let source = self.source.open(self.columns.clone(), &attempted).await?;
        let settings = ColumnSettings {
            columns: self.columns.as_deref(),
            ttl: self.ttl_column.as_deref(),
            write_time: self.write_time_column.as_deref(),
            verb: self.verb,
        };
        let columns = settings.columns(&table, source.header(), &attempted)?;
        let columns: Arc<[Column]> = match (&source, self.verb) {
            // The rows of a stream are bound to the statement as they are.
            (OpenLoadSource::Rows(_), Verb::Load) => insert(&table, &columns).in_order(columns).into(),
            _ => columns.into(),
        };
        let statement = prepare(&self.session, self.verb, &table, &columns, self.stall_timeout).await?;
        let limit = self.rate.limit(&self.session, &table, false, &attempted)?;

        let operation = Operation {
            attempted: attempted.clone(),
            options: checkpointed_options(&columns, &format, self.nulls, self.rejected_file.as_deref()),
            files: source.signatures(),
        };
        let (checkpoint_path, rejected_path) = match self.dry_run {
            true => (None, None),
            false => (self.checkpoint, self.rejected_file.clone()),
        };
        let rejected_format = format.rejected_format();
        let (checkpoint, rejected) =
            open_state(&attempted, checkpoint_path, operation, rejected_path, rejected_format, Arc::clone(&columns))
                .await?;
        if let Some(checkpoint) = checkpoint.as_ref().filter(|checkpoint| checkpoint.state().is_complete) {
            return Ok(Summary::of_complete_checkpoint(checkpoint, self.rejected_file));
        }

        let resume = checkpoint.as_ref().and_then(|checkpoint| checkpoint.state().resume.clone());
        let may_reject = self.rejected_file.is_some() || self.dry_run;
        let rejected = RejectedRows {
            attempted: attempted.clone(),
            file_names: source.file_names(),
            position_unit: source.position_unit(),
            columns: Arc::clone(&columns),
            max: self.max_rejected.unwrap_or(if may_reject { DEFAULT_MAX_REJECTED } else { 0 }),
            file: rejected,
            first: None,
        };
        let sending = Sending {
            attempted,
            throttles: throttles(&self.session, table.name.to_string(), false),
            statement: statement.clone(),
            total_bytes: source.total_bytes(),
            bytes_read: source.bytes_read(),
            limit,
            in_flight: self.in_flight.map_or_else(|| default_in_flight(&self.session), NonZeroUsize::get),
            shuffle: self.shuffle,
            stall_timeout: self.stall_timeout,
            rejected,
            checkpoint,
            progress: self.progress,
            stop_signal: self.stop_signal,
            dry_run: self.dry_run,
            batches: self.batches.then(|| Batches::new(partition_key(&columns))),
            is_copy: false,
        };
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let reading = source.start_reading(table, columns, statement, self.nulls, resume, sender);
        sending.run(receiver, reading).await
    }

    fn refuse_conflicting_settings(&self, table: &DescribedTable, attempted: &str) -> Result<(), Error> {
        let refused =
            |kind, problem: String, advice| Err(Error::new(kind, attempted.to_owned(), problem).with_advice(advice));
        if table.has_counters() && !self.allow_counters && self.verb == Verb::Load {
            let problem = format!("{} has counters: a row that is sent twice is counted twice", table.name);
            let advice = "Call allow_counters() if counts may be too high after an interruption";
            return refused(ErrorKind::Refused, problem, advice);
        }
        if self.batches && table.has_counters() {
            let problem = format!("{} has counters, which are not written in batches", table.name);
            return refused(ErrorKind::Refused, problem, "Load it without batches");
        }
        if self.checkpoint.is_some() && matches!(self.source, LoadSource::Rows(_)) {
            let problem = "a stream of rows cannot be resumed from a checkpoint".to_owned();
            return refused(ErrorKind::Configuration, problem, "Leave out the checkpoint, or load files");
        }
        Ok(())
    }
}

impl IntoFuture for Load {
    type Output = Result<Summary, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load")
            .field("table", &format_args!("{}.{}", self.keyspace, self.table))
            .field("source", &self.source)
            .field("rate", &self.rate)
            .field("checkpoint", &self.checkpoint)
            .finish_non_exhaustive()
    }
}

/// Prepares the statement for each row.
async fn prepare(
    session: &Session,
    verb: Verb,
    table: &DescribedTable,
    columns: &[Column],
    stall_timeout: Duration,
) -> Result<RowStatement, Error> {
    match verb {
        Verb::Load => prepare_insert(session, table, columns, stall_timeout).await,
        Verb::Delete => RowStatement::prepare(session, delete(table, columns), false, stall_timeout).await,
    }
}

/// The options that must be the same when a load resumes from its checkpoint.
fn checkpointed_options(
    columns: &[Column],
    format: &Format,
    nulls: Nulls,
    rejected_file: Option<&Path>,
) -> BTreeMap<String, String> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    [
        ("columns", names.join(", ")),
        ("format", format!("{format:?}")),
        ("nulls", format!("{nulls:?}")),
        ("rejected rows", format!("{rejected_file:?}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The indexes of the partition key's columns.
fn partition_key(columns: &[Column]) -> Arc<[usize]> {
    let is_partition_key = |(_, column): &(usize, &Column)| column.role == Role::PartitionKey;
    columns.iter().enumerate().filter(is_partition_key).map(|(index, _)| index).collect()
}

pub(super) fn default_in_flight(session: &Session) -> usize {
    let connections = session.peers().len().max(1) * session.connections_per_host().get();
    (connections * IN_FLIGHT_PER_CONNECTION).min(MAX_IN_FLIGHT)
}
