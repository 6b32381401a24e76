//! Admits requests to a table: one queue for the whole table and, in front of it, one queue for each hot partition.
//!
//! A partition is hot if it is throttled while the table's other partitions are acknowledged. Its calls then wait in a
//! separate queue, and its throttles do not lower the table's rate. The queue is removed when the partition is no
//! longer throttled.

use std::collections::HashMap;
use std::time::Duration;

use super::allowance::Allowance;
use super::queue::{AdmissionDecision, Queue, Ticket};
use super::token_bucket::TokenBucket;

/// The maximum number of hot partitions, each with its own rate, and of watched partitions. Further partitions share
/// the table's rate.
const MAX_HOT_PARTITIONS: usize = 64;
const MAX_WATCHED_PARTITIONS: usize = 64;

/// The time window in which the answers of partitions are compared.
const WATCH_WINDOW: Duration = Duration::from_secs(2);
/// The minimum number of throttles of a partition, and of acknowledgements of the other partitions, for the partition
/// to count as hot.
const MIN_THROTTLES: u32 = 4;
const MIN_OTHERS_ACKNOWLEDGED: u32 = 8;
/// A partition is hot if at least this share of its attempts is throttled, and at most [`MAX_OTHERS_SHARE`] of the attempts
/// at other partitions.
const MIN_HOT_SHARE: f64 = 0.1;
const MAX_OTHERS_SHARE: f64 = 0.06;

