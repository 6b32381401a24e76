//! Limits that depend on the bound values and on the table (DG:quotas, DG:functional-differences, DG:batchStatements).

mod logged_batch;
mod range_delete;
mod row;
mod timestamp;

use std::sync::Arc;

use keyspaces_cql::statement::{Comparand, Operator, Select, Using};
use keyspaces_cql::{Statement as Tree, rules};

use super::bound_statement::BoundStatement;
use super::request_context::RequestContext;
use crate::names::SchemaObject;
use crate::protocol::{Reader, Refusal, refused_by};
use crate::statement::{BoundMarkers, ModificationRef, SerializedValues, StatementText, modifications};
use crate::upstream::Layout;
pub(super) use timestamp::timestamp_of_frame;

/// One INSERT, UPDATE or DELETE with its table and its values.
struct BoundModification<'a> {
    modification: ModificationRef<'a>,
    table: &'a SchemaObject,
    layout: Arc<Layout>,
    markers: &'a BoundMarkers<'a>,
    values: &'a SerializedValues<'a>,
    /// The text of its statement.
    text: &'a StatementText,
}

/// Refuses a request that exceeds one of the limits. `logged` is whether it is a logged batch.
pub(super) async fn check_limits(
    context: &RequestContext<'_>,
    stream: i16,
    statements: &[BoundStatement<'_>],
    logged: bool,
) -> Result<(), Refusal> {
    let mut bytes = 0;
    for write in statements.iter().flat_map(|bound| &bound.accesses).filter(|access| access.is_write()) {
        bytes += row::check(write)?;
    }
    if !statements.iter().any(|bound| bound.statement.needs_value_checks(logged)) {
        return Ok(());
    }
    let markers: Vec<_> =
        statements.iter().map(|bound| BoundMarkers::new(&bound.statement.tree, bound.values)).collect();
    let (mut writes, now) = (Vec::new(), (context.shared.clock)());
    for (bound, markers) in statements.iter().zip(&markers) {
        let BoundStatement { statement, accesses, .. } = bound;
        if let Tree::Select(select) = &*statement.tree {
            return check_subqueries(select, markers);
        }
        for using in statement.tree.usings() {
            check_time_to_live(using, markers)?;
            timestamp::check(using, markers, now)?;
        }
        let modifications = modifications(&statement.tree).into_iter().zip(&statement.tables).zip(accesses);
        for ((modification, table), access) in modifications {
            let layout = context.layout(stream, table).await?;
            let (values, text) = (&access.values, &statement.text);
            writes.push(BoundModification { modification, table, layout, markers, values, text });
        }
    }
    if logged {
        logged_batch::check(&writes, bytes)?;
    }
    for write in &writes {
        range_delete::check(context, stream, write).await?;
    }
    Ok(())
}

fn check_time_to_live(using: &Using, markers: &BoundMarkers<'_>) -> Result<(), Refusal> {
    let seconds = using.ttl().and_then(|ttl| markers.int(ttl, "[ttl]"));
    match seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        Some(seconds) if seconds > rules::MAX_TTL_SECONDS => Err(refused_by(&rules::TTL_TOO_LONG)),
        _ => Ok(()),
    }
}

/// Refuses too many combinations of the values after IN, including lists that are bound as a whole.
fn check_subqueries(select: &Select, markers: &BoundMarkers<'_>) -> Result<(), Refusal> {
    let lists = select.relations.iter().filter(|relation| relation.operator == Operator::In);
    let widths = lists.map(|list| match &list.comparand {
        Comparand::Values(values) => values.len(),
        Comparand::Term(term) => {
            let name = list.columns().next().map(|column| format!("in({})", column.text)).unwrap_or_default();
            markers.bytes(term, &name).and_then(|list| Reader::new(list).count().ok()).unwrap_or(1)
        }
        _ => 1,
    });
    if widths.fold(1, usize::saturating_mul) > rules::MAX_IN_SUBQUERIES {
        return Err(refused_by(&rules::IN_SUBQUERY_LIMIT));
    }
    Ok(())
}
