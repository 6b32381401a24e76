use std::sync::Arc;

use super::partition::Days;
use super::planned::{Planned, PlannedRead, stream_of_events};
use super::read::{Found, Reader};
use crate::Error;

/// Events of a device over one day or many, as one [`Stream`](futures::Stream) that is `Unpin` and `Send`: from
/// [`Events::between`](super::Events::between) and [`Events::on`](super::Events::on).
///
/// Nothing is sent before it is polled. Then up to 32 days are asked for side by side, each for its first 100 events, and
/// the rest of a day when it is its turn, one page ahead. So a month of few events takes hardly longer than a day, and
/// however long the range, no more than that is held. Each day costs a read, also an empty one.
///
/// It can be dropped at any time, and ends after an error.
#[must_use = "a stream does nothing unless it is polled"]
pub struct EventRange(Planned<Range>);

struct Range {
    reader: Reader,
    days: Days,
}

stream_of_events!(EventRange);

impl EventRange {
    pub(super) fn new(reader: Result<Reader, Error>, days: Result<Days, Error>) -> Self {
        Self(Planned::Plan(reader.and_then(|reader| Ok(Range { reader, days: days? }))))
    }

    /// The oldest event first, and so on to the newest, in place of the other way round.
    pub fn oldest_first(mut self) -> Self {
        self.0.change(|range| range.reader.newest_first = false);
        self
    }

    /// Only events of this type.
    ///
    /// The server leaves the others out. It reads them all the same and bills them (DG:capacity-examples), as it would if
    /// the client left them out; but they are neither sent nor decoded, and the client has nothing to hold of a day that
    /// has none of the type.
    pub fn of_type(mut self, event_type: &str) -> Self {
        self.0.change(|range| range.reader.event_type = Some(Arc::from(event_type)));
        self
    }
}

impl PlannedRead for Range {
    #[inline] // compiled by the programs that use it, with all that it awaits
    fn read(self) -> Found {
        let begun = self.reader.days_ahead();
        let days = self.days.slices(self.reader.newest_first);
        Box::pin(self.reader.days(days, begun))
    }
}
