//! Runs one call: makes attempts, one after the other, until one is answered or the call may not try again.

#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use scylla::errors::ExecutionError;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::Span;

use crate::classify::{self, AttemptFailure};
use crate::error::AttemptHistory;
use crate::execute::{Call, DriverAnswer};
use crate::observe::{self, RunningCall};
use crate::peer_limiter::{self, LimitedPeer, Permit, REFRESH_INTERVAL};
use crate::rate_limiter::Need;
use crate::{Error, ErrorKind};

/// A call in progress. It may be dropped at any time; only the requests already sent remain.
pub(crate) struct Attempts<'c> {
    call: &'c Call,
    span: Span,
    _running: RunningCall,
    began: Instant,
    /// When the current attempt was sent, as time since the session began.
    sent: Duration,
    /// The timeout of one attempt.
    timeout: Duration,
    /// Capacity units, as far as they are known before sending.
    units: f64,
    /// `None` until the call has to wait or an attempt fails, so that a call without trouble stays small.
    trouble: Option<Box<CallHistory>>,
}

/// The failures and waits of a call so far.
#[derive(Default)]
struct CallHistory {
    history: AttemptHistory,
    last: Option<(AttemptFailure, Arc<LimitedPeer>)>,
    waits: u32,
    /// How long the last failed attempt took to be answered; zero if the server did not answer.
    took: Duration,
    /// A hash of the partition key, if all of it is bound.
    partition: Option<i64>,
}

impl<'c> Attempts<'c> {
    pub(crate) fn begin(call: &'c Call, timeout: Duration, bytes: usize) -> Self {
        let session = &call.session;
        let began = Instant::now();
        let sent = session.age(began);
        session.retry().budget.request(sent);
        if session.peer_limiter().begins_refresh(sent) {
            session.refresh_peers(sent);
        }
        let (span, running) = (observe::call(call), call.metrics.begin());
        Self { call, span, _running: running, began, sent, timeout, units: call.units(bytes), trouble: None }
    }

