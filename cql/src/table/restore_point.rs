//! The moment to which a table is restored.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::PropertyError;
use crate::calendar::{date, days_in_month, days_since_1970};
use crate::saturated::saturated;
use crate::{Rule, Span, rules};

/// A moment to which a table can be restored, to the millisecond: the type of `restore_timestamp` and of
/// `earliest_restorable_timestamp` (`DG:restoretabletopointintime`).
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use keyspaces_cql::RestorePoint;
///
/// let point: RestorePoint = "2020-06-30T04:05:00+0000".parse()?;
/// assert_eq!(point.to_string(), "2020-06-30T04:05:00.000Z");
/// let an_hour_ago = RestorePoint::from(SystemTime::now() - Duration::from_secs(3600));
/// assert!(point < an_hour_ago);
/// # Ok::<(), keyspaces_cql::PropertyError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RestorePoint {
    unix_millis: i64,
}

impl RestorePoint {
    /// The moment `millis` milliseconds after the beginning of 1970, or before it. A moment outside the years 0 to 9999,
    /// which has no four-digit year, becomes the first or last moment of that range; no table can be restored to either.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        Self { unix_millis: millis.clamp(FIRST, LAST) }
    }

    /// The milliseconds since the beginning of 1970.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        self.unix_millis
    }
}

impl From<SystemTime> for RestorePoint {
    /// Rounds down to the millisecond; see [`from_unix_millis`](Self::from_unix_millis).
    fn from(time: SystemTime) -> Self {
        let millis = |duration: Duration| saturated::<i64>(duration.as_millis());
        Self::from_unix_millis(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => {
                let before = before.duration();
                let part = i64::from(before.subsec_nanos() % 1_000_000 > 0);
                -millis(before).saturating_add(part)
            }
        })
    }
}

impl fmt::Display for RestorePoint {
    /// Writes the form that the service shows and accepts: `2020-06-30T19:19:21.175Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.unix_millis.div_euclid(DAY));
        let time = self.unix_millis.rem_euclid(DAY);
        let (hour, minute, second, milli) = (time / HOUR, time / MINUTE % 60, time / SECOND % 60, time % SECOND);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl FromStr for RestorePoint {
    type Err = PropertyError;

    /// Reads ISO 8601 with a zone, to the second or finer: `2020-06-30T04:05:00+0000`, `2020-06-30T19:19:21.175Z`.
    ///
    /// # Errors
    ///
    /// The text is not a time, it has no zone ([`rules::RESTORE_TIMESTAMP`], [`rules::RESTORE_TIMESTAMP_ZONE`]), or it is
    /// finer than a millisecond, which Keyspaces is not known to accept.
    fn from_str(text: &str) -> Result<Self, PropertyError> {
        let refused = |rule: &'static Rule| PropertyError::refused(Span::default(), rule);
        let mut reader = Reader { rest: text };
        let seconds = reader.date_and_time().ok_or_else(|| refused(&rules::RESTORE_TIMESTAMP))?;
        let fraction = reader.fraction().ok_or_else(|| refused(&rules::RESTORE_TIMESTAMP))?;
        if reader.rest.is_empty() {
            return Err(refused(&rules::RESTORE_TIMESTAMP_ZONE));
        }
        let offset = reader.zone().ok_or_else(|| refused(&rules::RESTORE_TIMESTAMP))?;
        if fraction.len() > 3 {
            return Err(PropertyError::unknown(Span::default(), format!("a time finer than a millisecond, {text}")));
        }
        // The fraction has at most three digits, so padding to three always gives a number.
        let millis: i64 = format!("{fraction:0<3}").parse().unwrap_or_default();
        Ok(Self::from_unix_millis((seconds - offset) * SECOND + millis))
    }
}

/// A reader of the rest of a text.
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// Reads the seconds since the beginning of 1970, as if the time were in UTC.
    fn date_and_time(&mut self) -> Option<i64> {
        let year = self.number(4, 0..=9999)?;
        let month = self.after('-')?.number(2, 1..=12)?;
        let day = self.after('-')?.number(2, 1..=days_in_month(year, month))?;
        let hour = self.after('T')?.number(2, 0..=23)?;
        let minute = self.after(':')?.number(2, 0..=59)?;
        let second = self.after(':')?.number(2, 0..=59)?;
        Some(days_since_1970(year, month, day) * (DAY / SECOND) + hour * 3600 + minute * 60 + second)
    }

    /// Reads the digits after a point; no digits if there is no point.
    fn fraction(&mut self) -> Option<&'t str> {
        if self.after('.').is_none() {
            return Some("");
        }
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!digits.is_empty()).then_some(digits)
    }

    /// Reads the rest as a time zone: its offset from UTC in seconds.
    fn zone(&mut self) -> Option<i64> {
        if self.rest == "Z" {
            return Some(0);
        }
        let sign = if self.after('+').is_some() { 1 } else { self.after('-').map(|_| -1)? };
        let hours = self.number(2, 0..=23)?;
        let _ = self.after(':');
        let minutes = self.number(2, 0..=59)?;
        self.rest.is_empty().then_some(sign * (hours * 3600 + minutes * 60))
    }

    fn after(&mut self, sign: char) -> Option<&mut Self> {
        self.rest = self.rest.strip_prefix(sign)?;
        Some(self)
    }

    fn number(&mut self, digits: usize, within: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let (number, rest) = self.rest.split_at_checked(digits)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        number.parse().ok().filter(|number| within.contains(number))
    }
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `0000-01-01T00:00:00.000Z`
const FIRST: i64 = -719_528 * DAY;

