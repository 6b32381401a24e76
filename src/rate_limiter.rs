//! Limits requests to a throttled table to the rate that the table accepts: a call waits for its turn, or fails at once if
//! the turn would come after its deadline.
//!
//! A waiting call holds no lock. While the queue is not empty, one task serves it and notifies each call of its turn.
//! So a future that is not polled delays no other call; only its own turn is lost.

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

use self::admission::{Admission, AnsweredAttempt};
pub(crate) use self::allowance::Allowance;
pub use self::allowance::TableLimit;
use self::queue::{AdmissionDecision, Ticket};
use crate::lock::locked;
use crate::retry::PerSecond;
use crate::statement::StatementInfo;

/// The rate limiter for the reads, or the writes, of one table. It limits nothing until the table throttles a request.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    is_limiting: AtomicBool,
    /// Units acknowledged in each second.
    acknowledged: PerSecond,
    next_place: AtomicU64,
    throttles: AtomicU64,
    state: Mutex<RateLimiterState>,
    /// Wakes the task that serves the queue when the next turn may be due earlier than that task expects.
    reschedule: Notify,
}

#[derive(Debug)]
struct RateLimiterState {
    admission: Admission<oneshot::Sender<Result<(), TurnTooLate>>>,
    /// Whether a task is serving the queue.
    is_served: bool,
}

/// A call's request for the units of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitsRequest {
    pub(crate) units: f64,
    /// A hash of the partition key, if the statement binds all of it.
    pub(crate) partition: Option<i64>,
    /// When the call began. A retry keeps this time, and with it its place ahead of calls that began later.
    pub(crate) called_at: Instant,
    pub(crate) deadline: Instant,
}

/// The call's turn would come after its deadline. Contains how long the call would have to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TurnTooLate(pub(crate) Duration);

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new(None)
    }
}

impl RateLimiter {
    fn new(limit: Option<NonZeroU32>) -> Self {
        Self {
            is_limiting: AtomicBool::new(limit.is_some()),
            acknowledged: PerSecond::default(),
            next_place: AtomicU64::new(0),
            throttles: AtomicU64::new(0),
            state: Mutex::new(RateLimiterState {
                admission: Admission::new(limit.map(Allowance::new)),
                is_served: false,
            }),
            reschedule: Notify::new(),
        }
    }

    /// Whether requests to the table are not limited.
    pub(crate) fn is_unlimited(&self) -> bool {
        !self.is_limiting.load(Ordering::Relaxed)
    }

    /// Starts limiting at the table's known capacity in units per second, without waiting for a throttle. If the table
    /// accepts more, the rate grows as it does after a throttle.
    #[cfg(feature = "bulk")]
    fn set_known_rate(&self, units_per_second: NonZeroU32, now: Duration) {
        let mut state = self.lock();
        state.admission.set_known_rate(units_per_second.get().into(), now);
        self.is_limiting.store(true, Ordering::Relaxed);
    }

