//! Capacity units.

use crate::saturated::saturated;

/// The bytes that one write unit (WCU or WRU) writes (`DG:consistency`).
pub const WRITE_UNIT_BYTES: usize = 1_024;

/// The bytes that one read unit (RCU or RRU) reads at LOCAL_QUORUM (`DG:consistency`).
pub const READ_UNIT_BYTES: usize = 4_096;

/// The factor by which a logged batch multiplies the write units of its rows (`DG:batchStatements`).
pub const LOGGED_BATCH_FACTOR: u64 = 2;

/// The units to write a row of this many bytes: at least one. A conditional write that finds no row also costs one unit
/// (`DG:lightweight_transactions`).
///
/// Conditional writes cost no more than others. The expiry of a row with a time to live costs the same again (`DG:TTL`),
/// and is not included.
#[must_use]
pub fn write_units(bytes: usize) -> u64 {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1) as u64
}

/// The cost of reads, by their consistency.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ReadCost {
    /// LOCAL_QUORUM: one unit for each 4 KB.
    Quorum,
    /// ONE and LOCAL_ONE: half a unit for each 4 KB.
    One,
}

impl ReadCost {
    /// The units to read this many bytes with one request. All bytes that are read count, also those that are not
    /// returned (`DG:capacity-examples`).
    ///
    /// It is inferred that a request that finds nothing costs as much as one that finds a small row.
    #[must_use]
    pub fn units(self, bytes: usize) -> f64 {
        // A page has at most 1 MB, 256 units: the number is exact.
        let whole = f64::from(saturated::<u32>(bytes.div_ceil(READ_UNIT_BYTES).max(1)));
        match self {
            Self::Quorum => whole,
            Self::One => whole / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_consumes_one_unit_per_started_kilobyte() {
        for (bytes, units) in [(0, 1), (1, 1), (1_024, 1), (1_025, 2), (1 << 20, 1_024)] {
            assert_eq!(write_units(bytes), units, "{bytes}");
        }
    }

    /// The figures are from DG:consistency and DG:ReadWriteCapacityMode.
    #[test]
    fn read_costs_one_unit_per_started_4_kb_and_half_at_consistency_one() {
        for (bytes, quorum, one) in [(0, 1.0, 0.5), (4_096, 1.0, 0.5), (8_192, 2.0, 1.0), (8_193, 3.0, 1.5)] {
            assert_eq!((ReadCost::Quorum.units(bytes), ReadCost::One.units(bytes)), (quorum, one), "{bytes}");
        }
    }
}
