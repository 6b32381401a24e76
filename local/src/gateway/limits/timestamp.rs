//! Client-side timestamps, and the window in which the service accepts them (DG:client-side-timestamps).

use std::sync::Arc;
use std::time::SystemTime;

use keyspaces_cql::rules;
use keyspaces_cql::statement::Using;

use crate::gateway::dml::DmlStatement;
use crate::gateway::request_context::RequestContext;
use crate::protocol::{Refusal, refused_by};
use crate::statement::BoundMarkers;

/// Refuses a `USING TIMESTAMP` outside the service's window.
pub(super) fn check(using: &Using, markers: &BoundMarkers<'_>, now: SystemTime) -> Result<(), Refusal> {
    match using.timestamp().and_then(|timestamp| markers.long(timestamp, "[timestamp]")) {
        Some(timestamp) => check_window(timestamp, now),
        None => Ok(()),
    }
}

/// The timestamp of a frame, if it is sent to Cassandra. It applies to statements without USING TIMESTAMP, in tables
/// that have client-side timestamps. It is inferred that other tables ignore it, because the Java driver sends one with
/// every request. Cassandra applies it to all statements of a batch, so it is kept only if all their tables have
/// client-side timestamps.
pub(in crate::gateway) fn timestamp_of_frame(
    context: &RequestContext<'_>,
    timestamp: Option<i64>,
    statements: &[Arc<DmlStatement>],
) -> Result<Option<i64>, Refusal> {
    let Some(given) = timestamp else { return Ok(None) };
    let writes = statements.iter().filter(|statement| !statement.reads);
    let writes = writes.flat_map(|statement| statement.tables.iter().zip(&statement.required_features));
    let (mut takes, mut ignores) = (false, false);
    for (table, _) in writes.filter(|(_, required_features)| !required_features.timestamps) {
        let timestamps = context.shared.schema.features(table).timestamps;
        takes |= timestamps;
        ignores |= !timestamps;
    }
    if takes {
        check_window(given, (context.shared.clock)())?;
    }
    Ok(timestamp.filter(|_| takes && !ignores))
}

fn check_window(timestamp: i64, now: SystemTime) -> Result<(), Refusal> {
    if rules::takes_timestamp(timestamp, now) { Ok(()) } else { Err(refused_by(&rules::TIMESTAMP_OUTSIDE_WINDOW)) }
}
