//! What else was tried to slow a table's callers down: the same repeats as ours, another way to hold them back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::bare::Bare;
use crate::client::Ended;

/// Lets attempts through.
pub(crate) trait Pace: Send {
    /// Or when to ask again.
    fn take(&mut self, now: Instant) -> Result<(), Instant>;

    fn ended(&mut self, now: Instant, is_done: bool);
}

pub(crate) struct Paced<P> {
    bare: Bare,
    pace: Mutex<P>,
    queue: tokio::sync::Mutex<()>,
}

impl<P: Pace> Paced<P> {
    pub(crate) fn new(bare: Bare, pace: P) -> Self {
        Self { bare, pace: Mutex::new(pace), queue: tokio::sync::Mutex::new(()) }
    }

    pub(crate) async fn write(&self, task: i64, write: i64, deadline: Instant) -> Ended {
        let tried = async {
            for repeat in 0.. {
                self.turn().await;
                let is_done = self.bare.attempt(task, write).await.is_ok();
                self.with(|pace| pace.ended(Instant::now(), is_done));
                if is_done {
                    return Ended::Written;
                }
                sleep(Duration::from_millis(10 << repeat.min(7)).min(Duration::from_secs(1)).mul_f64(fastrand::f64()))
                    .await;
            }
            Ended::GaveUp
        };
        timeout_at(deadline, tried).await.unwrap_or(Ended::PastDeadline)
    }

    async fn turn(&self) {
        let _first = self.queue.lock().await;
        while let Err(again) = self.with(|pace| pace.take(Instant::now())) {
            sleep_until(again).await;
        }
    }

    fn with<T>(&self, what: impl FnOnce(&mut P) -> T) -> T {
        what(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// So many in flight: one more for each round of acknowledgements, a tenth less when throttled.
pub(crate) struct Concurrency {
    limit: f64,
    in_flight: f64,
    lowered: Option<Instant>,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { limit: 256.0, in_flight: 0.0, lowered: None }
    }
}

impl Pace for Concurrency {
    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        if self.in_flight < self.limit.floor() {
            self.in_flight += 1.0;
            return Ok(());
        }
        Err(now + Duration::from_millis(1))
    }

    fn ended(&mut self, now: Instant, is_done: bool) {
        self.in_flight -= 1.0;
        if is_done {
            self.limit += 1.0 / self.limit;
        } else if self.lowered.is_none_or(|lowered| now - lowered > Duration::from_millis(20)) {
            self.limit = (self.limit * 0.9).max(1.0);
            self.lowered = Some(now);
        }
    }
}

/// The client-side rate limiting of the AWS SDKs' adaptive mode: when throttled down to 0.7 of what is measured, then up along a
/// cubic to where it was, and beyond.
#[derive(Default)]
pub(crate) struct Cubic {
    rate: Option<f64>,
    highest: f64,
    returns_after: f64,
    throttled: Option<Instant>,
    tokens: f64,
    filled: Option<Instant>,
    /// Of half a second each: the one that is counted, and the smoothed rate of those before.
    counted: f64,
    since: Option<Instant>,
    measured: f64,
}

const BETA: f64 = 0.7;
const SCALE: f64 = 0.4;
const SMOOTHING: f64 = 0.8;

impl Pace for Cubic {
    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let Some(rate) = self.rate else { return Ok(()) };
        let passed = self.filled.map_or(0.0, |filled| (now - filled).as_secs_f64());
        self.filled = Some(now);
        self.tokens = (self.tokens + passed * rate).min(rate.max(1.0));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(now + Duration::from_secs_f64((1.0 - self.tokens) / rate))
    }

    fn ended(&mut self, now: Instant, is_done: bool) {
        self.measure(now);
        let rate = if is_done {
            let Some(throttled) = self.throttled else { return };
            let passed = (now - throttled).as_secs_f64() - self.returns_after;
            (SCALE * passed.powi(3) + self.highest).min(2.0 * self.measured)
        } else {
            let rate = self.rate.map_or(self.measured, |rate| rate.min(self.measured));
            self.highest = rate;
            self.returns_after = (rate * (1.0 - BETA) / SCALE).cbrt();
            self.throttled = Some(now);
            rate * BETA
        };
        self.rate = Some(rate.max(0.5));
    }
}

impl Cubic {
    fn measure(&mut self, now: Instant) {
        self.counted += 1.0;
        let since = *self.since.get_or_insert(now);
        let over = (now - since).as_secs_f64();
        if over >= 0.5 {
            self.measured = self.counted / over * SMOOTHING + self.measured * (1.0 - SMOOTHING);
            self.counted = 0.0;
            self.since = Some(now);
        }
    }
}
