//! What can be seen of calls from outside: spans and metrics.
//!
#![doc = include_str!("observe.md")]

#[cfg(feature = "metrics")]
mod meters;
#[cfg(not(feature = "metrics"))]
#[path = "observe/no_meters.rs"]
mod meters;

#[cfg(test)]
mod tests;

use tracing::Span;
use tracing::field::Empty;

pub(crate) use self::meters::{Meters, Running};
use crate::ErrorKind;
use crate::execute::Call;
use crate::limit::Permit;

/// The span of a call: from its first attempt to its last, with the waiting between them.
pub(crate) fn call(call: &Call) -> Span {
    let span = tracing::debug_span!(
        "request",
        db.system.name = "cassandra",
        db.query.summary = call.about.attempted.as_str(),
        db.query.text = Empty,
        db.operation.name = Empty,
        db.namespace = Empty,
        db.collection.name = Empty,
        tag = call.options.tag.as_deref(),
        attempts = Empty,
        error.type = Empty,
    );
    if !span.is_disabled() {
        span.record("db.operation.name", call.about.operation());
        if let Some((keyspace, table)) = call.about.table() {
            span.record("db.namespace", keyspace);
            span.record("db.collection.name", table);
        }
        if call.session.traces_query_text()
            && let Some(text) = call.about.tree()
        {
            span.record("db.query.text", tracing::field::display(text));
        }
    }
    span
}

/// The span of one attempt, within that of its call.
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

/// How a call or an attempt ended that has failed.
pub(crate) fn failed(span: &Span, kind: ErrorKind) {
    span.record("error.type", kind.as_str());
}
