//! The capacity of a table in units a second.

use keyspaces_cql::CapacityMode;

/// For reading and for writing, in a second. On demand it is what a new table takes at once
/// (DG:ReadWriteCapacityMode.OnDemand).
pub(super) fn units_per_second(mode: CapacityMode) -> (f64, f64) {
    match mode {
        CapacityMode::OnDemand => (12_000.0, 4_000.0),
        CapacityMode::Provisioned { read, write } => (read.into(), write.into()),
    }
}
