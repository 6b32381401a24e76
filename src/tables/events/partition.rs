//! Partitions of the event tables, and the slices of partitions that make up a range of time.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::tables::event::{date_of, truncate_to_millis};

/// The key of a partition. In the table without shards, the shard is 0.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Partition {
    pub(super) device: Arc<str>,
    pub(super) date: NaiveDate,
    pub(super) shard: i16,
}

/// The times from the first to the last, both included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slice {
    pub(super) first: DateTime<Utc>,
    pub(super) last: DateTime<Utc>,
}

impl Slice {
    pub(super) const ALL: Self = Self { first: DateTime::<Utc>::MIN_UTC, last: DateTime::<Utc>::MAX_UTC };
}

/// The days of a read, with the part of each day to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Days {
    None,
    /// All rows of a day's partition.
    Whole(NaiveDate),
    /// All days from the day of the first time to the day of the last.
    Over(Slice),
}

impl Days {
    /// The days of a range; `None` if it ends before it begins.
    pub(super) fn in_range(range: &Range<DateTime<Utc>>) -> Option<Self> {
        let (from, to) = (truncate_to_millis(range.start), truncate_to_millis(range.end));
        if range.end < range.start {
            return None;
        }
        let last = to.checked_sub_signed(TimeDelta::milliseconds(1)).filter(|last| from <= *last);
        Some(last.map_or(Self::None, |last| Self::Over(Slice { first: from, last })))
    }

    /// The whole days from the first to the last, both included.
    pub(super) fn from_to(first: NaiveDate, last: NaiveDate) -> Self {
        Self::until(first, end(last))
    }

    /// From the beginning of a day to a time, which is included.
    pub(super) fn until(first: NaiveDate, last: DateTime<Utc>) -> Self {
        let first = start(first);
        if last < first { Self::None } else { Self::Over(Slice { first, last }) }
    }

    /// The slice of each day, in the requested order. Lazy, because there may be millions of days.
    pub(super) fn slices(self, newest_first: bool) -> Box<dyn Iterator<Item = (NaiveDate, Slice)> + Send> {
        let all = match self {
            Self::None => return Box::new(iter::empty()),
            Self::Whole(date) => return Box::new(iter::once((date, Slice::ALL))),
            Self::Over(slice) => slice,
        };
        let (first, last) = (date_of(all.first), date_of(all.last));
        let slice_of_day =
            move |date| (date, Slice { first: all.first.max(start(date)), last: all.last.min(end(date)) });
        if newest_first {
            let dates = iter::successors(Some(last), move |date| date.pred_opt().filter(|date| *date >= first));
            Box::new(dates.map(slice_of_day))
        } else {
            let dates = iter::successors(Some(first), move |date| date.succ_opt().filter(|date| *date <= last));
            Box::new(dates.map(slice_of_day))
        }
    }
}

fn start(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

/// The last millisecond of the day.
fn end(date: NaiveDate) -> DateTime<Utc> {
    date.and_hms_milli_opt(23, 59, 59, 999).map_or(DateTime::<Utc>::MAX_UTC, |end| end.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn slices(from: &str, to: &str, newest_first: bool) -> Vec<String> {
        let days = Days::in_range(&(time(from)..time(to))).expect("it does not end before it begins");
        let text = |time: DateTime<Utc>| time.format("%H:%M:%S%.3f").to_string();
        days.slices(newest_first)
            .map(|(date, slice)| format!("{date} {}-{}", text(slice.first), text(slice.last)))
            .collect()
    }

    #[test]
    fn time_range_is_split_into_days_excluding_its_end() {
        assert_eq!(
            slices("2028-02-28T22:00:00Z", "2028-03-01T00:00:00Z", true),
            ["2028-02-29 00:00:00.000-23:59:59.999", "2028-02-28 22:00:00.000-23:59:59.999"]
        );
        assert_eq!(
            slices("2028-02-28T22:00:00Z", "2028-03-01T00:00:00.001Z", false),
            [
                "2028-02-28 22:00:00.000-23:59:59.999",
                "2028-02-29 00:00:00.000-23:59:59.999",
                "2028-03-01 00:00:00.000-00:00:00.000"
            ]
        );
        assert_eq!(
            slices("2026-11-22T10:00:00.1237Z", "2026-11-22T10:00:00.1251Z", true),
            ["2026-11-22 10:00:00.123-10:00:00.124"],
            "both ends are cut as the times of events are"
        );
    }

    #[test]
    fn range_within_a_millisecond_is_empty_and_a_reversed_one_is_refused() {
        let (noon, later) = (time("2026-11-22T12:00:00.0001Z"), time("2026-11-22T12:00:00.0009Z"));
        assert_eq!(Days::in_range(&(noon..noon)), Some(Days::None));
        assert_eq!(Days::in_range(&(noon..later)), Some(Days::None));
        assert_eq!(Days::in_range(&(later..noon)), None);
        assert_eq!(Days::in_range(&(DateTime::<Utc>::MIN_UTC..DateTime::<Utc>::MIN_UTC)), Some(Days::None));
    }

    #[test]
    fn day_ranges_end_at_the_limits_of_the_calendar() {
        let all = Days::in_range(&(DateTime::<Utc>::MIN_UTC..DateTime::<Utc>::MAX_UTC)).expect("a range");
        assert_eq!(all.slices(true).next().map(|(date, _)| date), Some(NaiveDate::MAX));
        assert_eq!(all.slices(false).next().map(|(date, _)| date), Some(NaiveDate::MIN));
        assert_eq!(Days::from_to(NaiveDate::MAX, NaiveDate::MAX).slices(true).count(), 1);
        assert_eq!(Days::from_to(NaiveDate::MIN, NaiveDate::MIN).slices(false).count(), 1);
    }
}
