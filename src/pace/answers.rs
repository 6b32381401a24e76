//! How long the answers of a table take.

use std::time::Duration;

/// Smoothed time and deviation of recent answers, as TCP estimates its retransmission timeout (RFC 6298).
#[derive(Debug, Default)]
pub(super) struct AnswerTime {
    smoothed: Duration,
    deviation: Duration,
}

impl AnswerTime {
    pub(super) fn add(&mut self, took: Duration) {
        if self.smoothed.is_zero() {
            (self.smoothed, self.deviation) = (took, took / 2);
            return;
        }
        self.deviation = (self.deviation * 3 + self.smoothed.abs_diff(took)) / 4;
        self.smoothed = (self.smoothed * 7 + took) / 8;
    }

    /// Few answers take longer.
    pub(super) fn expected(&self) -> Duration {
        self.smoothed + self.deviation * 4
    }
}
