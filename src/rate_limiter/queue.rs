//! The queue of calls that wait for a turn at a table or a hot partition.
//!
//! A call joins the queue only if, at the current rate, its turn comes before its deadline; otherwise it is refused at
//! once, with the time at which its turn would have come. So under lasting overload the queue is as long as the callers'
//! deadlines allow, every call in it is served, and every other call is refused on arrival. The queue has no clock and no
//! tasks: the callers pass in the time.

use std::time::Duration;

use super::allowance::Allowance;
use super::lanes::Lanes;
use super::latency::LatencyEstimate;
use super::token_bucket::TokenBucket;

/// A call joins only if one part in `MARGIN` of its remaining time is left after its turn, in case the rate drops
/// meanwhile.
const MARGIN: u32 = 10;

/// The waiting calls, each with a handle that notifies it.
#[derive(Debug)]
pub(super) struct Queue<T> {
    pub(super) rate: Option<TokenBucket>,
    limit: Option<Allowance>,
    waiting: Lanes<T>,
    answers: LatencyEstimate,
}

/// A call's request for a turn. Times are since the session began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) units: f64,
    /// A repeated attempt keeps its place, and so is ahead of the calls that came later.
    pub(super) place: QueuePlace,
    pub(super) deadline: Duration,
    /// A hash of the partition key, if it is known.
    pub(super) partition: Option<i64>,
}

/// A place in the queue: the time at which the call began, and a number that orders calls that began at the same time.
pub(super) type QueuePlace = (Duration, u64);

/// The answer to an [`Ask`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reply {
    Go,
    Wait,
    /// Refused: the turn would come at this time, after the deadline.
    TooLate(Duration),
}

impl<T> Queue<T> {
    pub(super) fn new(limit: Option<Allowance>) -> Self {
        Self { rate: None, limit, waiting: Lanes::new(), answers: LatencyEstimate::default() }
    }

    /// Starts limiting at the expected units per second, unless a rate is already being measured.
    #[cfg(feature = "bulk")]
    pub(super) fn expect(&mut self, per_second: f64, now: Duration) {
        self.rate.get_or_insert_with(|| TokenBucket::expected(per_second, now));
    }

    /// Asks for a turn: takes it if it is free, otherwise says whether the call may [`join`](Self::join).
    pub(super) fn ask(&mut self, ask: Ask, now: Duration) -> Reply {
        let ahead = self.waiting.ahead(ask, now);
        let wait = self.wait(ahead, ask.units, now);
        let left = ask.deadline.saturating_sub(now);
        let expected = self.expected_answer(now);
        if wait.is_zero() && self.waiting.is_empty() && left >= expected {
            self.take(ask.units);
            return Reply::Go;
        }
        if let Some(rate) = &mut self.rate {
            rate.is_waited_for(now);
        }
        if wait.saturating_add(expected.max(left / MARGIN)) > left {
            return Reply::TooLate(now.saturating_add(wait));
        }
        Reply::Wait
    }

    /// Adds a call to the queue; `handle` notifies it.
    pub(super) fn join(&mut self, ask: Ask, handle: T, now: Duration) {
        self.waiting.insert(ask, handle, now);
    }

    /// Grants the turns that are due and refuses the calls that are late: `give` receives each handle with `Ok`, or with
    /// the time at which its turn would come. Returns when the next turn is due, or `None` if the queue is empty.
    pub(super) fn serve(
        &mut self,
        now: Duration,
        mut give: impl FnMut(T, Ask, Result<(), Duration>),
    ) -> Option<Duration> {
        loop {
            let ask = self.waiting.first()?;
            let wait = self.wait(0.0, ask.units, now);
            let is_late = ask.deadline < now.saturating_add(wait).saturating_add(self.expected_answer(now));
            if !wait.is_zero() && !is_late {
                if let Some(rate) = &mut self.rate {
                    rate.is_waited_for(now);
                }
                return Some(now + wait);
            }
            let Some(first) = self.leave(ask) else { continue };
            if is_late {
                give(first, ask, Err(now.saturating_add(wait)));
            } else {
                self.take(ask.units);
                self.waiting.give(ask);
                give(first, ask, Ok(()));
            }
        }
    }

