//! Decides which errors are retried, and how long to wait before each retry.

use std::time::Duration;

use crate::ErrorKind;

const MIN_DELAY: Duration = Duration::from_millis(250);
const MAX_DELAY: Duration = Duration::from_secs(15);

/// The pauses before retries. Each is twice as long as the one before, up to 15 seconds.
#[derive(Debug)]
pub(super) struct RetryDelays(Duration);

impl Default for RetryDelays {
    fn default() -> Self {
        Self(MIN_DELAY)
    }
}

impl RetryDelays {
    /// The next pause, randomly shortened by up to a half, so that calls that failed together are not retried together.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(0.5 + 0.5 * fastrand::f64());
        self.0 = (2 * self.0).min(MAX_DELAY);
        pause
    }
}

/// Whether the same request may succeed before the stall timeout. Errors of credentials and certificates count, because
/// they are renewed during an operation of hours.
pub(super) const fn is_retried(kind: ErrorKind) -> bool {
    match kind {
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
        | ErrorKind::Server => true,
        ErrorKind::Configuration
        | ErrorKind::File
        | ErrorKind::Value
        | ErrorKind::TooLarge
        | ErrorKind::Cursor
        | ErrorKind::AlreadyExists
        | ErrorKind::Refused
        | ErrorKind::Unauthorized
        // The columns of the table changed after the statement was prepared.
        | ErrorKind::Type
        // The table was dropped.
        | ErrorKind::NotReady
        | ErrorKind::Closed
        | ErrorKind::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_retry_delays_double_up_to_the_maximum() {
        let mut delays = RetryDelays::default();
        let lengths: Vec<_> = (0..9).map(|_| delays.next().as_secs_f64()).collect();
        for (length, longest) in lengths.iter().zip([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]) {
            assert!((longest / 2.0..=longest).contains(length), "{lengths:?}");
        }
    }

    #[test]
    fn retryable_errors_are_retried_unless_the_table_is_missing() {
        for kind in ErrorKind::ALL.into_iter().filter(|kind| kind.is_retryable()) {
            assert_eq!(is_retried(kind), kind != ErrorKind::NotReady, "{kind:?}");
        }
    }
}
