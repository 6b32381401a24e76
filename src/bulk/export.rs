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

use super::checkpoint::{Checkpoint, Counts, Done, Operation};
use super::format::Format;
use super::output::Output;
use super::partitions::Partitions;
use super::progress::{Distance, Progress, Reporter, Summary, throttles};
use super::rate::Rate;
use super::read::{Reading, TableReader};
use super::row::RowValues;
use super::row_writer::{OnDisk, RowWriter};
use super::table::{Column, DescribedTable};
use super::{PATIENCE, task_failed};
use crate::{Error, ErrorKind, ReadConsistency, Session};

const TICK: Duration = Duration::from_millis(250);
/// The time between two checkpoints, longer than a load's: each checkpoint ends a member of a compressed file, and a row
/// group of a Parquet file, and many checkpoints would make many small row groups.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
const ROW_GROUP_EVERY: Duration = Duration::from_secs(30);
const PAGES_AHEAD: usize = 4;

/// An export of the rows of a table to files, or a count of them, a future; created by
/// [`Bulk::export`](super::Bulk::export), [`Bulk::count`](super::Bulk::count) and
/// [`Bulk::count_by_partition`](super::Bulk::count_by_partition).
///
/// Many token ranges are read in parallel, so the rows have no order. Memory is bounded whatever the size of the table.
/// Pages that the service does not return in time are requested again.
///
/// With a [`checkpoint`](Self::checkpoint), the same call resumes after any interruption: output after the checkpoint is
/// cut off and written again, so each row is in the files once.
///
/// A dropped export reads nothing more; with a checkpoint the same call resumes from there.
///
/// # Errors
///
/// [`File`](ErrorKind::File) if a file cannot be written: the disk is full, or the file exists already;
/// [`Value`](ErrorKind::Value) if there is no such column; [`Cursor`](ErrorKind::Cursor) if the checkpoint belongs to
/// another operation; [`NotReady`](ErrorKind::NotReady) if the table does not exist, or not any more; the error of the last
/// page if the service returned no page for as long as the [`patience`](Self::patience).
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
    patience: Duration,
    checkpoint: Option<PathBuf>,
    progress: watch::Sender<Progress>,
    until: Option<BoxFuture<'static, ()>>,
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
            patience: PATIENCE,
            checkpoint: None,
            progress: watch::Sender::new(Progress::default()),
            until: None,
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

    /// How long the service may return no page before the export ends with an error. The export waits out throttling, lost
    /// connections and expired credentials. Default: 15 minutes.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
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

    /// Stops when `signal` is ready, with an incomplete summary; see [`Load::until`](super::Load::until).
    pub fn until(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { until: Some(Box::pin(signal)), ..self }
    }

    async fn run(self) -> Result<Summary, Error> {
        let (doing, name) = match &self.output {
            Some(_) if self.partitions.is_none() => {
                ("exporting", format!("exporting {}.{}", self.keyspace, self.table))
            }
            _ => ("counting", format!("counting {}.{}", self.keyspace, self.table)),
        };
        let attempted = name;
        let is_file = self.output.as_ref().is_none_or(|(output, _)| output.is_file());
        if self.checkpoint.is_some() && !is_file {
            let problem = "what was written to a writer cannot be gone on with";
            return Err(Error::new(ErrorKind::Configuration, attempted, problem)
                .with_advice("Write to a file, or name no checkpoint"));
        }
        if let Some((problem, advice)) = self.refusal() {
            return Err(Error::new(ErrorKind::Configuration, attempted, problem).with_advice(advice));
        }
        let table = DescribedTable::describe(&self.session, &self.keyspace, &self.table, doing).await?;
        let columns = match (&self.columns, self.output.as_ref().filter(|_| self.partitions.is_none())) {
            (Some(names), _) => table.select(names, &attempted)?,
            (None, Some(_)) => table.columns.clone(),
            // Counting needs no columns but the key.
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
        let of_columns = columns.iter().cloned().chain(counts).collect();
        let (path, output) = (self.checkpoint, self.output);
        let opened = spawn_blocking(move || {
            let checkpoint = path.map(|path| Checkpoint::open(&path, operation)).transpose()?;
            let done = checkpoint.as_ref().map(Checkpoint::done);
            let writer = output
                .filter(|_| done.is_none_or(|done| !done.is_complete))
                .map(|(output, format)| RowWriter::open(output, format, of_columns, done));
            let lock = checkpoint.as_ref().map(Checkpoint::lock);
            let writer = writer.transpose()?.map(|writer| writer.holding(lock));
            Ok::<_, Error>((checkpoint, writer))
        });
        let (checkpoint, writer) = opened.await.map_err(|error| task_failed(&attempted, error))??;
        if let Some(checkpoint) = checkpoint.as_ref().filter(|checkpoint| checkpoint.done().is_complete) {
            return Ok(Summary::of_complete(checkpoint, None));
        }
        let done = checkpoint.as_ref().map(|checkpoint| checkpoint.done().clone()).unwrap_or_default();
        let reading = Reading { filter: self.filter, consistency: self.consistency, limit, patience: self.patience };
        let reader = TableReader::open(&self.session, &table, &columns, reading, done.scan.as_deref()).await?;
        let run = RunningExport {
            reporter: Reporter::new(throttles(&self.session, table.name.to_string(), true), limit, self.progress),
            attempted,
            before: done.counts,
            done,
            reader,
            partitions: match (self.partitions, self.largest) {
                (Some(partitions), Some(most)) => Some(partitions.largest(most)),
                (partitions, _) => partitions,
            },
            checkpoint,
            checkpoint_every: if is_text { CHECKPOINT_EVERY } else { ROW_GROUP_EVERY },
        };
        run.run(writer, self.until).await
    }

    /// The conflict between settings, if there is one, and what to do about it.
    fn refusal(&self) -> Option<(&'static str, &'static str)> {
        match self.partitions {
            Some(_) if self.checkpoint.is_some() => {
                Some(("a count by partition has no checkpoint", "Name none; it begins anew each time"))
            }
            Some(_) if self.columns.is_some() => {
                Some(("a count by partition has the columns of the partition key", "Name no columns"))
            }
            None if self.largest.is_some() => {
                Some(("only a count by partition has largest partitions", "Use count_by_partition"))
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
    /// The checkpoint has what the last `Sync` answered.
    Saved,
}

/// Writes the rows of all messages until the channel closes.
fn write(mut writer: RowWriter, mut messages: mpsc::Receiver<Message>) -> Result<Option<RowWriter>, Error> {
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Rows(rows) => writer.write(&rows)?,
            // A failed answer means that the asker has ended.
            Message::Sync(answer) => drop(answer.send(writer.sync()?)),
            Message::Saved => writer.name_finished()?,
        }
    }
    Ok(Some(writer))
}

struct RunningExport {
    attempted: String,
    before: Counts,
    done: Done,
    reader: TableReader,
    partitions: Option<Partitions>,
    checkpoint: Option<Checkpoint>,
    checkpoint_every: Duration,
    reporter: Reporter,
}

impl RunningExport {
    async fn run(mut self, writer: Option<RowWriter>, until: Option<BoxFuture<'static, ()>>) -> Result<Summary, Error> {
        let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
        let to_writer = writer.is_some().then_some(sender);
        let writing = spawn_blocking(move || writer.map_or(Ok(None), |writer| write(writer, receiver)));
        let read = if self.done.is_read { Ok(true) } else { self.read(to_writer.as_ref(), until).await };
        if let (Ok(true), Some(partitions), Some(to_writer)) = (&read, self.partitions.take(), &to_writer) {
            // If the writer is gone, its own error is reported below.
            let _ = to_writer.send(Message::Rows(partitions.finish())).await;
        }
        let was_read = std::mem::replace(&mut self.done.is_read, matches!(read, Ok(true)));
        let synced = match read {
            // The earlier run brought everything to the disk, and may have renamed the last file.
            Ok(_) if was_read => Ok(()),
            Ok(_) | Err(Some(_)) => self.save(to_writer.as_ref()).await,
            Err(None) => Ok(()),
        };
        drop(to_writer);
        let written = writing.await.map_err(|error| task_failed(&self.attempted, error))?;
        self.report();
        // The error of the writer is the cause of the reader's error.
        let writer = written.map_err(|error| self.how_to_go_on(error))?;
        self.done.is_complete = match read {
            Ok(is_complete) => is_complete,
            Err(error) => return Err(self.how_to_go_on(error.unwrap_or_else(|| self.writer_gone()))),
        };
        synced.map_err(|error| self.how_to_go_on(error.unwrap_or_else(|| self.writer_gone())))?;
        if self.done.is_complete {
            if let Some(writer) = writer {
                let finished = spawn_blocking(move || writer.finish()).await;
                let finished = finished.map_err(|error| task_failed(&self.attempted, error))?;
                finished.map_err(|error| self.how_to_go_on(error))?;
            }
            self.store().await?;
        }
        Ok(self.reporter.summary(&self.done, self.checkpoint.as_ref()))
    }

    /// Reads all pages. Returns whether the last page was reached, or `Err(None)` if the writer is gone.
    async fn read(
        &mut self,
        to_writer: Option<&mpsc::Sender<Message>>,
        until: Option<BoxFuture<'static, ()>>,
    ) -> Result<bool, Option<Error>> {
        let mut until = until.unwrap_or_else(|| Box::pin(std::future::pending()));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saved = Instant::now();
        loop {
            tokio::select! {
                page = self.reader.next() => {
                    let Some(rows) = page? else { return Ok(true) };
                    self.done.counts.rows += rows.len() as u64;
                    let rows = match &mut self.partitions {
                        Some(partitions) => partitions.count(self.reader.range(), &rows),
                        None => rows,
                    };
                    if let Some(to_writer) = to_writer {
                        to_writer.send(Message::Rows(rows)).await.map_err(|_| None)?;
                    }
                    self.done.counts.bytes = self.before.bytes + self.reader.bytes;
                    self.done.counts.units = self.before.units + self.reader.units;
                }
                _ = ticks.tick() => {
                    self.report();
                    if saved.elapsed() >= self.checkpoint_every {
                        self.save(to_writer).await?;
                        saved = Instant::now();
                    }
                }
                () = &mut until => return Ok(false),
            }
        }
    }

    /// Syncs everything that was read, and saves the checkpoint. Returns `Err(None)` if the writer is gone.
    async fn save(&mut self, to_writer: Option<&mpsc::Sender<Message>>) -> Result<(), Option<Error>> {
        if self.checkpoint.is_none() {
            return Ok(());
        }
        self.done.scan = self.reader.position();
        if let Some(to_writer) = to_writer {
            let (answer, on_disk) = oneshot::channel();
            to_writer.send(Message::Sync(answer)).await.map_err(|_| None)?;
            self.done.output = Some(on_disk.await.map_err(|_| None)?);
        }
        self.store().await.map_err(Some)?;
        match to_writer {
            Some(to_writer) => to_writer.send(Message::Saved).await.map_err(|_| None),
            None => Ok(()),
        }
    }

    async fn store(&mut self) -> Result<(), Error> {
        let Some(mut checkpoint) = self.checkpoint.take() else { return Ok(()) };
        let done = self.done.clone();
        let stored = spawn_blocking(move || {
            let result = checkpoint.save(done);
            (checkpoint, result)
        });
        let (checkpoint, result) = stored.await.map_err(|error| task_failed(&self.attempted, error))?;
        self.checkpoint = Some(checkpoint);
        result
    }

    fn writer_gone(&self) -> Error {
        Error::new(ErrorKind::File, self.attempted.clone(), "the thread that writes has ended")
    }

    fn report(&mut self) {
        let distance =
            Distance { bytes: self.done.counts.bytes, fraction: self.reader.fraction(), ..Distance::default() };
        self.reporter.report(&self.done, distance);
    }

    fn how_to_go_on(&self, error: Error) -> Error {
        match &self.checkpoint {
            Some(checkpoint) => checkpoint.how_to_go_on(error),
            None => error,
        }
    }
}
