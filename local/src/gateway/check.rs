//! Checks of a request that need no values: its consistency, and the state of the tables that it names.

use std::sync::Arc;

use super::answer::cassandra_failed;
use super::data_request::DataRequest;
use super::dml::DmlStatement;
use super::request_context::RequestContext;
use crate::names::system_tables;
use crate::protocol::{Refusal, error_code};

/// Refuses a consistency that the service does not accept. Serial consistency is checked for conditional writes only.
/// With other statements it is ignored, as the protocol's specification says.
pub(super) fn check_consistency(statements: &[Arc<DmlStatement>], request: DataRequest<'_>) -> Result<(), Refusal> {
    let refuse = |text: String| Refusal { code: error_code::INVALID, text };
    let reads = statements.iter().any(|statement| statement.reads);
    request.consistency().check(reads).map_err(refuse)?;
    let conditional = statements.iter().any(|statement| statement.conditional);
    match request.serial_consistency().filter(|serial| conditional && !serial.is_serial()) {
        Some(serial) => Err(refuse(format!(
            "keyspaces-local: the serial consistency of a conditional write is SERIAL or LOCAL_SERIAL, not {serial}"
        ))),
        None => Ok(()),
    }
}

/// Refuses a statement that names a table which does not exist, cannot be used yet, or lacks a feature that it needs.
pub(super) async fn check_tables(context: &RequestContext<'_>, statement: &DmlStatement) -> Result<(), Refusal> {
    context.apply_due_changes().await?;
    let schema = &context.shared.schema;
    if statement.tables.iter().any(system_tables::shows_restorable_timestamps) {
        schema.refresh_earliest().await.map_err(cassandra_failed)?;
    }
    for (table, required_features) in statement.tables.iter().zip(&statement.required_features) {
        schema.check_table(table, *required_features)?;
    }
    Ok(())
}

/// The refusal of another statement in a batch, with Cassandra's own text.
pub(super) fn not_a_write() -> Refusal {
    Refusal {
        code: error_code::INVALID,
        text: "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.".into(),
    }
}