    /// Refuses the calls whose turn would come too late even at twice the rate; `give` receives each handle with the time
    /// at which its turn would come. Called when the rate has dropped.
    pub(super) fn send_away(&mut self, now: Duration, mut give: impl FnMut(T, Duration)) {
        let Self { rate, limit, waiting, .. } = self;
        let late = waiting.late(now, |ask, ahead| {
            let wait = wait(rate, limit, ahead, ask.units, now);
            (wait / 2 > ask.deadline.saturating_sub(now)).then_some(wait)
        });
        for (ask, wait) in late {
            if let Some(handle) = self.leave(ask) {
                give(handle, now.saturating_add(wait));
            }
        }
    }

    /// Removes and returns the calls that wait for one partition.
    pub(super) fn take_out(&mut self, partition: i64) -> Vec<(Ask, T)> {
        let asks: Vec<Ask> = self.waiting.iter().filter(|ask| ask.partition == Some(partition)).collect();
        asks.into_iter().filter_map(|ask| Some((ask, self.leave(ask)?))).collect()
    }

    /// Removes a call before its turn.
    pub(super) fn leave(&mut self, ask: Ask) -> Option<T> {
        self.waiting.remove(ask)
    }

    /// Returns the units of a turn that was not used.
    pub(super) fn give_back(&mut self, units: f64) {
        if let Some(rate) = &mut self.rate {
            rate.give_back(units);
        }
        if let Some(limit) = &mut self.limit {
            limit.owe(-units);
        }
    }

    /// Charges what a request used beyond the units it was admitted with.
    pub(super) fn owe(&mut self, units: f64) {
        if let Some(rate) = &mut self.rate {
            rate.owe(units);
        }
        if let Some(limit) = &mut self.limit {
            limit.owe(units);
        }
    }

    /// Records an acknowledgement. Returns whether turns now come sooner.
    pub(super) fn acknowledged(&mut self, units: f64, sent: Duration, now: Duration) -> bool {
        self.answers.add(now.saturating_sub(sent), now);
        let Some(rate) = &mut self.rate else { return false };
        let has_grown = rate.acknowledged(units, sent, now);
        if self.waiting.is_empty() && rate.is_over(now) {
            self.rate = None;
        }
        has_grown
    }

    /// Records a throttle. Returns whether turns now come later. `before` returns the units per second acknowledged until
    /// then.
    pub(super) fn throttled(
        &mut self,
        units: f64,
        sent: Duration,
        now: Duration,
        before: impl FnOnce() -> f64,
    ) -> bool {
        self.answers.add(now.saturating_sub(sent), now);
        match &mut self.rate {
            Some(rate) => rate.throttled(units, sent, now),
            None => {
                self.rate = Some(TokenBucket::begin(before(), units, now));
                false
            }
        }
    }

    /// The time to allow for an answer, estimated from recent answers.
    pub(super) fn expected_answer(&self, now: Duration) -> Duration {
        self.answers.expected(now)
    }

    pub(super) fn is_free(&self) -> bool {
        self.rate.is_none() && self.limit.is_none()
    }

    /// Whether the queue is empty and its rate is no longer needed.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.waiting.is_empty() && self.rate.as_ref().is_none_or(|rate| rate.is_over(now))
    }

    fn wait(&mut self, ahead: f64, units: f64, now: Duration) -> Duration {
        wait(&mut self.rate, &mut self.limit, ahead, units, now)
    }

    fn take(&mut self, units: f64) {
        if let Some(rate) = &mut self.rate {
            rate.take(units);
        }
        if let Some(limit) = &mut self.limit {
            limit.owe(units);
        }
    }
}

fn wait(
    rate: &mut Option<TokenBucket>,
    limit: &mut Option<Allowance>,
    ahead: f64,
    units: f64,
    now: Duration,
) -> Duration {
    let rate = rate.as_mut().map_or(Duration::ZERO, |rate| rate.wait(ahead, units, now));
    let limit = limit.as_mut().map_or(Duration::ZERO, |limit| limit.wait(ahead, units, now));
    rate.max(limit)
}
