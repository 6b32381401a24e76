//! A table that is throttled is sent what it takes: its callers wait in a queue, in the order of asking, each for its turn.

mod rate;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::rate::Rate;
use crate::retry::PerSecond;
use crate::statement::About;

/// How fast one table is read, or written: as fast as is asked for, until it is throttled.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    is_slowed: AtomicBool,
    acknowledged: PerSecond,
    rate: Mutex<Option<Rate>>,
    queue: tokio::sync::Mutex<()>,
}

impl Pace {
    /// Whether nobody has to wait.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_slowed.load(Ordering::Relaxed)
    }

    /// Waits for one's turn. Times are those since `began`. Who stops waiting leaves nothing behind.
    pub(crate) async fn turn(&self, began: Instant) {
        if self.is_free() {
            return;
        }
        let _first = self.queue.lock().await;
        loop {
            let due = match &mut *self.lock() {
                Some(rate) => rate.take(began.elapsed()),
                None => Ok(()),
            };
            match due {
                Ok(()) => return,
                Err(due) => sleep_until(began + due).await,
            }
        }
    }

    /// Takes in that a request that was sent at `sent` was acknowledged.
    pub(crate) fn acknowledged(&self, sent: Duration, now: impl FnOnce() -> Duration) {
        if self.is_free() {
            self.acknowledged.add(sent.as_secs());
            return;
        }
        let mut rate = self.lock();
        let Some(slowed) = &mut *rate else { return };
        let now = now();
        slowed.acknowledged(now);
        if slowed.is_over(now) {
            *rate = None;
            self.is_slowed.store(false, Ordering::Relaxed);
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
pub(crate) struct Paces(Mutex<HashMap<(String, bool), Arc<Pace>>>);

impl Paces {
    /// Reading and writing have capacities of their own.
    pub(crate) fn of(&self, about: &About) -> Together {
        let Some(tree) = about.tree() else { return Arc::default() };
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pace = |table: String| Arc::clone(paces.entry((table, about.is_read())).or_default());
        tree.tables().into_iter().map(|table| pace(table.to_string())).collect()
    }
}
