use chrono::{DateTime, NaiveDate, Utc};

use crate::DeserializeRow;

/// Something that a device reported, a row of the `events` table.
///
/// It has no date of its own: the day that it is filed under is that of its time in UTC, so nobody can file it under a
/// wrong one.
#[derive(Clone, Debug, DeserializeRow, Eq, Hash, PartialEq)]
#[scylla(crate = crate)]
pub struct Event {
    /// Which device. Not empty.
    pub device_id: String,
    /// When. The table holds milliseconds: what is finer is cut off when it is written, and from the times of a range when
    /// it is read, so that an event is found by the very time it was made with.
    pub event_time: DateTime<Utc>,
    /// What kind of event. A null, which only another program can have written, is read as the empty text.
    #[scylla(default_when_null)]
    pub event_type: String,
    /// What was reported, in whatever form. A null is read as the empty text.
    #[scylla(default_when_null)]
    pub payload: String,
}

impl Event {
    /// An event at `event_time`, cut to the millisecond, which is how it will be read back.
    pub fn new(
        device_id: impl Into<String>,
        event_time: DateTime<Utc>,
        event_type: impl Into<String>,
        payload: impl Into<String>,
    ) -> Self {
        Self {
            device_id: device_id.into(),
            event_time: cut(event_time),
            event_type: event_type.into(),
            payload: payload.into(),
        }
    }

    /// The day that it is filed under: that of its time in UTC.
    pub fn date(&self) -> NaiveDate {
        date_of(self.event_time)
    }
}

/// The time as the column holds it. Whatever time goes in, of an event or of a range, is cut by this.
///
/// Downwards, before 1970 as after. A leap second, which no column holds, is the first second of the next minute, and so
/// perhaps of the next day.
pub(super) fn cut(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}

/// The day of a time, as it will be once it is cut.
pub(super) fn date_of(time: DateTime<Utc>) -> NaiveDate {
    cut(time).date_naive()
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn times_are_cut_to_the_millisecond_downwards_on_both_sides_of_1970() {
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
    fn the_day_is_that_of_the_time_in_utc() {
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
    fn a_leap_second_is_filed_under_the_day_that_its_stored_time_is_of() {
        let leap = time("2016-12-31T23:59:60.5Z");
        assert_eq!(leap.date_naive(), NaiveDate::from_ymd_opt(2016, 12, 31).unwrap());
        let event = Event { event_time: leap, ..Event::new("d", leap, "t", "p") };
        assert_eq!(event.date(), NaiveDate::from_ymd_opt(2017, 1, 1).unwrap());
        assert_eq!(cut(leap), time("2017-01-01T00:00:00.5Z"));
    }

    #[test]
    fn the_first_and_the_last_time_there_are_have_their_days() {
        assert_eq!(date_of(DateTime::<Utc>::MIN_UTC), NaiveDate::MIN);
        assert_eq!(date_of(DateTime::<Utc>::MAX_UTC), NaiveDate::MAX);
        assert_eq!(cut(DateTime::<Utc>::MIN_UTC).time(), NaiveTime::MIN);
    }
}
