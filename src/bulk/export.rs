//! Exports and counts the rows of a table.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::checkpoint::{Checkpoint, CheckpointState, Counts, Operation};
use super::format::Format;
use super::output::Output;
use super::partitions::Partitions;
use super::progress::{Completion, Progress, Reporter, Summary, throttles};
use super::rate::Rate;
use super::read::{ReadSettings, TableReader};
use super::row::RowValues;
use super::row_writer::{OnDisk, RowWriter};
use super::table::{Column, DescribedTable};
use super::{DEFAULT_STALL_TIMEOUT, task_failed};
use crate::{Error, ErrorKind, ReadConsistency, Session};

const TICK: Duration = Duration::from_millis(250);
/// The time between two checkpoints, longer than a load's: each checkpoint ends a member of a compressed file, and a row
/// group of a Parquet file, and many checkpoints would make many small row groups.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
const ROW_GROUP_EVERY: Duration = Duration::from_secs(30);
const PAGES_AHEAD: usize = 4;

/// A future that exports the rows of a table to files, or counts them; created by
/// [`Bulk::export`](super::Bulk::export), [`Bulk::count`](super::Bulk::count) and
/// [`Bulk::count_by_partition`](super::Bulk::count_by_partition).
///
/// Many token ranges are read in parallel, so the rows are in no particular order. Memory use does not depend on the
/// size of the table. Pages that the service does not return in time are requested again.
///
/// With a [`checkpoint`](Self::checkpoint), the same call resumes after any interruption: output written after the
/// checkpoint is truncated and written again, so each row is in the files once.
///
/// A dropped export reads nothing more. With a checkpoint, the same call resumes from it.
///
/// # Errors
///
/// [`File`](ErrorKind::File) if a file cannot be written: the disk is full, or the file exists already;
/// [`Value`](ErrorKind::Value) if there is no such column; [`Cursor`](ErrorKind::Cursor) if the checkpoint belongs to
/// another operation; [`NotReady`](ErrorKind::NotReady) if the table does not exist, or was dropped; the error of the
/// last page if the service returned no page for as long as the [`stall_timeout`](Self::stall_timeout).
#[must_use]
pub struct Export {
    session: Session,
    keyspace: String,
    table: String,
    /// The files to write; `None` to count the rows.
    output: Option<(Output, Format)>,
    /// Writes the number of rows by partition instead of the rows.
    partitions: Option<Partitions>,
    largest: Option<NonZeroUsize>,
    columns: Option<Vec<String>>,
    filter: Option<String>,
    consistency: Option<ReadConsistency>,
    rate: Rate,
    stall_timeout: Duration,
    checkpoint: Option<PathBuf>,
    progress: watch::Sender<Progress>,
    stop_signal: Option<BoxFuture<'static, ()>>,
}

impl Export {
    pub(super) fn new(session: &Session, keyspace: &str, table: &str, output: Option<(Output, Format)>) -> Self {
        Self {
            session: session.clone(),
            keyspace: keyspace.to_owned(),
            table: table.to_owned(),
            output,
            partitions: None,
            largest: None,
            columns: None,
            filter: None,
            consistency: None,
            rate: Rate::Adaptive,
            stall_timeout: DEFAULT_STALL_TIMEOUT,
            checkpoint: None,
            progress: watch::Sender::new(Progress::default()),
            stop_signal: None,
        }
    }

    pub(super) fn by_partition(self) -> Self {
        Self { partitions: Some(Partitions::default()), ..self }
    }

    /// Limits a count by partition to the partitions with the most rows, the largest first. Default: all partitions.
    pub fn largest(self, partitions: NonZeroUsize) -> Self {
        Self { largest: Some(partitions), ..self }
    }

