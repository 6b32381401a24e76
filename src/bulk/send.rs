//! Sends rows: in random order, no faster than it may, again where the service was not ready, until all are done.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::checkpoint::{Checkpoint, Done};
use super::files::{Chunk, Read, ReadRow};
use super::format::{Reason, RowCells};
use super::progress::{Progress, Speed, Summary, time_left};
use super::rate::Pacer;
use super::rejected::{RejectedRow, RejectedTo, Rejection};
use super::row::RowValues;
use super::row_sender::{Outcome, RowSender};
use super::row_statement::RowStatement;
use super::shuffle::Shuffle;
use super::table::Column;
use super::task_failed;
use super::tracker::Tracker;
use crate::{Error, ErrorKind, Session};

/// Between two reports of progress.
const TICK: Duration = Duration::from_millis(250);
/// Between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// Rows wait no longer for others to be shuffled with.
const SHUFFLE_WAIT: Duration = Duration::from_millis(200);
/// How long rows that were sent may take after the operation was stopped.
const DRAIN: Duration = Duration::from_secs(10);
/// What rows are sent with.
pub(super) struct Sending {
    pub(super) attempted: String,
    pub(super) session: Session,
    /// As the limits of a session name it.
    pub(super) table: String,
    pub(super) statement: RowStatement,
    pub(super) columns: Arc<[Column]>,
    pub(super) file_names: Vec<String>,
    pub(super) total_bytes: Option<u64>,
    pub(super) bytes_read: Arc<AtomicU64>,
    pub(super) limit: Option<NonZeroU32>,
    pub(super) in_flight: usize,
    pub(super) shuffle: usize,
    /// How long the service may take none of the rows.
    pub(super) patience: Duration,
    pub(super) most_rejected: u64,
    pub(super) rejected: Option<RejectedTo>,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) until: Option<BoxFuture<'static, ()>>,
    /// Measures the rows, and sends none.
    pub(super) dry_run: bool,
}

/// A row that waits to be sent.
struct Waiting {
    ordinal: u64,
    values: RowValues,
    units: u32,
}

impl Sending {
    /// Sends all rows that come.
    pub(super) async fn run(mut self, chunks: mpsc::Receiver<Result<Chunk, Error>>) -> Result<Summary, Error> {
        let until = self.until.take();
        let mut run = Run::new(self);
        let result = run.run(chunks, until).await;
        if result.is_err() {
            // What is under way may still be acknowledged, and then need not be sent again. The first error is the one to tell.
            let _ = run.drain().await;
        }
        let saved = run.save().await;
        run.report();
        result.and(saved).map(|()| run.summary()).map_err(|error| run.how_to_go_on(error))
    }
}

/// A run of an operation.
struct Run {
    with: Sending,
    began: Instant,
    done: Done,
    tracker: Tracker,
    shuffle: Shuffle<Waiting>,
    sent: JoinSet<(u64, u32, Outcome)>,
    pacer: Pacer,
    speed: Speed,
    throttles_before: u64,
    first_rejection: Option<String>,
    /// When a row was acknowledged last, in milliseconds since the run began.
    acknowledged: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    last_chunk: Instant,
    has_ended: bool,
    /// Where to go on with the table that is copied, once all rows before one are done.
    scans: VecDeque<(u64, String)>,
}

impl Run {
    fn new(with: Sending) -> Self {
        let done = with.checkpoint.as_ref().map(|checkpoint| checkpoint.done().clone()).unwrap_or_default();
        let throttles_before = with.session.paces().throttles(&with.table, false);
        let began = Instant::now();
        Self {
            began,
            done,
            tracker: Tracker::default(),
            shuffle: Shuffle::new(with.shuffle),
            sent: JoinSet::new(),
            pacer: Pacer::new(with.limit),
            speed: Speed::default(),
            throttles_before,
            first_rejection: None,
            acknowledged: Arc::default(),
            stop: watch::Sender::new(false),
            last_chunk: began,
            has_ended: false,
            scans: VecDeque::new(),
            with,
        }
    }

