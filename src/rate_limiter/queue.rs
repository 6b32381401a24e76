//! The queue of calls that wait for a turn at a table or a hot partition.
//!
//! A call joins the queue only if, at the current rate, its turn comes before its deadline; otherwise, it is refused at
//! once, with the time at which its turn would have come. So under lasting overload the queue is as long as the
//! callers' deadlines allow, a call that joined it is served unless the rate drops, and every other call is refused on
//! arrival. The queue has no clock and no tasks: the callers pass in the time.

use std::time::Duration;

use super::allowance::Allowance;
use super::lanes::Lanes;
use super::latency::LatencyEstimate;
use super::token_bucket::TokenBucket;

/// A call joins the queue only if at least 1/`DEADLINE_MARGIN` of its remaining time is left after its turn, in case
/// the rate drops while it waits.
const DEADLINE_MARGIN: u32 = 10;

/// The waiting calls, each with a handle that notifies it.
#[derive(Debug)]
pub(super) struct Queue<T> {
    pub(super) rate: Option<TokenBucket>,
    limit: Option<Allowance>,
    waiting: Lanes<T>,
    latency: LatencyEstimate,
}

/// A call that wants to be admitted. Times are since the session began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) units: f64,
    /// A retry keeps its place, so it is ahead of the calls that began later.
    pub(super) place: QueuePlace,
    pub(super) deadline: Duration,
    /// A hash of the partition key, if it is known.
    pub(super) partition: Option<i64>,
}

/// A place in the queue: the time at which the call began, and a number that orders calls that began at the same time.
pub(super) type QueuePlace = (Duration, u64);

/// Whether a call is admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AdmissionDecision {
    Admitted,
    /// The call may join the queue.
    Wait,
    /// Refused: the turn would come at this time, after the deadline.
    TooLate(Duration),
}

impl<T> Queue<T> {
    pub(super) fn new(limit: Option<Allowance>) -> Self {
        Self { rate: None, limit, waiting: Lanes::new(), latency: LatencyEstimate::default() }
    }

    /// Starts limiting at the known units per second, unless a rate is already being measured.
    #[cfg(feature = "bulk")]
    pub(super) fn set_known_rate(&mut self, units_per_second: f64, now: Duration) {
        self.rate.get_or_insert_with(|| TokenBucket::with_known_rate(units_per_second, now));
    }

    /// Admits a call if its turn is now. Otherwise returns whether the call may be [added](Self::push) to the queue.
    pub(super) fn try_acquire(&mut self, ticket: Ticket, now: Duration) -> AdmissionDecision {
        let ahead = self.waiting.ahead(ticket, now);
        let wait = self.wait_time(ahead, ticket.units, now);
        let left = ticket.deadline.saturating_sub(now);
        let expected = self.expected_latency(now);
        if wait.is_zero() && self.waiting.is_empty() && left >= expected {
            self.take(ticket.units);
            return AdmissionDecision::Admitted;
        }
        if let Some(rate) = &mut self.rate {
            rate.record_wait(now);
        }
        if wait.saturating_add(expected.max(left / DEADLINE_MARGIN)) > left {
            return AdmissionDecision::TooLate(now.saturating_add(wait));
        }
        AdmissionDecision::Wait
    }

    /// Adds a call to the queue; `handle` notifies it.
    pub(super) fn push(&mut self, ticket: Ticket, handle: T, now: Duration) {
        self.waiting.insert(ticket, handle, now);
    }

    /// Grants the turns that are due, and refuses the calls that can no longer be answered before their deadlines:
    /// `notify` receives each handle with `Ok`, or with the time at which its turn would come. Returns when the next
    /// turn is due, or `None` if the queue is empty.
    pub(super) fn serve(
        &mut self,
        now: Duration,
        mut notify: impl FnMut(T, Ticket, Result<(), Duration>),
    ) -> Option<Duration> {
        loop {
            let ticket = self.waiting.first()?;
            let wait = self.wait_time(0.0, ticket.units, now);
            let is_late = ticket.deadline < now.saturating_add(wait).saturating_add(self.expected_latency(now));
            if !wait.is_zero() && !is_late {
                if let Some(rate) = &mut self.rate {
                    rate.record_wait(now);
                }
                return Some(now + wait);
            }
            let Some(handle) = self.remove(ticket) else { continue };
            if is_late {
                notify(handle, ticket, Err(now.saturating_add(wait)));
            } else {
                self.take(ticket.units);
                self.waiting.charge(ticket);
                notify(handle, ticket, Ok(()));
            }
        }
    }

