//! Estimates the latency of a table.

use std::time::Duration;

/// How long an answer is used. A call with less time left than the estimate is refused. If old answers were used, one slow
/// period could make the limiter refuse such calls for ever: no request would be sent, so no faster answer could lower
/// the estimate.
const VALID_FOR: Duration = Duration::from_secs(2);

/// The smoothed latency and deviation of recent answers, computed as TCP computes its retransmission timeout (RFC 6298).
#[derive(Debug, Default)]
pub(super) struct LatencyEstimate {
    smoothed: Duration,
    deviation: Duration,
    last_answer: Duration,
}

impl LatencyEstimate {
    pub(super) fn add(&mut self, latency: Duration, now: Duration) {
        self.last_answer = self.last_answer.max(now);
        if self.smoothed.is_zero() {
            (self.smoothed, self.deviation) = (latency, latency / 2);
            return;
        }
        self.deviation = (self.deviation * 3 + self.smoothed.abs_diff(latency)) / 4;
        self.smoothed = (self.smoothed * 7 + latency) / 8;
    }

    /// A latency that few answers exceed; zero if there was no recent answer.
    pub(super) fn expected(&self, now: Duration) -> Duration {
        let is_recent = now.saturating_sub(self.last_answer) <= VALID_FOR;
        if is_recent { self.smoothed + self.deviation * 4 } else { Duration::ZERO }
    }
}
