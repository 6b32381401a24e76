//! The rate limit of a throttled table or a hot partition: a little more than what it acknowledges.
//!
//! Attempts are counted in epochs. The throttled share of an epoch's units decides the next rate: a small share means that
//! the rate is right, a large share that it is too high, and no throttle that the capacity may have grown. An attempt sent
//! before the epoch began says nothing about the current rate and is not counted.

use std::time::Duration;

/// An epoch ends after this many answers, or after [`EPOCH_TIME`] with at least [`EPOCH_FEW`] answers, or after
/// [`EPOCH_LONGEST`] unless it began with throttles that may be over.
const EPOCH_ANSWERS: u32 = 100;
const EPOCH_TIME: Duration = Duration::from_secs(1);
const EPOCH_FEW: u32 = 8;
const EPOCH_LONGEST: Duration = Duration::from_secs(4);

/// The rate exceeds the acknowledged rate by this share, so that a growing capacity is noticed. The price is that two of a
/// hundred attempts are throttled.
const PROBE: f64 = 0.02;
/// At low rates that share is too small to notice a change within seconds, so the excess is at least this many requests per
/// second.
const PROBE_REQUESTS: f64 = 0.2;
/// The excess is at most this share: otherwise, at one request every few seconds, most attempts would be throttled.
const PROBE_MOST: f64 = 0.1;
/// The rate is lowered if more than this share of the units is throttled.
const TOLERATED: f64 = 0.04;
/// The most, as a share of the rate, by which [`PROBE_REQUESTS`] raises a low rate after an epoch without a throttle.
const GROWTH_MOST: f64 = 0.2;
/// The factors by which consecutive epochs without a throttle raise the rate; the last factor repeats.
const GROWTH: [f64; 4] = [1.05, 1.2, 1.5, 2.0];

/// This many attempts throttled in a row divide the rate by four at once.
const RUN: u32 = 4;
/// A search begins if that division lowers the rate by at least this factor.
const SEARCHED: f64 = 1.5;
/// During a search, each acknowledged unit raises the rate by this many units per second.
const SEARCH_GAIN: f64 = 5.0;
/// The requests per second at which a rate starts at least, even if fewer were acknowledged.
const FIRST: f64 = 10.0;
/// Fewer acknowledged requests per second do not show the capacity, so a search begins.
const TELLING: f64 = 50.0;
/// The lowest rate while nothing is acknowledged, in requests per second.
const LEAST: f64 = 1.0;
/// The lowest rate computed from acknowledgements, in requests per second.
const LEAST_ACKNOWLEDGED: f64 = 0.1;

/// Burst allowance.
const BURST: Duration = Duration::from_millis(20);

/// A rate limit is dropped after this time without a throttle or a waiting call.
const OVER_AFTER: Duration = Duration::from_secs(5);

/// A token bucket of capacity units. All times are since the session began.
#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: f64,
    tokens: f64,
    filled: Duration,
    /// The tokens that the next request needs; the bucket may hold them even if they exceed the burst allowance.
    wanted: f64,
    epoch: Epoch,
    /// Whether the capacity is unknown, so that each acknowledgement raises the rate.
    is_searching: bool,
    /// Whether the rate is the table's known capacity. The table accepts more only from its saved-up burst capacity, which
    /// will run out, so the rate grows only slowly.
    is_expected: bool,
    clean_epochs: usize,
    throttled: Duration,
    waited: Duration,
    /// The moving average of the units per request.
    request: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    began: Duration,
    acknowledged: f64,
    throttled: f64,
    answers: u32,
    throttled_in_a_row: u32,
    /// Whether a call had to wait. A rate that is not used up says nothing about the table's capacity.
    is_used_up: bool,
}

impl TokenBucket {
    /// Starts at the units per second that a table is expected to have, before any throttle.
    pub(super) fn expected(per_second: f64, now: Duration) -> Self {
        Self {
            per_second,
            tokens: 0.0,
            filled: now,
            wanted: 0.0,
            epoch: Epoch { began: now, ..Epoch::default() },
            is_searching: false,
            is_expected: true,
            clean_epochs: 0,
            throttled: now,
            waited: now,
            request: 1.0,
        }
    }

    /// Starts at the throttle of a request of `units`, when `acknowledged` units per second were acknowledged.
    pub(super) fn begin(acknowledged: f64, units: f64, now: Duration) -> Self {
        Self {
            epoch: Epoch { began: now, throttled_in_a_row: 1, ..Epoch::default() },
            is_searching: acknowledged < TELLING * units,
            is_expected: false,
            request: units,
            ..Self::expected(acknowledged.max(FIRST * units), now)
        }
    }

    /// How long until a request of `units` may be sent, after the `ahead` units before it.
    pub(super) fn wait(&mut self, ahead: f64, units: f64, now: Duration) -> Duration {
        if ahead == 0.0 {
            self.wanted = self.wanted.max(self.needed(units));
        }
        self.fill(now);
        let missing = ahead + self.needed(units) - self.tokens;
        // Rounded up, because a wait that is rounded down ends just too early.
        if missing <= 0.0 { Duration::ZERO } else { seconds(missing / self.per_second) + Duration::from_micros(1) }
    }

    pub(super) fn take(&mut self, units: f64) {
        self.tokens -= units;
        self.wanted = 0.0;
    }

    /// Gives back units that were taken but not used.
    pub(super) fn give_back(&mut self, units: f64) {
        self.tokens += units;
    }

