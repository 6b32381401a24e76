//! Writes, and recording them for tables with point-in-time recovery.

use std::time::SystemTime;

use super::answer::{Answer, from_cassandra};
use super::bound_statement::BoundStatement;
use super::dml::DmlStatement;
use super::request_context::RequestContext;
use crate::history::{RecordedTable, WrittenRows, written_rows};
use crate::protocol::{Frame, Refusal};
use crate::statement::{BoundMarkers, evaluate};
use crate::upstream::connection_lost;

/// Whether a statement's nondeterministic functions have to be evaluated here: the gateway has to know which row of a
/// recorded table is written.
pub(super) fn must_evaluate(context: &RequestContext<'_>, statement: &DmlStatement) -> bool {
    let history = &context.shared.history;
    statement.is_nondeterministic() && statement.tables.iter().any(|table| history.is_recorded(table))
}

/// Replaces the calls of nondeterministic functions with their values, if they have to be evaluated here.
pub(super) fn evaluate_functions(context: &RequestContext<'_>, mut statement: DmlStatement) -> DmlStatement {
    if must_evaluate(context, &statement) {
        statement.text.edits.extend(evaluate(&statement.tree, SystemTime::now()));
    }
    statement
}

/// Sends a write to Cassandra. If one of its tables has recovery, its rows are in the history before the answer is
/// returned.
pub(super) async fn write(
    context: &RequestContext<'_>,
    request: Frame,
    statements: &[BoundStatement<'_>],
) -> Result<Answer, Refusal> {
    if !statements.iter().any(|bound| bound.statement.conditional) {
        return write_and_record(context, request, statements).await;
    }
    // The answer may contain the row for which the condition does not hold.
    let share = context.answers.take(1).await;
    let (answer, outcome) = write_and_record(context, request, statements).await?;
    Ok((answer.holding_permit(share), outcome))
}

async fn write_and_record(
    context: &RequestContext<'_>,
    request: Frame,
    statements: &[BoundStatement<'_>],
) -> Result<Answer, Refusal> {
    let history = &context.shared.history;
    let mut tables = statements.iter().flat_map(|bound| &bound.statement.tables);
    if !tables.any(|table| history.is_recorded(table)) {
        return context.forward(request).await;
    }
    let written = recorded_rows(context, request.stream, statements).await?;
    let accesses = statements.iter().flat_map(|bound| &bound.accesses);
    let partitions = accesses.map(|access| access.values.partition()).collect();
    let answer = history.write(context.upstream, request, written, partitions).await.map_err(|_| connection_lost())?;
    Ok(from_cassandra(context.with_client_names(answer)?))
}

/// The rows of recorded tables that a request may change.
async fn recorded_rows(
    context: &RequestContext<'_>,
    stream: i16,
    statements: &[BoundStatement<'_>],
) -> Result<Vec<WrittenRows>, Refusal> {
    let schema = &context.shared.schema;
    let mut all = Vec::new();
    for BoundStatement { statement, values, .. } in statements {
        let mut tables = Vec::with_capacity(statement.tables.len());
        for table in &statement.tables {
            tables.push(if context.shared.history.is_recorded(table) {
                Some(RecordedTable {
                    table: table.clone(),
                    layout: context.layout(stream, table).await?,
                    has_ttl: schema.features(table).ttl,
                    default_ttl: schema.options(table).and_then(|options| options.default_time_to_live),
                })
            } else {
                None
            });
        }
        let markers = BoundMarkers::new(&statement.tree, values);
        all.extend(written_rows(&statement.tree, &statement.text, &markers, &tables));
    }
    Ok(all)
}
