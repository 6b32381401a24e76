//! How much a table takes.

use serde::{Deserialize, Serialize};

/// How much a table takes, as its definition says (`DG:ReadWriteCapacityMode`).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CapacityMode {
    /// 12,000 read and 4,000 write units a second, which is what a new table takes at once
    /// (`DG:ReadWriteCapacityMode.OnDemand`). The service goes up with what the table has borne before; here it does not.
    #[default]
    OnDemand,
    /// So many units a second, at least one of each.
    Provisioned {
        /// Read units.
        read: u64,
        /// Write units.
        write: u64,
    },
}

impl CapacityMode {
    /// For reading and for writing.
    pub(super) fn units_per_second(self) -> (f64, f64) {
        match self {
            Self::OnDemand => (12_000.0, 4_000.0),
            Self::Provisioned { read, write } => (units(read), units(write)),
        }
    }
}

fn units(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
