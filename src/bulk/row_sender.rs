//! Sends a row until it is acknowledged, or until an error shows that it never will be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::batches::{GroupOutcome, RowGroup, WaitingRow};
use super::format::Reason;
use super::retry::{RetryDelays, is_retried};
use super::row::RowValues;
use crate::saturated::saturated;
use crate::{Error, ErrorKind};

/// The outcome of a row.
pub(super) enum RowOutcome {
    Acknowledged,
    /// The service would refuse the row again.
    Rejected(Reason, RowValues),
    /// The operation was stopped before it was acknowledged.
    Unsent,
    /// The error would affect every other row too.
    Failed(Error),
}

/// Sends a request for one row or for several, without retries.
pub(super) trait SendRow: Clone + Send + Sync + 'static {
    /// Writes one row.
    fn execute(&self, values: &RowValues) -> impl Future<Output = Result<(), Error>> + Send;

    /// Writes rows of one partition in one request.
    fn execute_batch(&self, rows: &RowGroup) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Sends a row until it is acknowledged, or until an error shows that it never will be.
pub(super) struct RowSender<S> {
    pub(super) statement: S,
    pub(super) stall_timeout: Duration,
    pub(super) began: Instant,
    pub(super) acknowledged: Arc<AtomicU64>,
    pub(super) stop: watch::Receiver<bool>,
}

impl<S: SendRow> RowSender<S> {
    /// Sends one row, or several in one request.
    pub(super) async fn send_group(mut self, group: RowGroup) -> GroupOutcome {
        if group.others.is_empty() {
            let WaitingRow { ordinal, values, units } = group.first;
            return GroupOutcome::Row(ordinal, units, self.send(values).await);
        }
        let mut delays = RetryDelays::default();
        loop {
            let Err(error) = self.statement.execute_batch(&group).await else {
                self.acknowledge();
                let done = group.rows().map(|row| (row.ordinal, row.units, RowOutcome::Acknowledged));
                return GroupOutcome::Rows(done.collect());
            };
            if !is_retried(error.kind()) {
                break;
            }
            if let Some(outcome) = self.wait_before_retry(error, &mut delays).await {
                let others = group.others.iter().map(|row| (row.ordinal, row.units, RowOutcome::Unsent));
                let first = (group.first.ordinal, group.first.units, outcome);
                return GroupOutcome::Rows(std::iter::once(first).chain(others).collect());
            }
        }
        // Sending one by one shows which of the rows is refused.
        let mut sent = Vec::with_capacity(1 + group.others.len());
        for WaitingRow { ordinal, values, units } in group.into_rows() {
            sent.push((ordinal, units, self.send(values).await));
        }
        GroupOutcome::Rows(sent)
    }

    fn acknowledge(&self) {
        let now = saturated::<u64>(self.began.elapsed().as_millis());
        self.acknowledged.fetch_max(now, Ordering::Relaxed);
    }

    /// Waits before the next attempt; returns the outcome if there is no further attempt.
    async fn wait_before_retry(&mut self, error: Error, delays: &mut RetryDelays) -> Option<RowOutcome> {
        let last = Duration::from_millis(self.acknowledged.load(Ordering::Relaxed));
        if self.began.elapsed().saturating_sub(last) > self.stall_timeout {
            return Some(RowOutcome::Failed(error));
        }
        tokio::select! {
            () = sleep(delays.next()) => {}
            _ = self.stop.wait_for(|stopped| *stopped) => return Some(RowOutcome::Unsent),
        }
        if *self.stop.borrow() { Some(RowOutcome::Unsent) } else { None }
    }

    async fn send(&mut self, values: RowValues) -> RowOutcome {
        let mut delays = RetryDelays::default();
        loop {
            let Err(error) = self.statement.execute(&values).await else {
                self.acknowledge();
                return RowOutcome::Acknowledged;
            };
            match error.kind() {
                ErrorKind::Value | ErrorKind::TooLarge | ErrorKind::Refused => {
                    return RowOutcome::Rejected(Reason::of_record(refusal(&error)), values);
                }
                // The addition may have been applied, and a second try would apply it twice.
                ErrorKind::Unknown => {
                    let problem = format!("may have been applied, or not: {error}");
                    return RowOutcome::Rejected(Reason::of_record(problem), values);
                }
                kind if is_retried(kind) => {}
                _ => return RowOutcome::Failed(error),
            }
            if let Some(outcome) = self.wait_before_retry(error, &mut delays).await {
                return outcome;
            }
        }
    }
}

/// The error of a row, without the words that name the attempted operation.
fn refusal(error: &Error) -> String {
    format!("was refused: {}", error.server_message().unwrap_or_else(|| error.problem()))
}
