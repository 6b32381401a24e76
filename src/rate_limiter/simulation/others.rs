//! The admission policies that were not chosen, at the same rate, for comparison.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::rate_limiter::admission::{Admission, Answered};
use crate::rate_limiter::allowance::Allowance;
use crate::rate_limiter::queue::{Ask, Reply};
use crate::rate_limiter::token_bucket::TokenBucket;

/// Which calls are served under overload, and which are refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Policy {
    /// Serves calls in the order of arrival; refuses a call on arrival if its turn would come too late.
    Chosen,
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
    fn ask(&mut self, ask: Ask, now: Duration, call: usize) -> Reply;
    fn serve(&mut self, now: Duration, give: &mut dyn FnMut(usize, bool)) -> Option<Duration>;
    fn leave(&mut self, ask: Ask);
    fn acknowledged(&mut self, answered: Answered) -> bool;
    fn throttled(&mut self, answered: Answered, before: f64, refuse: &mut dyn FnMut(usize)) -> bool;
    fn is_free(&self) -> bool;
}

/// Creates the admission for a policy. Only the chosen policy supports `limit`, the session's own limit.
pub(super) fn admission(policy: Policy, limit: Option<NonZeroU32>) -> Box<dyn Admit> {
    match policy {
        Policy::Chosen => Box::new(Admission::new(limit.map(Allowance::new))),
        other => Box::new(Other { policy: other, rate: None, waiting: Vec::new(), empty: Duration::ZERO }),
    }
}

impl Admit for Admission<usize> {
    fn ask(&mut self, ask: Ask, now: Duration, call: usize) -> Reply {
        self.ask(ask, now, || call)
    }

    fn serve(&mut self, now: Duration, give: &mut dyn FnMut(usize, bool)) -> Option<Duration> {
        self.serve(now, |call, turn| give(call, turn.is_ok()))
    }

    fn leave(&mut self, ask: Ask) {
        self.leave(ask);
    }

    fn acknowledged(&mut self, answered: Answered) -> bool {
        self.acknowledged(answered)
    }

    fn throttled(&mut self, answered: Answered, before: f64, refuse: &mut dyn FnMut(usize)) -> bool {
        self.throttled(answered, || before, |call, _| refuse(call))
    }

    fn is_free(&self) -> bool {
        self.is_free()
    }
}

struct Other {
    policy: Policy,
    rate: Option<TokenBucket>,
    /// In the order of arrival.
    waiting: Vec<(Ask, usize)>,
    /// When the queue was last empty.
    empty: Duration,
}

impl Admit for Other {
    fn ask(&mut self, ask: Ask, now: Duration, call: usize) -> Reply {
        if let Some(rate) = &mut self.rate {
            rate.is_waited_for(now);
        }
        let at = self.waiting.partition_point(|(other, _)| other.place < ask.place);
        self.waiting.insert(at, (ask, call));
        Reply::Wait
    }

    fn serve(&mut self, now: Duration, give: &mut dyn FnMut(usize, bool)) -> Option<Duration> {
        loop {
            let stands = now.saturating_sub(self.empty) > Duration::from_secs(1);
            let dropped = self.policy == Policy::CoDel && stands;
            let is_dropped = |ask: &Ask| dropped && now.saturating_sub(ask.place.0) > Duration::from_millis(100);
            let next = if self.policy == Policy::Lifo { self.waiting.len().checked_sub(1) } else { Some(0) };
            let Some((ask, call)) = next.and_then(|next| self.waiting.get(next)).copied() else {
                self.empty = now;
                return None;
            };
            let wait = self.rate.as_mut().map_or(Duration::ZERO, |rate| rate.wait(0.0, ask.units, now));
            let is_refused = self.waiting.len() > 1 && is_dropped(&ask);
            if !wait.is_zero() && !is_refused {
                return Some(now + wait);
            }
            self.leave(ask);
            if let Some(rate) = self.rate.as_mut().filter(|_| !is_refused) {
                rate.take(ask.units);
            }
            give(call, !is_refused);
        }
    }

    fn leave(&mut self, ask: Ask) {
        self.waiting.retain(|(other, _)| other.place != ask.place);
    }

    fn acknowledged(&mut self, Answered { units, sent, now, .. }: Answered) -> bool {
        let Some(rate) = &mut self.rate else { return false };
        let has_grown = rate.acknowledged(units, sent, now);
        if self.waiting.is_empty() && rate.is_over(now) {
            self.rate = None;
        }
        has_grown
    }

    fn throttled(&mut self, answered: Answered, before: f64, _: &mut dyn FnMut(usize)) -> bool {
        let Answered { units, sent, now, .. } = answered;
        match &mut self.rate {
            Some(rate) => drop(rate.throttled(units, sent, now)),
            None => self.rate = Some(TokenBucket::begin(before, units, now)),
        }
        false
    }

    fn is_free(&self) -> bool {
        self.rate.is_none()
    }
}