/// The queues of a table and its hot partitions. Like [`Queue`], it has no clock and no tasks.
#[derive(Debug)]
pub(super) struct Admission<T> {
    table: Queue<T>,
    hot: HashMap<i64, Queue<T>>,
    window_began: Duration,
    /// The answers of all partitions together in this window; `watched` counts those of each throttled partition.
    all: AnswerCounts,
    watched: HashMap<i64, AnswerCounts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct AnswerCounts {
    acknowledged: u32,
    throttled: u32,
    units: f64,
}

/// An attempt that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnsweredAttempt {
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
            window_began: Duration::ZERO,
            all: AnswerCounts::default(),
            watched: HashMap::new(),
        }
    }

    /// See [`Queue::set_known_rate`].
    #[cfg(feature = "bulk")]
    pub(super) fn set_known_rate(&mut self, units_per_second: f64, now: Duration) {
        self.table.set_known_rate(units_per_second, now);
    }

    /// Admits a call, lets it wait or refuses it. `handle` creates the handle that is stored if the call has to wait.
    pub(super) fn try_acquire(
        &mut self,
        ticket: Ticket,
        now: Duration,
        handle: impl FnOnce() -> T,
    ) -> AdmissionDecision {
        if let Some(hot) = ticket.partition.and_then(|partition| self.hot.get_mut(&partition)) {
            match hot.try_acquire(ticket, now) {
                AdmissionDecision::Admitted => {}
                AdmissionDecision::Wait => {
                    hot.push(ticket, handle(), now);
                    return AdmissionDecision::Wait;
                }
                refused @ AdmissionDecision::TooLate(_) => return refused,
            }
        }
        let decision = self.table.try_acquire(ticket, now);
        match decision {
            AdmissionDecision::Admitted => {}
            AdmissionDecision::Wait => self.table.push(ticket, handle(), now),
            AdmissionDecision::TooLate(_) => self.refund_hot(ticket),
        }
        decision
    }

    /// Grants the turns that are due: see [`Queue::serve`].
    pub(super) fn serve(&mut self, now: Duration, mut notify: impl FnMut(T, Result<(), Duration>)) -> Option<Duration> {
        let mut admitted = Vec::new();
        let mut due: Option<Duration> = None;
        let mut earlier = |at: Option<Duration>| due = due.into_iter().chain(at).min();
        for hot in self.hot.values_mut() {
            earlier(hot.serve(now, |handle, ticket, turn| match turn {
                Ok(()) => admitted.push((ticket, handle)),
                late => notify(handle, late),
            }));
        }
        for (ticket, handle) in admitted {
            match self.table.try_acquire(ticket, now) {
                AdmissionDecision::Admitted => notify(handle, Ok(())),
                AdmissionDecision::Wait => self.table.push(ticket, handle, now),
                AdmissionDecision::TooLate(due_at) => {
                    self.refund_hot(ticket);
                    notify(handle, Err(due_at));
                }
            }
        }
        earlier(self.table.serve(now, |handle, _, turn| notify(handle, turn)));
        due
    }

    /// Removes a waiting call before its turn.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let hot = ticket.partition.and_then(|partition| self.hot.get_mut(&partition));
        hot.and_then(|hot| hot.remove(ticket)).or_else(|| self.table.remove(ticket))
    }

    /// Returns the units of a turn that was not used.
    pub(super) fn refund(&mut self, ticket: Ticket) {
        self.refund_hot(ticket);
        self.table.refund(ticket.units);
    }

    fn refund_hot(&mut self, ticket: Ticket) {
        if let Some(hot) = ticket.partition.and_then(|partition| self.hot.get_mut(&partition)) {
            hot.refund(ticket.units);
        }
    }

    /// Charges what a request used beyond the units that it acquired.
    pub(super) fn charge(&mut self, units: f64) {
        self.table.charge(units);
    }

    /// Records an acknowledgement. Returns whether turns now come sooner.
    pub(super) fn record_acknowledged(&mut self, attempt: AnsweredAttempt) -> bool {
        let AnsweredAttempt { units, partition, sent, now } = attempt;
        self.begin_window_if_due(now);
        self.all.acknowledged += 1;
        let mut hot_turns_come_sooner = false;
        if let Some(partition) = partition {
            if let Some(hot) = self.hot.get_mut(&partition) {
                hot_turns_come_sooner = hot.record_acknowledged(units, sent, now);
                if hot.is_unlimited() {
                    self.hot.remove(&partition);
                }
            } else if let Some(watched) = self.watched.get_mut(&partition) {
                watched.acknowledged += 1;
                watched.units += units;
            }
        }
        self.table.record_acknowledged(units, sent, now) || hot_turns_come_sooner
    }

    /// Records a throttle. `acknowledged_rate` returns the units per second that the table acknowledged until then; `refuse`
    /// receives the handle of each call that can no longer be served in time. Returns whether turns may now come sooner.
    pub(super) fn record_throttled(
        &mut self,
        attempt: AnsweredAttempt,
        acknowledged_rate: impl FnOnce() -> f64,
        refuse: impl FnMut(T, Duration),
    ) -> bool {
        let AnsweredAttempt { units, partition, sent, now } = attempt;
        self.begin_window_if_due(now);
        if let Some(hot) = partition.and_then(|partition| self.hot.get_mut(&partition)) {
            if hot.record_throttled(units, sent, now, || 0.0) {
                hot.refuse_late(now, refuse);
            }
            return false;
        }
        self.all.throttled += 1;
        if let Some(partition) = partition
            && (self.watched.len() < MAX_WATCHED_PARTITIONS || self.watched.contains_key(&partition))
        {
            self.watched.entry(partition).or_default().throttled += 1;
            if self.is_hot(partition) {
                self.split_off(partition, units, now);
                return true;
            }
        }
        if self.table.record_throttled(units, sent, now, acknowledged_rate) {
            self.table.refuse_late(now, refuse);
        }
        false
    }

    /// The latency to allow for, estimated from recent answers.
    pub(super) fn expected_latency(&self, now: Duration) -> Duration {
        self.table.expected_latency(now)
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.table.is_unlimited() && self.hot.is_empty()
    }

    fn begin_window_if_due(&mut self, now: Duration) {
        if now.saturating_sub(self.window_began) > WATCH_WINDOW {
            self.window_began = now;
            self.all = AnswerCounts::default();
            self.watched.clear();
            self.hot.retain(|_, hot| !hot.is_expired(now));
        }
    }

    fn is_hot(&self, partition: i64) -> bool {
        let Some(own) = self.watched.get(&partition) else { return false };
        if own.throttled < MIN_THROTTLES
            || own.throttled_share() < MIN_HOT_SHARE
            || self.hot.len() >= MAX_HOT_PARTITIONS
        {
            return false;
        }
        // Partitions with many throttles, this one included, are left out, because they say nothing about the rest of
        // the table.
        let mut others = self.all;
        for watched in self.watched.values().filter(|watched| watched.throttled >= MIN_THROTTLES) {
            others.acknowledged -= watched.acknowledged.min(others.acknowledged);
            others.throttled -= watched.throttled.min(others.throttled);
        }
        others.acknowledged >= MIN_OTHERS_ACKNOWLEDGED && others.throttled_share() <= MAX_OTHERS_SHARE
    }

    /// Gives a hot partition its own queue and rate. The table no longer counts the partition's throttles, and loses
    /// its own rate limit if no other partition was throttled.
    fn split_off(&mut self, partition: i64, units: f64, now: Duration) {
        let Some(own) = self.watched.remove(&partition) else { return };
        self.all.throttled -= own.throttled.min(self.all.throttled);
        let seconds = now.saturating_sub(self.window_began).as_secs_f64().max(0.1);
        let mut hot = Queue::new(None);
        hot.rate = Some(TokenBucket::after_throttle(own.units / seconds, units, now));
        for (ticket, handle) in self.table.remove_partition(partition) {
            hot.push(ticket, handle, now);
        }
        self.hot.insert(partition, hot);
        if self.all.throttled == 0 {
            self.table.rate = None;
        }
    }
}

impl AnswerCounts {
    fn throttled_share(&self) -> f64 {
        f64::from(self.throttled) / f64::from((self.acknowledged + self.throttled).max(1))
    }
}
