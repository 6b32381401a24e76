use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::stream::{self, StreamExt};

use super::partition::{Days, Slice};
use super::planned::{Planned, PlannedRead, event_stream};
use super::read::{EventStream, Reader};
use crate::Error;
use crate::tables::event::{date_of, truncate_to_millis};

/// The latest events of a device, newest first, as a [`Stream`](futures::Stream) that is `Unpin` and `Send`; created by
/// [`Events::latest`](super::Events::latest).
///
/// It reads the first day alone, which is usually enough, then the day before, then two days in parallel, then four,
/// and so on, until it has enough events or has read [all days](Self::days_back). Nothing is sent before the first
/// poll. The stream may be dropped at any time, and ends after an error.
#[must_use = "a stream does nothing unless it is polled"]
pub struct LatestEvents(Planned<Latest>);

/// The default number of days to read before the first one.
const DEFAULT_DAYS_BACK: u16 = 30;

struct Latest {
    reader: Reader,
    count: usize,
    before: Option<DateTime<Utc>>,
    days_back: u16,
}

event_stream!(LatestEvents);

impl LatestEvents {
    pub(super) fn new(reader: Result<Reader, Error>, count: usize) -> Self {
        let max_rows = u32::try_from(count).ok().and_then(NonZeroU32::new);
        Self(Planned::Plan(reader.map(|reader| Latest {
            reader: Reader { max_rows: Some(max_rows.unwrap_or(NonZeroU32::MAX)), ..reader },
            count,
            before: None,
            days_back: DEFAULT_DAYS_BACK,
        })))
    }

    /// Sets how many days before the first one are read. Default: 30. With 0 only the first day is read. Each day costs a
    /// read, even if it is empty.
    pub fn days_back(mut self, days: u16) -> Self {
        self.0.change(|latest| latest.days_back = days);
        self
    }

    /// Returns only events before `time`; the first day is then the day of `time`. Default: all events of the first
    /// day, which is today in UTC by this machine's clock.
    pub fn before(mut self, time: DateTime<Utc>) -> Self {
        self.0.change(|latest| latest.before = Some(time));
        self
    }

    /// Returns only events of this type; [the server filters](super::EventRange::of_type).
    pub fn of_type(mut self, event_type: &str) -> Self {
        self.0.change(|latest| latest.reader.event_type = Some(Arc::from(event_type)));
        self
    }
}

impl Latest {
    fn days(&self, now: DateTime<Utc>) -> Days {
        let back = TimeDelta::days(i64::from(self.days_back));
        let earliest = |last: NaiveDate| last.checked_sub_signed(back).unwrap_or(NaiveDate::MIN);
        let Some(before) = self.before else {
            return Days::from_to(earliest(date_of(now)), date_of(now));
        };
        match truncate_to_millis(before).checked_sub_signed(TimeDelta::milliseconds(1)) {
            Some(last) => Days::until(earliest(date_of(last)), last),
            None => Days::None,
        }
    }
}

impl PlannedRead for Latest {
    #[inline] // compiled by the programs that use it, with all that it awaits
    fn read(self) -> EventStream {
        let days = self.days(SystemTime::now().into()).slices(true);
        let max_days = self.reader.concurrent_days();
        let groups = stream::unfold((days, 1, 0), move |(mut days, size, read)| async move {
            let group: Vec<(NaiveDate, Slice)> = days.by_ref().take(size).collect();
            // 1, 1, 2, 4, 8: each time as many days as were read before.
            let read = read + group.len();
            (!group.is_empty()).then_some((group, (days, read.min(max_days), read)))
        });
        let reader = self.reader;
        let events = groups.map(move |group| {
            let concurrent_days = group.len();
            reader.clone().days(group.into_iter(), concurrent_days)
        });
        Box::pin(events.flatten().take(self.count))
    }
}
