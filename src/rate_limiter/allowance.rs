//! The limit that the program sets on a session's use of a table's capacity.

use std::num::NonZeroU32;
use std::time::Duration;

use super::token_bucket::seconds;

/// The capacity of a table that a session may use, in units per second: see
/// [`SessionBuilder::table_limit`](crate::SessionBuilder::table_limit).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[must_use]
pub struct TableLimit {
    read: Option<NonZeroU32>,
    write: Option<NonZeroU32>,
}

impl TableLimit {
    /// Sets no limit for reads or writes.
    pub fn none() -> Self {
        Self::default()
    }

    /// Limits reads to this many read units per second. One unit reads 4 kB at LOCAL_QUORUM (DG:ReadWriteCapacityMode).
    pub fn read_units(mut self, per_second: NonZeroU32) -> Self {
        self.read = Some(per_second);
        self
    }

    /// Limits writes to this many write units per second. One unit writes 1 kB of a row (DG:ReadWriteCapacityMode).
    pub fn write_units(mut self, per_second: NonZeroU32) -> Self {
        self.write = Some(per_second);
        self
    }

    pub(super) fn units_per_second(self, is_read: bool) -> Option<NonZeroU32> {
        if is_read { self.read } else { self.write }
    }
}

/// The units that may be used now, as a token bucket. If a request uses more units than it acquired, the balance
/// becomes negative, and the next requests wait until it has refilled.
#[derive(Debug)]
pub(crate) struct Allowance {
    per_second: f64,
    units: f64,
    refilled_at: Duration,
}

impl Allowance {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self { per_second: per_second.get().into(), units: per_second.get().into(), refilled_at: Duration::ZERO }
    }

    /// How long until `units` may be used, after the `ahead` units before them. The bucket holds at most one second's
    /// units; a larger request waits for a full bucket and leaves a negative balance.
    pub(crate) fn wait_time(&mut self, ahead: f64, units: f64, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.refilled_at).as_secs_f64();
        self.refilled_at = self.refilled_at.max(now);
        self.units = (self.units + passed * self.per_second).min(self.per_second);
        let missing = ahead + units.min(self.per_second) - self.units;
        // Rounded up, because a wait that is rounded down ends slightly too early.
        if missing <= 0.0 { Duration::ZERO } else { seconds(missing / self.per_second) + Duration::from_micros(1) }
    }

    /// Charges units that are used.
    pub(crate) fn charge(&mut self, units: f64) {
        self.units -= units;
    }

    /// Returns units that were charged and not used.
    pub(super) fn refund(&mut self, units: f64) {
        self.units += units;
    }
}
