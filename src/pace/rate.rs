//! The rate at which a throttled table, or a hot partition, is sent units: what it acknowledges and a little more.
//!
//! Attempts are judged in epochs. The share of an epoch's units that was throttled decides the next rate: a small share
//! means that the rate is right, a large one that it is too high, and none that the capacity may have grown. An attempt
//! sent before the last change of the rate tells nothing about it and is not counted.

use std::time::Duration;

/// An epoch ends after so many answers, or after [`EPOCH_TIME`] if at least [`EPOCH_FEW`] have come, or after
/// [`EPOCH_LONGEST`], if it does not begin with throttles that may be over.
const EPOCH_ANSWERS: u32 = 100;
const EPOCH_TIME: Duration = Duration::from_secs(1);
const EPOCH_FEW: u32 = 8;
const EPOCH_LONGEST: Duration = Duration::from_secs(4);

/// The rate exceeds what is acknowledged by this share, so that a capacity that grows is noticed: two attempts of a
/// hundred are throttled.
const PROBE: f64 = 0.02;
/// At low rates the share is too little to notice anything within seconds; then it is this part of a request a second.
const PROBE_REQUESTS: f64 = 0.2;
/// But no more than this share: at a request in several seconds, most attempts would be throttled.
const PROBE_MOST: f64 = 0.1;
/// A larger share of throttled units lowers the rate.
const TOLERATED: f64 = 0.04;
/// At low rates an epoch without a throttle raises the rate by at most this share of it, if not by the factors.
const GROWTH_MOST: f64 = 0.2;
/// Factors by which consecutive epochs without a throttle raise the rate; the last one repeats.
const GROWTH: [f64; 4] = [1.05, 1.2, 1.5, 2.0];

/// So many attempts throttled in a row divide the rate by four at once.
const RUN: u32 = 4;
/// A search begins if that lowers the rate by at least this factor.
const SEARCHED: f64 = 1.5;
/// While searching, each acknowledged unit raises the rate by so many units a second.
const SEARCH_GAIN: f64 = 5.0;
/// Requests a second where the search begins if nothing acknowledged tells a rate.
const FIRST: f64 = 10.0;
/// Fewer acknowledged requests in a second do not tell the capacity.
const TELLING: f64 = 50.0;
/// Requests a second that are tried in any case while nothing is acknowledged.
const LEAST: f64 = 1.0;
/// Requests a second: the lowest rate that acknowledgements can tell.
const LEAST_ACKNOWLEDGED: f64 = 0.1;

/// Burst allowance.
const BURST: Duration = Duration::from_millis(20);

/// A rate that throttles nothing and makes nobody wait for so long is dropped.
const OVER_AFTER: Duration = Duration::from_secs(5);

/// Units a second, as a token bucket. All times are since the session began.
#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: f64,
    tokens: f64,
    filled: Duration,
    /// What the next request to be sent needs: saved up although it is more than the burst allowance.
    wanted: f64,
    epoch: Epoch,
    /// Nothing was acknowledged since the rate was lowered last, so that each acknowledgement may raise it.
    is_searching: bool,
    /// It is the capacity that the table is known to have. What the table takes beyond it was saved up and will end, so it
    /// grows by little.
    is_expected: bool,
    clean_epochs: usize,
    throttled: Duration,
    waited: Duration,
    /// Moving average of the units of a request.
    request: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    began: Duration,
    acknowledged: f64,
    throttled: f64,
    answers: u32,
    throttled_in_a_row: u32,
    /// Whether a call had to wait: a rate that is not used up tells nothing about the table.
    is_used_up: bool,
}

impl TokenBucket {
    /// Begins at the units a second that are expected of a table, before anything was throttled.
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

    /// Begins at a throttle of a request of `units`, after `acknowledged` units a second.
    pub(super) fn begin(acknowledged: f64, units: f64, now: Duration) -> Self {
        Self {
            epoch: Epoch { began: now, throttled_in_a_row: 1, ..Epoch::default() },
            is_searching: acknowledged < TELLING * units,
            is_expected: false,
            request: units,
            ..Self::expected(acknowledged.max(FIRST * units), now)
        }
    }

    /// How long until a request of `units` may be sent, after another `ahead`.
    pub(super) fn wait(&mut self, ahead: f64, units: f64, now: Duration) -> Duration {
        if ahead == 0.0 {
            self.wanted = self.wanted.max(self.needed(units));
        }
        self.fill(now);
        let missing = ahead + self.needed(units) - self.tokens;
        // Rounded up: a wait that is rounded down ends just before its time.
        if missing <= 0.0 { Duration::ZERO } else { seconds(missing / self.per_second) + Duration::from_micros(1) }
    }

    pub(super) fn take(&mut self, units: f64) {
        self.tokens -= units;
        self.wanted = 0.0;
    }

    /// Returns what was taken and not used.
    pub(super) fn give_back(&mut self, units: f64) {
        self.tokens += units;
    }

    /// Notes that a call waits.
    pub(super) fn is_waited_for(&mut self, now: Duration) {
        self.waited = now;
        self.epoch.is_used_up = true;
    }

    /// Returns whether the rate has grown.
    pub(super) fn acknowledged(&mut self, units: f64, sent: Duration, now: Duration) -> bool {
        let before = self.per_second;
        if sent >= self.epoch.began {
            if self.is_searching && self.epoch.acknowledged == 0.0 {
                // Those before it may tell of a time that is over: see `may_be_over`.
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

    /// Counts what an acknowledged request used beyond the units it was admitted with.
    pub(super) fn owe(&mut self, units: f64) {
        self.tokens -= units;
        self.epoch.acknowledged += units;
    }

    /// Returns whether the rate has dropped.
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
            // A rate that is hardly higher than the least has a run of throttles by chance, and there is nothing to search for.
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

    /// Whether there is nothing left to slow down.
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

    /// Whether all that was throttled in this epoch came before all that was acknowledged. That is an outage which has ended,
    /// or a table that takes few requests; the next answers tell. A throttle ends the search, and then all of it counts.
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
                // No further beyond what was sent: it is all that the epoch has proved.
                let proved = 2.0 * sent / elapsed.as_secs_f64().max(0.01);
                let grown = grown.min(proved).max(self.per_second);
                self.change(grown, now);
            }
            return;
        }
        self.clean_epochs = 0;
        if acknowledged > 0.0 && share > TOLERATED {
            // A rate that was not used up says less than what was sent.
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

    /// The tokens that must be there to send a request: all of its units, or what comes in a second, and then the next one
    /// waits until the rest has come.
    fn needed(&self, units: f64) -> f64 {
        units.min(self.per_second.max(1.0))
    }
}

/// Finite and clamped: a rate may be tiny.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(Duration::from_secs(86_400))
}
