//! The path of a request with a statement, from top to bottom:
//!
//! 1. **read**: `connection.rs` reads a frame from the socket, and `protocol::request` parses it to a [`Request`].
//! 2. **analyse**: [`analyse`] parses a text once, checks it against the service's rules and finds its tables. A
//!    prepared statement was analysed when it was prepared.
//! 3. **check**: [`check_consistency`], [`check_tables`] and [`check_limits`] check the parameters of the request, the
//!    state of the tables, and the values.
//! 4. **admit**: [`admit`] takes the capacity that the request needs, or it is throttled.
//! 5. **run**: [`paging::read`] or [`write()`] sends it to Cassandra; a definition goes to the schema instead.
//! 6. **account**: [`record_consumption`] counts the consumption.
//! 7. **answer**: `connection.rs` enters the outcome in the journal and sends the frame.

use std::sync::Arc;

use keyspaces_cql::statement;
use tokio::time::Instant;

use super::account::{admit, record_consumption};
use super::analyse::{Analysed, Rejected, analyse, check_batch};
use super::answer::{Answer, from_cassandra, refused, set_keyspace, unprepared, void};
use super::bound_statement::{BoundStatement, capacity_plan};
use super::capacity::{CostTerms, RequiredCapacity};
use super::check::{check_consistency, check_tables, not_a_write};
use super::data_request::{DataRequest, SingleRequest};
use super::dml::DmlStatement;
use super::limits::{check_limits, timestamp_of_frame};
use super::paging;
use super::request_context::RequestContext;
use super::write::{evaluate_functions, must_evaluate, write};
use crate::protocol::request::{self, Batch, BatchKind, Execute, Query, Request, TextOrId};
use crate::protocol::{Frame, Opcode, Refusal, error_code, error_of, metadata, not_emulated};
use crate::upstream::connection_lost;

/// Answers a request. `frame` is its frame: its stream and its share of memory are used for the answer.
///
/// The stages are boxed, here and below. Otherwise each request that waits for its client to read would hold the space
/// of the largest of all futures, some 80 kB.
pub(super) async fn answer(context: &RequestContext<'_>, frame: Frame, request: Request) -> Answer {
    let stream = frame.stream;
    // If a write finds that its table is not recorded, the baseline contains the write, because the baseline waits
    // until this request ends.
    let _in_progress = context.shared.history.write_in_progress();
    let answer = match request {
        Request::Query(query) => Box::pin(answer_query(context, frame, query)).await,
        Request::Prepare(text) => Box::pin(answer_prepare(context, frame, &text)).await,
        Request::Execute(execute) => Box::pin(answer_execute(context, frame, &execute)).await,
        Request::Batch(batch) => Box::pin(answer_batch(context, frame, batch)).await,
    };
    match answer {
        Ok(answer) => answer,
        Err(refusal) => refused(stream, explain_cassandra_exit(context, refusal).await),
    }
}

async fn answer_query(context: &RequestContext<'_>, frame: Frame, query: Query) -> Result<Answer, Refusal> {
    let stream = frame.stream;
    let statement = match Box::pin(analyse(context, stream, &query.text, false)).await {
        Ok(Analysed::Dml(statement)) => statement,
        Ok(Analysed::Use(keyspace)) => {
            context.apply_due_changes().await?;
            context.shared.schema.check_keyspace(&keyspace)?;
            let answer = set_keyspace(stream, &keyspace);
            *context.keyspace.lock() = Some(keyspace);
            return Ok(answer);
        }
        Ok(Analysed::Define(definition)) => {
            let answer = context.shared.define(*definition).await?;
            return Ok(from_cassandra(Frame::new(stream, answer.opcode, answer.body)));
        }
        Ok(Analysed::NothingToDo) => return Ok(void(stream)),
        Err(Rejected::Refused(refusal)) => return Err(refusal),
        Err(Rejected::Unparsed(refusal)) => return syntax_error(context, stream, &query.text, refusal).await,
    };
    let statement = evaluate_functions(context, statement);
    let text = statement.text.for_cassandra();
    let request = DataRequest::Single(SingleRequest::Query(&query, &text));
    Box::pin(execute_dml(context, frame, &[Arc::new(statement)], request)).await
}

