//! The size of a row and of its key, how many columns it has, and how long its numbers are.

use std::collections::HashSet;

use keyspaces_cql::{ColumnKind, rules};

use crate::gateway::account::Valued;
use crate::protocol::{Refusal, refused_by};

/// Refuses keys that are too large, and rows that are too large by what the statement writes to them; what they have
/// already is not looked at. Gives the row's size, estimated as the guide does (DG:calculating-row-size).
pub(super) fn check(write: &Valued<'_>) -> Result<usize, Refusal> {
    if write.cells.bytes(ColumnKind::PartitionKey) > rules::MAX_PARTITION_KEY_BYTES {
        return Err(refused_by(&rules::PARTITION_KEY_TOO_LARGE));
    }
    if write.cells.bytes(ColumnKind::Clustering) > rules::MAX_CLUSTERING_BYTES {
        return Err(refused_by(&rules::CLUSTERING_TOO_LARGE));
    }
    if write.cells.all.iter().any(|cell| cell.most_digits(write.cells.layout) > rules::MAX_DIGITS) {
        return Err(refused_by(&rules::TOO_MANY_DIGITS));
    }
    columns(write)?;
    let bytes = write.row().storage_bytes().max(write.row().static_bytes());
    // Its code is not known: that of the others is assumed.
    if bytes > rules::MAX_ROW_BYTES {
        return Err(refused_by(&rules::ROW_TOO_LARGE));
    }
    Ok(bytes)
}

/// The text shows them too, but for those of JSON; the table may have got a time to live since it was read.
fn columns(write: &Valued<'_>) -> Result<(), Refusal> {
    let outside_key = |kind| matches!(kind, ColumnKind::Static | ColumnKind::Regular);
    let columns = write.cells.all.iter().filter(|cell| outside_key(cell.kind)).map(|cell| cell.column);
    let columns = columns.collect::<HashSet<_>>().len();
    if columns > rules::MAX_COLUMNS {
        return Err(refused_by(&rules::TOO_MANY_COLUMNS));
    }
    if columns > rules::MAX_COLUMNS_WITH_TTL && write.expires() {
        return Err(refused_by(&rules::TOO_MANY_COLUMNS_WITH_TTL));
    }
    Ok(())
}
