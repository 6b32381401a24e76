//! Admits requests to a table: one queue for the whole table and, in front of it, one queue for each hot partition.
//!
//! A partition is hot if it is throttled while the table's other partitions are acknowledged. Its calls then wait in a
//! queue of their own, and its throttles do not lower the table's rate. The queue is removed when the partition is no
//! longer throttled.

use std::collections::HashMap;
use std::time::Duration;

use super::allowance::Allowance;
use super::queue::{Ask, Queue, Reply};
use super::token_bucket::TokenBucket;

/// The most partitions that have a rate of their own, and the most that are watched. Further partitions share the table's
/// rate.
const MOST_HOT: usize = 64;
const MOST_WATCHED: usize = 64;

/// The time over which the answers of partitions are compared.
const WATCHED_FOR: Duration = Duration::from_secs(2);
/// The throttles of one partition, and the acknowledgements of the others, that are needed to call the partition hot.
const TELLING: u32 = 4;
const TELLING_OTHERS: u32 = 8;
/// A partition is hot if at least this share of its attempts is throttled, and at most [`COLD`] of the others' attempts.
const HOT: f64 = 0.1;
const COLD: f64 = 0.06;

/// The queues of a table and its hot partitions. Like [`Queue`], it has no clock and no tasks.
#[derive(Debug)]
pub(super) struct Admission<T> {
    table: Queue<T>,
    hot: HashMap<i64, Queue<T>>,
    watched_since: Duration,
    /// The answers of all partitions together since `watched_since`; `watched` counts those of each throttled partition.
    all: Answers,
    watched: HashMap<i64, Answers>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    acknowledged: u32,
    throttled: u32,
    units: f64,
}

/// An attempt that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) units: f64,
    pub(super) partition: Option<i64>,
    pub(super) sent: Duration,
    pub(super) now: Duration,
}

impl<T> Admission<T> {
    pub(super) fn new(limit: Option<Allowance>) -> Self {
        Self {
            table: Queue::new(limit),
            hot: HashMap::new(),
            watched_since: Duration::ZERO,
            all: Answers::default(),
            watched: HashMap::new(),
        }
    }

    /// See [`Queue::expect`].
    #[cfg(feature = "bulk")]
    pub(super) fn expect(&mut self, per_second: f64, now: Duration) {
        self.table.expect(per_second, now);
    }

    /// Asks for a turn; `handle` creates the handle that is stored if the call has to wait.
    pub(super) fn ask(&mut self, ask: Ask, now: Duration, handle: impl FnOnce() -> T) -> Reply {
        if let Some(hot) = ask.partition.and_then(|partition| self.hot.get_mut(&partition)) {
            match hot.ask(ask, now) {
                Reply::Go => {}
                Reply::Wait => {
                    hot.join(ask, handle(), now);
                    return Reply::Wait;
                }
                late @ Reply::TooLate(_) => return late,
            }
        }
        let answer = self.table.ask(ask, now);
        match answer {
            Reply::Go => {}
            Reply::Wait => self.table.join(ask, handle(), now),
            Reply::TooLate(_) => self.give_back_hot(ask),
        }
        answer
    }

    /// Grants the turns that are due: see [`Queue::serve`].
    pub(super) fn serve(&mut self, now: Duration, mut give: impl FnMut(T, Result<(), Duration>)) -> Option<Duration> {
        let mut passed = Vec::new();
        let mut due: Option<Duration> = None;
        let mut earlier = |at: Option<Duration>| due = due.into_iter().chain(at).min();
        for hot in self.hot.values_mut() {
            earlier(hot.serve(now, |handle, ask, turn| match turn {
                Ok(()) => passed.push((ask, handle)),
                late => give(handle, late),
            }));
        }
        for (ask, handle) in passed {
            match self.table.ask(ask, now) {
                Reply::Go => give(handle, Ok(())),
                Reply::Wait => self.table.join(ask, handle, now),
                Reply::TooLate(at) => {
                    self.give_back_hot(ask);
                    give(handle, Err(at));
                }
            }
        }
        earlier(self.table.serve(now, |handle, _, turn| give(handle, turn)));
        due
    }

    /// Removes a call that waits, before its turn.
    pub(super) fn leave(&mut self, ask: Ask) -> Option<T> {
        let hot = ask.partition.and_then(|partition| self.hot.get_mut(&partition));
        hot.and_then(|hot| hot.leave(ask)).or_else(|| self.table.leave(ask))
    }

