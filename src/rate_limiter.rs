//! Limits requests to a throttled table to the rate that the table accepts: a call waits for its turn, or fails at once if
//! the turn would come after its deadline.
//!
//! A waiting call holds no lock. While the queue is not empty, one task serves it and hands each call its turn, so a future
//! that nobody polls wastes only its own turn.

mod admission;
mod allowance;
mod lanes;
mod latency;
mod queue;
mod token_bucket;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use keyspaces_cql::Effect;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use self::admission::{Admission, Answered};
pub(crate) use self::allowance::Allowance;
pub use self::allowance::TableLimit;
use self::queue::{Ask, Reply};
use crate::lock::locked;
use crate::retry::PerSecond;
use crate::statement::StatementInfo;

/// The rate limiter for the reads, or the writes, of one table. It limits nothing until the table throttles a request.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    is_slowed: AtomicBool,
    /// Units acknowledged in each second.
    acknowledged: PerSecond,
    joined: AtomicU64,
    throttles: AtomicU64,
    state: Mutex<PacerState>,
    /// Wakes the serving task when a turn may come sooner than the task expects.
    sooner: Notify,
}

#[derive(Debug)]
struct PacerState {
    admission: Admission<oneshot::Sender<Result<(), Late>>>,
    /// Whether a task is serving the queue.
    is_served: bool,
}

/// A call's request for a turn at a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    pub(crate) units: f64,
    /// A hash of the partition key, if the statement binds all of it.
    pub(crate) partition: Option<i64>,
    /// When the call began. A repeated attempt keeps this time, and so its place ahead of calls that began later.
    pub(crate) came: Instant,
    pub(crate) deadline: Instant,
}

/// The turn would come after the call's deadline: this long after the call asked for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Late(pub(crate) Duration);

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new(None)
    }
}

impl RateLimiter {
    fn new(limit: Option<NonZeroU32>) -> Self {
        Self {
            is_slowed: AtomicBool::new(limit.is_some()),
            acknowledged: PerSecond::default(),
            joined: AtomicU64::new(0),
            throttles: AtomicU64::new(0),
            state: Mutex::new(PacerState { admission: Admission::new(limit.map(Allowance::new)), is_served: false }),
            sooner: Notify::new(),
        }
    }

    /// Whether requests to the table are not limited.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_slowed.load(Ordering::Relaxed)
    }

    /// Starts limiting at the units per second that the table is known to have, so that no throttle is needed to find them.
    /// If the table accepts more, the rate grows as it does after a throttle.
    #[cfg(feature = "bulk")]
    fn expect(&self, per_second: NonZeroU32, now: Duration) {
        let mut state = self.lock();
        state.admission.expect(per_second.get().into(), now);
        self.is_slowed.store(true, Ordering::Relaxed);
    }

    /// Waits for a turn, or fails if the turn would come after the deadline. The future may be dropped at any time. `began`
    /// is when the session began.
    pub(crate) async fn turn(self: &Arc<Self>, need: Need, began: Instant) -> Result<(), Late> {
        if self.is_free() {
            return Ok(());
        }
        let asked = began.elapsed();
        let ask = self.ask(need, began);
        let (sender, receiver) = oneshot::channel();
        let is_served = {
            let mut state = self.lock();
            match state.admission.ask(ask, asked, || sender) {
                Reply::Go => return Ok(()),
                Reply::TooLate(due) => return Err(Late(due.saturating_sub(asked))),
                Reply::Wait => std::mem::replace(&mut state.is_served, true),
            }
        };
        let mut waiting = WaitingCall { pace: self, ask, turn: receiver };
        if is_served {
            self.sooner.notify_one();
        } else {
            tokio::spawn(serve(Serving(Some(Arc::clone(self))), began));
        }
        match timeout_at(need.deadline, &mut waiting.turn).await {
            Ok(Ok(turn)) => turn,
            // The turn would have come after the deadline.
            Ok(Err(_)) | Err(_) => Err(Late(began.elapsed().saturating_sub(asked))),
        }
    }

    /// Returns a turn that was not used.
    pub(crate) fn give_back(&self, need: Need, began: Instant) {
        if !self.is_free() {
            let ask = self.ask(need, began);
            self.lock().admission.give_back(ask);
            self.sooner.notify_one();
        }
    }

    /// Charges what a request used beyond the units it was admitted with.
    pub(crate) fn owe(&self, units: f64) {
        self.lock().admission.owe(units);
    }

    /// The time to allow for an answer, estimated from recent answers; zero while the table is not limited.
    pub(crate) fn expected_answer(&self, now: Duration) -> Duration {
        if self.is_free() { Duration::ZERO } else { self.lock().admission.expected_answer(now) }
    }

    /// Records that an attempt sent at `sent` was acknowledged. Times are since the session began.
    pub(crate) fn acknowledged(
        &self,
        units: f64,
        partition: Option<i64>,
        sent: Duration,
        now: impl FnOnce() -> Duration,
    ) {
        if self.is_free() {
            return self.acknowledged.add(sent.as_secs(), whole(units));
        }
        let answered = Answered { units, partition, sent, now: now() };
        let mut state = self.lock();
        self.acknowledged.add(sent.as_secs(), whole(units));
        let comes_sooner = state.admission.acknowledged(answered);
        self.is_slowed.store(!state.admission.is_free(), Ordering::Relaxed);
        drop(state);
        if comes_sooner {
            self.sooner.notify_one();
        }
    }

    /// Records that an attempt sent at `sent` was throttled.
    pub(crate) fn throttled(&self, units: f64, partition: Option<i64>, sent: Duration, now: Duration) {
        self.throttles.fetch_add(1, Ordering::Relaxed);
        let answered = Answered { units, partition, sent, now };
        let mut state = self.lock();
        let refuse = |waiting: oneshot::Sender<_>, due: Duration| {
            // Sending fails only if the call has already left the queue.
            let _ = waiting.send(Err(Late(due.saturating_sub(now))));
        };
        let comes_sooner = state.admission.throttled(answered, || self.acknowledged_before(now), refuse);
        self.is_slowed.store(!state.admission.is_free(), Ordering::Relaxed);
        drop(state);
        if comes_sooner {
            self.sooner.notify_one();
        }
    }

    /// Units acknowledged per second, from the counts of the current second and the one before.
    fn acknowledged_before(&self, now: Duration) -> f64 {
        let second = now.as_secs();
        let last = second.checked_sub(1).map_or(0, |last| self.acknowledged.count(last));
        let count = last + self.acknowledged.count(second);
        let over = if second == 0 { now.as_secs_f64() } else { 1.0 + f64::from(now.subsec_millis()) / 1_000.0 };
        f64::from(count) / over.max(0.1)
    }

    fn ask(&self, need: Need, began: Instant) -> Ask {
        Ask {
            units: need.units,
            place: (need.came.saturating_duration_since(began), self.joined.fetch_add(1, Ordering::Relaxed)),
            deadline: need.deadline.saturating_duration_since(began),
            partition: need.partition,
        }
    }

    fn lock(&self) -> MutexGuard<'_, PacerState> {
        locked(&self.state)
    }
}

