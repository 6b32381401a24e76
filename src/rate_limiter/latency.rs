//! Estimates how long a table takes to answer.

use std::time::Duration;

/// How long an answer counts. If older answers counted, callers with less time than those took would be refused for ever,
/// because no request would be sent whose faster answer could lower the estimate.
const RECENT: Duration = Duration::from_secs(2);

/// The smoothed time and deviation of recent answers, computed as TCP computes its retransmission timeout (RFC 6298).
#[derive(Debug, Default)]
pub(super) struct LatencyEstimate {
    smoothed: Duration,
    deviation: Duration,
    last: Duration,
}

impl LatencyEstimate {
    pub(super) fn add(&mut self, took: Duration, now: Duration) {
        self.last = self.last.max(now);
        if self.smoothed.is_zero() {
            (self.smoothed, self.deviation) = (took, took / 2);
            return;
        }
        self.deviation = (self.deviation * 3 + self.smoothed.abs_diff(took)) / 4;
        self.smoothed = (self.smoothed * 7 + took) / 8;
    }

    /// A time that few answers exceed; zero if there was no recent answer.
    pub(super) fn expected(&self, now: Duration) -> Duration {
        let is_recent = now.saturating_sub(self.last) <= RECENT;
        if is_recent { self.smoothed + self.deviation * 4 } else { Duration::ZERO }
    }
}