    /// Returns a permit for the first attempt if the call need not wait for one.
    pub(crate) fn turn_at_once(&self) -> Option<Permit<'c>> {
        if self.trouble.is_some() || !self.call.rate_limiters.iter().all(|pace| pace.is_free()) {
            return None;
        }
        self.call.session.peer_limiter().permit_at_once(None, self.sent)
    }

    fn deadline(&self) -> Instant {
        self.began + self.call.deadline()
    }

    fn trouble(&mut self) -> &mut CallHistory {
        self.trouble.get_or_insert_default()
    }

    /// Waits for a permit to make the next attempt. `partition` is a hash of the partition key, if it is known.
    pub(crate) fn turn(&mut self, partition: Option<i64>) -> BoxFuture<'_, Result<Permit<'c>, Error>> {
        async move {
            self.trouble().partition = partition;
            let asked = Instant::now();
            let turn = self.turn_in_time().await;
            self.call.metrics.waited(asked.elapsed());
            turn
        }
        .boxed()
    }

    async fn turn_in_time(&mut self) -> Result<Permit<'c>, Error> {
        let (session, need) = (&self.call.session, self.need());
        for (index, pace) in self.call.rate_limiters.iter().enumerate() {
            if let Err(late) = pace.turn(need, session.began()).await {
                self.give_back(index);
                return Err(self.end(Ending::TurnTooLate(late.0)));
            }
        }
        let permit = self.permit_in_time().await;
        if permit.is_err() {
            self.give_back(self.call.rate_limiters.len());
        }
        permit
    }

    async fn permit_in_time(&mut self) -> Result<Permit<'c>, Error> {
        let (session, deadline) = (&self.call.session, self.deadline());
        let avoided = self.trouble().last.as_ref().map(|(_, peer)| Arc::clone(peer));
        let mut permit = pin!(peer_limiter::permit(session.peer_limiter(), avoided.as_ref()));
        loop {
            let now = Instant::now();
            match timeout_at(deadline.min(now + REFRESH_INTERVAL), permit.as_mut()).await {
                Ok(Ok(permit)) => {
                    let now = Instant::now();
                    if now + self.expected_answer() > deadline {
                        return Err(self.end(Ending::NoTimeToAnswer));
                    }
                    self.sent = session.age(now);
                    return Ok(permit);
                }
                Ok(Err(_)) => return Err(self.end(Ending::Full)),
                Err(_) if now < deadline => {
                    let age = session.age(Instant::now());
                    if session.peer_limiter().begins_refresh(age) {
                        session.refresh_peers(age);
                    }
                }
                Err(_) => return Err(self.end(Ending::FullUntilDeadline)),
            }
        }
    }

    fn need(&self) -> Need {
        let partition = self.trouble.as_ref().and_then(|trouble| trouble.partition);
        Need { units: self.units, partition, came: self.began, deadline: self.deadline() }
    }

    /// Returns the turns taken at the first `tables` tables, because the attempt will not be made.
    fn give_back(&self, tables: usize) {
        for pace in self.call.rate_limiters.iter().take(tables) {
            pace.give_back(self.need(), self.call.session.began());
        }
    }

    /// How long an answer is expected to take. An attempt with less time left is not sent, because its answer would come
    /// too late.
    fn expected_answer(&self) -> Duration {
        let took = self.trouble.as_ref().map_or(Duration::ZERO, |trouble| trouble.took);
        let now = self.call.session.age(Instant::now());
        self.call.rate_limiters.iter().map(|pace| pace.expected_answer(now)).fold(took, Duration::max)
    }

    /// The timeout of the next attempt.
    pub(crate) fn timeout(&self) -> Duration {
        if self.trouble.is_none() {
            return self.timeout;
        }
        let left = self.deadline().saturating_duration_since(Instant::now());
        left.max(Duration::from_millis(1)).min(self.timeout)
    }

    /// How many attempts have failed.
    fn failures(&self) -> u32 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.history.attempts)
    }

    /// The span of the next attempt.
    pub(crate) fn span(&self, permit: &Permit<'_>) -> Span {
        self.call.metrics.attempt();
        observe::attempt(&self.span, self.failures() + 1, permit)
    }

    fn told(&self, permit: &Permit<'_>, number: u32, error: Option<ErrorKind>) {
        self.call.session.observers().attempt(|| observe::Attempt {
            summary: self.call.info.summary(),
            tag: self.call.options.tag.as_deref(),
            number,
            peer: permit.peer().address(),
            elapsed: self.call.session.age(Instant::now()).saturating_sub(self.sent),
            error,
        });
    }

    /// Records that the attempt was answered.
    pub(crate) fn answered(&self, permit: &Permit<'_>, answer: &impl DriverAnswer) {
        self.call.session.observers().warnings(self.call.info.summary(), answer.result());
        let number = self.failures() + 1;
        self.told(permit, number, None);
        if number > 1 {
            self.span.record("attempts", number);
        }
        for pace in &*self.call.rate_limiters {
            let partition = self.trouble.as_ref().and_then(|trouble| trouble.partition);
            pace.acknowledged(self.units, partition, self.sent, || self.call.session.age(Instant::now()));
        }
    }

    /// Records that the attempt failed, then waits until the next attempt may be made, or returns the error that ends the
    /// call. `partition` is a hash of the partition key, if it is known.
    pub(crate) fn failed<'a>(
        &'a mut self,
        permit: Permit<'c>,
        error: ExecutionError,
        span: Span,
        partition: Option<i64>,
    ) -> BoxFuture<'a, Result<(), Error>>
    where
        'c: 'a,
    {
        self.trouble().partition = partition;
        self.after_failure(permit, error, span).boxed()
    }

    async fn after_failure(&mut self, permit: Permit<'c>, error: ExecutionError, span: Span) -> Result<(), Error> {
        let failure = classify::execution(error);
        let (kind, not_sent) = (failure.kind, failure.not_sent);
        observe::failed(&span, kind);
        self.call.metrics.failed_attempt(kind);
        self.take_in(&permit, &failure);
        self.told(&permit, self.failures(), Some(kind));
        self.trouble().last = Some((failure, Arc::clone(permit.peer())));
        // Other calls may use the permit while this call waits.
        drop(permit);
        if !kind.is_transient() || !self.may_be_repeated() {
            return Err(self.end(Ending::Final));
        }
        // All attempts at a throttled table are limited to the rate that the table acknowledges, so the wait for a turn
        // replaces the backoff.
        if kind == ErrorKind::Throttled && !self.call.rate_limiters.is_empty() {
            return Ok(());
        }
        let (session, deadline) = (&self.call.session, self.deadline());
        let waits = &mut self.trouble().waits;
        let due = Instant::now() + session.retry().wait(*waits);
        *waits += 1;
        if due + self.expected_answer() >= deadline {
            return Err(self.end(Ending::Deadline));
        }
        self.call.metrics.waited(due.saturating_duration_since(Instant::now()));
        sleep_until(due).await;
        // The server sees no repeat if the attempt was not sent, so the retry budget is not charged.
        if not_sent || session.retry().budget.repeat(session.age(due)) {
            return Ok(());
        }
        Err(self.end(Ending::Budget))
    }

    fn take_in(&mut self, permit: &Permit<'_>, failure: &AttemptFailure) {
        let address = permit.peer().address();
        let is_read = self.call.info.is_read();
        let history = &mut self.trouble().history;
        history.attempts += 1;
        history.peers.retain(|known| *known != address);
        history.peers.push(address);
        history.may_have_been_applied |= failure.may_have_been_applied && !is_read;
        let now = self.call.session.age(Instant::now());
        let is_disconnected = matches!(failure.kind, ErrorKind::ConnectionLost | ErrorKind::NoConnection);
        let is_answered = !is_disconnected && !failure.not_sent && failure.kind != ErrorKind::Timeout;
        let took = if is_answered { now.saturating_sub(self.sent) } else { Duration::ZERO };
        let trouble = self.trouble();
        trouble.took = took;
        let partition = trouble.partition;
        if failure.kind == ErrorKind::Throttled {
            for pace in &*self.call.rate_limiters {
                pace.throttled(self.units, partition, self.sent, now);
            }
        }
        if is_disconnected {
            permit.lost_a_connection(now);
            self.call.session.refresh_peers(now);
        }
    }

    fn may_be_repeated(&self) -> bool {
        let Some(trouble) = &self.trouble else { return false };
        let Some((failure, _)) = &trouble.last else { return false };
        !trouble.history.may_have_been_applied
            || self.call.is_idempotent()
            || self.call.options.retry_when_throttled && failure.kind == ErrorKind::Throttled
    }

    /// Returns the error that the call ends with: the failure of its last attempt, or the reason why none was made.
    fn end(&mut self, ending: Ending) -> Error {
        let trouble = self.trouble();
        if let Ending::TurnTooLate(wait) = ending {
            trouble.history.turn_after = Some(wait);
        }
        let mut history = std::mem::take(&mut trouble.history);
        let (failure, why) = match trouble.last.take() {
            Some((failure, _)) => (failure, ending.why_there_is_no_other_attempt()),
            None => (ending.without_attempt(), None),
        };
        observe::failed(&self.span, failure.kind);
        self.call.metrics.failed_call(failure.kind);
        self.span.record("attempts", history.attempts);
        history.elapsed = self.began.elapsed();
        failure.into_error(&self.call.info.attempted, self.call.is_idempotent(), why, history)
    }
}