    /// Acquires the units of an attempt: waits for the call's turn, or fails if the turn would come after the deadline. The
    /// future may be dropped at any time.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        request: UnitsRequest,
        session_began: Instant,
    ) -> Result<(), TurnTooLate> {
        if self.is_unlimited() {
            return Ok(());
        }
        let requested_at = session_began.elapsed();
        let ticket = self.ticket(request, session_began);
        let (sender, receiver) = oneshot::channel();
        let is_served = {
            let mut state = self.lock();
            match state.admission.try_acquire(ticket, requested_at, || sender) {
                AdmissionDecision::Admitted => return Ok(()),
                AdmissionDecision::TooLate(due) => return Err(TurnTooLate(due.saturating_sub(requested_at))),
                AdmissionDecision::Wait => std::mem::replace(&mut state.is_served, true),
            }
        };
        let mut waiting = WaitingCall { limiter: self, ticket, turn: receiver };
        if is_served {
            self.reschedule.notify_one();
        } else {
            tokio::spawn(serve(QueueServer(Some(Arc::clone(self))), session_began));
        }
        match timeout_at(request.deadline, &mut waiting.turn).await {
            Ok(Ok(turn)) => turn,
            // The turn would have come after the deadline.
            Ok(Err(_)) | Err(_) => Err(TurnTooLate(session_began.elapsed().saturating_sub(requested_at))),
        }
    }

    /// Returns units that were acquired and not used.
    pub(crate) fn refund(&self, request: UnitsRequest, session_began: Instant) {
        if !self.is_unlimited() {
            let ticket = self.ticket(request, session_began);
            self.lock().admission.refund(ticket);
            self.reschedule.notify_one();
        }
    }

    /// Charges what a request used beyond the units that it acquired.
    pub(crate) fn charge(&self, units: f64) {
        self.lock().admission.charge(units);
    }

    /// The latency to allow for, estimated from recent answers; zero while the table is not limited.
    pub(crate) fn expected_latency(&self, now: Duration) -> Duration {
        if self.is_unlimited() { Duration::ZERO } else { self.lock().admission.expected_latency(now) }
    }

    /// Records that an attempt sent at `sent` was acknowledged. Times are since the session began.
    pub(crate) fn record_acknowledged(
        &self,
        units: f64,
        partition: Option<i64>,
        sent: Duration,
        now: impl FnOnce() -> Duration,
    ) {
        if self.is_unlimited() {
            return self.acknowledged.add(sent.as_secs(), rounded(units));
        }
        let attempt = AnsweredAttempt { units, partition, sent, now: now() };
        let mut state = self.lock();
        self.acknowledged.add(sent.as_secs(), rounded(units));
        let turns_come_sooner = state.admission.record_acknowledged(attempt);
        self.is_limiting.store(!state.admission.is_unlimited(), Ordering::Relaxed);
        drop(state);
        if turns_come_sooner {
            self.reschedule.notify_one();
        }
    }

    /// Records that an attempt sent at `sent` was throttled.
    pub(crate) fn record_throttled(&self, units: f64, partition: Option<i64>, sent: Duration, now: Duration) {
        self.throttles.fetch_add(1, Ordering::Relaxed);
        let attempt = AnsweredAttempt { units, partition, sent, now };
        let mut state = self.lock();
        let refuse = |waiting: oneshot::Sender<_>, due: Duration| {
            // Sending fails only if the call has already left the queue.
            let _ = waiting.send(Err(TurnTooLate(due.saturating_sub(now))));
        };
        let turns_come_sooner = state.admission.record_throttled(attempt, || self.acknowledged_rate(now), refuse);
        self.is_limiting.store(!state.admission.is_unlimited(), Ordering::Relaxed);
        drop(state);
        if turns_come_sooner {
            self.reschedule.notify_one();
        }
    }

    /// Units acknowledged per second, from the counts of the current second and the one before.
    fn acknowledged_rate(&self, now: Duration) -> f64 {
        let second = now.as_secs();
        let previous = second.checked_sub(1).map_or(0, |previous| self.acknowledged.count(previous));
        let units = previous + self.acknowledged.count(second);
        let seconds = if second == 0 { now.as_secs_f64() } else { 1.0 + f64::from(now.subsec_millis()) / 1_000.0 };
        f64::from(units) / seconds.max(0.1)
    }

    fn ticket(&self, request: UnitsRequest, session_began: Instant) -> Ticket {
        let called_at = request.called_at.saturating_duration_since(session_began);
        Ticket {
            units: request.units,
            place: (called_at, self.next_place.fetch_add(1, Ordering::Relaxed)),
            deadline: request.deadline.saturating_duration_since(session_began),
            partition: request.partition,
        }
    }

    fn lock(&self) -> MutexGuard<'_, RateLimiterState> {
        locked(&self.state)
    }
}

/// A call in the queue.
struct WaitingCall<'l> {
    limiter: &'l RateLimiter,
    ticket: Ticket,
    turn: oneshot::Receiver<Result<(), TurnTooLate>>,
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        let was_waiting = state.admission.remove(self.ticket).is_some();
        // The turn was granted, but the call was dropped before it received it.
        if !was_waiting && let Ok(Ok(())) = self.turn.try_recv() {
            state.admission.refund(self.ticket);
        }
        drop(state);
        self.limiter.reschedule.notify_one();
    }
}