/// A call in the queue.
struct WaitingCall<'p> {
    pace: &'p RateLimiter,
    ask: Ask,
    turn: oneshot::Receiver<Result<(), Late>>,
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.lock();
        let has_left = state.admission.leave(self.ask).is_some();
        // The turn was granted, but the call was dropped before it received it.
        if !has_left && let Ok(Ok(())) = self.turn.try_recv() {
            state.admission.give_back(self.ask);
        }
        drop(state);
        self.pace.sooner.notify_one();
    }
}

/// Serves the queue until it is empty.
async fn serve(mut serving: Serving, began: Instant) {
    loop {
        let Some(due) = serving.once(began.elapsed()) else { return };
        let Some(pace) = &serving.0 else { return };
        tokio::select! {
            () = sleep_until(began + due) => {}
            () = pace.sooner.notified() => {}
        }
    }
}

/// The state of the task that serves the queue. If the task's runtime shuts down, the next call that has to wait starts a
/// new task.
struct Serving(Option<Arc<RateLimiter>>);

impl Serving {
    /// Grants the turns that are due, and returns when the next one is due; `None` if the queue is empty.
    fn once(&mut self, now: Duration) -> Option<Duration> {
        let pace = self.0.take()?;
        let mut state = pace.lock();
        let due = state.admission.serve(now, |waiting, turn| {
            // If the call no longer listens, the drop of its `WaitingCall` gives the turn back.
            let _ = waiting.send(turn.map_err(|due| Late(due.saturating_sub(now))));
        });
        state.is_served = due.is_some();
        drop(state);
        if due.is_some() {
            self.0 = Some(pace);
        }
        due
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(pace) = &self.0 {
            pace.lock().is_served = false;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "units of a request, from one to some thousands"
)]
fn whole(units: f64) -> u32 {
    // Not `round()`, which compiles to a library call unless the target CPU is known.
    (units + 0.5) as u32
}

/// The rate limiters of a request: one for its table, or one for each table of a batch.
pub(crate) type TableLimiters = Arc<[Arc<RateLimiter>]>;

/// The rate limiters of a session's tables. Their number is bounded by the number of tables the program uses.
#[derive(Debug, Default)]
pub(crate) struct RateLimiters {
    limits: HashMap<String, TableLimit>,
    known: Mutex<HashMap<(String, bool), Arc<RateLimiter>>>,
}

impl RateLimiters {
    /// Creates the rate limiters with limits by table name, as the statement texts spell it.
    pub(crate) fn new(limits: HashMap<String, TableLimit>) -> Self {
        Self { limits, known: Mutex::default() }
    }

    /// How many requests that read the table, or write to it, were throttled in this session.
    #[cfg(feature = "bulk")]
    pub(crate) fn throttles(&self, table: &str, is_read: bool) -> u64 {
        let known = locked(&self.known);
        known.get(&(table.to_owned(), is_read)).map_or(0, |pace| pace.throttles.load(Ordering::Relaxed))
    }

    /// Sets how many units per second a table is known to have, for reads or for writes: see [`RateLimiter::expect`].
    #[cfg(feature = "bulk")]
    pub(crate) fn expect(&self, table: &str, is_read: bool, per_second: NonZeroU32, now: Duration) {
        self.pace(table.to_owned(), is_read).expect(per_second, now);
    }

    fn pace(&self, table: String, is_read: bool) -> Arc<RateLimiter> {
        let limit = self.limits.get(&table).and_then(|limit| limit.of(is_read));
        let mut known = locked(&self.known);
        Arc::clone(known.entry((table, is_read)).or_insert_with(|| Arc::new(RateLimiter::new(limit))))
    }

    /// Returns the rate limiters for a statement. Reads and writes have separate capacities. A definition uses no capacity,
    /// so it is not limited.
    pub(crate) fn of(&self, info: &StatementInfo) -> TableLimiters {
        let Some(tree) = info.tree().filter(|tree| tree.effect() != Effect::Definition) else { return Arc::default() };
        tree.tables().into_iter().map(|table| self.pace(table.to_string(), info.is_read())).collect()
    }
}
