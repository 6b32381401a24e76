//! Runs one call: makes attempts, one after the other, until one is answered or the call may not try again.
//!
//! An attempt needs units from the rate limiter of each of its tables, and a permit to use a peer. If it fails, the call
//! waits before the next attempt, or ends with an error that describes all of its attempts.

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
use crate::rate_limiter::{TurnTooLate, UnitsRequest};
use crate::{Error, ErrorKind};

/// A call in progress. It may be dropped at any time; only the requests already sent remain.
pub(crate) struct Attempts<'c> {
    call: &'c Call,
    span: Span,
    _running: RunningCall,
    began: Instant,
    /// When the current attempt was sent, as time since the session began.
    sent: Duration,
    attempt_timeout: Duration,
    /// Capacity units, as far as they are known before sending.
    units: f64,
    /// `None` until the call has to wait or an attempt fails, so that a call without a failure or a wait stays small.
    retry_state: Option<Box<RetryState>>,
}

/// The failures and waits of a call so far.
#[derive(Default)]
struct RetryState {
    history: AttemptHistory,
    last_failure: Option<(AttemptFailure, Arc<LimitedPeer>)>,
    backoffs: u32,
    /// How long the server took to answer the last failed attempt; zero if it did not answer.
    last_latency: Duration,
    /// A hash of the partition key, if all of it is bound.
    partition: Option<i64>,
}

impl<'c> Attempts<'c> {
    pub(crate) fn begin(call: &'c Call, attempt_timeout: Duration, bytes: usize) -> Self {
        let session = &call.session;
        let began = Instant::now();
        let now = session.age(began);
        session.retry().budget.count_request(now);
        refresh_peers_if_due(call, now);
        let (span, running) = (observe::call(call), call.metrics.begin_call());
        let units = call.units(bytes);
        Self { call, span, _running: running, began, sent: now, attempt_timeout, units, retry_state: None }
    }

