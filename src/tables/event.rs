use chrono::{DateTime, NaiveDate, Utc};

use crate::DeserializeRow;

/// An event that a device reported: a row of the `events` table.
///
/// It has no field for the date: the partition is the day of the event's time in UTC, so date and time cannot disagree.
#[derive(Clone, Debug, DeserializeRow, Eq, Hash, PartialEq)]
#[scylla(crate = crate)]
pub struct Event {
    /// The id of the device. Not empty.
    pub device_id: String,
    /// The time. The table stores milliseconds. Writes and reads truncate times to the millisecond, so an event is
    /// found by the exact time with which it was created.
    pub event_time: DateTime<Utc>,
    /// The type of the event. A null, which only another program can write, is read as the empty text.
    #[scylla(default_when_null)]
    pub event_type: String,
    /// The reported data, in any form. A null is read as the empty text.
    #[scylla(default_when_null)]
    pub payload: String,
}

impl Event {
    /// Creates an event at `event_time`, truncated to the millisecond, as it is read back.
    pub fn new(
        device_id: impl Into<String>,
        event_time: DateTime<Utc>,
        event_type: impl Into<String>,
        payload: impl Into<String>,
    ) -> Self {
        Self {
            device_id: device_id.into(),
            event_time: truncate_to_millis(event_time),
            event_type: event_type.into(),
            payload: payload.into(),
        }
    }

    /// Returns the day of its partition: the day of its time in UTC.
    pub fn date(&self) -> NaiveDate {
        date_of(self.event_time)
    }
}

/// Truncates a time to the millisecond, as the column stores it. Applied to the times of events and of ranges.
///
/// Rounds down, also before 1970. A leap second, which the column cannot hold, becomes the first second of the next minute,
/// which may belong to the next day.
pub(super) fn truncate_to_millis(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}

/// The day of a time after it is truncated to the millisecond.
pub(super) fn date_of(time: DateTime<Utc>) -> NaiveDate {
    truncate_to_millis(time).date_naive()
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn event_times_are_floored_to_milliseconds_before_and_after_1970() {
        for (given, held) in [
            ("2026-11-22T10:00:00.123999999Z", "2026-11-22T10:00:00.123Z"),
            ("2026-11-22T10:00:00.123Z", "2026-11-22T10:00:00.123Z"),
            ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999Z"),
            ("1969-12-31T23:59:59.000000001Z", "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Event::new("d", time(given), "t", "p").event_time, time(held), "{given}");
        }
    }

    #[test]
    fn event_date_is_the_utc_date_of_its_time() {
        for (given, day) in [
            ("2026-11-22T23:59:59.999999999Z", (2026, 11, 22)),
            ("2026-11-23T00:00:00Z", (2026, 11, 23)),
            ("2026-11-22T23:30:00-01:00", (2026, 11, 23)),
            ("2028-02-29T12:00:00Z", (2028, 2, 29)),
            ("1969-12-31T23:59:59.999999999Z", (1969, 12, 31)),
        ] {
            let event = Event::new("d", time(given), "t", "p");
            assert_eq!(Some(event.date()), NaiveDate::from_ymd_opt(day.0, day.1, day.2), "{given}");
        }
    }

    #[test]
    fn leap_second_event_belongs_to_the_day_of_its_stored_time() {
        let leap = time("2016-12-31T23:59:60.5Z");
        assert_eq!(leap.date_naive(), NaiveDate::from_ymd_opt(2016, 12, 31).unwrap());
        let event = Event { event_time: leap, ..Event::new("d", leap, "t", "p") };
        assert_eq!(event.date(), NaiveDate::from_ymd_opt(2017, 1, 1).unwrap());
        assert_eq!(truncate_to_millis(leap), time("2017-01-01T00:00:00.5Z"));
    }

    #[test]
    fn earliest_and_latest_time_have_valid_dates() {
        assert_eq!(date_of(DateTime::<Utc>::MIN_UTC), NaiveDate::MIN);
        assert_eq!(date_of(DateTime::<Utc>::MAX_UTC), NaiveDate::MAX);
        assert_eq!(truncate_to_millis(DateTime::<Utc>::MIN_UTC).time(), NaiveTime::MIN);
    }
}
