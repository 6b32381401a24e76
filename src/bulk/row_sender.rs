//! One row, sent until it is acknowledged or can never be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::format::Reason;
use super::row::RowValues;
use super::row_statement::RowStatement;
use crate::{Error, ErrorKind};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What became of a row.
pub(super) enum Outcome {
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
    pub(super) async fn send(mut self, values: RowValues) -> Outcome {
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(error) = self.statement.execute(&values).await else {
                let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.acknowledged.fetch_max(now, Ordering::Relaxed);
                return Outcome::Done;
            };
            match error.kind() {
                ErrorKind::Value | ErrorKind::TooLarge | ErrorKind::Refused => {
                    return Outcome::Rejected(Reason::of_record(told(&error)), values);
                }
                // It may have been applied, and a second time would apply it twice.
                ErrorKind::Unknown => {
                    let problem = format!("may have been applied, or not: {error}");
                    return Outcome::Rejected(Reason::of_record(problem), values);
                }
                // Of the table: it has other columns than when the statement was prepared.
                ErrorKind::Type
                | ErrorKind::NotReady
                | ErrorKind::Unauthorized
                | ErrorKind::Configuration
                | ErrorKind::AlreadyExists
                | ErrorKind::Cursor
                | ErrorKind::File
                | ErrorKind::Closed => return Outcome::Failed(error),
                ErrorKind::Resolve
                | ErrorKind::Connect
                | ErrorKind::Tls
                | ErrorKind::Credentials
                | ErrorKind::Authentication
                | ErrorKind::Topology
                | ErrorKind::Throttled
                | ErrorKind::Overloaded
                | ErrorKind::NoConnection
                | ErrorKind::ConnectionLost
                | ErrorKind::Timeout
                | ErrorKind::Server => {}
            }
            let last = Duration::from_millis(self.acknowledged.load(Ordering::Relaxed));
            if self.began.elapsed().saturating_sub(last) > self.patience {
                return Outcome::Failed(error);
            }
            // Half of it at least, so that rows that failed together do not come again together.
            let pause_now = pause.mul_f64(0.5 + 0.5 * fastrand::f64());
            pause = (2 * pause).min(LONGEST_PAUSE);
            tokio::select! {
                () = sleep(pause_now) => {}
                _ = self.stop.wait_for(|stopped| *stopped) => return Outcome::Unsent,
            }
            if *self.stop.borrow() {
                return Outcome::Unsent;
            }
        }
    }
}

/// What is wrong with a row, without the words that say what was attempted.
fn told(error: &Error) -> String {
    format!("was refused: {}", error.server_message().unwrap_or_else(|| error.problem()))
}
