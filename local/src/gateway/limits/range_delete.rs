//! The limit of rows that one DELETE deletes.

use keyspaces_cql::statement::Operator;
use keyspaces_cql::{Span, rules};

use super::BoundModification;
use crate::gateway::request_context::RequestContext;
use crate::names::quoted;
use crate::protocol::{Frame, Opcode, Refusal, Rows, refused_by, request};
use crate::statement::ModificationRef;
use crate::upstream::connection_lost;

/// Refuses a DELETE of more rows than the service accepts. Counts them first, up to one row more than the limit.
pub(super) async fn check(
    context: &RequestContext<'_>,
    stream: i16,
    write: &BoundModification<'_>,
) -> Result<(), Refusal> {
    let ModificationRef::Delete(delete) = write.modification else { return Ok(()) };
    let [first, ..] = write.layout.partition_key.as_slice() else { return Ok(()) };
    if !is_range(write) || !delete.targets.is_empty() || delete.condition.is_some() {
        return Ok(());
    }
    let span = delete.relations.iter().map(|relation| relation.span).reduce(Span::to).unwrap_or_default();
    let limit = rules::MAX_RANGE_DELETE_ROWS + 1;
    let text = format!(
        "SELECT {} FROM {} WHERE {} LIMIT {limit}",
        quoted(&first.name),
        context.shared.schema.names().qualified(write.table),
        write.text.part(span),
    );
    let parameters = write.markers.parameters(write.markers.markers_in(span));
    let body = request::query(&text, &parameters.for_page(limit, None));
    let answer = context.upstream.call(Frame::new(stream, Opcode::Query, body)).await.map_err(|_| connection_lost())?;
    let counted = match answer.opcode {
        Opcode::Result => Rows::read(&answer.body).ok().flatten().map_or(0, |rows| rows.count),
        // Cassandra refuses the DELETE for the same reason, with a better message.
        _ => 0,
    };
    if counted >= limit { Err(refused_by(&rules::RANGE_DELETE_TOO_LARGE)) } else { Ok(()) }
}

/// Whether a DELETE or an UPDATE does not give the whole primary key.
pub(super) fn is_range(write: &BoundModification<'_>) -> bool {
    let relations = match write.modification {
        ModificationRef::Insert(_) => return false,
        ModificationRef::Update(update) => &update.relations,
        ModificationRef::Delete(delete) => &delete.relations,
    };
    let named = |name: &str| {
        let exact = relations.iter().filter(|relation| relation.operator == Operator::Equal);
        exact.flat_map(|relation| relation.columns()).any(|column| column.text == name)
    };
    !write.layout.key().all(|column| named(&column.name))
}