    /// Returns a permit for the first attempt if the call need not wait for one.
    pub(crate) fn try_acquire_permit(&self) -> Option<Permit<'c>> {
        if self.retry_state.is_some() || !self.call.rate_limiters.iter().all(|limiter| limiter.is_unlimited()) {
            return None;
        }
        self.call.session.peer_limiter().try_acquire(None, self.sent)
    }

    /// Waits until the next attempt may be sent, and returns the permit for it. `partition` is a hash of the partition key,
    /// if it is known.
    pub(crate) fn acquire_permit(&mut self, partition: Option<i64>) -> BoxFuture<'_, Result<Permit<'c>, Error>> {
        async move {
            self.retry_state().partition = partition;
            let wait_began = Instant::now();
            let permit = self.acquire_units_and_permit().await;
            self.call.metrics.record_wait(wait_began.elapsed());
            permit
        }
        .boxed()
    }

    async fn acquire_units_and_permit(&mut self) -> Result<Permit<'c>, Error> {
        let (session, request) = (&self.call.session, self.units_request());
        for (index, limiter) in self.call.rate_limiters.iter().enumerate() {
            if let Err(TurnTooLate(wait)) = limiter.acquire(request, session.started_at()).await {
                self.refund_units(index);
                return Err(self.end(StopReason::TurnTooLate(wait)));
            }
        }
        let permit = self.acquire_permit_in_time().await;
        if permit.is_err() {
            self.refund_units(self.call.rate_limiters.len());
        }
        permit
    }

    async fn acquire_permit_in_time(&mut self) -> Result<Permit<'c>, Error> {
        let (session, deadline) = (&self.call.session, self.deadline());
        let avoided = self.retry_state().last_failure.as_ref().map(|(_, peer)| Arc::clone(peer));
        let mut permit = pin!(peer_limiter::acquire(session.peer_limiter(), avoided.as_ref()));
        loop {
            let now = Instant::now();
            match timeout_at(deadline.min(now + REFRESH_INTERVAL), permit.as_mut()).await {
                Ok(Ok(permit)) => {
                    let now = Instant::now();
                    if now + self.expected_latency() > deadline {
                        return Err(self.end(StopReason::NoTimeForAnswer));
                    }
                    self.sent = session.age(now);
                    return Ok(permit);
                }
                Ok(Err(_)) => return Err(self.end(StopReason::ConnectionsFull)),
                Err(_) if now < deadline => refresh_peers_if_due(self.call, session.age(Instant::now())),
                Err(_) => return Err(self.end(StopReason::ConnectionsFullUntilDeadline)),
            }
        }
    }

    /// Begins the next attempt, and returns its span.
    pub(crate) fn begin_attempt(&self, permit: &Permit<'_>) -> Span {
        self.call.metrics.count_attempt();
        observe::attempt(&self.span, self.failed_attempts() + 1, permit)
    }

    /// The timeout of the next attempt.
    pub(crate) fn attempt_timeout(&self) -> Duration {
        if self.retry_state.is_none() {
            return self.attempt_timeout;
        }
        let left = self.deadline().saturating_duration_since(Instant::now());
        left.max(Duration::from_millis(1)).min(self.attempt_timeout)
    }

    /// Records that the attempt was answered.
    pub(crate) fn record_answer(&self, permit: &Permit<'_>, answer: &impl DriverAnswer) {
        self.call.session.observers().warnings(self.call.info.summary(), answer.result());
        let number = self.failed_attempts() + 1;
        self.notify_observer(permit, number, None);
        if number > 1 {
            self.span.record("attempts", number);
        }
        let partition = self.retry_state.as_ref().and_then(|state| state.partition);
        for limiter in &*self.call.rate_limiters {
            limiter.record_acknowledged(self.units, partition, self.sent, || self.call.session.age(Instant::now()));
        }
    }

    /// Records that the attempt failed, then waits until the next attempt may be made, or returns the error that ends the
    /// call. `partition` is a hash of the partition key, if it is known.
    pub(crate) fn handle_failure<'a>(
        &'a mut self,
        permit: Permit<'c>,
        error: ExecutionError,
        span: Span,
        partition: Option<i64>,
    ) -> BoxFuture<'a, Result<(), Error>>
    where
        'c: 'a,
    {
        async move {
            self.retry_state().partition = partition;
            let failure = classify::execution_failure(error);
            let (kind, not_sent) = (failure.kind, failure.not_sent);
            self.record_failure(&permit, failure, &span);
            // Other calls may use the permit while this call waits.
            drop(permit);
            if !kind.is_transient() || !self.may_retry() {
                return Err(self.end(StopReason::NotRetryable));
            }
            // All attempts at a throttled table are limited to the rate that the table acknowledges, so the wait for a turn
            // replaces the backoff.
            if kind == ErrorKind::Throttled && !self.call.rate_limiters.is_empty() {
                return Ok(());
            }
            self.back_off(not_sent).await
        }
        .boxed()
    }

    fn record_failure(&mut self, permit: &Permit<'_>, failure: AttemptFailure, span: &Span) {
        let kind = failure.kind;
        observe::record_error(span, kind);
        self.call.metrics.count_failed_attempt(kind);
        let now = self.call.session.age(Instant::now());
        let is_disconnected = matches!(kind, ErrorKind::ConnectionLost | ErrorKind::NoConnection);
        let is_answered = !is_disconnected && !failure.not_sent && kind != ErrorKind::Timeout;
        let latency = if is_answered { now.saturating_sub(self.sent) } else { Duration::ZERO };
        let may_have_been_applied = failure.may_have_been_applied && !self.call.info.is_read();

        let state = self.retry_state();
        state.history.add(permit.peer().address(), may_have_been_applied);
        state.last_latency = latency;
        state.last_failure = Some((failure, Arc::clone(permit.peer())));
        let partition = state.partition;

        if kind == ErrorKind::Throttled {
            for limiter in &*self.call.rate_limiters {
                limiter.record_throttled(self.units, partition, self.sent, now);
            }
        }
        if is_disconnected {
            permit.record_lost_connection(now);
            self.call.session.refresh_peers(now);
        }
        self.notify_observer(permit, self.failed_attempts(), Some(kind));
    }

    /// Whether another attempt is safe.
    fn may_retry(&self) -> bool {
        let Some(state) = &self.retry_state else { return false };
        let Some((failure, _)) = &state.last_failure else { return false };
        !state.history.may_have_been_applied
            || self.call.is_idempotent()
            || self.call.options.retry_when_throttled && failure.kind == ErrorKind::Throttled
    }

    async fn back_off(&mut self, not_sent: bool) -> Result<(), Error> {
        let session = &self.call.session;
        let backoffs = &mut self.retry_state().backoffs;
        let due = Instant::now() + session.retry().wait_time(*backoffs);
        *backoffs += 1;
        if due + self.expected_latency() >= self.deadline() {
            return Err(self.end(StopReason::Deadline));
        }
        self.call.metrics.record_wait(due.saturating_duration_since(Instant::now()));
        sleep_until(due).await;
        // The server sees no retry if the attempt was not sent, so the retry budget is not charged.
        if not_sent || session.retry().budget.try_retry(session.age(due)) {
            return Ok(());
        }
        Err(self.end(StopReason::RetryBudget))
    }

    /// Returns the error that the call ends with: the failure of its last attempt, or the reason why none was made.
    fn end(&mut self, reason: StopReason) -> Error {
        let state = self.retry_state();
        if let StopReason::TurnTooLate(wait) = reason {
            state.history.retry_after = Some(wait);
        }
        let mut history = std::mem::take(&mut state.history);
        let (failure, explanation) = match state.last_failure.take() {
            Some((failure, _)) => (failure, reason.explanation()),
            None => (reason.into_failure(), None),
        };
        history.elapsed = self.began.elapsed();
        let error = failure.into_error(&self.call.info.attempted, self.call.is_idempotent(), explanation, history);
        observe::record_error(&self.span, error.kind());
        self.call.metrics.count_failed_call(error.kind());
        self.span.record("attempts", error.attempts());
        error
    }

    fn retry_state(&mut self) -> &mut RetryState {
        self.retry_state.get_or_insert_default()
    }

    fn failed_attempts(&self) -> u32 {
        self.retry_state.as_ref().map_or(0, |state| state.history.attempts)
    }

    fn deadline(&self) -> Instant {
        self.began + self.call.deadline()
    }

    /// The latency to allow for. An attempt with less time left is not sent, because its answer would come too late.
    fn expected_latency(&self) -> Duration {
        let last = self.retry_state.as_ref().map_or(Duration::ZERO, |state| state.last_latency);
        let now = self.call.session.age(Instant::now());
        self.call.rate_limiters.iter().map(|limiter| limiter.expected_latency(now)).fold(last, Duration::max)
    }

    fn units_request(&self) -> UnitsRequest {
        let partition = self.retry_state.as_ref().and_then(|state| state.partition);
        UnitsRequest { units: self.units, partition, called_at: self.began, deadline: self.deadline() }
    }

    /// Gives back the units acquired for the first `tables` tables, because the attempt will not be made.
    fn refund_units(&self, tables: usize) {
        for limiter in self.call.rate_limiters.iter().take(tables) {
            limiter.refund(self.units_request(), self.call.session.started_at());
        }
    }

    fn notify_observer(&self, permit: &Permit<'_>, number: u32, error: Option<ErrorKind>) {
        self.call.session.observers().attempt(|| observe::Attempt {
            summary: self.call.info.summary(),
            tag: self.call.options.tag.as_deref(),
            number,
            peer: permit.peer().address(),
            elapsed: self.call.session.age(Instant::now()).saturating_sub(self.sent),
            error,
        });
    }
}

