//! Capacity units.

use crate::saturated::saturated;

/// How many bytes one write unit (WCU or WRU) writes (`DG:consistency`).
pub const WRITE_UNIT_BYTES: usize = 1_024;

/// How many bytes one read unit (RCU or RRU) reads at LOCAL_QUORUM (`DG:consistency`).
pub const READ_UNIT_BYTES: usize = 4_096;

/// How many times the units of a row it takes to write it in a logged batch (`DG:batchStatements`).
pub const LOGGED_BATCH_FACTOR: u64 = 2;

/// The units that it takes to write a row of so many bytes: at least one, as it also takes where a condition does not
/// hold and there is no row (`DG:lightweight_transactions`).
///
/// Conditional writes cost no more than others. What a row's time to live deletes later costs the same again
/// (`DG:TTL`), and is not in this.
#[must_use]
pub fn write_units(bytes: usize) -> u64 {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1) as u64
}

/// What reading costs, by its consistency.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ReadCost {
    /// LOCAL_QUORUM: whole units.
    Quorum,
    /// ONE and LOCAL_ONE: half of that.
    One,
}

impl ReadCost {
    /// The units that it takes to read so many bytes with one request; what counts is what was read, not what was
    /// returned (`DG:capacity-examples`).
    ///
    /// That a request which finds nothing costs as much as one that finds a small row is inferred.
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
    fn a_write_takes_a_unit_for_each_kilobyte_begun() {
        for (bytes, units) in [(0, 1), (1, 1), (1_024, 1), (1_025, 2), (1 << 20, 1_024)] {
            assert_eq!(write_units(bytes), units, "{bytes}");
        }
    }

    /// DG:consistency, DG:ReadWriteCapacityMode.
    #[test]
    fn a_read_takes_a_unit_for_each_four_kilobytes_begun_and_half_of_it_at_one() {
        for (bytes, quorum, one) in [(0, 1.0, 0.5), (4_096, 1.0, 0.5), (8_192, 2.0, 1.0), (8_193, 3.0, 1.5)] {
            assert_eq!((ReadCost::Quorum.units(bytes), ReadCost::One.units(bytes)), (quorum, one), "{bytes}");
        }
    }
}
