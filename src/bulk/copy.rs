//! Copies rows of one table into another, in the same session or in another one.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::DEFAULT_STALL_TIMEOUT;
use super::checkpoint::Operation;
use super::chunk::Chunk;
use super::format::JsonLines;
use super::load::{DEFAULT_MAX_REJECTED, default_in_flight};
use super::progress::{Progress, Summary, throttles};
use super::rate::Rate;
use super::read::{ReadSettings, TableReader};
use super::rejected::RejectedRows;
use super::row_files::RowUnit;
use super::row_statement::prepare_insert;
use super::send::Sending;
use super::state::open_state;
use super::table::{Column, DescribedTable};
use crate::{Error, ErrorKind, ReadConsistency, Session};

const PAGES_AHEAD: usize = 2;

/// A future that copies the rows of a table into another one; created by [`Bulk::copy`](super::Bulk::copy).
///
/// Values are passed on unchanged, without being decoded. Columns have the same names and types in both tables. Nulls are
/// not written. Times to live and write times are not copied.
///
/// A dropped copy sends nothing more. Rows already sent remain. With a checkpoint, the same call resumes from it.
///
/// # Errors
///
/// The errors of [`Load`](super::Load) and [`Export`](super::Export), and [`Refused`](ErrorKind::Refused) for counters, or
/// if a column is not in both tables with the same type.
#[must_use]
pub struct Copy {
    from: (Session, String, String),
    to: (Session, String, String),
    columns: Option<Vec<String>>,
    filter: Option<String>,
    consistency: Option<ReadConsistency>,
    read_rate: Rate,
    rate: Rate,
    stall_timeout: Duration,
    checkpoint: Option<PathBuf>,
    rejected_file: Option<PathBuf>,
    progress: watch::Sender<Progress>,
    stop_signal: Option<BoxFuture<'static, ()>>,
}

impl Copy {
    pub(super) fn new(from: (&Session, &str, &str), to: (&Session, &str, &str)) -> Self {
        let owned = |(session, keyspace, table): (&Session, &str, &str)| {
            (session.clone(), keyspace.to_owned(), table.to_owned())
        };
        Self {
            from: owned(from),
            to: owned(to),
            columns: None,
            filter: None,
            consistency: None,
            read_rate: Rate::Adaptive,
            rate: Rate::Adaptive,
            stall_timeout: DEFAULT_STALL_TIMEOUT,
            checkpoint: None,
            rejected_file: None,
            progress: watch::Sender::new(Progress::default()),
            stop_signal: None,
        }
    }

