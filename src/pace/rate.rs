//! How many requests a second a throttled table gets: what it acknowledges, and a little more to see whether it takes that.

use std::time::Duration;

/// What is acknowledged is counted in slots of a tenth of a second, for the last two.
const SLOTS: usize = 20;
const SLOT: Duration = Duration::from_millis(100);
/// So many acknowledgements tell a rate; fewer, and the time that they are counted over is longer.
const TELLING: u32 = 50;

/// Below this, a call would wait for longer than it is ready to.
const LEAST: f64 = 1.0;
/// Where the search for a rate begins that nothing acknowledged has told.
const FIRST: f64 = 10.0;
/// Requests that come together are let through although not each of them is due.
const BURST: Duration = Duration::from_millis(20);

/// Growth in a second while it searches, and then by the time since it was throttled last.
const SEARCHING: f64 = 7.0;
/// Where the search was throttled, it was beyond the capacity by what it grew by until the answer came.
const BEYOND: f64 = 0.8;
const STEADY: [(Duration, f64); 3] =
    [(Duration::from_secs(2), 0.02), (Duration::from_secs(5), 0.1), (Duration::MAX, 0.5)];

/// Without throttling and without anybody who waits for so long, the table is as if it had never been throttled.
const OVER_AFTER: Duration = Duration::from_secs(5);

/// The rate of a throttled table. Times are since whatever began.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    is_searching: bool,
    tokens: f64,
    filled: Duration,
    throttled: Duration,
    /// What was sent before says nothing about this rate.
    changed: Duration,
    waited: Duration,
    acknowledged: [(u64, u32); SLOTS],
    began: Duration,
}

impl Rate {
    /// Begins when a table is throttled that has acknowledged so much in the second before.
    pub(crate) fn begin(acknowledged: u32, now: Duration) -> Self {
        Self {
            per_second: f64::from(acknowledged).max(FIRST),
            is_searching: acknowledged < TELLING,
            tokens: 0.0,
            filled: now,
            throttled: now,
            changed: now,
            waited: now,
            acknowledged: [(0, 0); SLOTS],
            began: now,
        }
    }

    /// Whether one more may be sent, or when.
    pub(crate) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.grow(passed, now);
        self.tokens = (self.tokens + passed * self.per_second).min((self.per_second * BURST.as_secs_f64()).max(1.0));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        self.waited = now;
        Err(now + Duration::from_secs_f64((1.0 - self.tokens) / self.per_second))
    }

    pub(crate) fn acknowledged(&mut self, now: Duration) {
        let slot = slot_of(now);
        if let Some(count) = self.acknowledged.get_mut((slot % SLOTS as u64) as usize) {
            *count = if count.0 == slot { (slot, count.1 + 1) } else { (slot, 1) };
        }
    }

    /// What was sent then was throttled.
    pub(crate) fn throttled(&mut self, sent: Duration, now: Duration) {
        self.throttled = now;
        if sent < self.changed {
            return;
        }
        let found = if self.is_searching { Some(self.per_second * BEYOND) } else { self.measured(now) };
        if let Some(found) = found.filter(|found| *found < self.per_second) {
            // Of few acknowledgements no rate can be told well, so it is not believed at once.
            self.per_second = found.max(self.per_second / 2.0).max(LEAST);
            self.is_searching = false;
            self.changed = now;
        }
    }

    /// Whether there is nothing left to slow down.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.throttled.max(self.waited)) > OVER_AFTER
    }

    /// Only while somebody waits: a rate that nobody uses up says nothing about the table.
    fn grow(&mut self, passed: f64, now: Duration) {
        if now.saturating_sub(self.waited) > SLOT {
            return;
        }
        let quiet = now.saturating_sub(self.throttled);
        let growth = if self.is_searching {
            SEARCHING
        } else {
            STEADY.iter().find(|(until, _)| quiet < *until).map_or(0.0, |(_, growth)| *growth)
        };
        self.per_second *= 1.0 + growth * passed.min(SLOT.as_secs_f64());
    }

    /// Acknowledged in a second, over the shortest time that tells it.
    fn measured(&self, now: Duration) -> Option<f64> {
        let current = slot_of(now);
        let into_slot = (now - SLOT * u32::try_from(current).unwrap_or(u32::MAX)).as_secs_f64();
        let most = now.saturating_sub(self.began).as_secs_f64();
        let (mut count, mut over) = (0, into_slot);
        for back in 0..SLOTS as u64 {
            let slot = current.checked_sub(back)?;
            let counted = self.acknowledged.get((slot % SLOTS as u64) as usize).filter(|counted| counted.0 == slot);
            count += counted.map_or(0, |counted| counted.1);
            if back > 0 {
                over += SLOT.as_secs_f64();
            }
            if over >= most {
                break;
            }
            if count >= TELLING && back > 0 {
                return Some(f64::from(count) / over);
            }
        }
        let over = over.min(most);
        (over >= SLOT.as_secs_f64()).then(|| f64::from(count) / over)
    }
}

fn slot_of(now: Duration) -> u64 {
    u64::try_from(now.as_millis() / SLOT.as_millis()).unwrap_or(u64::MAX)
}
