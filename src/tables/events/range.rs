use std::sync::Arc;

use super::partition::Days;
use super::planned::{Planned, PlannedRead, event_stream};
use super::read::{EventStream, Reader};
use crate::Error;

/// Events of a device over one or several days, as a [`Stream`](futures::Stream) that is `Unpin` and `Send`; created by
/// [`Events::between`](super::Events::between) and [`Events::day`](super::Events::day).
///
/// Nothing is sent before the first poll. Then the first 100 events of up to 32 days are requested in parallel. The
/// rest of a day is requested when the stream reaches it, one page ahead. So a month with few events takes hardly
/// longer than a day, and memory use does not depend on the length of the range. Each day costs a read, even if it is
/// empty.
///
/// The stream may be dropped at any time, and ends after an error.
#[must_use = "a stream does nothing unless it is polled"]
pub struct EventRange(Planned<Range>);

struct Range {
    reader: Reader,
    days: Days,
}

event_stream!(EventRange);

impl EventRange {
    pub(super) fn new(reader: Result<Reader, Error>, days: Result<Days, Error>) -> Self {
        Self(Planned::Plan(reader.and_then(|reader| Ok(Range { reader, days: days? }))))
    }

    /// Returns the oldest event first. Default: the newest first.
    pub fn oldest_first(mut self) -> Self {
        self.0.change(|range| range.reader.newest_first = false);
        self
    }

    /// Returns only events of this type.
    ///
    /// The server filters. It still reads and bills the other events (DG:capacity-examples), but does not send them.
    pub fn of_type(mut self, event_type: &str) -> Self {
        self.0.change(|range| range.reader.event_type = Some(Arc::from(event_type)));
        self
    }
}

impl PlannedRead for Range {
    #[inline] // compiled by the programs that use it, with all that it awaits
    fn read(self) -> EventStream {
        let concurrent_days = self.reader.concurrent_days();
        let days = self.days.slices(self.reader.newest_first);
        Box::pin(self.reader.days(days, concurrent_days))
    }
}
