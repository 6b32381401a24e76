//! The one path that every request takes: nothing else in the crate talks to the driver to run a statement.

use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::statement::bound::BoundStatement;
use scylla::statement::unprepared;

use crate::statement::About;
use crate::{Error, Session, classify};

/// One page of a read, from `state` on.
pub(crate) async fn page(
    session: &Session,
    about: &About,
    bound: &BoundStatement,
    state: PagingState,
) -> Result<(QueryResult, PagingStateResponse), Error> {
    let in_flight = session.begin()?;
    let attempt = in_flight.driver().execute_bound_single_page(bound, state).await;
    attempt.map_err(|error| classify::execution(&about.attempted, about.repeatable, error))
}

/// A write: all of its answer fits one frame.
pub(crate) async fn write(session: &Session, about: &About, bound: &BoundStatement) -> Result<(), Error> {
    let in_flight = session.begin()?;
    let attempt = in_flight.driver().execute_bound_unpaged(bound).await;
    attempt.map(drop).map_err(|error| classify::execution(&about.attempted, about.repeatable, error))
}

/// A definition: Keyspaces prepares none, so its text is sent.
pub(crate) async fn define(session: &Session, about: &About, text: &str) -> Result<(), Error> {
    let in_flight = session.begin()?;
    let attempt = in_flight.driver().query_unpaged(unprepared::Statement::new(text), ()).await;
    attempt.map(drop).map_err(|error| classify::execution(&about.attempted, about.repeatable, error))
}

/// Until all nodes of a plain Cassandra have the same schema. On Keyspaces agreement says nothing: `schema` looks there.
pub(crate) async fn agree_on_schema(session: &Session, about: &About) -> Result<(), Error> {
    let in_flight = session.begin()?;
    let agreed = in_flight.driver().await_schema_agreement().await;
    agreed.map(drop).map_err(|error| classify::execution(&about.attempted, true, error.into()))
}
