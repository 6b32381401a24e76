//! Token buckets.

use std::time::Duration;

/// The rate at which a bucket fills, and its capacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    pub(super) per_second: f64,
    pub(super) capacity: f64,
}

/// A bucket that fills at a [`Rate`]. Its level may be negative: the cost of a read is known only once it is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    level: f64,
    /// Since 1970.
    at: Duration,
}

impl TokenBucket {
    pub(super) fn new(level: f64, now: Duration) -> Self {
        Self { level, at: now }
    }

    /// Whether the bucket has these units. A request for more than it can hold needs a full bucket.
    pub(super) fn has(&mut self, units: f64, rate: Rate, now: Duration) -> bool {
        self.fill(rate, now);
        self.level + ROUNDING >= units.min(rate.capacity)
    }

    pub(super) fn take(&mut self, units: f64) {
        self.level -= units;
    }

    pub(super) fn is_full(&mut self, rate: Rate, now: Duration) -> bool {
        self.fill(rate, now);
        self.level >= rate.capacity
    }

    fn fill(&mut self, rate: Rate, now: Duration) {
        // A clock that is set back neither fills nor empties the bucket.
        let passed = now.saturating_sub(self.at);
        self.level = (self.level + passed.as_secs_f64() * rate.per_second).min(rate.capacity);
        self.at = now;
    }
}

/// Tolerance for rounding errors of fractions, far below one unit.
const ROUNDING: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn units_accumulate_at_the_rate_up_to_the_maximum() {
        let rate = Rate { per_second: 5.0, capacity: 20.0 };
        let mut bucket = TokenBucket::new(0.0, SECOND);
        assert!(!bucket.has(1.0, rate, SECOND));
        assert!(bucket.has(1.0, rate, SECOND + SECOND / 5));
        assert!(bucket.has(20.0, rate, SECOND * 100));
        bucket.take(20.0);
        assert!(!bucket.has(0.5, rate, SECOND * 100));
        assert!(bucket.has(5.0, rate, SECOND * 101));
        bucket.take(15.0);
        assert!(!bucket.has(1.0, rate, SECOND * 103), "it owes ten");
        assert!(bucket.has(5.0, rate, SECOND * 104));
    }

    #[test]
    fn a_full_bucket_accepts_a_request_larger_than_its_capacity() {
        let rate = Rate { per_second: 1_000.0, capacity: 1_000.0 };
        let mut bucket = TokenBucket::new(999.0, SECOND);
        assert!(!bucket.has(1_024.0, rate, SECOND));
        assert!(bucket.has(1_024.0, rate, SECOND + SECOND / 1_000));
    }

    proptest! {
        #[test]
        fn no_more_units_are_taken_than_have_accumulated(steps in proptest::collection::vec((0..500_u64, 1..20_u32), 1..200)) {
            let rate = Rate { per_second: 50.0, capacity: 100.0 };
            let (mut now, mut taken) = (Duration::ZERO, 0.0);
            let mut bucket = TokenBucket::new(50.0, now);
            for (millis, units) in steps {
                now += Duration::from_millis(millis);
                let units = f64::from(units);
                if bucket.has(units, rate, now) {
                    bucket.take(units);
                    taken += units;
                }
                prop_assert!(taken <= 50.0 + now.as_secs_f64() * 50.0 + 0.001);
            }
        }
    }
}