fn refresh_peers_if_due(call: &Call, now: Duration) {
    if call.session.peer_limiter().begins_refresh(now) {
        call.session.refresh_peers(now);
    }
}

/// Why a call makes no further attempt.
#[derive(Clone, Copy)]
enum StopReason {
    /// Another attempt would fail too, or could do harm.
    NotRetryable,
    Deadline,
    RetryBudget,
    /// The time left before the deadline is shorter than the expected latency.
    NoTimeForAnswer,
    /// The connections are full, and `WhenFull::Fail` is set.
    ConnectionsFull,
    ConnectionsFullUntilDeadline,
    /// The table is throttled, and the call would have to wait this long for its turn, past its deadline.
    TurnTooLate(Duration),
}

impl StopReason {
    /// The part of the error's text that says why the call made no further attempt.
    fn explanation(self) -> Option<&'static str> {
        match self {
            Self::NotRetryable => None,
            Self::Deadline => Some("its deadline leaves no time for another attempt"),
            Self::RetryBudget => Some("the session's retry budget is used up"),
            Self::NoTimeForAnswer => Some("less time is left until its deadline than recent answers took"),
            Self::ConnectionsFull => Some("every connection has its maximum number of requests in flight"),
            Self::ConnectionsFullUntilDeadline => Some("no connection had capacity left before its deadline"),
            Self::TurnTooLate(_) => Some("its turn for another attempt would come after its deadline"),
        }
    }

    /// The failure of a call that ends before its first attempt.
    fn into_failure(self) -> AttemptFailure {
        let problem = self.explanation().unwrap_or("no attempt was made");
        match self {
            Self::TurnTooLate(wait) => {
                let problem = format!(
                    "the table is throttled, and the turn of this call would come after its deadline, in {wait:.1?}"
                );
                AttemptFailure::new(ErrorKind::Throttled, problem).with_advice(
                    "Nothing was sent. Call again after that time, give the call a longer deadline, or the table more \
                     capacity",
                )
            }
            Self::ConnectionsFull | Self::ConnectionsFullUntilDeadline => {
                AttemptFailure::new(ErrorKind::Overloaded, problem).with_advice(
                    "Nothing was sent. Send fewer requests at once, or open more connections with \
                     SessionBuilder::connections_per_host",
                )
            }
            Self::NotRetryable | Self::Deadline | Self::RetryBudget | Self::NoTimeForAnswer => {
                AttemptFailure::new(ErrorKind::Timeout, problem)
            }
        }
    }
}