    /// The columns to write, in this order. Default: all, those of the key first.
    pub fn columns(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// Exports only the rows that match these relations, which follow WHERE in a SELECT, for instance
    /// `day = '2026-01-31' AND hour > 7`. Default: the whole table.
    pub fn filter(self, relations: impl Into<String>) -> Self {
        Self { filter: Some(relations.into()), ..self }
    }

    /// The consistency of the reads. Default: the session's. [`ReadConsistency::LocalOne`] costs half as much, and may miss
    /// the most recent writes.
    pub fn consistency(self, consistency: ReadConsistency) -> Self {
        Self { consistency: Some(consistency), ..self }
    }

    /// The limit of capacity units a second that the export uses. Default: [`Rate::Adaptive`].
    pub fn rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    /// How long the service may return no page before the export ends with an error. Until then, the export retries after
    /// throttling, lost connections and expired credentials. Default: 15 minutes.
    pub fn stall_timeout(self, stall_timeout: Duration) -> Self {
        Self { stall_timeout, ..self }
    }

    /// The checkpoint file, written every five seconds, with Parquet every 30. If it exists, the export resumes from it,
    /// provided that its table and options are the same. Default: none. An export to a writer has no checkpoint.
    pub fn checkpoint(self, path: impl Into<PathBuf>) -> Self {
        Self { checkpoint: Some(path.into()), ..self }
    }

    /// Reports the progress, several times a second.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Stops when `signal` is ready, with an incomplete summary; see [`Load::stop_when`](super::Load::stop_when).
    pub fn stop_when(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { stop_signal: Some(Box::pin(signal)), ..self }
    }

    async fn run(self) -> Result<Summary, Error> {
        let (action, attempted) = match &self.output {
            Some(_) if self.partitions.is_none() => {
                ("exporting", format!("exporting {}.{}", self.keyspace, self.table))
            }
            _ => ("counting", format!("counting {}.{}", self.keyspace, self.table)),
        };
        let is_file = self.output.as_ref().is_none_or(|(output, _)| output.is_file());
        if self.checkpoint.is_some() && !is_file {
            let problem = "an export to a writer cannot be resumed from a checkpoint";
            return Err(Error::new(ErrorKind::Configuration, attempted, problem)
                .with_advice("Write to a file, or leave out the checkpoint"));
        }
        if let Some((problem, advice)) = self.refusal() {
            return Err(Error::new(ErrorKind::Configuration, attempted, problem).with_advice(advice));
        }
        let table = DescribedTable::describe(&self.session, &self.keyspace, &self.table, action).await?;
        let columns = match (&self.columns, self.output.as_ref().filter(|_| self.partitions.is_none())) {
            (Some(names), _) => table.select(names, &attempted)?,
            (None, Some(_)) => table.columns.clone(),
            // Counting reads only the partition key.
            (None, None) => table.partition_key().cloned().collect(),
        };
        let limit = self.rate.limit(&self.session, &table, true, &attempted)?;
        let is_text = self.output.as_ref().is_none_or(|(_, format)| format.is_text());
        let mut options = BTreeMap::from([(
            "columns".to_owned(),
            columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", "),
        )]);
        options.extend(self.filter.as_ref().map(|filter| ("filter".to_owned(), filter.clone())));
        options.extend(self.output.as_ref().map(|output| ("output".to_owned(), format!("{output:?}"))));
        let operation = Operation { attempted: attempted.clone(), options, files: Vec::new() };
        let counts = self.partitions.iter().map(|_| Column::count());
        let written_columns = columns.iter().cloned().chain(counts).collect();
        let (path, output) = (self.checkpoint, self.output);
        let opened = spawn_blocking(move || {
            let checkpoint = path.map(|path| Checkpoint::open(&path, operation)).transpose()?;
            let state = checkpoint.as_ref().map(Checkpoint::state);
            let writer = output
                .filter(|_| state.is_none_or(|state| !state.is_complete))
                .map(|(output, format)| RowWriter::open(output, format, written_columns, state));
            let lock = checkpoint.as_ref().map(Checkpoint::lock);
            let writer = writer.transpose()?.map(|writer| writer.with_lock(lock));
            Ok::<_, Error>((checkpoint, writer))
        });
        let (checkpoint, writer) = opened.await.map_err(|error| task_failed(&attempted, error))??;
        if let Some(checkpoint) = checkpoint.as_ref().filter(|checkpoint| checkpoint.state().is_complete) {
            return Ok(Summary::of_complete_checkpoint(checkpoint, None));
        }
        let state = checkpoint.as_ref().map(|checkpoint| checkpoint.state().clone()).unwrap_or_default();
        let settings = ReadSettings {
            filter: self.filter,
            consistency: self.consistency,
            limit,
            stall_timeout: self.stall_timeout,
        };
        let reader = TableReader::open(&self.session, &table, &columns, settings, state.scan.as_deref()).await?;
        let run = RunningExport {
            reporter: Reporter::new(throttles(&self.session, table.name.to_string(), true), limit, self.progress),
            attempted,
            counts_before: state.counts,
            state,
            reader,
            partitions: match (self.partitions, self.largest) {
                (Some(partitions), Some(max)) => Some(partitions.largest(max)),
                (partitions, _) => partitions,
            },
            checkpoint,
            checkpoint_every: if is_text { CHECKPOINT_EVERY } else { ROW_GROUP_EVERY },
        };
        run.run(writer, self.stop_signal).await
    }

