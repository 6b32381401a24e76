//! A statement with the values of a request.

use std::sync::Arc;

use super::capacity::{BoundAccess, CapacityPlan};
use super::dml::DmlStatement;
use super::request_context::RequestContext;
use crate::protocol::{Refusal, Values};

/// A statement with the values of a request, by itself or as one of a batch.
pub(super) struct BoundStatement<'a> {
    pub(super) statement: &'a DmlStatement,
    pub(super) values: &'a Values<'a>,
    /// The accesses to its tables, with these values.
    pub(super) accesses: Vec<BoundAccess<'a>>,
}

impl<'a> BoundStatement<'a> {
    pub(super) fn new(statement: &'a DmlStatement, values: &'a Values<'a>, plan: &'a CapacityPlan) -> Self {
        Self { statement, values, accesses: plan.bind(values) }
    }
}

/// The capacity plan of a statement: the one cached with it, or a new one.
pub(super) async fn capacity_plan(
    context: &RequestContext<'_>,
    stream: i16,
    statement: &DmlStatement,
) -> Result<Arc<CapacityPlan>, Refusal> {
    // System tables take no capacity.
    if statement.has_system_table() {
        return Ok(Arc::default());
    }
    let definitions = context.shared.layouts.definitions();
    if let Some(plan) = statement.capacity_plan.get(definitions) {
        return Ok(plan);
    }
    let mut tables = Vec::with_capacity(statement.tables.len());
    for table in &statement.tables {
        tables.push((table, context.layout(stream, table).await?, context.shared.schema.features(table)));
    }
    let plan = Arc::new(CapacityPlan::new(&statement.tree, &tables));
    statement.capacity_plan.set(definitions, &plan);
    Ok(plan)
}
