//! One row, sent until it is acknowledged or can never be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::format::Reason;
use super::patience::{Pauses, is_waited_for};
use super::row::RowValues;
use super::row_statement::RowStatement;
use crate::saturated::saturated;
use crate::{Error, ErrorKind};

/// What became of a row.
pub(super) enum RowOutcome {
    Done,
    /// It will be refused again.
    Rejected(Reason, RowValues),
    /// The operation was stopped before it was acknowledged.
    Unsent,
    /// No other row will be taken either.
    Failed(Error),
}

/// Sends one row until it is acknowledged or can never be.
pub(super) struct RowSender {
    pub(super) statement: RowStatement,
    pub(super) patience: Duration,
    pub(super) began: Instant,
    pub(super) acknowledged: Arc<AtomicU64>,
    pub(super) stop: watch::Receiver<bool>,
}

impl RowSender {
    pub(super) async fn send(mut self, values: RowValues) -> RowOutcome {
        let mut pauses = Pauses::default();
        loop {
            let Err(error) = self.statement.execute(&values).await else {
                let now = saturated::<u64>(self.began.elapsed().as_millis());
                self.acknowledged.fetch_max(now, Ordering::Relaxed);
                return RowOutcome::Done;
            };
            match error.kind() {
                ErrorKind::Value | ErrorKind::TooLarge | ErrorKind::Refused => {
                    return RowOutcome::Rejected(Reason::of_record(refusal(&error)), values);
                }
                // It may have been applied, and a second time would apply it twice.
                ErrorKind::Unknown => {
                    let problem = format!("may have been applied, or not: {error}");
                    return RowOutcome::Rejected(Reason::of_record(problem), values);
                }
                kind if is_waited_for(kind) => {}
                _ => return RowOutcome::Failed(error),
            }
            let last = Duration::from_millis(self.acknowledged.load(Ordering::Relaxed));
            if self.began.elapsed().saturating_sub(last) > self.patience {
                return RowOutcome::Failed(error);
            }
            tokio::select! {
                () = sleep(pauses.next()) => {}
                _ = self.stop.wait_for(|stopped| *stopped) => return RowOutcome::Unsent,
            }
            if *self.stop.borrow() {
                return RowOutcome::Unsent;
            }
        }
    }
}

/// What is wrong with a row, without the words that say what was attempted.
fn refusal(error: &Error) -> String {
    format!("was refused: {}", error.server_message().unwrap_or_else(|| error.problem()))
}