    /// The conflict between settings, if there is one, and what to do about it.
    fn refusal(&self) -> Option<(&'static str, &'static str)> {
        match self.partitions {
            Some(_) if self.checkpoint.is_some() => Some((
                "a count by partition has no checkpoint",
                "Leave out the checkpoint; a count starts again each time",
            )),
            Some(_) if self.columns.is_some() => {
                Some(("a count by partition has the columns of the partition key", "Leave out the columns"))
            }
            None if self.largest.is_some() => {
                Some(("only a count by partition can be limited to the largest partitions", "Use count_by_partition()"))
            }
            _ => None,
        }
    }
}

impl IntoFuture for Export {
    type Output = Result<Summary, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("table", &format_args!("{}.{}", self.keyspace, self.table))
            .field("output", &self.output)
            .field("filter", &self.filter)
            .field("checkpoint", &self.checkpoint)
            .finish_non_exhaustive()
    }
}

/// A message to the thread that writes.
enum Message {
    Rows(Vec<RowValues>),
    /// Syncs the files, and asks for the state on the disk.
    Sync(oneshot::Sender<OnDisk>),
    /// The state that the last `Sync` returned is in the checkpoint.
    Saved,
}

/// Writes the rows of all messages until the channel closes.
fn write(mut writer: RowWriter, mut messages: mpsc::Receiver<Message>) -> Result<Option<RowWriter>, Error> {
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Rows(rows) => writer.write(&rows)?,
            // If sending the answer fails, the receiver has ended and does not need it.
            Message::Sync(answer) => drop(answer.send(writer.sync()?)),
            Message::Saved => writer.rename_finished()?,
        }
    }
    Ok(Some(writer))
}

struct RunningExport {
    attempted: String,
    counts_before: Counts,
    state: CheckpointState,
    reader: TableReader,
    partitions: Option<Partitions>,
    checkpoint: Option<Checkpoint>,
    checkpoint_every: Duration,
    reporter: Reporter,
}

impl RunningExport {
    async fn run(
        mut self,
        writer: Option<RowWriter>,
        stop_signal: Option<BoxFuture<'static, ()>>,
    ) -> Result<Summary, Error> {
        let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
        let messages = writer.is_some().then_some(sender);
        let writing = spawn_blocking(move || writer.map_or(Ok(None), |writer| write(writer, receiver)));
        let read = if self.state.is_read { Ok(true) } else { self.read(messages.as_ref(), stop_signal).await };
        if let (Ok(true), Some(partitions), Some(messages)) = (&read, self.partitions.take(), &messages) {
            // If the writer is gone, its own error is reported below.
            let _ = messages.send(Message::Rows(partitions.finish())).await;
        }
        let was_read = std::mem::replace(&mut self.state.is_read, matches!(read, Ok(true)));
        let synced = match read {
            // The earlier run synced everything to the disk, and may have renamed the last file.
            Ok(_) if was_read => Ok(()),
            Ok(_) | Err(Some(_)) => self.save(messages.as_ref()).await,
            Err(None) => Ok(()),
        };
        drop(messages);
        let written = writing.await.map_err(|error| task_failed(&self.attempted, error))?;
        self.report();
        // The error of the writer is the cause of the reader's error.
        let writer = written.map_err(|error| self.with_resume_advice(error))?;
        self.state.is_complete = match read {
            Ok(is_complete) => is_complete,
            Err(error) => return Err(self.with_resume_advice(error.unwrap_or_else(|| self.writer_gone()))),
        };
        synced.map_err(|error| self.with_resume_advice(error.unwrap_or_else(|| self.writer_gone())))?;
        if self.state.is_complete {
            if let Some(writer) = writer {
                let finished = spawn_blocking(move || writer.finish()).await;
                let finished = finished.map_err(|error| task_failed(&self.attempted, error))?;
                finished.map_err(|error| self.with_resume_advice(error))?;
            }
            self.store().await?;
        }
        Ok(self.reporter.summary(&self.state, self.checkpoint.as_ref()))
    }

