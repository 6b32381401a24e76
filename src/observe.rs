//! Spans, metrics and observers of calls.
//!
#![doc = include_str!("observe.md")]

#[cfg(feature = "metrics")]
mod statement_metrics;
#[cfg(not(feature = "metrics"))]
#[path = "observe/no_metrics.rs"]
mod statement_metrics;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scylla::response::query_result::QueryResult;
use tracing::Span;
use tracing::field::Empty;

pub(crate) use self::statement_metrics::{RunningCall, StatementMetrics};
use crate::ErrorKind;
use crate::execute::Call;
use crate::peer_limiter::Permit;

/// Receives every attempt of every call of a session, and every warning of the server, for custom logs or metrics. See
/// [`SessionBuilder::observer`](crate::SessionBuilder::observer).
///
/// Its methods run in the task that makes the call, and should return at once.
///
/// ```no_run
/// # async fn example() -> Result<(), keyspaces::Error> {
/// use keyspaces::Session;
/// use keyspaces::observe::{Attempt, Observer};
///
/// struct Print;
///
/// impl Observer for Print {
///     fn attempt(&self, attempt: &Attempt<'_>) {
///         let outcome = attempt.error.map_or("answered".to_owned(), |kind| kind.to_string());
///         println!("{} no. {} at {}: {outcome} after {:?}", attempt.summary, attempt.number, attempt.peer, attempt.elapsed);
///     }
///
///     fn warning(&self, summary: &str, text: &str) {
///         println!("{summary}: {text}");
///     }
/// }
///
/// let session = Session::builder().region("us-east-1").observer(Print).connect().await?;
/// # drop(session);
/// # Ok(())
/// # }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Called after each attempt, including those of batches and of pages of streams. Connecting and preparing are not
    /// reported.
    fn attempt(&self, attempt: &Attempt<'_>) {
        let _ = attempt;
    }

    /// Called for each warning that the server sends with an answer. Without an observer, warnings are logged at level WARN.
    fn warning(&self, summary: &str, text: &str) {
        let _ = (summary, text);
    }
}

/// A completed attempt, for an [`Observer`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// The statement in a few words: `INSERT INTO shop.names`. The number of different summaries is bounded by the
    /// number of statements in the program.
    pub summary: &'a str,
    /// The tag of the call, from `with_tag`.
    pub tag: Option<&'a str>,
    /// The number of the attempt within its call, from 1. If it is 2 or more, the attempt before it failed.
    pub number: u32,
    /// The peer that the attempt was sent to.
    pub peer: SocketAddr,
    /// The duration of the attempt.
    pub elapsed: Duration,
    /// Why the attempt failed; `None` if it was answered.
    pub error: Option<ErrorKind>,
}

/// The observer of a session, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Observers(Option<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn new(observer: impl Observer) -> Self {
        Self(Some(Arc::new(observer)))
    }

    /// Notifies the observer, if there is one; `attempt` is called only then.
    pub(crate) fn attempt<'a>(&self, attempt: impl FnOnce() -> Attempt<'a>) {
        if let Some(observer) = &self.0 {
            observer.attempt(&attempt());
        }
    }

    pub(crate) fn warnings(&self, summary: &str, result: &QueryResult) {
        for text in result.warnings() {
            match &self.0 {
                Some(observer) => observer.warning(summary, text),
                None => tracing::warn!(statement = summary, "the server warns: {text}"),
            }
        }
    }
}

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Observers").field(&self.0.is_some()).finish()
    }
}

/// The span of a call: all of its attempts, with the waits between them.
pub(crate) fn call(call: &Call) -> Span {
    let span = tracing::debug_span!(
        "request",
        db.system.name = "cassandra",
        db.query.summary = call.info.summary(),
        db.query.text = Empty,
        db.operation.name = Empty,
        db.namespace = Empty,
        db.collection.name = Empty,
        tag = call.options.tag.as_deref(),
        attempts = Empty,
        error.type = Empty,
    );
    if !span.is_disabled() {
        span.record("db.operation.name", call.info.operation());
        if let Some(keyspace) = call.info.keyspace() {
            span.record("db.namespace", keyspace);
        }
        if let Some((_, table)) = call.info.table() {
            span.record("db.collection.name", table);
        }
        if call.session.traces_query_text()
            && let Some(text) = call.info.tree()
        {
            span.record("db.query.text", tracing::field::display(text));
        }
    }
    span
}

/// The span of one attempt, a child of the span of its call.
pub(crate) fn attempt(call: &Span, number: u32, permit: &Permit<'_>) -> Span {
    let span = tracing::debug_span!(
        parent: call,
        "attempt",
        number,
        server.address = Empty,
        server.port = Empty,
        error.type = Empty,
    );
    if !span.is_disabled() {
        let peer = permit.peer().address();
        span.record("server.address", tracing::field::display(peer.ip()));
        span.record("server.port", peer.port());
    }
    span
}

/// Records why a call or an attempt failed.
pub(crate) fn record_error(span: &Span, kind: ErrorKind) {
    span.record("error.type", kind.as_str());
}