/// `9999-12-31T23:59:59.999Z`
const LAST: i64 = 2_932_897 * DAY - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<RestorePoint>().map(|point| point.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn restore_times_of_the_guide_are_parsed_in_their_zone() {
        for (text, expected) in [
            // DG:cql.ddl.table, DG:restoretabletopointintime, DG:restoredeleted
            ("2020-06-30T04:05:00+0000", "2020-06-30T04:05:00.000Z"),
            ("2020-06-30T19:19:21.175Z", "2020-06-30T19:19:21.175Z"),
            ("2020-08-04T00:48:58.381Z", "2020-08-04T00:48:58.381Z"),
            // Other time zones; in some of them, the date differs.
            ("2020-06-30T01:05:00+02:00", "2020-06-29T23:05:00.000Z"),
            ("2019-12-31T23:30:00.5-0045", "2020-01-01T00:15:00.500Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!("1970-01-01T00:00:01Z".parse().map(RestorePoint::unix_millis), Ok(1_000));
        // RFC 3339's own examples, counted by `date +%s`.
        assert_eq!("1985-04-12T23:20:50.52Z".parse().map(RestorePoint::unix_millis), Ok(482_196_050_520));
        assert_eq!("1996-12-19T16:39:57-08:00".parse().map(RestorePoint::unix_millis), Ok(851_042_397_000));
    }

    #[test]
    fn invalid_zoneless_or_too_fine_restore_time_is_refused_with_reason() {
        let no_time = "Amazon Keyspaces refuses a restore_timestamp that is not a time in ISO 8601. Write it to the second or the \
                       millisecond, with its zone: '2020-06-30T04:05:00+0000' or '2020-06-30T19:19:21.175Z'. \
                       (DG:cql.ddl.table; DG:restoretabletopointintime)";
        let no_zone = "Amazon Keyspaces refuses a restore_timestamp without a zone. Add the zone: Z for UTC, or an \
                       offset such as +0000. (DG:cql.ddl.table; DG:restoretabletopointintime, where all times have a \
                       zone)";
        for text in [
            "",
            "yesterday",
            "2020-06-30",
            "2020-06-30T04:05",
            "2020-06-30T04:05Z",
            "2020-06-30 04:05:00Z",
            "2020-6-30T04:05:00Z",
            "2020-02-30T04:05:00Z",
            "2021-02-29T04:05:00Z",
            "2020-13-01T04:05:00Z",
            "2020-06-30T24:00:00Z",
            "2020-06-30T23:59:60Z",
            "2020-06-30T04:05:00.Z",
            "2020-06-30T04:05:00z",
            "2020-06-30T04:05:00+24:00",
            "2020-06-30T04:05:00+1",
            "2020-06-30T04:05:00 +0000",
            "2020-06-30T04:05:00Z ",
            "+020-06-30T04:05:00Z",
            "1593490000000",
            "2020-06-30T04:05:é0Z",
        ] {
            assert_eq!(read(text).as_ref().map_err(String::as_str), Err(no_time), "{text}");
        }
        for text in ["2020-06-30T04:05:00", "2020-06-30T04:05:00.175", "2020-06-30T04:05:00.1757"] {
            assert_eq!(read(text).as_ref().map_err(String::as_str), Err(no_zone), "{text}");
        }
        let fine =
            "it is not known whether Amazon Keyspaces has a time finer than a millisecond, 2020-06-30T04:05:00.1757Z";
        assert_eq!(read("2020-06-30T04:05:00.1757Z"), Err(fine.to_owned()));
    }

    #[test]
    fn restore_point_beyond_four_digit_years_is_clamped() {
        assert_eq!(RestorePoint::from_unix_millis(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(RestorePoint::from_unix_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        let year_zero = "0000-01-01T00:00:00+0100".parse::<RestorePoint>().map(|point| point.to_string());
        assert_eq!(year_zero.as_deref(), Ok("0000-01-01T00:00:00.000Z"));
    }

    #[test]
    fn system_time_is_floored_to_the_millisecond() {
        let after = RestorePoint::from(UNIX_EPOCH + Duration::from_micros(1_999));
        let before = RestorePoint::from(UNIX_EPOCH - Duration::from_micros(1_001));
        assert_eq!((after.unix_millis(), before.unix_millis()), (1, -2));
        assert_eq!(RestorePoint::from(UNIX_EPOCH - Duration::from_millis(7)).unix_millis(), -7);
    }

    proptest! {
        #[test]
        fn restore_point_text_round_trips_and_sorts_chronologically(one in FIRST..=LAST, other in FIRST..=LAST) {
            let (one, other) = (RestorePoint::from_unix_millis(one), RestorePoint::from_unix_millis(other));
            prop_assert_eq!(one.to_string().parse(), Ok(one));
            prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        }

        #[test]
        fn arbitrary_text_is_a_restore_point_or_refused(text in "[0-9TZ:+. é-]{0,32}") {
            let _ = text.parse::<RestorePoint>();
        }
    }
}
