//! The calls that wait for a turn at a table or a hot partition, and when it comes.
//!
//! A call joins only if its turn comes before its deadline, by the rate of now; else it is told at once when its turn
//! would have been. So under lasting overload the queue is as long as callers are ready to wait, everybody in it is
//! served, and who is not is told on arrival. This part has no clock and no tasks: the callers bring the time.

use std::time::Duration;

use super::allowance::Allowance;
use super::answers::AnswerTime;
use super::lanes::Lanes;
use super::rate::TokenBucket;

/// A call joins only if this part of the time left to it remains after its turn, for a rate that drops meanwhile.
const MARGIN: u32 = 10;

/// Calls that wait, each with a handle to reach it by.
#[derive(Debug)]
pub(super) struct Queue<T> {
    pub(super) rate: Option<TokenBucket>,
    limit: Option<Allowance>,
    waiting: Lanes<T>,
    answers: AnswerTime,
}

/// A turn that a call asks for. Times are since the session began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) units: f64,
    /// A repeat keeps it, and so is in front of all who came later.
    pub(super) place: QueuePlace,
    pub(super) deadline: Duration,
    /// A hash of the partition key, if it is known.
    pub(super) partition: Option<i64>,
}

/// A place in the queue: the time at which the caller came, and a number to tell those of one moment apart.
pub(super) type QueuePlace = (Duration, u64);

/// The answer to an [`Ask`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reply {
    Go,
    Wait,
    /// The turn would come then.
    TooLate(Duration),
}

impl<T> Queue<T> {
    pub(super) fn new(limit: Option<Allowance>) -> Self {
        Self { rate: None, limit, waiting: Lanes::new(), answers: AnswerTime::default() }
    }

    /// Begins at the units a second that are expected, unless what the table takes is being found out already.
    #[cfg(feature = "bulk")]
    pub(super) fn expect(&mut self, per_second: f64, now: Duration) {
        self.rate.get_or_insert_with(|| TokenBucket::expected(per_second, now));
    }

    /// Asks for a turn: takes it, or says whether the call may [`join`](Self::join).
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

    /// Waits for a turn; `handle` is to reach the caller by.
    pub(super) fn join(&mut self, ask: Ask, handle: T, now: Duration) {
        self.waiting.insert(ask, handle, now);
    }

    /// Gives the turns that are due: `give` gets each handle with `Ok`, or with when its turn would come. Returns when the
    /// next one is due, or `None` if nobody waits.
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

    /// Sends away those whose turn would not come in time even at twice the rate; `give` gets each handle with when it
    /// would come. For a rate that has dropped.
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

    /// Takes out those who wait for a turn at one partition.
    pub(super) fn take_out(&mut self, partition: i64) -> Vec<(Ask, T)> {
        let asks: Vec<Ask> = self.waiting.iter().filter(|ask| ask.partition == Some(partition)).collect();
        asks.into_iter().filter_map(|ask| Some((ask, self.leave(ask)?))).collect()
    }

    /// Leaves the queue before one's turn.
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

    /// Charges what a request used beyond the units that it was admitted with.
    pub(super) fn owe(&mut self, units: f64) {
        if let Some(rate) = &mut self.rate {
            rate.owe(units);
        }
        if let Some(limit) = &mut self.limit {
            limit.owe(units);
        }
    }

    /// Returns whether turns come sooner now.
    pub(super) fn acknowledged(&mut self, units: f64, sent: Duration, now: Duration) -> bool {
        self.answers.add(now.saturating_sub(sent), now);
        let Some(rate) = &mut self.rate else { return false };
        let has_grown = rate.acknowledged(units, sent, now);
        if self.waiting.is_empty() && rate.is_over(now) {
            self.rate = None;
        }
        has_grown
    }

    /// Returns whether turns come later now. `before` is what was acknowledged in a second until then.
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

    /// The time that an attempt needs at least to be answered, by recent answers.
    pub(super) fn expected_answer(&self, now: Duration) -> Duration {
        self.answers.expected(now)
    }

    pub(super) fn is_free(&self) -> bool {
        self.rate.is_none() && self.limit.is_none()
    }

    /// Whether nobody waits and nothing is left to slow down.
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
