//! The admission policies that are not used, at the same rate, for comparison.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::rate_limiter::admission::{Admission, AnsweredAttempt};
use crate::rate_limiter::allowance::Allowance;
use crate::rate_limiter::queue::{AdmissionDecision, Ticket};
use crate::rate_limiter::token_bucket::TokenBucket;

/// Which calls are served under overload, and which are refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Policy {
    /// Serves calls in the order of arrival; refuses a call on arrival if its turn would come too late.
    Session,
    /// Serves calls in the order of arrival until their deadlines have passed.
    Fifo,
    /// Serves the newest call first; the others wait until their deadlines have passed.
    Lifo,
    /// Serves calls in the order of arrival; once the queue has not been empty for a second, drops calls that have waited
    /// for 100 ms.
    CoDel,
}

/// The interface of admission under each policy.
pub(super) trait Admit {
    fn try_acquire(&mut self, ticket: Ticket, now: Duration, call: usize) -> AdmissionDecision;
    fn serve(&mut self, now: Duration, give: &mut dyn FnMut(usize, bool)) -> Option<Duration>;
    fn remove(&mut self, ticket: Ticket);
    fn record_acknowledged(&mut self, answered: AnsweredAttempt) -> bool;
    fn record_throttled(&mut self, answered: AnsweredAttempt, before: f64, refuse: &mut dyn FnMut(usize)) -> bool;
    fn is_unlimited(&self) -> bool;
}

/// Creates the admission for a policy. Only the policy of the session supports `limit`, the session's own limit.
pub(super) fn admission(policy: Policy, limit: Option<NonZeroU32>) -> Box<dyn Admit> {
    match policy {
        Policy::Session => Box::new(Admission::new(limit.map(Allowance::new))),
        other => Box::new(SingleQueue { policy: other, rate: None, waiting: Vec::new(), empty: Duration::ZERO }),
    }
}

impl Admit for Admission<usize> {
    fn try_acquire(&mut self, ticket: Ticket, now: Duration, call: usize) -> AdmissionDecision {
        self.try_acquire(ticket, now, || call)
    }

    fn serve(&mut self, now: Duration, give: &mut dyn FnMut(usize, bool)) -> Option<Duration> {
        self.serve(now, |call, turn| give(call, turn.is_ok()))
    }

    fn remove(&mut self, ticket: Ticket) {
        self.remove(ticket);
    }

    fn record_acknowledged(&mut self, answered: AnsweredAttempt) -> bool {
        self.record_acknowledged(answered)
    }

    fn record_throttled(&mut self, answered: AnsweredAttempt, before: f64, refuse: &mut dyn FnMut(usize)) -> bool {
        self.record_throttled(answered, || before, |call, _| refuse(call))
    }

    fn is_unlimited(&self) -> bool {
        self.is_unlimited()
    }
}

struct SingleQueue {
    policy: Policy,
    rate: Option<TokenBucket>,
    /// In the order of arrival.
    waiting: Vec<(Ticket, usize)>,
    /// When the queue was last empty.
    empty: Duration,
}

impl Admit for SingleQueue {
    fn try_acquire(&mut self, ticket: Ticket, now: Duration, call: usize) -> AdmissionDecision {
        if let Some(rate) = &mut self.rate {
            rate.record_wait(now);
        }
        let at = self.waiting.partition_point(|(other, _)| other.place < ticket.place);
        self.waiting.insert(at, (ticket, call));
        AdmissionDecision::Wait
    }

    fn serve(&mut self, now: Duration, give: &mut dyn FnMut(usize, bool)) -> Option<Duration> {
        loop {
            let is_standing = now.saturating_sub(self.empty) > Duration::from_secs(1);
            let dropped = self.policy == Policy::CoDel && is_standing;
            let is_dropped =
                |ticket: &Ticket| dropped && now.saturating_sub(ticket.place.0) > Duration::from_millis(100);
            let next = if self.policy == Policy::Lifo { self.waiting.len().checked_sub(1) } else { Some(0) };
            let Some((ticket, call)) = next.and_then(|next| self.waiting.get(next)).copied() else {
                self.empty = now;
                return None;
            };
            let wait = self.rate.as_mut().map_or(Duration::ZERO, |rate| rate.wait_time(0.0, ticket.units, now));
            let is_refused = self.waiting.len() > 1 && is_dropped(&ticket);
            if !wait.is_zero() && !is_refused {
                return Some(now + wait);
            }
            self.remove(ticket);
            if let Some(rate) = self.rate.as_mut().filter(|_| !is_refused) {
                rate.take(ticket.units);
            }
            give(call, !is_refused);
        }
    }

    fn remove(&mut self, ticket: Ticket) {
        self.waiting.retain(|(other, _)| other.place != ticket.place);
    }

    fn record_acknowledged(&mut self, AnsweredAttempt { units, sent, now, .. }: AnsweredAttempt) -> bool {
        let Some(rate) = &mut self.rate else { return false };
        let has_grown = rate.record_acknowledged(units, sent, now);
        if self.waiting.is_empty() && rate.is_expired(now) {
            self.rate = None;
        }
        has_grown
    }

    fn record_throttled(&mut self, answered: AnsweredAttempt, before: f64, _: &mut dyn FnMut(usize)) -> bool {
        let AnsweredAttempt { units, sent, now, .. } = answered;
        match &mut self.rate {
            Some(rate) => drop(rate.record_throttled(units, sent, now)),
            None => self.rate = Some(TokenBucket::after_throttle(before, units, now)),
        }
        false
    }

    fn is_unlimited(&self) -> bool {
        self.rate.is_none()
    }
}