    async fn run(
        &mut self,
        mut chunks: mpsc::Receiver<Result<Chunk, Error>>,
        until: Option<BoxFuture<'static, ()>>,
    ) -> Result<(), Error> {
        let mut until = until.unwrap_or_else(|| Box::pin(std::future::pending()));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saved = Instant::now();
        loop {
            let wake = self.send_what_may_be_sent();
            if self.has_ended && self.shuffle.is_empty() && self.sent.is_empty() {
                self.done.is_complete = true;
                return Ok(());
            }
            let takes_more = !self.has_ended && !self.shuffle.is_full();
            tokio::select! {
                chunk = chunks.recv(), if takes_more => match chunk {
                    Some(chunk) => self.take(chunk?).await?,
                    None => self.has_ended = true,
                },
                Some(sent) = self.sent.join_next(), if !self.sent.is_empty() => {
                    let (ordinal, units, outcome) = sent.map_err(|error| task_failed(&self.with.attempted, error))?;
                    self.settle(ordinal, units, outcome).await?;
                }
                () = sleep_until(wake.unwrap_or(saved)), if wake.is_some() => {}
                _ = ticks.tick() => {
                    self.report();
                    if saved.elapsed() >= CHECKPOINT_EVERY {
                        self.save().await?;
                        saved = Instant::now();
                    }
                }
                () = &mut until => return self.drain().await,
            }
        }
    }

    /// Sends rows as long as they may be sent at once; gives when the next one may.
    fn send_what_may_be_sent(&mut self) -> Option<Instant> {
        while !self.shuffle.is_empty() && self.sent.len() < self.with.in_flight {
            let may_leave = self.has_ended || self.shuffle.is_full();
            if !may_leave && self.last_chunk.elapsed() < SHUFFLE_WAIT {
                return Some(self.last_chunk + SHUFFLE_WAIT);
            }
            if let Some(wait) = self.pacer.wait(self.began.elapsed()) {
                return Some(Instant::now() + wait);
            }
            let oldest = self.tracker.span() > 16 * self.with.shuffle.max(1_024);
            let waiting = self.shuffle.take(oldest, |row| row.ordinal, |row| row.values.0.len())?;
            self.pacer.charge(waiting.units.into());
            self.spawn(waiting);
        }
        None
    }

    fn spawn(&mut self, Waiting { ordinal, values, units }: Waiting) {
        let sender = RowSender {
            statement: self.with.statement.clone(),
            patience: self.with.patience,
            began: self.began,
            acknowledged: Arc::clone(&self.acknowledged),
            stop: self.stop.subscribe(),
        };
        self.sent.spawn(async move { (ordinal, units, sender.send(values).await) });
    }

    async fn take(&mut self, chunk: Chunk) -> Result<(), Error> {
        self.last_chunk = Instant::now();
        let mut rejected = Vec::new();
        for Read { ordinal, at, row } in chunk.rows {
            self.tracker.read(ordinal, at);
            match row {
                ReadRow::Done => {
                    self.tracker.done(ordinal);
                }
                ReadRow::Rejected(reason, record) => rejected.push((ordinal, reason, Ok(record))),
                ReadRow::Unwritable(reason, values) => rejected.push((ordinal, reason, Err(values))),
                ReadRow::Row { units, .. } if self.with.dry_run => {
                    self.done.bytes += u64::from(self.tracker.done(ordinal));
                    self.done.rows += 1;
                    self.done.units += f64::from(units);
                }
                ReadRow::Row { values, units } => {
                    let bytes = values.0.len();
                    self.shuffle.push(Waiting { ordinal, values, units }, bytes);
                }
            }
        }
        if let Some(scan) = chunk.scan {
            self.scans.push_back((self.tracker.end(), scan));
        }
        for (ordinal, reason, row) in rejected {
            self.reject(ordinal, reason, row).await?;
        }
        Ok(())
    }

    async fn settle(&mut self, ordinal: u64, units: u32, outcome: Outcome) -> Result<(), Error> {
        match outcome {
            Outcome::Done => {
                self.done.bytes += u64::from(self.tracker.done(ordinal));
                self.done.rows += 1;
                self.done.units += f64::from(units);
                Ok(())
            }
            Outcome::Rejected(reason, values) => self.reject(ordinal, reason, Err(values)).await,
            Outcome::Unsent => Ok(()),
            Outcome::Failed(error) => Err(error),
        }
    }

