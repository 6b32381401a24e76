//! The only path by which the crate sends statements to the driver.

use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use scylla::client::session::Session as DriverSession;
use scylla::errors::{ExecutionError, SchemaAgreementError};
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::batch::BatchValues;
use scylla::statement::batch::Batch;
use scylla::statement::bound::BoundStatement;
use scylla::statement::unprepared;

use crate::attempts::Attempts;
use crate::error::AttemptHistory;
use crate::observe::StatementMetrics;
use crate::options::CallOptions;
use crate::peer_limiter::Permit;
use crate::rate_limiter::TableLimiters;
use crate::saturated::saturated;
use crate::statement::{NamedColumns, StatementInfo};
use crate::{Error, Session, classify};

/// The bytes that one capacity unit reads at LOCAL_QUORUM, or (`WRITE_UNIT`) writes (DG:ReadWriteCapacityMode).
const READ_UNIT: usize = 4 * 1024;
pub(crate) const WRITE_UNIT: usize = 1024;

/// One call: its session, statement, options, rate limiters and metrics.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) session: Session,
    pub(crate) info: Arc<StatementInfo>,
    pub(crate) options: CallOptions,
    pub(crate) rate_limiters: TableLimiters,
    pub(crate) metrics: StatementMetrics,
    /// The columns of `SELECT *` that the row type names, if it does not name all of them.
    pub(crate) named_columns: OnceLock<Arc<NamedColumns>>,
}

impl Call {
    pub(crate) fn new(session: &Session, info: StatementInfo, options: CallOptions) -> Self {
        let rate_limiters = session.rate_limiters().for_statement(&info);
        let metrics = StatementMetrics::for_statement(&info, options.tag.as_deref());
        let (session, info) = (session.without_keyspace(), Arc::new(info));
        Self { session, info, options, rate_limiters, metrics, named_columns: OnceLock::new() }
    }

    /// Changes the options, and replaces the metrics if the tag, which is one of their labels, has changed.
    pub(crate) fn change_options(&mut self, change: impl FnOnce(&mut CallOptions)) {
        let tag = self.options.tag.clone();
        change(&mut self.options);
        if tag != self.options.tag {
            self.metrics = StatementMetrics::for_statement(&self.info, self.options.tag.as_deref());
        }
    }

    /// Capacity units for reading or writing `bytes`: at least one.
    pub(crate) fn units(&self, bytes: usize) -> f64 {
        let unit = if self.info.is_read() { READ_UNIT } else { WRITE_UNIT };
        u32::try_from(bytes.div_ceil(unit).max(1)).map_or(f64::MAX, f64::from)
    }

    /// Charges what a page of `bytes` cost beyond the one unit that its attempt acquired.
    pub(crate) fn charge_page(&self, bytes: usize) {
        for limiter in self.rate_limiters.iter().filter(|limiter| !limiter.is_unlimited()) {
            limiter.charge(self.units(bytes) - 1.0);
        }
    }

    /// The time limit for all attempts together.
    pub(crate) fn deadline(&self) -> Duration {
        self.options.deadline.unwrap_or_else(|| self.session.call_timeout())
    }

    /// The time limit for each attempt.
    fn attempt_timeout(&self) -> Duration {
        let timeout = self.options.attempt_timeout.unwrap_or_else(|| self.session.attempt_timeout());
        timeout.min(self.deadline())
    }

    /// Whether the statement may safely be executed twice.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.info.is_idempotent || self.options.assume_idempotent
    }
}

/// A statement ready to be sent.
#[derive(Clone)]
pub(crate) enum Request {
    /// A bound statement and the size of its values in bytes.
    Prepared(BoundStatement, usize),
    /// A text without values. If it had values, the driver would prepare it first.
    Text(unprepared::Statement),
}

impl Request {
    /// Removes the pin to the peer that the request was last sent to.
    pub(crate) fn unpin(&mut self) {
        match self {
            Self::Prepared(bound, _) => bound.set_load_balancing_policy(None),
            Self::Text(text) => text.set_load_balancing_policy(None),
        }
    }

    pub(crate) fn set_page_size(&mut self, rows: NonZeroU32) {
        let rows = saturated::<i32>(rows.get());
        match self {
            Self::Prepared(bound, _) => bound.set_page_size(rows),
            Self::Text(text) => text.set_page_size(rows),
        }
    }
}

/// The path of every request: acquires a permit for a peer, pins the statement to that peer and sends it, until an attempt is
/// answered or the call may not try again.
///
/// This is a macro because the driver's futures are kilobytes in size: a future pinned where it is made is neither
/// copied nor boxed. The rare paths are boxed as trait objects; otherwise, their code would be compiled into every
/// future that contains a call.
macro_rules! run_attempts {
    ($call:expr, $statement:expr, $bytes:expr, $timeout:expr, |$driver:ident| $attempt:expr) => {{
        let in_flight = $call.session.begin()?;
        let $driver = in_flight.driver();
        let mut attempts = Attempts::begin($call, $timeout, $bytes);
        loop {
            let permit = match attempts.try_acquire_permit() {
                Some(permit) => permit,
                None => attempts.acquire_permit($statement.partition()).await?,
            };
            $statement.pin_to(&permit, attempts.attempt_timeout());
            let span = attempts.begin_attempt(&permit);
            let mut attempt = pin!($attempt);
            // The same await with and without a span, because entering a disabled span does nothing.
            let answer = poll_fn(|context| {
                let _entered = span.enter();
                attempt.as_mut().poll(context)
            });
            match answer.await {
                Ok(answer) => {
                    attempts.record_answer(&permit, &answer);
                    break Ok(answer);
                }
                Err(error) => attempts.handle_failure(permit, error.into(), span, $statement.partition()).await?,
            }
        }
    }};
}