async fn answer_prepare(context: &RequestContext<'_>, frame: Frame, text: &str) -> Result<Answer, Refusal> {
    let statement = match analyse(context, frame.stream, text, true).await {
        Ok(Analysed::Dml(statement)) => statement,
        Ok(_) => return Err(not_emulated("this statement as a prepared one")),
        Err(Rejected::Refused(refusal)) => return Err(refusal),
        Err(Rejected::Unparsed(refusal)) => return syntax_error(context, frame.stream, text, refusal).await,
    };
    check_tables(context, &statement).await?;
    let definitions = context.shared.layouts.definitions();
    let body = request::write_prepare(frame.stream, &statement.text.for_cassandra()).body;
    let (answer, outcome) = context.forward(frame.with_body(body)).await?;
    if let Some(id) = metadata::prepared_id(&answer) {
        context.shared.prepared.insert(id, statement, context.peer, definitions);
    }
    Ok((answer, outcome))
}

async fn answer_execute(context: &RequestContext<'_>, frame: Frame, execute: &Execute) -> Result<Answer, Refusal> {
    let Some(statement) = context.shared.prepared.get(&execute.id) else {
        return Ok(unprepared(frame.stream, &execute.id));
    };
    if statement.reads && execute.parameters.skips_metadata() && has_other_columns(context, &execute.id, &statement) {
        return Ok(unprepared(frame.stream, &execute.id));
    }
    if !must_evaluate(context, &statement) {
        let request = DataRequest::Single(SingleRequest::Execute(execute));
        return Box::pin(execute_dml(context, frame, &[statement], request)).await;
    }
    let mut frame = frame;
    frame.opcode = Opcode::Query;
    let statement = evaluate_functions(context, (*statement).clone());
    let text = statement.text.for_cassandra();
    let query = Query { text: String::new(), parameters: execute.parameters.clone() };
    let request = DataRequest::Single(SingleRequest::Query(&query, &text));
    Box::pin(execute_dml(context, frame, &[Arc::new(statement)], request)).await
}

async fn answer_batch(context: &RequestContext<'_>, frame: Frame, mut batch: Batch) -> Result<Answer, Refusal> {
    let stream = frame.stream;
    let mut texts = Vec::with_capacity(batch.statements.len());
    let mut statements = Vec::with_capacity(batch.statements.len());
    for batched in &mut batch.statements {
        let statement = match &batched.statement {
            TextOrId::Id(id) => {
                let Some(statement) = context.shared.prepared.get(id) else { return Ok(unprepared(stream, id)) };
                if !must_evaluate(context, &statement) {
                    texts.push(String::new());
                    statements.push(statement);
                    continue;
                }
                (*statement).clone()
            }
            TextOrId::Text(text) => match analyse(context, stream, text, false).await {
                Ok(Analysed::Dml(statement)) if !statement.reads => statement,
                Ok(_) => return Err(not_a_write()),
                Err(Rejected::Refused(refusal)) => return Err(refusal),
                Err(Rejected::Unparsed(refusal)) => return syntax_error(context, stream, text, refusal).await,
            },
        };
        let statement = evaluate_functions(context, statement);
        texts.push(statement.text.for_cassandra());
        // A prepared statement whose functions were evaluated here is sent as a text.
        batched.statement = TextOrId::Text(String::new());
        statements.push(Arc::new(statement));
    }
    let kind = match batch.kind {
        BatchKind::Logged => statement::BatchKind::Logged,
        BatchKind::Unlogged => statement::BatchKind::Unlogged,
        BatchKind::Counter => statement::BatchKind::Counter,
    };
    check_batch(context, stream, kind, &statements).await?;
    Box::pin(execute_dml(context, frame, &statements, DataRequest::Batch(&batch, &texts))).await
}

