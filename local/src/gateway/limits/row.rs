//! Limits of a row: its size and that of its key, the number of its columns, and the digits of its numbers.

use std::collections::HashSet;

use keyspaces_cql::{ColumnKind, rules};

use crate::gateway::capacity::BoundAccess;
use crate::protocol::{Refusal, refused_by};

/// Refuses keys that are too large, and rows that are too large by the values of the statement alone; values that the
/// row has already do not count. Returns the row's size, estimated as the guide does (DG:calculating-row-size).
pub(super) fn check(write: &BoundAccess<'_>) -> Result<usize, Refusal> {
    if write.values.bytes(ColumnKind::PartitionKey) > rules::MAX_PARTITION_KEY_BYTES {
        return Err(refused_by(&rules::PARTITION_KEY_TOO_LARGE));
    }
    if write.values.bytes(ColumnKind::Clustering) > rules::MAX_CLUSTERING_BYTES {
        return Err(refused_by(&rules::CLUSTERING_TOO_LARGE));
    }
    if write.values.all.iter().any(|value| value.max_digits(write.values.layout) > rules::MAX_DIGITS) {
        return Err(refused_by(&rules::TOO_MANY_DIGITS));
    }
    check_columns(write)?;
    let bytes = write.row().storage_bytes().max(write.row().static_bytes());
    // The error code is not known: that of the other limits is assumed.
    if bytes > rules::MAX_ROW_BYTES {
        return Err(refused_by(&rules::ROW_TOO_LARGE));
    }
    Ok(bytes)
}

/// The columns are counted in the text, too, except those in JSON. They are counted again here, because the table may
/// have got a time to live since the text was read.
fn check_columns(write: &BoundAccess<'_>) -> Result<(), Refusal> {
    let outside_key = |kind| matches!(kind, ColumnKind::Static | ColumnKind::Regular);
    let columns = write.values.all.iter().filter(|value| outside_key(value.kind)).map(|value| value.column);
    let columns = columns.collect::<HashSet<_>>().len();
    if columns > rules::MAX_COLUMNS {
        return Err(refused_by(&rules::TOO_MANY_COLUMNS));
    }
    if columns > rules::MAX_COLUMNS_WITH_TTL && write.expires() {
        return Err(refused_by(&rules::TOO_MANY_COLUMNS_WITH_TTL));
    }
    Ok(())
}
