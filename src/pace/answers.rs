//! How long the answers of a table take.

use std::time::Duration;

/// An older answer tells nothing about the next: else callers with less time than it took would be refused for ever, and
/// nothing would be sent that could be answered sooner.
const RECENT: Duration = Duration::from_secs(2);

/// Smoothed time and deviation of recent answers, as TCP estimates its retransmission timeout (RFC 6298).
#[derive(Debug, Default)]
pub(super) struct AnswerTime {
    smoothed: Duration,
    deviation: Duration,
    last: Duration,
}

impl AnswerTime {
    pub(super) fn add(&mut self, took: Duration, now: Duration) {
        self.last = self.last.max(now);
        if self.smoothed.is_zero() {
            (self.smoothed, self.deviation) = (took, took / 2);
            return;
        }
        self.deviation = (self.deviation * 3 + self.smoothed.abs_diff(took)) / 4;
        self.smoothed = (self.smoothed * 7 + took) / 8;
    }

    /// Few answers take longer. Zero if there was none recently.
    pub(super) fn expected(&self, now: Duration) -> Duration {
        let is_recent = now.saturating_sub(self.last) <= RECENT;
        if is_recent { self.smoothed + self.deviation * 4 } else { Duration::ZERO }
    }
}
