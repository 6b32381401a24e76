//! The clock.

use crate::saturated::saturated;
use std::sync::Arc;
use std::time::SystemTime;

/// Returns the current time; tests inject their own clock.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A time in milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    saturated::<u64>(since.as_millis())
}