/// Reads one page, starting at `state`.
pub(crate) async fn read_page(
    call: &Call,
    request: &mut Request,
    state: &PagingState,
) -> Result<(QueryResult, PagingStateResponse), Error> {
    match request {
        Request::Prepared(bound, _) => {
            run_attempts!(call, bound, 0, call.attempt_timeout(), |driver| {
                driver.execute_bound_single_page(bound, state.clone())
            })
        }
        Request::Text(text) => read_page_of_text(call, text, state).await,
    }
}

/// Executes a write, unpaged: its whole answer fits in one frame.
pub(crate) async fn write(call: &Call, request: &mut Request) -> Result<QueryResult, Error> {
    match request {
        Request::Prepared(bound, bytes) => {
            run_attempts!(call, bound, *bytes, call.attempt_timeout(), |driver| driver.execute_bound_unpaged(bound))
        }
        Request::Text(text) => write_text(call, text, text.contents.len(), call.attempt_timeout()).await,
    }
}

// Boxed, because the driver's futures for a text are twice as large as those for a prepared statement, and rarely
// needed.
fn read_page_of_text<'c>(
    call: &'c Call,
    text: &'c mut unprepared::Statement,
    state: &'c PagingState,
) -> BoxFuture<'c, Result<(QueryResult, PagingStateResponse), Error>> {
    async move {
        run_attempts!(call, text, 0, call.attempt_timeout(), |driver| {
            driver.query_single_page(text.clone(), (), state.clone())
        })
    }
    .boxed()
}

fn write_text<'c>(
    call: &'c Call,
    text: &'c mut unprepared::Statement,
    bytes: usize,
    timeout: Duration,
) -> BoxFuture<'c, Result<QueryResult, Error>> {
    async move { run_attempts!(call, text, bytes, timeout, |driver| driver.query_unpaged(text.clone(), ())) }.boxed()
}

/// Executes a batch: several writes in one request.
pub(crate) async fn batch(
    call: &Call,
    batch: &mut Batch,
    values: &(impl BatchValues + ?Sized),
    bytes: usize,
) -> Result<QueryResult, Error> {
    run_attempts!(call, batch, bytes, call.attempt_timeout(), |driver| driver.batch(batch, values))
}

/// Reads one page for the session itself, outside any call: one attempt, which the driver makes without a permit.
pub(crate) fn read_session_page<'d>(
    driver: &'d DriverSession,
    text: &str,
    state: PagingState,
) -> BoxFuture<'d, Result<(QueryResult, PagingStateResponse), ExecutionError>> {
    driver.query_single_page(unprepared::Statement::new(text), (), state).boxed()
}

/// Executes a definition (DDL) as text, because Keyspaces does not prepare definitions.
pub(crate) async fn define(call: &Call, text: &str) -> Result<(), Error> {
    let mut statement = unprepared::Statement::new(text);
    // A definition takes the server longer than a write, so the attempt may use the whole call timeout.
    let call_timeout = call.session.call_timeout();
    let timeout = call.options.deadline.map_or(call_timeout, |deadline| deadline.min(call_timeout));
    write_text(call, &mut statement, 0, timeout).await.map(drop)
}

/// Waits until all nodes of a plain Cassandra have the same schema. On Keyspaces, schema agreement does not show that a
/// table is ready; the `schema` module polls the tables instead.
pub(crate) async fn agree_on_schema(call: &Call) -> Result<(), Error> {
    let in_flight = call.session.begin()?;
    let agreed = in_flight.driver().await_schema_agreement().boxed().await;
    let into_error = |error: SchemaAgreementError| {
        classify::execution_failure(ExecutionError::from(error)).into_error(
            &call.info.attempted,
            true,
            None,
            AttemptHistory::default(),
        )
    };
    agreed.map(drop).map_err(into_error)
}

/// A request that can be pinned to one peer and given a timeout.
trait PinnedRequest {
    fn pin_to(&mut self, permit: &Permit<'_>, timeout: Duration);

    /// A hash of the partition key, if the statement binds all of it.
    fn partition(&self) -> Option<i64> {
        None
    }
}

macro_rules! pinned_request {
    ($statement:ty $(, $partition:item)?) => {
        impl PinnedRequest for $statement {
            $($partition)?

            fn pin_to(&mut self, permit: &Permit<'_>, timeout: Duration) {
                self.set_load_balancing_policy(Some(permit.pinned_policy()));
                self.set_request_timeout(Some(timeout));
            }
        }
    };
}

pinned_request!(
    BoundStatement,
    fn partition(&self) -> Option<i64> {
        self.calculate_token().ok().flatten().map(|token| token.value())
    }
);
pinned_request!(unprepared::Statement);
pinned_request!(Batch);

/// The driver's answer to an attempt.
pub(crate) trait DriverAnswer {
    fn result(&self) -> &QueryResult;
}

impl DriverAnswer for QueryResult {
    fn result(&self) -> &QueryResult {
        self
    }
}

impl DriverAnswer for (QueryResult, PagingStateResponse) {
    fn result(&self) -> &QueryResult {
        &self.0
    }
}
