//! Rows out of a table, and their number.

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
/// Compressed files are cut into members at checkpoints, so they are fewer than those of a load; Parquet is cut into row
/// groups, which are small if they are many.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
const ROW_GROUP_EVERY: Duration = Duration::from_secs(30);
const PAGES_AHEAD: usize = 4;

/// The rows of a table written to files, or counted; from [`Bulk::export`](super::Bulk::export),
/// [`Bulk::count`](super::Bulk::count) and [`Bulk::count_by_partition`](super::Bulk::count_by_partition), and a future.
///
/// Many token ranges are read in parallel, so the rows come in no order. Memory is bounded whatever the size of the table.
/// What the service did not give in time is asked for again.
///
/// With a [`checkpoint`](Self::checkpoint), the same call goes on where it was after whatever ended it: what was written after
/// the checkpoint is cut away and written again, so each row is in the files once.
///
/// Dropped, it reads nothing more; with a checkpoint the same call goes on from there.
///
/// # Errors
///
/// [`File`](ErrorKind::File) if a file cannot be written: the disk is full, or there is such a file;
/// [`Value`](ErrorKind::Value) if there is no such column; [`Cursor`](ErrorKind::Cursor) if the checkpoint is of
/// something else; [`NotReady`](ErrorKind::NotReady) if there is no such table, or not any more; what the last page met
/// if the service gave none for as long as the [`patience`](Self::patience) is.
#[must_use]
pub struct Export {
    session: Session,
    keyspace: String,
    table: String,
    /// `None`: they are counted.
    output: Option<(Output, Format)>,
    /// Their number by partition is written, not they.
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

    /// A count by partition gives only so many partitions: those with the most rows, the largest first. Default: all.
    pub fn largest(self, partitions: NonZeroUsize) -> Self {
        Self { largest: Some(partitions), ..self }
    }

    /// The columns that are written, in this order. Default: all, those of the key first.
    pub fn columns(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// Only the rows of which this is true: what follows WHERE in a SELECT, for instance `day = '2026-01-31' AND hour > 7`.
    /// Default: the whole table.
    pub fn filter(self, relations: impl Into<String>) -> Self {
        Self { filter: Some(relations.into()), ..self }
    }

    /// At which consistency it reads. Default: the session's. [`ReadConsistency::LocalOne`] costs half as much, and may miss
    /// what was written a moment ago.
    pub fn consistency(self, consistency: ReadConsistency) -> Self {
        Self { consistency: Some(consistency), ..self }
    }

    /// How many capacity units a second it may use. Default: [`Rate::Adaptive`].
    pub fn rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    /// For how long the service may give no page before it ends with an error. Throttling, lost connections and expired
    /// credentials are waited for. Default: 15 minutes.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The file that says how far it is, written every five seconds, with Parquet every 30. If it is there, it goes on from there, if its table and
    /// options are the same. Default: none. What is written to a writer has none.
    pub fn checkpoint(self, path: impl Into<PathBuf>) -> Self {
        Self { checkpoint: Some(path.into()), ..self }
    }

    /// How far it is, several times a second.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Stops when `signal` is ready, with a summary that is not complete; as [`Load::until`](super::Load::until).
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
            // Of a row that is counted no more has to come than its key.
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
}

impl Export {
    /// What of the settings cannot be, and what to do.
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

/// What the thread that writes is told.
enum Message {
    Rows(Vec<RowValues>),
    /// To answer with what is on the disk.
    Sync(oneshot::Sender<OnDisk>),
    /// What it answered is in the checkpoint.
    Saved,
}

/// Writes what comes until there is no more.
fn write(mut writer: RowWriter, mut messages: mpsc::Receiver<Message>) -> Result<Option<RowWriter>, Error> {
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Rows(rows) => writer.write(&rows)?,
            // If nobody listens any more, nobody needs it.
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
            // A writer that is gone tells why itself.
            let _ = to_writer.send(Message::Rows(partitions.finish())).await;
        }
        let was_read = std::mem::replace(&mut self.done.is_read, matches!(read, Ok(true)));
        let synced = match read {
            // All is on the disk already, and the last file may have its name.
            Ok(_) if was_read => Ok(()),
            Ok(_) | Err(Some(_)) => self.save(to_writer.as_ref()).await,
            Err(None) => Ok(()),
        };
        drop(to_writer);
        let written = writing.await.map_err(|error| task_failed(&self.attempted, error))?;
        self.report();
        // What the writer met is the cause of what the reader met.
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

    /// Reads all pages, and says whether it came to the last. `Err(None)`: the writer is gone.
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

    /// Brings everything that was read to the disk, and writes down where to go on. `Err(None)`: the writer is gone.
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