/// Executes one DML statement, or those of a batch: check, admit, run, account.
async fn execute_dml(
    context: &RequestContext<'_>,
    frame: Frame,
    statements: &[Arc<DmlStatement>],
    request: DataRequest<'_>,
) -> Result<Answer, Refusal> {
    let stream = frame.stream;
    check_consistency(statements, request)?;
    for statement in statements {
        check_tables(context, statement).await?;
    }
    let timestamp = timestamp_of_frame(context, request.timestamp(), statements)?;
    let mut plans = Vec::with_capacity(statements.len());
    for statement in statements {
        plans.push(capacity_plan(context, stream, statement).await?);
    }
    let values = request.values();
    let with_values = statements.iter().zip(&values).zip(&plans);
    let bound: Vec<_> =
        with_values.map(|((statement, values), plan)| BoundStatement::new(statement, values, plan)).collect();
    let logged = request.is_logged_batch() || plans.iter().any(|plan| plan.is_logged_batch());
    check_limits(context, stream, &bound, logged).await?;

    let batch = matches!(request, DataRequest::Batch(..));
    let terms = CostTerms { logged, batch, consistency: request.consistency() };
    let accesses = bound.iter().flat_map(|statement| &statement.accesses);
    let required = RequiredCapacity::new(accesses, terms, |table| context.shared.schema.capacity_mode(table));
    if let Err(throttled) = admit(context, stream, &required) {
        return Ok(throttled);
    }

    let began = Instant::now();
    let result = match (request, statements) {
        (DataRequest::Single(single), [statement]) if statement.reads => {
            Box::pin(paging::read(context, frame, statement, single)).await
        }
        _ => {
            let written = Box::pin(write(context, frame.with_body(request.body(timestamp)), &bound)).await;
            written.map(|answer| (answer, 0))
        }
    };

    record_consumption(context, &required, &result, began.elapsed());
    result.map(|(answer, _)| answer)
}

/// Whether a table of a prepared statement was altered since this peer last sent the columns of its rows. In a cluster,
/// each node forgets its prepared statements when a table is altered. The backing Cassandra forgets them once for all
/// peers. So a client of another peer that requests rows without their columns would read them as the old columns.
fn has_other_columns(context: &RequestContext<'_>, id: &[u8], statement: &DmlStatement) -> bool {
    let layouts = &context.shared.layouts;
    let sent = context.shared.prepared.definitions_when_sent(id, context.peer);
    sent.is_some_and(|sent| statement.tables.iter().any(|table| layouts.has_changed_since(table, sent)))
}

/// Lets Cassandra prepare a text that could not be parsed here. If Cassandra finds a syntax error, its message is the
/// answer, otherwise the answer is `otherwise`.
async fn syntax_error(
    context: &RequestContext<'_>,
    stream: i16,
    text: &str,
    otherwise: Refusal,
) -> Result<Answer, Refusal> {
    let answer = context.upstream.call(request::write_prepare(stream, text)).await.map_err(|_| connection_lost())?;
    match error_of(&answer) {
        Some((error_code::SYNTAX_ERROR, _)) => Ok(from_cassandra(answer)),
        _ => Err(otherwise),
    }
}

/// Replaces the text of the refusal with how Cassandra ended, if that is why the request failed.
async fn explain_cassandra_exit(context: &RequestContext<'_>, refusal: Refusal) -> Refusal {
    if refusal.code != error_code::SERVER_ERROR || !context.upstream.is_closed() {
        return refusal;
    }
    match context.shared.cassandra_exit.summary().await {
        Some(end) => Refusal { text: format!("keyspaces-local: {end}"), ..refusal },
        None => refusal,
    }
}