    pub(super) fn give_back(&mut self, ask: Ask) {
        self.give_back_hot(ask);
        self.table.give_back(ask.units);
    }

    fn give_back_hot(&mut self, ask: Ask) {
        if let Some(hot) = ask.partition.and_then(|partition| self.hot.get_mut(&partition)) {
            hot.give_back(ask.units);
        }
    }

    pub(super) fn owe(&mut self, units: f64) {
        self.table.owe(units);
    }

    /// Records an acknowledgement. Returns whether turns now come sooner.
    pub(super) fn acknowledged(&mut self, answered: Answered) -> bool {
        let Answered { units, partition, sent, now } = answered;
        self.watch(now);
        self.all.acknowledged += 1;
        let mut has_changed = false;
        if let Some(partition) = partition {
            if let Some(hot) = self.hot.get_mut(&partition) {
                has_changed = hot.acknowledged(units, sent, now);
                if hot.is_free() {
                    self.hot.remove(&partition);
                }
            } else if let Some(watched) = self.watched.get_mut(&partition) {
                watched.acknowledged += 1;
                watched.units += units;
            }
        }
        self.table.acknowledged(units, sent, now) || has_changed
    }

    /// Records a throttle. `before` returns the units per second that the table acknowledged until then; `refuse` receives
    /// the handle of each call that can no longer be served in time. Returns whether turns may now come sooner.
    pub(super) fn throttled(
        &mut self,
        answered: Answered,
        before: impl FnOnce() -> f64,
        refuse: impl FnMut(T, Duration),
    ) -> bool {
        let Answered { units, partition, sent, now } = answered;
        self.watch(now);
        if let Some(hot) = partition.and_then(|partition| self.hot.get_mut(&partition)) {
            if hot.throttled(units, sent, now, || 0.0) {
                hot.send_away(now, refuse);
            }
            return false;
        }
        self.all.throttled += 1;
        if let Some(partition) = partition
            && (self.watched.len() < MOST_WATCHED || self.watched.contains_key(&partition))
        {
            self.watched.entry(partition).or_default().throttled += 1;
            if self.is_hot(partition) {
                self.part(partition, units, now);
                return true;
            }
        }
        if self.table.throttled(units, sent, now, before) {
            self.table.send_away(now, refuse);
        }
        false
    }

    /// The time to allow for an answer, estimated from recent answers.
    pub(super) fn expected_answer(&self, now: Duration) -> Duration {
        self.table.expected_answer(now)
    }

    pub(super) fn is_free(&self) -> bool {
        self.table.is_free() && self.hot.is_empty()
    }

    fn watch(&mut self, now: Duration) {
        if now.saturating_sub(self.watched_since) > WATCHED_FOR {
            self.watched_since = now;
            self.all = Answers::default();
            self.watched.clear();
            self.hot.retain(|_, hot| !hot.is_over(now));
        }
    }

    fn is_hot(&self, partition: i64) -> bool {
        let Some(own) = self.watched.get(&partition) else { return false };
        if own.throttled < TELLING || own.share() < HOT || self.hot.len() >= MOST_HOT {
            return false;
        }
        // The other hot partitions say nothing about the rest of the table, so they are left out.
        let mut others = self.all;
        for watched in self.watched.values().filter(|watched| watched.throttled >= TELLING) {
            others.acknowledged -= watched.acknowledged.min(others.acknowledged);
            others.throttled -= watched.throttled.min(others.throttled);
        }
        others.acknowledged >= TELLING_OTHERS && others.share() <= COLD
    }

    /// Gives a hot partition a queue and a rate of its own. The table no longer counts the partition's throttles, and loses
    /// its rate limit if it had no others.
    fn part(&mut self, partition: i64, units: f64, now: Duration) {
        let Some(own) = self.watched.remove(&partition) else { return };
        self.all.throttled -= own.throttled.min(self.all.throttled);
        let over = now.saturating_sub(self.watched_since).as_secs_f64().max(0.1);
        let mut hot = Queue::new(None);
        hot.rate = Some(TokenBucket::begin(own.units / over, units, now));
        for (ask, handle) in self.table.take_out(partition) {
            hot.join(ask, handle, now);
        }
        self.hot.insert(partition, hot);
        if self.all.throttled == 0 {
            self.table.rate = None;
        }
    }
}

impl Answers {
    fn share(&self) -> f64 {
        f64::from(self.throttled) / f64::from((self.acknowledged + self.throttled).max(1))
    }
}
