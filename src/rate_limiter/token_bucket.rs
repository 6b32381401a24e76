//! The rate limit of a throttled table or a hot partition: slightly above the rate that it acknowledges.
//!
//! Attempts are counted in epochs. The throttled share of an epoch's units decides the next rate: a small share means
//! that the rate is right, a large share means that the rate is too high, and no throttle means that the capacity may
//! have grown. An attempt sent before the epoch began is not counted, because it was sent at another rate.

use std::time::Duration;

/// An epoch ends after this many answers (except at a known rate), or after [`EPOCH_TIME`] with at least
/// [`EPOCH_MIN_ANSWERS`] answers, or after [`EPOCH_MAX_TIME`] unless the epoch began with an outage that may have
/// ended.
const EPOCH_ANSWERS: u32 = 100;
const EPOCH_TIME: Duration = Duration::from_secs(1);
const EPOCH_MIN_ANSWERS: u32 = 8;
const EPOCH_MAX_TIME: Duration = Duration::from_secs(4);

/// The rate exceeds the acknowledged rate by this share, so that a growing capacity is noticed. As a consequence, two
/// of a hundred attempts are throttled.
const PROBE_SHARE: f64 = 0.02;
/// At low rates that share is too small to notice a change within seconds, so the excess is at least this many requests per
/// second.
const MIN_PROBE_REQUESTS: f64 = 0.2;
/// The excess is at most this share: otherwise, at one request every few seconds, most attempts would be throttled.
const MAX_PROBE_SHARE: f64 = 0.1;
/// The rate is lowered if more than this share of the units is throttled.
const TOLERATED_SHARE: f64 = 0.04;
/// The maximum, as a share of the rate, by which [`MIN_PROBE_REQUESTS`] raises a low rate after an epoch without a throttle.
const MAX_SLOW_GROWTH_SHARE: f64 = 0.2;
/// The factors by which consecutive epochs without a throttle raise the rate; the last factor applies to all later epochs.
const GROWTH_FACTORS: [f64; 4] = [1.05, 1.2, 1.5, 2.0];

/// This many attempts throttled in a row divide the rate by four at once.
const THROTTLES_IN_A_ROW: u32 = 4;
/// A search begins if that division lowers the rate by at least this factor.
const SEARCH_AFTER_DROP: f64 = 1.5;
/// During a search, each acknowledged unit raises the rate by this many units per second.
const SEARCH_GAIN: f64 = 5.0;
/// The minimum initial rate, in requests per second, even if fewer requests were acknowledged.
const MIN_START_REQUESTS: f64 = 10.0;
/// With fewer acknowledged requests per second, the capacity is unknown, so a search begins.
const MIN_CONCLUSIVE_REQUESTS: f64 = 50.0;
/// The minimum rate while nothing is acknowledged, in requests per second.
const MIN_REQUESTS: f64 = 1.0;
/// The minimum rate computed from acknowledgements, in requests per second.
const MIN_ACKNOWLEDGED_REQUESTS: f64 = 0.1;

/// Burst allowance.
const BURST: Duration = Duration::from_millis(20);

/// A rate limit is dropped after this time without a throttle or a waiting call.
const EXPIRES_AFTER: Duration = Duration::from_secs(5);

/// A token bucket of capacity units. All times are since the session began.
#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: f64,
    tokens: f64,
    refilled_at: Duration,
    /// The tokens that the next request needs. The bucket may hold that many even if they exceed the burst allowance.
    next_request: f64,
    epoch: Epoch,
    /// Whether the capacity is unknown, so that each acknowledgement raises the rate.
    is_searching: bool,
    /// Whether the rate is the table's known capacity. The table accepts more only while its saved burst capacity
    /// lasts, so the rate grows only slowly.
    is_known_rate: bool,
    epochs_without_throttle: usize,
    last_throttled: Duration,
    last_waited: Duration,
    /// The moving average of the units per request.
    units_per_request: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    began: Duration,
    acknowledged: f64,
    throttled: f64,
    answers: u32,
    throttled_in_a_row: u32,
    /// Whether a call had to wait. Without a wait, the rate was not fully used, and the answers say nothing about the
    /// table's capacity.
    is_used_up: bool,
}

