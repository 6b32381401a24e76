//! When clients say that they wrote, where a table takes their word for it (DG:client-side-timestamps).

use std::borrow::Borrow;
use std::time::SystemTime;

use keyspaces_cql::rules;
use keyspaces_cql::statement::Using;

use super::Bound;
use crate::gateway::prepared::Facts;
use crate::gateway::statement::Statement;
use crate::protocol::{Refusal, refused_by};

/// Refuses a `USING TIMESTAMP` outside the service's window.
pub(super) fn check(using: &Using, bound: &Bound<'_>, now: SystemTime) -> Result<(), Refusal> {
    match using.timestamp().and_then(|timestamp| bound.long(timestamp, "[timestamp]")) {
        Some(timestamp) => within(timestamp, now),
        None => Ok(()),
    }
}

impl Statement<'_> {
    /// What of a frame's timestamp is sent on. It is for the statements that say nothing themselves, in tables that have
    /// client-side timestamps; that others ignore it is inferred: the Java driver sends one with everything, and works.
    /// Cassandra knows one for all statements of a batch, so it is kept if all their tables take it.
    pub(in crate::gateway) fn frames_timestamp<F: Borrow<Facts>>(
        &self,
        timestamp: Option<i64>,
        all: &[F],
    ) -> Result<Option<i64>, Refusal> {
        let Some(given) = timestamp else { return Ok(None) };
        let writes = all.iter().map(F::borrow).filter(|facts| !facts.reads);
        let writes = writes.flat_map(|facts| facts.tables.iter().zip(&facts.needs));
        let (mut takes, mut ignores) = (false, false);
        for (table, _) in writes.filter(|(_, needs)| !needs.timestamps) {
            let timestamps = self.shared.schema.features(table).timestamps;
            takes |= timestamps;
            ignores |= !timestamps;
        }
        if takes {
            within(given, (self.shared.clock)())?;
        }
        Ok(timestamp.filter(|_| takes && !ignores))
    }
}

fn within(timestamp: i64, now: SystemTime) -> Result<(), Refusal> {
    if rules::takes_timestamp(timestamp, now) { Ok(()) } else { Err(refused_by(&rules::TIMESTAMP_OUTSIDE_WINDOW)) }
}
