use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::stream::{self, StreamExt};

use super::partition::{Days, Slice};
use super::planned::{Planned, PlannedRead, stream_of_events};
use super::read::{Found, Reader};
use crate::Error;
use crate::tables::event::{cut, date_of};

/// The latest events of a device, newest first, as a [`Stream`](futures::Stream) that is `Unpin` and `Send`: from
/// [`Events::latest`](super::Events::latest).
///
/// It looks at the first day alone, because it mostly is enough, then at the day before, then at two days side by side, at
/// four, and so on, until it has as many events as were asked for or has gone [as far back](Self::days_back) as it may.
/// Nothing is sent before it is polled. It can be dropped at any time, and ends after an error.
#[must_use = "a stream does nothing unless it is polled"]
pub struct LatestEvents(Planned<Latest>);

/// How many days before the first one are looked at unless told otherwise.
const DAYS_BACK: u16 = 30;

struct Latest {
    reader: Reader,
    count: usize,
    before: Option<DateTime<Utc>>,
    days_back: u16,
}

stream_of_events!(LatestEvents);

impl LatestEvents {
    pub(super) fn new(reader: Result<Reader, Error>, count: usize) -> Self {
        let at_most = u32::try_from(count).ok().and_then(NonZeroU32::new);
        Self(Planned::Plan(reader.map(|reader| Latest {
            reader: Reader { at_most: Some(at_most.unwrap_or(NonZeroU32::MAX)), ..reader },
            count,
            before: None,
            days_back: DAYS_BACK,
        })))
    }

    /// How many days to go back before the first one. Default: 30. With 0 only the first day is looked at. Each day looked
    /// at costs a read, also an empty one.
    pub fn days_back(mut self, days: u16) -> Self {
        self.0.change(|latest| latest.days_back = days);
        self
    }

    /// The latest before `time`, whose day is the first. Default: all of today, in UTC, by this machine's clock, and no
    /// later day.
    pub fn before(mut self, time: DateTime<Utc>) -> Self {
        self.0.change(|latest| latest.before = Some(time));
        self
    }

    /// Only events of this type, the others left out [by the server](super::EventRange::of_type).
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
        match cut(before).checked_sub_signed(TimeDelta::milliseconds(1)) {
            Some(last) => Days::until(earliest(date_of(last)), last),
            None => Days::None,
        }
    }
}

impl PlannedRead for Latest {
    #[inline] // compiled by the programs that use it, with all that it awaits
    fn read(self) -> Found {
        let days = self.days(SystemTime::now().into()).slices(true);
        let most = self.reader.days_ahead();
        let groups = stream::unfold((days, 1, 0), move |(mut days, size, seen)| async move {
            let group: Vec<(NaiveDate, Slice)> = days.by_ref().take(size).collect();
            // 1, 1, 2, 4, 8: as many days more as were looked at before.
            let seen = seen + group.len();
            (!group.is_empty()).then_some((group, (days, seen.min(most), seen)))
        });
        let reader = self.reader;
        let events = groups.map(move |group| {
            let begun = group.len();
            reader.clone().days(group.into_iter(), begun)
        });
        Box::pin(events.flatten().take(self.count))
    }
}
