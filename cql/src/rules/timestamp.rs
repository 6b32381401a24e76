//! The rule on client-side timestamps, which depends on the service's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::rules;

/// The maximum age of a timestamp (`DG:client-side-timestamps-how-to-queries`).
pub const MAX_TIMESTAMP_AGE: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The maximum time by which a timestamp may be ahead of the service's clock (`DG:client-side-timestamps-how-to-queries`).
pub const MAX_TIMESTAMP_LEAD: Duration = Duration::from_secs(5 * 60);

/// Whether the service accepts this timestamp, in microseconds since 1970, when its clock shows `now`. Both ends of the
/// window are assumed to be accepted.
#[must_use]
pub fn takes_timestamp(timestamp: i64, now: SystemTime) -> bool {
    let micros = |duration: Duration| i128::try_from(duration.as_micros()).unwrap_or(i128::MAX / 2);
    let now = now.duration_since(UNIX_EPOCH).map_or_else(|before| -micros(before.duration()), micros);
    (now - micros(MAX_TIMESTAMP_AGE)..=now + micros(MAX_TIMESTAMP_LEAD)).contains(&timestamp.into())
}

rules! {
    TIMESTAMP_RULES;

    TIMESTAMP_OUTSIDE_WINDOW {
        id: "timestamp-outside-window",
        refuses: "a timestamp more than 2 days in the past or more than 5 minutes in the future",
        server_message: None,
        code: None,
        advice: "Give it in microseconds since 1970, and check the clock.",
        source: "DG:client-side-timestamps-how-to-queries",
        since: Some("2023-03-14"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_window_is_two_days_back_to_five_minutes_ahead() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let micros = 1_700_000_000_000_000_i64;
        let (day, minute) = (86_400_000_000, 60_000_000);
        for taken in [micros, micros - 2 * day, micros + 5 * minute] {
            assert!(takes_timestamp(taken, now), "{taken}");
        }
        for refused in [micros - 2 * day - 1, micros + 5 * minute + 1, 1_700_000_000_000, i64::MIN, i64::MAX] {
            assert!(!takes_timestamp(refused, now), "{refused}");
        }
        assert!(takes_timestamp(-1, UNIX_EPOCH - Duration::from_secs(60)));
    }
}
