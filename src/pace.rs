//! A table that is throttled is sent what it takes: its callers wait in a queue, in the order of asking, each for its turn.

mod allowance;
mod rate;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::allowance::Allowance;
pub use self::allowance::TableLimit;
use self::rate::Rate;
use crate::retry::PerSecond;
use crate::statement::About;

/// How fast one table is read, or written: as fast as is asked for, until it is throttled.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    is_slowed: AtomicBool,
    acknowledged: PerSecond,
    rate: Mutex<Option<Rate>>,
    limit: Option<Mutex<Allowance>>,
    queue: tokio::sync::Mutex<()>,
}

impl Pace {
    /// Whether nobody has to wait.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_slowed.load(Ordering::Relaxed)
    }

    fn limited(per_second: NonZeroU32) -> Self {
        Self {
            is_slowed: AtomicBool::new(true),
            limit: Some(Mutex::new(Allowance::new(per_second))),
            ..Self::default()
        }
    }

    /// Waits for one's turn to use so many units. Times are those since `began`. Who stops waiting leaves nothing behind.
    pub(crate) async fn turn(&self, units: f64, began: Instant) {
        if self.is_free() {
            return;
        }
        let _first = self.queue.lock().await;
        let take = || self.lock().as_mut().map_or(Ok(()), |rate| rate.take(began.elapsed()));
        while let Err(due) = take() {
            sleep_until(began + due).await;
        }
        let Some(limit) = &self.limit else { return };
        let take = || limit.lock().unwrap_or_else(PoisonError::into_inner).take(units, began.elapsed());
        while let Err(due) = take() {
            sleep_until(began + due).await;
        }
    }

    /// Takes in that a request used so many units more than it had its turn for.
    pub(crate) fn owe(&self, units: f64) {
        if let Some(limit) = &self.limit {
            limit.lock().unwrap_or_else(PoisonError::into_inner).owe(units);
        }
    }

    /// Takes in that a request that was sent at `sent` was acknowledged.
    pub(crate) fn acknowledged(&self, sent: Duration, now: impl FnOnce() -> Duration) {
        if self.is_free() {
            self.acknowledged.add(sent.as_secs());
            return;
        }
        let mut rate = self.lock();
        let Some(slowed) = &mut *rate else { return self.acknowledged.add(sent.as_secs()) };
        let now = now();
        slowed.acknowledged(now);
        if slowed.is_over(now) {
            *rate = None;
            self.is_slowed.store(self.limit.is_some(), Ordering::Relaxed);
        }
    }

    pub(crate) fn throttled(&self, sent: Duration, now: Duration) {
        let mut rate = self.lock();
        match &mut *rate {
            Some(rate) => rate.throttled(sent, now),
            None => {
                *rate = Some(Rate::begin(self.acknowledged_before(now), now));
                self.is_slowed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// In a second, by the count of this one and the last.
    fn acknowledged_before(&self, now: Duration) -> u32 {
        let second = now.as_secs();
        let last = second.checked_sub(1).map_or(0, |last| self.acknowledged.count(last));
        let count = last + self.acknowledged.count(second);
        let over = if second == 0 { now.as_secs_f64() } else { 1.0 + f64::from(now.subsec_millis()) / 1_000.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count over at least a tenth of a second"
        )]
        let per_second = (f64::from(count) / over.max(0.1)) as u32;
        per_second
    }

    fn lock(&self) -> MutexGuard<'_, Option<Rate>> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that a request is held to: of its table, or of all tables of a batch.
pub(crate) type Together = Arc<[Arc<Pace>]>;

/// The paces of a session's tables. There are as many as the program has tables.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    limits: HashMap<String, TableLimit>,
    known: Mutex<HashMap<(String, bool), Arc<Pace>>>,
}

impl Paces {
    /// With limits by table, each named as a statement's text shows it.
    pub(crate) fn new(limits: HashMap<String, TableLimit>) -> Self {
        Self { limits, known: Mutex::default() }
    }

    /// Reading and writing have capacities of their own.
    pub(crate) fn of(&self, about: &About) -> Together {
        let Some(tree) = about.tree() else { return Arc::default() };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_read = about.is_read();
        let mut pace = |table: String| {
            let limit = self.limits.get(&table).and_then(|limit| limit.of(is_read));
            let pace = known.entry((table, is_read));
            Arc::clone(pace.or_insert_with(|| Arc::new(limit.map_or_else(Pace::default, Pace::limited))))
        };
        tree.tables().into_iter().map(|table| pace(table.to_string())).collect()
    }
}
