//! Throttled tables are sent what they take: their callers wait for a turn, or learn at once that it would come too late.
//!
//! A call that waits holds nothing: its turn is given to it by a task that owns the queue while there is one, so a future
//! that nobody polls wastes its own turn and no other.

mod admission;
mod allowance;
mod answers;
mod lanes;
mod queue;
mod rate;

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

/// How fast one table is read, or written: as fast as is asked for, until it is throttled.
#[derive(Debug)]
pub(crate) struct Pace {
    is_slowed: AtomicBool,
    /// Units, while it is not slowed.
    acknowledged: PerSecond,
    joined: AtomicU64,
    throttles: AtomicU64,
    state: Mutex<PacerState>,
    /// Turns may come sooner than the task that gives them expects.
    sooner: Notify,
}

#[derive(Debug)]
struct PacerState {
    admission: Admission<oneshot::Sender<Result<(), Late>>>,
    /// Whether a task gives the turns.
    is_served: bool,
}

/// What a call needs of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    pub(crate) units: f64,
    /// A hash of the partition key, if the statement binds all of it.
    pub(crate) partition: Option<i64>,
    /// When the call began; a repeat keeps it, and so its place in front of calls that came later.
    pub(crate) came: Instant,
    pub(crate) deadline: Instant,
}

/// A turn would come so much later than it was asked for: too late for the call's deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Late(pub(crate) Duration);

impl Default for Pace {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Pace {
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

    /// Whether nobody has to wait.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_slowed.load(Ordering::Relaxed)
    }

    /// Begins at the units a second that the table is known to have, so that it need not throttle to tell them. Where it takes
    /// more, that is found out as after a throttle.
    #[cfg(feature = "bulk")]
    fn expect(&self, per_second: NonZeroU32, now: Duration) {
        let mut state = self.lock();
        state.admission.expect(per_second.get().into(), now);
        self.is_slowed.store(true, Ordering::Relaxed);
    }

    /// Waits for a turn, if it comes before the deadline. Cancelling it leaves nothing behind. `began` is when the session
    /// began.
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
            // It would have come after the deadline.
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

    /// Charges what a request used beyond the units that it had its turn for.
    pub(crate) fn owe(&self, units: f64) {
        self.lock().admission.owe(units);
    }

    /// The time that an attempt needs at least to be answered, by recent answers; nothing while it is not slowed.
    pub(crate) fn expected_answer(&self, now: Duration) -> Duration {
        if self.is_free() { Duration::ZERO } else { self.lock().admission.expected_answer(now) }
    }

    /// Takes in that an attempt sent at `sent` was acknowledged. Times are since the session began.
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

    /// Takes in that an attempt sent at `sent` was throttled.
    pub(crate) fn throttled(&self, units: f64, partition: Option<i64>, sent: Duration, now: Duration) {
        self.throttles.fetch_add(1, Ordering::Relaxed);
        let answered = Answered { units, partition, sent, now };
        let mut state = self.lock();
        let refuse = |waiting: oneshot::Sender<_>, due: Duration| {
            // Whoever does not listen any more has left.
            let _ = waiting.send(Err(Late(due.saturating_sub(now))));
        };
        let comes_sooner = state.admission.throttled(answered, || self.acknowledged_before(now), refuse);
        self.is_slowed.store(!state.admission.is_free(), Ordering::Relaxed);
        drop(state);
        if comes_sooner {
            self.sooner.notify_one();
        }
    }

    /// Units a second, by the count of this second and the last.
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
    pace: &'p Pace,
    ask: Ask,
    turn: oneshot::Receiver<Result<(), Late>>,
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.lock();
        let has_left = state.admission.leave(self.ask).is_some();
        // Given, and not taken notice of.
        if !has_left && let Ok(Ok(())) = self.turn.try_recv() {
            state.admission.give_back(self.ask);
        }
        drop(state);
        self.pace.sooner.notify_one();
    }
}

/// Gives turns until nobody waits.
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

/// The task that gives turns. Should its runtime end, the next call that has to wait starts another.
struct Serving(Option<Arc<Pace>>);

impl Serving {
    /// Gives the turns that are due, and says when the next one is.
    fn once(&mut self, now: Duration) -> Option<Duration> {
        let pace = self.0.take()?;
        let mut state = pace.lock();
        let due = state.admission.serve(now, |waiting, turn| {
            // A turn that nobody listens for is given back as the call leaves.
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
    // Not `round()`, which is a call of a library where the processor is not known.
    (units + 0.5) as u32
}

/// The paces that a request is held to: that of its table, or of all tables of a batch.
pub(crate) type TableLimiters = Arc<[Arc<Pace>]>;

/// The paces of a session's tables. There are as many as the program has tables.
#[derive(Debug, Default)]
pub(crate) struct RateLimiters {
    limits: HashMap<String, TableLimit>,
    known: Mutex<HashMap<(String, bool), Arc<Pace>>>,
}

impl RateLimiters {
    /// With limits by table, each named as a statement's text shows it.
    pub(crate) fn new(limits: HashMap<String, TableLimit>) -> Self {
        Self { limits, known: Mutex::default() }
    }

    /// How many requests to read a table, or to write to it, were throttled in this session.
    #[cfg(feature = "bulk")]
    pub(crate) fn throttles(&self, table: &str, is_read: bool) -> u64 {
        let known = locked(&self.known);
        known.get(&(table.to_owned(), is_read)).map_or(0, |pace| pace.throttles.load(Ordering::Relaxed))
    }

    /// Takes in how many units a second a table has, to read or to write: see [`Pace::expect`].
    #[cfg(feature = "bulk")]
    pub(crate) fn expect(&self, table: &str, is_read: bool, per_second: NonZeroU32, now: Duration) {
        self.pace(table.to_owned(), is_read).expect(per_second, now);
    }

    fn pace(&self, table: String, is_read: bool) -> Arc<Pace> {
        let limit = self.limits.get(&table).and_then(|limit| limit.of(is_read));
        let mut known = locked(&self.known);
        Arc::clone(known.entry((table, is_read)).or_insert_with(|| Arc::new(Pace::new(limit))))
    }

    /// Reading and writing have capacities of their own. A definition uses none, so it waits for no statement.
    pub(crate) fn of(&self, about: &StatementInfo) -> TableLimiters {
        let Some(tree) = about.tree().filter(|tree| tree.effect() != Effect::Definition) else { return Arc::default() };
        tree.tables().into_iter().map(|table| self.pace(table.to_string(), about.is_read())).collect()
    }
}