    /// Refuses the calls whose turn would come too late even at twice the rate; `refuse` receives each handle with the time
    /// at which its turn would come. Called when the rate has dropped.
    pub(super) fn refuse_late(&mut self, now: Duration, mut refuse: impl FnMut(T, Duration)) {
        let Self { rate, limit, waiting, .. } = self;
        let late = waiting.late(now, |ticket, ahead| {
            let wait = wait_time(rate, limit, ahead, ticket.units, now);
            (wait / 2 > ticket.deadline.saturating_sub(now)).then_some(wait)
        });
        for (ticket, wait) in late {
            if let Some(handle) = self.remove(ticket) {
                refuse(handle, now.saturating_add(wait));
            }
        }
    }

    /// Removes and returns the calls that wait for one partition.
    pub(super) fn remove_partition(&mut self, partition: i64) -> Vec<(Ticket, T)> {
        let tickets: Vec<Ticket> = self.waiting.iter().filter(|ticket| ticket.partition == Some(partition)).collect();
        tickets.into_iter().filter_map(|ticket| Some((ticket, self.remove(ticket)?))).collect()
    }

    /// Removes a waiting call before its turn.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        self.waiting.remove(ticket)
    }

    /// Returns the units of a turn that was not used.
    pub(super) fn refund(&mut self, units: f64) {
        if let Some(rate) = &mut self.rate {
            rate.refund(units);
        }
        if let Some(limit) = &mut self.limit {
            limit.refund(units);
        }
    }

    /// Charges what a request used beyond the units that it acquired.
    pub(super) fn charge(&mut self, units: f64) {
        if let Some(rate) = &mut self.rate {
            rate.charge(units);
        }
        if let Some(limit) = &mut self.limit {
            limit.charge(units);
        }
    }

    /// Records an acknowledgement. Returns whether turns now come sooner.
    pub(super) fn record_acknowledged(&mut self, units: f64, sent: Duration, now: Duration) -> bool {
        self.latency.add(now.saturating_sub(sent), now);
        let Some(rate) = &mut self.rate else { return false };
        let has_grown = rate.record_acknowledged(units, sent, now);
        if self.waiting.is_empty() && rate.is_expired(now) {
            self.rate = None;
        }
        has_grown
    }

    /// Records a throttle. Returns whether turns now come later. `acknowledged_rate` returns the units per second
    /// acknowledged until then.
    pub(super) fn record_throttled(
        &mut self,
        units: f64,
        sent: Duration,
        now: Duration,
        acknowledged_rate: impl FnOnce() -> f64,
    ) -> bool {
        self.latency.add(now.saturating_sub(sent), now);
        match &mut self.rate {
            Some(rate) => rate.record_throttled(units, sent, now),
            None => {
                self.rate = Some(TokenBucket::after_throttle(acknowledged_rate(), units, now));
                false
            }
        }
    }

    /// The latency to allow for, estimated from recent answers.
    pub(super) fn expected_latency(&self, now: Duration) -> Duration {
        self.latency.expected(now)
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.rate.is_none() && self.limit.is_none()
    }

    /// Whether the queue is empty and its rate is no longer needed.
    pub(super) fn is_expired(&self, now: Duration) -> bool {
        self.waiting.is_empty() && self.rate.as_ref().is_none_or(|rate| rate.is_expired(now))
    }

    fn wait_time(&mut self, ahead: f64, units: f64, now: Duration) -> Duration {
        wait_time(&mut self.rate, &mut self.limit, ahead, units, now)
    }

    fn take(&mut self, units: f64) {
        if let Some(rate) = &mut self.rate {
            rate.take(units);
        }
        if let Some(limit) = &mut self.limit {
            limit.charge(units);
        }
    }
}

fn wait_time(
    rate: &mut Option<TokenBucket>,
    limit: &mut Option<Allowance>,
    ahead: f64,
    units: f64,
    now: Duration,
) -> Duration {
    let rate = rate.as_mut().map_or(Duration::ZERO, |rate| rate.wait_time(ahead, units, now));
    let limit = limit.as_mut().map_or(Duration::ZERO, |limit| limit.wait_time(ahead, units, now));
    rate.max(limit)
}
