//! The backoff between the attempts of a call, and the retry budget of a session.

#[cfg(test)]
mod tests;

use crate::lock::locked;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long to wait before each retry, and whether the session may retry.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) backoff: Backoff,
    pub(crate) budget: RetryBudget,
    random: Random,
}

impl Retry {
    pub(crate) fn new(backoff: Backoff, budget: RetryBudget, random: Random) -> Self {
        Self { backoff, budget, random }
    }

    /// The wait before the next retry of a call, after `retries` earlier ones.
    pub(crate) fn wait_time(&self, retries: u32) -> Duration {
        self.backoff.wait_time(retries, self.random.next())
    }
}

/// Exponential backoff with full jitter: a random time between zero and a bound that doubles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// Returns the wait after `retries` retries; `random` is from 0 to 1.
    fn wait_time(self, retries: u32, random: f64) -> Duration {
        let bound = 2_u32.checked_pow(retries).and_then(|factor| self.first.checked_mul(factor));
        bound.unwrap_or(self.max).min(self.max).mul_f64(random)
    }
}

/// A source of random numbers from 0 to 1.
pub(crate) struct Random(Mutex<fastrand::Rng>);

impl Random {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(fastrand::Rng::new()))
    }

    #[cfg(test)]
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// Returns a random number from 0 to 1.
    pub(crate) fn next(&self) -> f64 {
        locked(&self.0).f64()
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// The number of seconds for which requests and retries are counted.
const SECONDS: u64 = 10;

/// The retry budget of a session: a percentage of its requests of the last ten seconds, but at least a minimum number
/// of retries.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    percent: u64,
    min_retries: u64,
    requests: PerSecond,
    retries: PerSecond,
}

impl RetryBudget {
    pub(crate) fn new(percent: u8, min_retries: u32) -> Self {
        Self {
            percent: percent.into(),
            min_retries: min_retries.into(),
            requests: PerSecond::default(),
            retries: PerSecond::default(),
        }
    }

    /// Counts the first attempt of a call. `now` is the time since the session began.
    pub(crate) fn count_request(&self, now: Duration) {
        self.requests.add(now.as_secs(), 1);
    }

    /// Counts a retry and returns true if the budget allows it.
    pub(crate) fn try_retry(&self, now: Duration) -> bool {
        let second = now.as_secs();
        self.retries.add(second, 1);
        let allowed = (self.requests.sum(second) * self.percent / 100).max(self.min_retries);
        let is_within = self.retries.sum(second) <= allowed;
        if !is_within {
            self.retries.subtract_one(second);
        }
        is_within
    }
}

/// Counts for each of the last ten seconds. Each slot holds its second in the upper half and the count in the lower half.
#[derive(Debug, Default)]
pub(crate) struct PerSecond([AtomicU64; SECONDS as usize]);

const COUNT: u64 = u32::MAX as u64;

impl PerSecond {
    fn slot(&self, second: u64) -> &AtomicU64 {
        &self.0[(second % SECONDS) as usize]
    }

    pub(crate) fn add(&self, second: u64, count: u32) {
        let slot = self.slot(second);
        let mut current = slot.load(Ordering::Relaxed);
        while current >> 32 < second {
            match slot.compare_exchange_weak(
                current,
                second << 32 | u64::from(count),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(actual) => current = actual,
            }
        }
        slot.fetch_add(count.into(), Ordering::Relaxed);
    }

    /// The count for `second`; 0 once its slot has been reused.
    pub(crate) fn count(&self, second: u64) -> u32 {
        let slot = self.slot(second).load(Ordering::Relaxed);
        if slot >> 32 == second { (slot & COUNT) as u32 } else { 0 }
    }

    fn subtract_one(&self, second: u64) {
        let slot = self.slot(second);
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |current| {
            (current >> 32 == second && current & COUNT > 0).then(|| current - 1)
        });
    }

    fn sum(&self, second: u64) -> u64 {
        let counts = self.0.iter().map(|slot| slot.load(Ordering::Relaxed));
        counts.filter(|slot| (slot >> 32) + SECONDS > second).map(|slot| slot & COUNT).sum()
    }
}