/// Why a call ends without another attempt.
#[derive(Clone, Copy)]
enum Ending {
    /// Another attempt would fail too, or could do harm.
    Final,
    Deadline,
    Budget,
    /// Less time is left before the deadline than an answer takes.
    NoTimeToAnswer,
    /// The connections are full, and `WhenFull::Fail` is set.
    Full,
    FullUntilDeadline,
    /// The table is throttled, and the call would have to wait this long for its turn, past its deadline.
    TurnTooLate(Duration),
}

impl Ending {
    fn why_there_is_no_other_attempt(self) -> Option<&'static str> {
        match self {
            Self::Final => None,
            Self::Deadline => Some("its deadline leaves no time for another attempt"),
            Self::Budget => Some("the session's budget of repeats is spent"),
            Self::NoTimeToAnswer => Some("less time is left until its deadline than recent answers took"),
            Self::Full => Some("as much is in flight as the connections bear"),
            Self::FullUntilDeadline => {
                Some("as much was in flight or sent as the connections bear, until its deadline")
            }
            Self::TurnTooLate(_) => Some("its turn for another attempt would come after its deadline"),
        }
    }

    fn without_attempt(self) -> AttemptFailure {
        let kind = match self {
            Self::TurnTooLate(wait) => {
                let problem = format!(
                    "the table is throttled, and the turn of this call would come after its deadline, in {wait:.1?}"
                );
                return AttemptFailure::new(ErrorKind::Throttled, problem).with_advice(
                    "Nothing was sent. Call again after that time, give the call a longer deadline, or the table more \
                     capacity",
                );
            }
            Self::Full | Self::FullUntilDeadline => ErrorKind::Overloaded,
            Self::Final | Self::Deadline | Self::Budget | Self::NoTimeToAnswer => ErrorKind::Timeout,
        };
        AttemptFailure::new(kind, self.why_there_is_no_other_attempt().unwrap_or("no attempt was made"))
    }
}
