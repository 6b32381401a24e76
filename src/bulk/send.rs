//! Sends rows in random order, at a limited rate, and again after temporary errors, until all are done.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::batches::{Batches, GroupOutcome, RowGroup, WaitingRow};
use super::checkpoint::{Checkpoint, CheckpointState, Counts};
use super::chunk::{Chunk, InputRow, ReadRow};
use super::format::Reason;
use super::pages::UnfinishedPages;
use super::progress::{Completion, Progress, Reporter, Summary, Throttles};
use super::rate::Pacer;
use super::rejected::{RejectedFile, RejectedRow, RejectedRows};
use super::row_sender::{RowOutcome, RowSender, SendRow};
use super::shuffle::Shuffle;
use super::task_failed;
use super::tracker::Tracker;
use crate::Error;

/// The time between two reports of progress.
const TICK: Duration = Duration::from_millis(250);
/// The time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// The longest time that a row waits for others to be shuffled with.
const SHUFFLE_WAIT: Duration = Duration::from_millis(200);
/// How long rows in flight may take after the operation was stopped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a run that sends rows.
pub(super) struct Sending<S> {
    pub(super) attempted: String,
    pub(super) throttles: Throttles,
    pub(super) statement: S,
    /// The size of the input files; `None` if one has no size.
    pub(super) total_bytes: Option<u64>,
    pub(super) bytes_read: Arc<AtomicU64>,
    pub(super) limit: Option<NonZeroU32>,
    pub(super) in_flight: usize,
    pub(super) shuffle: usize,
    /// How long the service may accept no row before the operation ends with an error.
    pub(super) stall_timeout: Duration,
    pub(super) rejected: RejectedRows,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) stop_signal: Option<BoxFuture<'static, ()>>,
    /// Whether rows are measured but not sent.
    pub(super) dry_run: bool,
    /// Batches of consecutive rows of a partition; `None` sends each row alone.
    pub(super) batches: Option<Batches>,
    /// Whether the rows come from a scan, which resumes after a page, not after a row.
    pub(super) is_copy: bool,
}

impl<S: SendRow> Sending<S> {
    /// Sends all rows from `reading`, a task that ends when the chunks end.
    pub(super) async fn run(
        mut self,
        chunks: mpsc::Receiver<Result<Chunk, Error>>,
        mut reading: JoinHandle<()>,
    ) -> Result<Summary, Error> {
        let stop_signal = self.stop_signal.take();
        let mut run = RunningOperation::new(self);
        let result = run.run(chunks, &mut reading, stop_signal).await;
        reading.abort();
        if result.is_err() {
            // Rows in flight that are still acknowledged need not be sent again. The first error is the one to report.
            let _ = run.drain().await;
        }
        let saved = run.save().await;
        run.report();
        result.and(saved).map(|()| run.summary()).map_err(|error| run.with_resume_advice(error))
    }
}

/// A running operation.
struct RunningOperation<S> {
    statement: S,
    stall_timeout: Duration,
    in_flight: usize,
    dry_run: bool,
    attempted: String,
    total_bytes: Option<u64>,
    bytes_read: Arc<AtomicU64>,
    rejected: RejectedRows,
    checkpoint: Option<Checkpoint>,
    began: Instant,
    state: CheckpointState,
    tracker: Tracker,
    batches: Option<Batches>,
    shuffle: Shuffle<RowGroup>,
    sent: JoinSet<GroupOutcome>,
    pacer: Pacer,
    reporter: Reporter,
    /// The time of the last acknowledgement, in milliseconds since the run began.
    acknowledged: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    last_chunk: Instant,
    has_ended: bool,
    /// The pages that a copy has read.
    pages: Option<UnfinishedPages>,
}

impl<S: SendRow> RunningOperation<S> {
    fn new(with: Sending<S>) -> Self {
        let began = Instant::now();
        Self {
            began,
            state: with.checkpoint.as_ref().map(|checkpoint| checkpoint.state().clone()).unwrap_or_default(),
            tracker: Tracker::new(with.shuffle),
            batches: with.batches,
            shuffle: Shuffle::new(with.shuffle),
            sent: JoinSet::new(),
            pacer: Pacer::new(with.limit),
            reporter: Reporter::new(with.throttles, with.limit, with.progress),
            acknowledged: Arc::default(),
            stop: watch::Sender::new(false),
            last_chunk: began,
            has_ended: false,
            pages: with.is_copy.then(UnfinishedPages::default),
            statement: with.statement,
            stall_timeout: with.stall_timeout,
            in_flight: with.in_flight,
            dry_run: with.dry_run,
            attempted: with.attempted,
            total_bytes: with.total_bytes,
            bytes_read: with.bytes_read,
            rejected: with.rejected,
            checkpoint: with.checkpoint,
        }
    }

