//! The progress of an operation, and its summary.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::checkpoint::{Checkpoint, CheckpointState, Counts};
use crate::Session;
use crate::counted::Counted;

/// The progress of an operation, reported several times a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Rows that are done (acknowledged, written to a file, or counted), including earlier runs.
    pub rows: u64,
    /// Rows that were rejected, including earlier runs.
    pub rejected: u64,
    /// For a load, the bytes of the input files that were read (the compressed bytes of compressed files); for an
    /// export, the bytes of the rows that were read; for a copy or a stream, 0.
    pub bytes: u64,
    /// Bytes of all input files; `None` if an input is not a file.
    pub total_bytes: Option<u64>,
    /// The fraction that is done, from 0 to 1; `None` if it is unknown.
    pub fraction: Option<f64>,
    /// Capacity units that were used, by AWS's own estimate.
    pub units: f64,
    /// Capacity units a second, over the last seconds.
    pub units_per_second: f64,
    /// Rows a second, over the last seconds.
    pub rows_per_second: f64,
    /// The limit of units a second, if there is one.
    pub limit: Option<u32>,
    /// Requests that the service throttled.
    pub throttles: u64,
    /// The time since this run began.
    pub elapsed: Duration,
    /// The remaining time at the rate of the last seconds.
    pub time_left: Option<Duration>,
}

/// The summary of an operation.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// Rows that are done, including earlier runs.
    pub rows: u64,
    /// Rows that were rejected, including earlier runs.
    pub rejected: u64,
    /// Bytes of rows that were read or written, decompressed, including earlier runs.
    pub bytes: u64,
    /// Capacity units that were used, by AWS's own estimate; after a dry run the units that a real run would use.
    pub units: f64,
    /// Requests of this run that the service throttled.
    pub throttles: u64,
    /// The duration of this run.
    pub elapsed: Duration,
    /// Whether the operation is complete. Otherwise it was stopped; with a checkpoint, the same call resumes it.
    pub is_complete: bool,
    /// The reason why the first row of this run was rejected.
    pub first_rejection: Option<String>,
    /// The file with the rejected rows, if there are any.
    pub rejected_file: Option<PathBuf>,
    /// The checkpoint to resume from.
    pub checkpoint: Option<PathBuf>,
}

impl Summary {
    /// The summary of an operation that was complete before this run.
    pub(super) fn of_complete_checkpoint(checkpoint: &Checkpoint, rejected_file: Option<PathBuf>) -> Self {
        let summary = Self::of_state(checkpoint.state());
        Self {
            rejected_file: rejected_file.filter(|_| summary.rejected > 0),
            checkpoint: Some(checkpoint.path().to_owned()),
            ..summary
        }
    }

    fn of_state(state: &CheckpointState) -> Self {
        let Counts { rows, rejected, bytes, units } = state.counts;
        Self { rows, rejected, bytes, units, is_complete: state.is_complete, ..Self::default() }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rejected, throttles, .. } = self;
        let (rows, bytes) = (Counted(self.rows, "row"), Counted(self.bytes, "byte"));
        let units = Counted(self.units, "unit");
        let state = if self.is_complete { "complete" } else { "stopped" };
        write!(f, "{state}: {rows}, {rejected} rejected, {bytes}, {units}, {throttles} throttled")?;
        write!(f, ", {:.1} s", self.elapsed.as_secs_f64())?;
        if let Some(reason) = &self.first_rejection {
            write!(f, "\nfirst rejected: {reason}")?;
        }
        if let Some(path) = &self.rejected_file {
            write!(f, "\nrejected rows: {}", path.display())?;
        }
        match &self.checkpoint {
            Some(path) if !self.is_complete => {
                write!(f, "\nto resume: run the same operation again with the checkpoint {}", path.display())
            }
            _ => Ok(()),
        }
    }
}

/// Returns how many requests the service has throttled since the session began.
pub(super) type Throttles = Box<dyn Fn() -> u64 + Send + Sync>;

/// Reads the throttles of a table from the session's rate limiters, which are keyed by the table's name.
pub(super) fn throttles(session: &Session, table: String, is_read: bool) -> Throttles {
    let session = session.clone();
    Box::new(move || session.rate_limiters().throttles(&table, is_read))
}

/// Reports the progress of a run, and creates its summary.
pub(super) struct Reporter {
    throttled: Throttles,
    throttles_before: u64,
    began: Instant,
    throughput: Throughput,
    limit: Option<NonZeroU32>,
    progress: watch::Sender<Progress>,
}