impl TokenBucket {
    /// Starts at the table's known capacity in units per second, before any throttle.
    pub(super) fn with_known_rate(per_second: f64, now: Duration) -> Self {
        Self {
            per_second,
            tokens: 0.0,
            refilled_at: now,
            next_request: 0.0,
            epoch: Epoch { began: now, ..Epoch::default() },
            is_searching: false,
            is_known_rate: true,
            epochs_without_throttle: 0,
            last_throttled: now,
            last_waited: now,
            units_per_request: 1.0,
        }
    }

    /// Starts when a request of `units` is throttled, at the rate acknowledged until then, in units per second.
    pub(super) fn after_throttle(acknowledged: f64, units: f64, now: Duration) -> Self {
        Self {
            epoch: Epoch { began: now, throttled_in_a_row: 1, ..Epoch::default() },
            is_searching: acknowledged < MIN_CONCLUSIVE_REQUESTS * units,
            is_known_rate: false,
            units_per_request: units,
            ..Self::with_known_rate(acknowledged.max(MIN_START_REQUESTS * units), now)
        }
    }

    /// How long until a request of `units` may be sent, after the `ahead` units before it.
    pub(super) fn wait_time(&mut self, ahead: f64, units: f64, now: Duration) -> Duration {
        if ahead == 0.0 {
            self.next_request = self.next_request.max(self.needed(units));
        }
        self.fill(now);
        let missing = ahead + self.needed(units) - self.tokens;
        // Rounded up, because a wait that is rounded down ends slightly too early.
        if missing <= 0.0 { Duration::ZERO } else { seconds(missing / self.per_second) + Duration::from_micros(1) }
    }

    /// Takes the units of an admitted request.
    pub(super) fn take(&mut self, units: f64) {
        self.tokens -= units;
        self.next_request = 0.0;
    }

    /// Returns units that were taken and not used.
    pub(super) fn refund(&mut self, units: f64) {
        self.tokens += units;
    }

    /// Records that a call waits.
    pub(super) fn record_wait(&mut self, now: Duration) {
        self.last_waited = now;
        self.epoch.is_used_up = true;
    }

    /// Records an acknowledgement. Returns whether the rate has grown.
    pub(super) fn record_acknowledged(&mut self, units: f64, sent: Duration, now: Duration) -> bool {
        let before = self.per_second;
        if sent >= self.epoch.began {
            if self.is_searching && self.epoch.acknowledged == 0.0 {
                // The answers before the first acknowledgement may come from an outage that has ended: see `outage_may_be_over`.
                self.epoch.answers = 0;
            }
            self.epoch.acknowledged += units;
            self.epoch.throttled_in_a_row = 0;
            if self.is_searching && self.epoch.is_used_up {
                self.set_rate(self.per_second + (SEARCH_GAIN * units).min(self.per_second), now);
            }
            self.count_answer(units, now);
        }
        self.per_second > before
    }

    /// Charges what an acknowledged request used beyond the units that it acquired.
    pub(super) fn charge(&mut self, units: f64) {
        self.tokens -= units;
        self.epoch.acknowledged += units;
    }

    /// Records a throttle. Returns whether the rate has dropped.
    pub(super) fn record_throttled(&mut self, units: f64, sent: Duration, now: Duration) -> bool {
        self.last_throttled = now;
        if sent < self.epoch.began {
            return false;
        }
        let before = self.per_second;
        self.is_known_rate = false;
        self.epoch.throttled += units;
        self.epoch.throttled_in_a_row += 1;
        if self.epoch.throttled_in_a_row >= THROTTLES_IN_A_ROW {
            let lowered = (self.per_second / 4.0).max((MIN_REQUESTS * self.units_per_request).min(self.per_second));
            // At a rate only slightly above the minimum, several throttles in a row may be chance, and a search would
            // find nothing.
            self.is_searching |= self.per_second >= SEARCH_AFTER_DROP * lowered;
            if self.per_second > lowered {
                self.set_rate(lowered, now);
                self.begin_epoch(now);
            }
        } else {
            self.is_searching &= self.epoch.acknowledged == 0.0;
        }
        self.count_answer(units, now);
        self.per_second < before
    }