    /// The columns to copy. Default: all columns of the first table.
    pub fn columns(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// Copies only the rows that match these relations; see [`Export::filter`](super::Export::filter).
    pub fn filter(self, relations: impl Into<String>) -> Self {
        Self { filter: Some(relations.into()), ..self }
    }

    /// The consistency of the reads. Default: that of the first session.
    pub fn consistency(self, consistency: ReadConsistency) -> Self {
        Self { consistency: Some(consistency), ..self }
    }

    /// The limit of capacity units a second for writing the second table. Default: [`Rate::Adaptive`].
    pub fn rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    /// The limit of capacity units a second for reading the first table. Default: [`Rate::Adaptive`].
    pub fn read_rate(self, rate: Rate) -> Self {
        Self { read_rate: rate, ..self }
    }

    /// How long reading or writing may make no progress before the copy ends with an error. Default: 15 minutes.
    pub fn stall_timeout(self, stall_timeout: Duration) -> Self {
        Self { stall_timeout, ..self }
    }

    /// The checkpoint file; see [`Load::checkpoint`](super::Load::checkpoint).
    pub fn checkpoint(self, path: impl Into<PathBuf>) -> Self {
        Self { checkpoint: Some(path.into()), ..self }
    }

    /// The file for rows that the second table refuses, as [`JsonLines`]; see
    /// [`Load::rejected_file`](super::Load::rejected_file).
    pub fn rejected_file(self, path: impl Into<PathBuf>) -> Self {
        Self { rejected_file: Some(path.into()), ..self }
    }

    /// Reports the progress, several times a second.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Stops when `signal` is ready; see [`Load::stop_when`](super::Load::stop_when).
    pub fn stop_when(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { stop_signal: Some(Box::pin(signal)), ..self }
    }

    async fn run(self) -> Result<Summary, Error> {
        let (from_session, keyspace, name) = &self.from;
        let from = DescribedTable::describe(from_session, keyspace, name, "copying").await?;
        let (session, keyspace, name) = &self.to;
        let to = DescribedTable::describe(session, keyspace, name, "copying to").await?;
        let attempted = format!("copying {} to {}", from.name, to.name);
        let refused = |problem: String| Error::new(ErrorKind::Refused, attempted.clone(), problem);
        if from.has_counters() || to.has_counters() {
            return Err(refused("counters cannot be copied: a row that is sent twice is counted twice".to_owned()));
        }
        let all = || from.columns.iter().map(|column| column.name.clone()).collect();
        let names: Vec<String> = self.columns.clone().unwrap_or_else(all);
        let read = from.select(&names, &attempted)?;
        let written: Arc<[Column]> = to.select(&names, &attempted)?.into();
        if let Some((read, written)) =
            read.iter().zip(&*written).find(|(read, written)| read.value_type != written.value_type)
        {
            let Column { name, type_name, .. } = read;
            return Err(refused(format!(
                "the column {name} is {type_name} in {}, and {} in {}",
                from.name, written.type_name, to.name
            )));
        }
        if let Some(key) = to.columns.iter().find(|key| key.is_key() && !names.contains(&key.name)) {
            return Err(refused(format!(
                "the column {}, which is in the primary key of {}, is not copied",
                key.name, to.name
            )));
        }
        let read_limit = self.read_rate.limit(from_session, &from, true, &attempted)?;
        let limit = self.rate.limit(session, &to, false, &attempted)?;
        let statement = prepare_insert(session, &to, &written, self.stall_timeout).await?;
        let mut options = BTreeMap::from([("columns".to_owned(), names.join(", "))]);
        options.extend(self.filter.as_ref().map(|filter| ("filter".to_owned(), filter.clone())));
        options.insert("rejected rows".to_owned(), format!("{:?}", self.rejected_file));
        let operation = Operation { attempted: attempted.clone(), options, files: Vec::new() };
        let format = JsonLines::new().into();
        let columns = Arc::clone(&written);
        let (checkpoint, rejected) =
            open_state(&attempted, self.checkpoint, operation, self.rejected_file.clone(), format, columns).await?;
        if let Some(checkpoint) = checkpoint.as_ref().filter(|checkpoint| checkpoint.state().is_complete) {
            return Ok(Summary::of_complete_checkpoint(checkpoint, self.rejected_file));
        }
        let (filter, consistency, stall_timeout) = (self.filter, self.consistency, self.stall_timeout);
        let settings = ReadSettings { filter, consistency, limit: read_limit, stall_timeout };
        let position = checkpoint.as_ref().and_then(|checkpoint| checkpoint.state().scan.clone());
        let reader = TableReader::open(from_session, &from, &read, settings, position.as_deref()).await?;
        let rejected = RejectedRows {
            attempted: attempted.clone(),
            file_names: vec![from.name.to_string()],
            position_unit: RowUnit::Row,
            columns: Arc::clone(&written),
            max: if rejected.is_some() { DEFAULT_MAX_REJECTED } else { 0 },
            file: rejected,
            first: None,
        };
        let sending = Sending {
            attempted,
            throttles: throttles(session, to.name.to_string(), false),
            statement,
            total_bytes: None,
            bytes_read: Arc::default(),
            limit,
            in_flight: default_in_flight(session),
            // The pages of a scan are in no particular order, but the rows of a page are in partition order, so rows
            // are shuffled.
            shuffle: 10_000,
            stall_timeout,
            rejected,
            checkpoint,
            progress: self.progress,
            stop_signal: self.stop_signal,
            dry_run: false,
            batches: None,
            is_copy: true,
        };
        let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
        let reading = tokio::spawn(send_pages(reader, to, written, sender));
        sending.run(receiver, reading).await
    }
}

/// Sends all rows, page by page, until the table or the receiver ends.
async fn send_pages(
    mut reader: TableReader,
    to: DescribedTable,
    columns: Arc<[Column]>,
    sender: mpsc::Sender<Result<Chunk, Error>>,
) {
    let mut ordinal = 0;
    loop {
        let page = match reader.next().await {
            Ok(Some(page)) => page,
            Ok(None) => return,
            Err(error) => {
                // A failed send means that the receiver has ended and needs no error.
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        let mut chunk = Chunk { scan: reader.position(), ..Chunk::default() };
        for values in page {
            super::stream::push_values(&mut chunk, ordinal, values.with_unset(), &columns, &to.units);
            ordinal += 1;
        }
        if sender.send(Ok(chunk)).await.is_err() {
            return;
        }
    }
}

impl IntoFuture for Copy {
    type Output = Result<Summary, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl std::fmt::Debug for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |(_, keyspace, table): &(Session, String, String)| format!("{keyspace}.{table}");
        f.debug_struct("Copy").field("from", &name(&self.from)).field("to", &name(&self.to)).finish_non_exhaustive()
    }
}