    /// Waits for what was sent; what is not acknowledged by then is sent when the operation goes on.
    async fn drain(&mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let deadline = sleep(DRAIN);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                sent = self.sent.join_next() => match sent {
                    Some(Ok((ordinal, units, outcome @ (Outcome::Done | Outcome::Rejected(..))))) => {
                        self.settle(ordinal, units, outcome).await?;
                    }
                    Some(_) => {}
                    None => return Ok(()),
                },
                () = &mut deadline => return Ok(()),
            }
        }
    }

    async fn reject(&mut self, ordinal: u64, reason: Reason, row: Result<Vec<u8>, RowValues>) -> Result<(), Error> {
        let at = self.tracker.position(ordinal);
        let file = self.with.file_names.get(at.file as usize).cloned().unwrap_or_default();
        let told = Rejection::new(&file, at.at.line, &self.with.columns, &reason).told();
        let first = self.first_rejection.get_or_insert(told).clone();
        if let Some((path, mut rejected)) = self.with.rejected.take() {
            let columns = Arc::clone(&self.with.columns);
            let written = spawn_blocking(move || {
                let rejection = Rejection::new(&file, at.at.line, &columns, &reason);
                let row = match &row {
                    Ok(record) => RejectedRow::Record(record),
                    Err(values) => RejectedRow::Cells(RowCells { columns: &columns, bytes: &values.0 }),
                };
                let written = rejected.write(&rejection, &row);
                (rejected, written)
            });
            let (rejected, written) = written.await.map_err(|error| task_failed(&self.with.attempted, error))?;
            self.with.rejected = Some((path, rejected));
            written?;
        }
        if self.done.rejected >= self.with.most_rejected {
            let problem = match self.with.most_rejected {
                0 => format!("a row was rejected: {first}"),
                most => format!("more than {most} rows were rejected; the first: {first}"),
            };
            let advice = match &self.with.rejected {
                Some((path, _)) => format!("Mend the rows in {} and load them, or allow more", path.display()),
                None => "Mend it, or name a file for rejected rows".to_owned(),
            };
            return Err(Error::new(ErrorKind::Value, self.with.attempted.clone(), problem).with_advice(advice));
        }
        self.tracker.done(ordinal);
        self.done.rejected += 1;
        Ok(())
    }

    async fn save(&mut self) -> Result<(), Error> {
        let Some(mut checkpoint) = self.with.checkpoint.take() else { return Ok(()) };
        let rejected = self.with.rejected.take();
        while self.scans.front().is_some_and(|(end, _)| *end <= self.tracker.all_done_before()) {
            self.done.scan = self.scans.pop_front().map(|(_, scan)| scan);
        }
        let mut done = self.done.clone();
        done.resume = self.tracker.resume().or(done.resume);
        let saved = spawn_blocking(move || {
            let synced = rejected.as_ref().map_or(Ok(0), |(_, rejected)| rejected.sync());
            let result = synced.and_then(|bytes| {
                done.rejected_bytes = bytes;
                checkpoint.save(done)
            });
            (checkpoint, rejected, result)
        });
        let (checkpoint, rejected, result) = saved.await.map_err(|error| task_failed(&self.with.attempted, error))?;
        (self.with.checkpoint, self.with.rejected) = (Some(checkpoint), rejected);
        result
    }

    fn throttles(&self) -> u64 {
        self.with.session.paces().throttles(&self.with.table, false) - self.throttles_before
    }

    fn report(&mut self) {
        let elapsed = self.began.elapsed();
        let bytes = self.with.bytes_read.load(Ordering::Relaxed);
        let (rows, units) = (self.done.rows, self.done.units);
        let speed = self.speed.tick(elapsed, [rows as f64, units, bytes as f64]);
        let [rows_per_second, units_per_second, bytes_per_second] = speed;
        let missing = self.with.total_bytes.map(|total| total.saturating_sub(bytes) as f64);
        self.with.progress.send_replace(Progress {
            rows,
            rejected: self.done.rejected,
            bytes,
            total_bytes: self.with.total_bytes,
            fraction: self.with.total_bytes.map(|total| (bytes as f64 / total.max(1) as f64).min(1.0)),
            units,
            units_per_second,
            rows_per_second,
            limit: self.pacer.limit.map(NonZeroU32::get),
            throttles: self.throttles(),
            elapsed,
            time_left: missing.and_then(|missing| time_left(missing, bytes_per_second)),
        });
    }

    fn summary(&self) -> Summary {
        Summary {
            rows: self.done.rows,
            rejected: self.done.rejected,
            bytes: self.done.bytes,
            units: self.done.units,
            throttles: self.throttles(),
            elapsed: self.began.elapsed(),
            is_complete: self.done.is_complete,
            first_rejection: self.first_rejection.clone(),
            rejected_file: self.with.rejected.as_ref().filter(|_| self.done.rejected > 0).map(|(path, _)| path.clone()),
            checkpoint: self.with.checkpoint.as_ref().map(|checkpoint| checkpoint.path().to_owned()),
        }
    }

    fn how_to_go_on(&self, error: Error) -> Error {
        match &self.with.checkpoint {
            Some(checkpoint) => checkpoint.how_to_go_on(error),
            None => error,
        }
    }
}