/// Serves the queue until it is empty.
async fn serve(mut server: QueueServer, session_began: Instant) {
    loop {
        let Some(due) = server.serve_due(session_began.elapsed()) else { return };
        let Some(limiter) = &server.0 else { return };
        tokio::select! {
            () = sleep_until(session_began + due) => {}
            () = limiter.reschedule.notified() => {}
        }
    }
}

/// The state of the task that serves the queue. If the task's runtime shuts down, the next call that has to wait starts a
/// new task.
struct QueueServer(Option<Arc<RateLimiter>>);

impl QueueServer {
    /// Grants the turns that are due, and returns when the next one is due; `None` if the queue is empty.
    fn serve_due(&mut self, now: Duration) -> Option<Duration> {
        let limiter = self.0.take()?;
        let mut state = limiter.lock();
        let due = state.admission.serve(now, |waiting, turn| {
            // If the call no longer listens, the drop of its `WaitingCall` refunds the units.
            let _ = waiting.send(turn.map_err(|due| TurnTooLate(due.saturating_sub(now))));
        });
        state.is_served = due.is_some();
        drop(state);
        if due.is_some() {
            self.0 = Some(limiter);
        }
        due
    }
}

impl Drop for QueueServer {
    fn drop(&mut self) {
        if let Some(limiter) = &self.0 {
            limiter.lock().is_served = false;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "units of a request, from one to some thousands"
)]
fn rounded(units: f64) -> u32 {
    // Not `round()`, which compiles to a library call unless the target CPU is known.
    (units + 0.5) as u32
}

/// The rate limiters of a request: one for its table, or one for each table of a batch.
pub(crate) type TableLimiters = Arc<[Arc<RateLimiter>]>;

/// The rate limiters of a session's tables. Their number is bounded by the number of tables the program uses.
#[derive(Debug, Default)]
pub(crate) struct RateLimiters {
    limits: HashMap<String, TableLimit>,
    limiters: Mutex<HashMap<(String, bool), Arc<RateLimiter>>>,
}

impl RateLimiters {
    /// Creates the rate limiters with limits by table name, as the statement texts spell it.
    pub(crate) fn new(limits: HashMap<String, TableLimit>) -> Self {
        Self { limits, limiters: Mutex::default() }
    }

    /// Returns the rate limiters for a statement. Reads and writes have separate capacities. A definition uses no capacity,
    /// so it is not limited.
    pub(crate) fn for_statement(&self, info: &StatementInfo) -> TableLimiters {
        let Some(tree) = info.tree().filter(|tree| tree.effect() != Effect::Definition) else { return Arc::default() };
        tree.tables().into_iter().map(|table| self.limiter(table.to_string(), info.is_read())).collect()
    }

    /// How many requests that read the table, or write to it, were throttled in this session.
    #[cfg(feature = "bulk")]
    pub(crate) fn throttles(&self, table: &str, is_read: bool) -> u64 {
        let limiters = locked(&self.limiters);
        limiters.get(&(table.to_owned(), is_read)).map_or(0, |limiter| limiter.throttles.load(Ordering::Relaxed))
    }

    /// Sets the known capacity of a table for reads or for writes, in units per second: see
    /// [`RateLimiter::set_known_rate`].
    #[cfg(feature = "bulk")]
    pub(crate) fn set_known_rate(&self, table: &str, is_read: bool, units_per_second: NonZeroU32, now: Duration) {
        self.limiter(table.to_owned(), is_read).set_known_rate(units_per_second, now);
    }

    fn limiter(&self, table: String, is_read: bool) -> Arc<RateLimiter> {
        let limit = self.limits.get(&table).and_then(|limit| limit.units_per_second(is_read));
        let mut limiters = locked(&self.limiters);
        Arc::clone(limiters.entry((table, is_read)).or_insert_with(|| Arc::new(RateLimiter::new(limit))))
    }
}
