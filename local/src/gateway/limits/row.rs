//! The size of a row and of its key.

use keyspaces_cql::rules;

use crate::auth::Refusal;
use crate::gateway::measure::{Role, Step};
use crate::gateway::understand::refused_by;
use crate::gateway::values::Values;

/// Refuses keys that are too large, and rows that are too large by what the statement writes to them; what they have
/// already is not looked at. Gives the row's size, estimated as the guide does (DG:calculating-row-size).
pub(super) fn check(write: &Step, values: &Values<'_>) -> Result<usize, Refusal> {
    if write.value_bytes(Role::PartitionKey, values) > rules::MAX_PARTITION_KEY_BYTES {
        return Err(refused_by(&rules::PARTITION_KEY_TOO_LARGE));
    }
    if write.value_bytes(Role::Clustering, values) > rules::MAX_CLUSTERING_BYTES {
        return Err(refused_by(&rules::CLUSTERING_TOO_LARGE));
    }
    let row = write.row(values);
    let bytes = row.storage_bytes().max(row.static_bytes());
    // Its code is not known: that of the others is assumed.
    if bytes > rules::MAX_ROW_BYTES {
        return Err(refused_by(&rules::ROW_TOO_LARGE));
    }
    Ok(bytes)
}