    /// Reads all pages. Returns whether the last page was reached, or `Err(None)` if the writer is gone.
    async fn read(
        &mut self,
        messages: Option<&mpsc::Sender<Message>>,
        stop_signal: Option<BoxFuture<'static, ()>>,
    ) -> Result<bool, Option<Error>> {
        let mut stop_signal = stop_signal.unwrap_or_else(|| Box::pin(std::future::pending()));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saved = Instant::now();
        loop {
            tokio::select! {
                page = self.reader.next() => {
                    let Some(rows) = page? else { return Ok(true) };
                    self.state.counts.rows += rows.len() as u64;
                    let rows = match &mut self.partitions {
                        Some(partitions) => partitions.count(self.reader.range(), &rows),
                        None => rows,
                    };
                    if let Some(messages) = messages {
                        messages.send(Message::Rows(rows)).await.map_err(|_| None)?;
                    }
                    self.state.counts.bytes = self.counts_before.bytes + self.reader.bytes;
                    self.state.counts.units = self.counts_before.units + self.reader.units;
                }
                _ = ticks.tick() => {
                    self.report();
                    if saved.elapsed() >= self.checkpoint_every {
                        self.save(messages).await?;
                        saved = Instant::now();
                    }
                }
                () = &mut stop_signal => return Ok(false),
            }
        }
    }

    /// Syncs everything that was read, and saves the checkpoint. Returns `Err(None)` if the writer is gone.
    async fn save(&mut self, messages: Option<&mpsc::Sender<Message>>) -> Result<(), Option<Error>> {
        if self.checkpoint.is_none() {
            return Ok(());
        }
        self.state.scan = self.reader.position();
        if let Some(messages) = messages {
            let (answer, on_disk) = oneshot::channel();
            messages.send(Message::Sync(answer)).await.map_err(|_| None)?;
            self.state.output = Some(on_disk.await.map_err(|_| None)?);
        }
        self.store().await.map_err(Some)?;
        match messages {
            Some(messages) => messages.send(Message::Saved).await.map_err(|_| None),
            None => Ok(()),
        }
    }

    async fn store(&mut self) -> Result<(), Error> {
        let Some(mut checkpoint) = self.checkpoint.take() else { return Ok(()) };
        let state = self.state.clone();
        let stored = spawn_blocking(move || {
            let result = checkpoint.save(state);
            (checkpoint, result)
        });
        let (checkpoint, result) = stored.await.map_err(|error| task_failed(&self.attempted, error))?;
        self.checkpoint = Some(checkpoint);
        result
    }

    fn writer_gone(&self) -> Error {
        Error::new(ErrorKind::File, self.attempted.clone(), "the writing thread has ended")
    }

    fn report(&mut self) {
        let completion =
            Completion { bytes: self.state.counts.bytes, fraction: self.reader.fraction(), ..Completion::default() };
        self.reporter.report(&self.state, completion);
    }

    fn with_resume_advice(&self, error: Error) -> Error {
        match &self.checkpoint {
            Some(checkpoint) => checkpoint.with_resume_advice(error),
            None => error,
        }
    }
}