    /// Whether the rate limit is no longer needed.
    pub(super) fn is_expired(&self, now: Duration) -> bool {
        now.saturating_sub(self.last_throttled.max(self.last_waited)) > EXPIRES_AFTER
    }

    fn count_answer(&mut self, units: f64, now: Duration) {
        self.units_per_request += (units - self.units_per_request) / 16.0;
        self.epoch.answers += 1;
        let elapsed = now.saturating_sub(self.epoch.began);
        let is_conclusive = self.epoch.answers >= EPOCH_ANSWERS && !self.is_known_rate
            || elapsed >= EPOCH_TIME && self.epoch.answers >= EPOCH_MIN_ANSWERS
            || elapsed >= EPOCH_MAX_TIME && !self.outage_may_be_over();
        if is_conclusive {
            self.adjust_rate(elapsed, now);
            self.begin_epoch(now);
        }
    }

    /// Whether all throttles of this epoch came before all its acknowledgements. Either an outage has ended, or the table
    /// accepts few requests; the next answers show which. A further throttle ends the search, and then all throttles count.
    fn outage_may_be_over(&self) -> bool {
        self.is_searching && self.epoch.acknowledged > 0.0 && self.epoch.throttled > 0.0
    }

    /// Raises or lowers the rate by the throttled share of the epoch, which lasted for `elapsed`.
    fn adjust_rate(&mut self, elapsed: Duration, now: Duration) {
        let Epoch { acknowledged, throttled, is_used_up, .. } = self.epoch;
        let throttled = if self.outage_may_be_over() { 0.0 } else { throttled };
        let sent = acknowledged + throttled;
        let sent_per_second = sent / elapsed.as_secs_f64().max(0.01);
        if throttled == 0.0 {
            if is_used_up {
                self.raise_rate(sent_per_second, now);
            }
            return;
        }
        self.epochs_without_throttle = 0;
        let throttled_share = throttled / sent;
        if acknowledged > 0.0 && throttled_share > TOLERATED_SHARE {
            self.lower_rate(throttled_share, sent_per_second, now);
        }
    }

    fn raise_rate(&mut self, sent_per_second: f64, now: Duration) {
        let factor = GROWTH_FACTORS[self.epochs_without_throttle.min(GROWTH_FACTORS.len() - 1)];
        self.epochs_without_throttle += usize::from(!self.is_known_rate);
        let min_growth = (self.units_per_request * MIN_PROBE_REQUESTS).min(self.per_second * MAX_SLOW_GROWTH_SHARE);
        let raised = (self.per_second * factor).max(self.per_second + min_growth);
        // At most twice the rate that was sent, because the epoch does not show that the table accepts more.
        self.set_rate(raised.min(2.0 * sent_per_second).max(self.per_second), now);
    }

    fn lower_rate(&mut self, throttled_share: f64, sent_per_second: f64, now: Duration) {
        // If the rate was not fully used, the units sent are the better measure.
        let tried = self.per_second.min(1.05 * sent_per_second);
        let acknowledged = tried * (1.0 - throttled_share);
        let probe = (acknowledged * PROBE_SHARE)
            .max((self.units_per_request * MIN_PROBE_REQUESTS).min(acknowledged * MAX_PROBE_SHARE));
        let lowered = (acknowledged + probe).max(MIN_ACKNOWLEDGED_REQUESTS * self.units_per_request);
        self.set_rate(lowered.min(self.per_second), now);
    }

    fn begin_epoch(&mut self, now: Duration) {
        self.epoch = Epoch {
            began: now,
            throttled_in_a_row: self.epoch.throttled_in_a_row % THROTTLES_IN_A_ROW,
            ..Epoch::default()
        };
    }

    fn set_rate(&mut self, per_second: f64, now: Duration) {
        self.fill(now);
        self.per_second = per_second;
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.refilled_at).as_secs_f64();
        self.refilled_at = self.refilled_at.max(now);
        let maximum = (self.per_second * BURST.as_secs_f64()).max(self.next_request).max(1.0);
        self.tokens = (self.tokens + passed * self.per_second).min(maximum);
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
