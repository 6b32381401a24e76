//! The capacity of a table in units a second.

use keyspaces_cql::CapacityMode;

/// The read and write units per second. On demand, these are the units that a new table has at once
/// (DG:ReadWriteCapacityMode.OnDemand).
pub(super) fn units_per_second(mode: CapacityMode) -> (f64, f64) {
    match mode {
        CapacityMode::OnDemand => (12_000.0, 4_000.0),
        CapacityMode::Provisioned { read, write } => (read.into(), write.into()),
    }
}
