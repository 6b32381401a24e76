//! What a session may use of a table, if the program sets a limit to it.

use std::num::NonZeroU32;
use std::time::Duration;

use super::rate::seconds;

/// How much of a table's capacity a session may use, in units a second: see
/// [`Builder::table_limit`](crate::Builder::table_limit).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[must_use]
pub struct TableLimit {
    read: Option<NonZeroU32>,
    write: Option<NonZeroU32>,
}

impl TableLimit {
    /// No limit to reading nor to writing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Read units a second: each is 4 kB at LOCAL_QUORUM (DG:ReadWriteCapacityMode).
    pub fn read_units(mut self, per_second: NonZeroU32) -> Self {
        self.read = Some(per_second);
        self
    }

    /// Write units a second: each is 1 kB of a row (DG:ReadWriteCapacityMode).
    pub fn write_units(mut self, per_second: NonZeroU32) -> Self {
        self.write = Some(per_second);
        self
    }

    pub(super) fn of(self, is_read: bool) -> Option<NonZeroU32> {
        if is_read { self.read } else { self.write }
    }
}

/// The units that may be used now, as a token bucket. What a request uses beyond what it took is owed, and the next ones
/// wait until it has come.
#[derive(Debug)]
pub(crate) struct Allowance {
    per_second: f64,
    units: f64,
    filled: Duration,
}

impl Allowance {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self { per_second: per_second.get().into(), units: per_second.get().into(), filled: Duration::ZERO }
    }

    /// How long until so many units may be used, after another `ahead`. No more is saved up than what comes in a second;
    /// a larger request waits for that, and leaves a debt.
    pub(crate) fn wait(&mut self, ahead: f64, units: f64, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.units = (self.units + passed * self.per_second).min(self.per_second);
        let missing = ahead + units.min(self.per_second) - self.units;
        // Rounded up: a wait that is rounded down ends just before its time.
        if missing <= 0.0 { Duration::ZERO } else { seconds(missing / self.per_second) + Duration::from_micros(1) }
    }

    /// Charges units; gives them back if they are negative.
    pub(crate) fn owe(&mut self, units: f64) {
        self.units -= units;
    }
}
