//! The one path that every request takes: nothing else in the crate talks to the driver to run a statement.

use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use scylla::errors::ExecutionError;
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::batch::BatchValues;
use scylla::statement::batch::Batch;
use scylla::statement::bound::BoundStatement;
use scylla::statement::unprepared;
use tracing::Instrument;

use crate::statement::About;
use crate::{Error, Session, classify};

/// Who calls, and what for.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) session: Session,
    pub(crate) about: Arc<About>,
    /// The caller's own word for it, in the trace.
    pub(crate) tag: Option<Arc<str>>,
    /// For all attempts together, where it is not the session's.
    pub(crate) deadline: Option<Duration>,
}

impl Call {
    pub(crate) fn new(session: &Session, about: About) -> Self {
        Self { session: session.clone(), about: Arc::new(about), tag: None, deadline: None }
    }
}

/// A statement ready to be sent.
#[derive(Clone)]
pub(crate) enum Request {
    Prepared(BoundStatement),
    /// Without values: with some, the driver would prepare it first.
    Text(unprepared::Statement),
}

impl Request {
    pub(crate) fn set_page_size(&mut self, rows: NonZeroU32) {
        let rows = i32::try_from(rows.get()).unwrap_or(i32::MAX);
        match self {
            Self::Prepared(bound) => bound.set_page_size(rows),
            Self::Text(text) => text.set_page_size(rows),
        }
    }
}

/// One page of a read, from `state` on.
pub(crate) async fn page(
    call: &Call,
    request: &Request,
    state: PagingState,
) -> Result<(QueryResult, PagingStateResponse), Error> {
    let in_flight = call.session.begin()?;
    let driver = in_flight.driver();
    match request {
        Request::Prepared(bound) => run(call, pin!(driver.execute_bound_single_page(bound, state))).await,
        Request::Text(text) => run(call, pin!(driver.query_single_page(text.clone(), (), state))).await,
    }
}

/// A write: all of its answer fits one frame.
pub(crate) async fn write(call: &Call, request: &Request) -> Result<QueryResult, Error> {
    let in_flight = call.session.begin()?;
    let driver = in_flight.driver();
    match request {
        Request::Prepared(bound) => run(call, pin!(driver.execute_bound_unpaged(bound))).await,
        Request::Text(text) => run(call, pin!(driver.query_unpaged(text.clone(), ()))).await,
    }
}

/// Several writes in one request.
pub(crate) async fn batch(call: &Call, batch: &Batch, values: impl BatchValues) -> Result<QueryResult, Error> {
    let in_flight = call.session.begin()?;
    run(call, pin!(in_flight.driver().batch(batch, values))).await
}

/// A definition: Keyspaces prepares none, so its text is sent.
pub(crate) async fn define(call: &Call, text: &str) -> Result<(), Error> {
    let in_flight = call.session.begin()?;
    let mut statement = unprepared::Statement::new(text);
    // It takes the server longer than a write, and it is sent once.
    let call_timeout = call.session.call_timeout();
    statement.set_request_timeout(Some(call.deadline.map_or(call_timeout, |deadline| deadline.min(call_timeout))));
    run(call, pin!(in_flight.driver().query_unpaged(statement, ()))).await.map(drop)
}

/// Until all nodes of a plain Cassandra have the same schema. On Keyspaces agreement says nothing: `schema` looks there.
pub(crate) async fn agree_on_schema(call: &Call) -> Result<(), Error> {
    let in_flight = call.session.begin()?;
    run(call, pin!(in_flight.driver().await_schema_agreement())).await.map(drop)
}

/// The driver's futures are kilobytes; pinned where they are made, they are not copied from hand to hand.
async fn run<T, E>(call: &Call, attempt: Pin<&mut impl Future<Output = Result<T, E>>>) -> Result<T, Error>
where
    E: Into<ExecutionError>,
{
    let about = &*call.about;
    let span = tracing::debug_span!("request", statement = about.attempted.as_str(), tag = call.tag.as_deref());
    let answer = if span.is_disabled() { attempt.await } else { attempt.instrument(span).await };
    answer.map_err(|error| classify::execution(&about.attempted, about.repeatable, error.into()))
}