/// How much of the files or the table is done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Completion {
    pub(super) bytes: u64,
    pub(super) total_bytes: Option<u64>,
    pub(super) fraction: Option<f64>,
}

impl Reporter {
    /// Starts the reports of a run. `limit` is in units a second.
    pub(super) fn new(throttled: Throttles, limit: Option<NonZeroU32>, progress: watch::Sender<Progress>) -> Self {
        Self {
            throttles_before: throttled(),
            throttled,
            began: Instant::now(),
            throughput: Throughput::default(),
            limit,
            progress,
        }
    }

    fn throttles(&self) -> u64 {
        (self.throttled)() - self.throttles_before
    }

    pub(super) fn report(&mut self, state: &CheckpointState, completion: Completion) {
        let elapsed = self.began.elapsed();
        let Completion { bytes, total_bytes, fraction } = completion;
        let Counts { rows, rejected, units, .. } = state.counts;
        let throughput = self.throughput.record(elapsed, [rows as f64, units, fraction.unwrap_or_default()]);
        let [rows_per_second, units_per_second, fraction_per_second] = throughput;
        self.progress.send_replace(Progress {
            rows,
            rejected,
            bytes,
            total_bytes,
            fraction,
            units,
            units_per_second,
            rows_per_second,
            limit: self.limit.map(NonZeroU32::get),
            throttles: self.throttles(),
            elapsed,
            time_left: fraction.and_then(|fraction| time_left(1.0 - fraction, fraction_per_second)),
        });
    }

    pub(super) fn summary(&self, state: &CheckpointState, checkpoint: Option<&Checkpoint>) -> Summary {
        Summary {
            throttles: self.throttles(),
            elapsed: self.began.elapsed(),
            checkpoint: checkpoint.map(|checkpoint| checkpoint.path().to_owned()),
            ..Summary::of_state(state)
        }
    }
}

/// Rates over the last seconds.
#[derive(Debug, Default)]
struct Throughput {
    /// The last samples, the oldest first: the time of each, and the three amounts at that time.
    samples: VecDeque<(Duration, [f64; 3])>,
}

impl Throughput {
    const MAX_SAMPLES: usize = 20;

    /// Records three amounts at a time, and returns the rate of each per second.
    fn record(&mut self, now: Duration, amounts: [f64; 3]) -> [f64; 3] {
        self.samples.push_back((now, amounts));
        if self.samples.len() > Self::MAX_SAMPLES {
            self.samples.pop_front();
        }
        let Some((then, before)) = self.samples.front() else { return [0.0; 3] };
        let seconds = (now - *then).as_secs_f64().max(0.001);
        let mut throughput = [0.0; 3];
        for ((throughput, amount), before) in throughput.iter_mut().zip(amounts).zip(before) {
            *throughput = (amount - before) / seconds;
        }
        throughput
    }
}

/// The time that the remaining amount takes at this rate.
fn time_left(remaining: f64, per_second: f64) -> Option<Duration> {
    (per_second > 0.0 && remaining >= 0.0).then(|| Duration::try_from_secs_f64(remaining / per_second).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_reports_the_work_done_and_how_to_resume() {
        let summary = Summary {
            rows: 9,
            rejected: 1,
            bytes: 100,
            units: 12.0,
            elapsed: Duration::from_millis(1_250),
            first_rejection: Some("a.csv, line 3: the row has 1 field, 2 columns are expected".to_owned()),
            rejected_file: Some("bad".into()),
            checkpoint: Some("state".into()),
            ..Summary::default()
        };
        assert_eq!(
            summary.to_string(),
            "stopped: 9 rows, 1 rejected, 100 bytes, 12 units, 0 throttled, 1.2 s\n\
             first rejected: a.csv, line 3: the row has 1 field, 2 columns are expected\n\
             rejected rows: bad\n\
             to resume: run the same operation again with the checkpoint state"
        );
    }

    #[test]
    fn throughput_covers_only_the_last_samples() {
        let mut throughput = Throughput::default();
        for tick in 0..100_u32 {
            let now = Duration::from_millis(250) * tick;
            let per_second = if tick < 50 { 1.0 } else { 8.0 };
            let rates = throughput.record(now, [f64::from(tick) * per_second, 0.0, 0.0]);
            if tick == 99 {
                assert_eq!(rates, [32.0, 0.0, 0.0]);
            }
        }
        assert_eq!(time_left(50.0, 25.0), Some(Duration::from_secs(2)));
        assert_eq!(time_left(50.0, 0.0), None);
    }
}