    async fn run(
        &mut self,
        mut chunks: mpsc::Receiver<Result<Chunk, Error>>,
        reading: &mut JoinHandle<()>,
        stop_signal: Option<BoxFuture<'static, ()>>,
    ) -> Result<(), Error> {
        let mut stop_signal = stop_signal.unwrap_or_else(|| Box::pin(std::future::pending()));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saved = Instant::now();
        loop {
            let wake = self.send_ready_rows();
            if self.has_ended && self.shuffle.is_empty() && self.sent.is_empty() {
                self.state.is_complete = true;
                return Ok(());
            }
            let takes_more = !self.has_ended && !self.shuffle.is_full() && !self.tracker.is_full();
            tokio::select! {
                chunk = chunks.recv(), if takes_more => match chunk {
                    Some(chunk) => self.take(chunk?).await?,
                    None => {
                        // If the reader panicked, rows are missing.
                        (&mut *reading).await.map_err(|error| task_failed(&self.attempted, error))?;
                        self.has_ended = true;
                    }
                },
                Some(sent) = self.sent.join_next(), if !self.sent.is_empty() => {
                    match sent.map_err(|error| task_failed(&self.attempted, error))? {
                        GroupOutcome::Row(ordinal, units, outcome) => self.settle(ordinal, units, outcome).await?,
                        GroupOutcome::Rows(rows) => self.settle_all(rows).await?,
                    }
                }
                () = sleep_until(wake.unwrap_or(saved)), if wake.is_some() => {}
                _ = ticks.tick() => {
                    self.report();
                    if saved.elapsed() >= CHECKPOINT_EVERY {
                        self.save().await?;
                        saved = Instant::now();
                    }
                }
                () = &mut stop_signal => return self.drain().await,
            }
        }
    }

    /// Sends rows while the rate and the limit of rows in flight allow it. Returns the time at which the next row may be
    /// sent.
    fn send_ready_rows(&mut self) -> Option<Instant> {
        while !self.shuffle.is_empty() && self.sent.len() < self.in_flight {
            let may_leave = self.has_ended || self.shuffle.is_full();
            if !may_leave && self.last_chunk.elapsed() < SHUFFLE_WAIT {
                return Some(self.last_chunk + SHUFFLE_WAIT);
            }
            if let Some(wait) = self.pacer.wait_time(self.began.elapsed()) {
                return Some(Instant::now() + wait);
            }
            let group = self.shuffle.take()?;
            self.pacer.charge(group.units());
            self.spawn(group);
        }
        None
    }

    fn spawn(&mut self, group: RowGroup) {
        let sender = RowSender {
            statement: self.statement.clone(),
            stall_timeout: self.stall_timeout,
            began: self.began,
            acknowledged: Arc::clone(&self.acknowledged),
            stop: self.stop.subscribe(),
        };
        self.sent.spawn(sender.send_group(group));
    }

    async fn take(&mut self, chunk: Chunk) -> Result<(), Error> {
        self.last_chunk = Instant::now();
        let end = chunk.rows.last().map_or_else(|| self.tracker.end(), |row| row.ordinal + 1);
        if let (Some(pages), Some(scan)) = (&mut self.pages, chunk.scan) {
            pages.push(end, scan);
        }
        let mut rejected = Vec::new();
        for InputRow { ordinal, at, row } in chunk.rows {
            self.tracker.push(ordinal, at);
            match row {
                ReadRow::AlreadyAcknowledged => {
                    self.tracker.mark_done(ordinal);
                }
                ReadRow::Rejected(reason, row) => rejected.push((ordinal, reason, row)),
                ReadRow::Row { units, .. } if self.dry_run => self.acknowledge(ordinal, units),
                ReadRow::Row { values, units } => {
                    let row = WaitingRow { ordinal, values, units };
                    let group = match &mut self.batches {
                        Some(batches) => batches.add(row),
                        None => Some(row.into()),
                    };
                    self.push(group);
                }
            }
        }
        let group = self.batches.as_mut().and_then(Batches::end);
        self.push(group);
        for (ordinal, reason, row) in rejected {
            self.reject(ordinal, reason, row).await?;
        }
        Ok(())
    }

    fn push(&mut self, group: Option<RowGroup>) {
        if let Some(group) = group {
            let bytes = group.bytes();
            self.shuffle.push(group, bytes);
        }
    }