    /// Records that a call waits.
    pub(super) fn is_waited_for(&mut self, now: Duration) {
        self.waited = now;
        self.epoch.is_used_up = true;
    }

    /// Records an acknowledgement. Returns whether the rate has grown.
    pub(super) fn acknowledged(&mut self, units: f64, sent: Duration, now: Duration) -> bool {
        let before = self.per_second;
        if sent >= self.epoch.began {
            if self.is_searching && self.epoch.acknowledged == 0.0 {
                // The answers before the first acknowledgement may come from an outage that has ended: see `may_be_over`.
                self.epoch.answers = 0;
            }
            self.epoch.acknowledged += units;
            self.epoch.throttled_in_a_row = 0;
            if self.is_searching && self.epoch.is_used_up {
                self.change(self.per_second + (SEARCH_GAIN * units).min(self.per_second), now);
            }
            self.answered(units, now);
        }
        self.per_second > before
    }

    /// Charges what an acknowledged request used beyond the units it was admitted with.
    pub(super) fn owe(&mut self, units: f64) {
        self.tokens -= units;
        self.epoch.acknowledged += units;
    }

    /// Records a throttle. Returns whether the rate has dropped.
    pub(super) fn throttled(&mut self, units: f64, sent: Duration, now: Duration) -> bool {
        self.throttled = now;
        if sent < self.epoch.began {
            return false;
        }
        let before = self.per_second;
        self.is_expected = false;
        self.epoch.throttled += units;
        self.epoch.throttled_in_a_row += 1;
        if self.epoch.throttled_in_a_row >= RUN {
            let lowered = (self.per_second / 4.0).max((LEAST * self.request).min(self.per_second));
            // A rate only just above the lowest sees a run of throttles by chance; a search would find nothing.
            self.is_searching |= self.per_second >= SEARCHED * lowered;
            if self.per_second > lowered {
                self.change(lowered, now);
                self.begin_epoch(now);
            }
        } else {
            self.is_searching &= self.epoch.acknowledged == 0.0;
        }
        self.answered(units, now);
        self.per_second < before
    }

    /// Whether the rate limit is no longer needed.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.throttled.max(self.waited)) > OVER_AFTER
    }

    fn answered(&mut self, units: f64, now: Duration) {
        self.request += (units - self.request) / 16.0;
        self.epoch.answers += 1;
        let elapsed = now.saturating_sub(self.epoch.began);
        let is_told = self.epoch.answers >= EPOCH_ANSWERS && !self.is_expected
            || elapsed >= EPOCH_TIME && self.epoch.answers >= EPOCH_FEW
            || elapsed >= EPOCH_LONGEST && !self.may_be_over();
        if is_told {
            self.judge(elapsed, now);
            self.begin_epoch(now);
        }
    }

    /// Whether all throttles of this epoch came before all its acknowledgements. Either an outage has ended, or the table
    /// accepts few requests; the next answers show which. A further throttle ends the search, and then all throttles count.
    fn may_be_over(&self) -> bool {
        self.is_searching && self.epoch.acknowledged > 0.0 && self.epoch.throttled > 0.0
    }

    fn judge(&mut self, elapsed: Duration, now: Duration) {
        let Epoch { acknowledged, throttled, is_used_up, .. } = self.epoch;
        let throttled = if self.may_be_over() { 0.0 } else { throttled };
        let sent = acknowledged + throttled;
        let share = throttled / sent;
        let probe = |rate: f64, request: f64| (rate * PROBE).max((request * PROBE_REQUESTS).min(rate * PROBE_MOST));
        if throttled == 0.0 {
            if is_used_up {
                let factor = GROWTH[self.clean_epochs.min(GROWTH.len() - 1)];
                self.clean_epochs += usize::from(!self.is_expected);
                let least = (self.request * PROBE_REQUESTS).min(self.per_second * GROWTH_MOST);
                let grown = (self.per_second * factor).max(self.per_second + least);
                // At most twice what was sent, because the epoch has proved no more.
                let proved = 2.0 * sent / elapsed.as_secs_f64().max(0.01);
                let grown = grown.min(proved).max(self.per_second);
                self.change(grown, now);
            }
            return;
        }
        self.clean_epochs = 0;
        if acknowledged > 0.0 && share > TOLERATED {
            // If the rate was not used up, the units sent are the better measure.
            let tried = self.per_second.min(1.05 * sent / elapsed.as_secs_f64().max(0.01));
            let found = tried * (1.0 - share);
            let found = found + probe(found, self.request);
            self.change(found.max(LEAST_ACKNOWLEDGED * self.request).min(self.per_second), now);
        }
    }

    fn begin_epoch(&mut self, now: Duration) {
        self.epoch = Epoch { began: now, throttled_in_a_row: self.epoch.throttled_in_a_row % RUN, ..Epoch::default() };
    }

    fn change(&mut self, per_second: f64, now: Duration) {
        self.fill(now);
        self.per_second = per_second;
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        let most = (self.per_second * BURST.as_secs_f64()).max(self.wanted).max(1.0);
        self.tokens = (self.tokens + passed * self.per_second).min(most);
    }

    /// The tokens needed to send a request: all of its units, but at most one second's. For a larger request, the next one
    /// waits for the rest.
    fn needed(&self, units: f64) -> f64 {
        units.min(self.per_second.max(1.0))
    }
}

/// Converts seconds to a duration of at most a day, because a tiny rate yields a huge or infinite wait.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(Duration::from_secs(86_400))
}