    /// Settles all rows of one request, including those after a row that ends the load.
    async fn settle_all(&mut self, rows: Vec<(u64, u32, RowOutcome)>) -> Result<(), Error> {
        let mut failed = None;
        for (ordinal, units, outcome) in rows {
            if let Err(error) = self.settle(ordinal, units, outcome).await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn settle(&mut self, ordinal: u64, units: u32, outcome: RowOutcome) -> Result<(), Error> {
        match outcome {
            RowOutcome::Acknowledged => {
                self.acknowledge(ordinal, units);
                Ok(())
            }
            RowOutcome::Rejected(reason, values) => self.reject(ordinal, reason, RejectedRow::Values(values)).await,
            RowOutcome::Unsent => Ok(()),
            RowOutcome::Failed(error) => Err(error),
        }
    }

    fn acknowledge(&mut self, ordinal: u64, units: u32) {
        let bytes = self.tracker.mark_done(ordinal).into();
        self.count(ordinal, Counts { rows: 1, rejected: 0, bytes, units: units.into() });
    }

    async fn reject(&mut self, ordinal: u64, reason: Reason, row: RejectedRow) -> Result<(), Error> {
        self.rejected.reject(self.state.counts.rejected, self.tracker.position(ordinal), reason, row).await?;
        self.tracker.mark_done(ordinal);
        self.count(ordinal, Counts { rejected: 1, ..Counts::default() });
        Ok(())
    }

    fn count(&mut self, ordinal: u64, counts: Counts) {
        self.state.counts += counts;
        if let Some(pages) = &mut self.pages {
            pages.count(ordinal, counts);
        }
    }

    /// Waits for the rows in flight. Rows that are not acknowledged by then are sent when the operation resumes.
    async fn drain(&mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let deadline = sleep(DRAIN_TIMEOUT);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                sent = self.sent.join_next() => match sent {
                    Some(Ok(GroupOutcome::Row(ordinal, units, outcome @ (RowOutcome::Acknowledged | RowOutcome::Rejected(..))))) => {
                        self.settle(ordinal, units, outcome).await?;
                    }
                    Some(Ok(GroupOutcome::Rows(mut rows))) => {
                        rows.retain(|(.., outcome)| matches!(outcome, RowOutcome::Acknowledged | RowOutcome::Rejected(..)));
                        self.settle_all(rows).await?;
                    }
                    Some(_) => {}
                    None => return Ok(()),
                },
                () = &mut deadline => return Ok(()),
            }
        }
    }

    /// The progress for the next checkpoint; `None` if the saved checkpoint remains valid.
    fn resumable(&mut self, saved: &CheckpointState) -> Option<CheckpointState> {
        let Some(pages) = self.pages.as_mut().filter(|_| !self.state.is_complete) else {
            let resume = self.tracker.resume().or_else(|| saved.resume.clone());
            return Some(CheckpointState { resume, ..self.state.clone() });
        };
        let page = pages.take_done(self.tracker.all_done_before())?;
        let mut state = CheckpointState { scan: Some(page.scan), ..saved.clone() };
        state.counts += page.counts;
        Some(state)
    }

    async fn save(&mut self) -> Result<(), Error> {
        let Some(mut checkpoint) = self.checkpoint.take() else { return Ok(()) };
        let Some(mut state) = self.resumable(checkpoint.state()) else {
            self.checkpoint = Some(checkpoint);
            return Ok(());
        };
        let file = self.rejected.file.take();
        let saved = spawn_blocking(move || {
            let synced = file.as_ref().map(RejectedFile::sync).transpose();
            let result = synced.and_then(|bytes| {
                state.rejected_bytes = bytes;
                checkpoint.save(state)
            });
            (checkpoint, file, result)
        });
        let (checkpoint, file, result) = saved.await.map_err(|error| task_failed(&self.attempted, error))?;
        (self.checkpoint, self.rejected.file) = (Some(checkpoint), file);
        result
    }

    fn report(&mut self) {
        let bytes = self.bytes_read.load(Ordering::Relaxed);
        let read = self.total_bytes.map(|total| (bytes as f64 / total.max(1) as f64).min(1.0));
        // Small files are read long before their rows are done, so the fraction of bytes is multiplied by the fraction of
        // rows done.
        let Counts { rows, rejected, .. } = self.state.counts;
        let fraction_done = ((rows + rejected) as f64 / self.tracker.end().max(1) as f64).min(1.0);
        let fraction = read.map(|read| read * fraction_done);
        self.reporter.report(&self.state, Completion { bytes, total_bytes: self.total_bytes, fraction });
    }

    fn summary(&self) -> Summary {
        let summary = self.reporter.summary(&self.state, self.checkpoint.as_ref());
        Summary {
            first_rejection: self.rejected.first.clone(),
            rejected_file: self.rejected.path().filter(|_| summary.rejected > 0),
            ..summary
        }
    }

    fn with_resume_advice(&self, error: Error) -> Error {
        match &self.checkpoint {
            Some(checkpoint) => checkpoint.with_resume_advice(error),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests;
