//! Reads partitions one after the other as one stream. Requests the next partitions ahead, and merges the shards of a day.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::future::join_all;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use super::EventTable;
use super::partition::{Partition, Slice};
use super::statements::{EventStatements, PartitionQuery};
use crate::stream::Prefetch;
use crate::tables::Event;
use crate::{Error, Page, Pages, PagingState};

/// How many partitions are requested ahead, including the current one. This is the number of days, or fewer days with
/// shards.
const PARTITIONS_AHEAD: usize = 32;

/// The first page of a partition is requested ahead, so it is small.
const FIRST_PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

pub(super) type EventStream = BoxStream<'static, Result<Event, Error>>;

/// Reads the days of a device.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) table: Arc<EventTable>,
    pub(super) device: Arc<str>,
    pub(super) newest_first: bool,
    pub(super) event_type: Option<Arc<str>>,
    /// The maximum number of rows that the caller takes, if there is one.
    pub(super) max_rows: Option<NonZeroU32>,
}

impl Reader {
    /// Reads the days one after the other, with up to `concurrent_days` of them requested.
    pub(super) fn days<I>(
        self,
        days: I,
        concurrent_days: usize,
    ) -> impl Stream<Item = Result<Event, Error>> + Send + 'static
    where
        I: Iterator<Item = (NaiveDate, Slice)> + Send + 'static,
    {
        let newest_first = self.newest_first;
        stream::unfold((days, VecDeque::new()), move |(mut days, mut ahead)| {
            let next_days = days.by_ref().take(concurrent_days.saturating_sub(ahead.len()));
            ahead.extend(next_days.map(|(date, slice)| self.begin(date, slice)));
            let next = ahead.pop_front().map(|parts| (merged(parts, newest_first), (days, ahead)));
            std::future::ready(next)
        })
        .flatten()
    }

    pub(super) fn concurrent_days(&self) -> usize {
        (PARTITIONS_AHEAD / usize::from(self.table.shards.count())).max(1)
    }

    /// Requests the first page of each shard of a day, and returns the events of each shard.
    #[inline] // compiled by the programs that use it, with all that it awaits
    fn begin(&self, date: NaiveDate, slice: Slice) -> Vec<EventStream> {
        let parts = self.table.shards.all().map(|shard| {
            let partition = Partition { device: Arc::clone(&self.device), date, shard };
            let query = PartitionQuery { slice, newest_first: self.newest_first, event_type: self.event_type.clone() };
            let read =
                PartitionRead { table: Arc::clone(&self.table), partition, query, first_page: self.first_page() };
            let ahead = Some(read.request(None));
            let rows: EventStream =
                Box::pin(PartitionRows { read, ahead, next: None, one_ahead: self.max_rows.is_none() }.stream());
            rows
        });
        parts.collect()
    }

    /// The size of the first page. A filtered read has no small first page, because a page counts the rows that are read, not
    /// the rows that match.
    fn first_page(&self) -> Option<NonZeroU32> {
        let rows = FIRST_PAGE.min(self.table.statements.page_size().unwrap_or(FIRST_PAGE));
        self.event_type.is_none().then(|| rows.min(self.max_rows.unwrap_or(rows)))
    }
}

/// A read of a partition.
struct PartitionRead {
    table: Arc<EventTable>,
    partition: Partition,
    query: PartitionQuery,
    first_page: Option<NonZeroU32>,
}

impl PartitionRead {
    /// The pages from a paging state, or from the first page.
    fn pages(&self, statements: &EventStatements, from: Option<&PagingState>) -> Pages<Event> {
        match from {
            Some(state) => statements.pages_from(&self.partition, &self.query, state),
            None => statements.pages(&self.partition, &self.query, self.first_page),
        }
    }

    #[inline] // compiled by the programs that use it, with all that it awaits
    fn request(&self, from: Option<&PagingState>) -> Prefetch<Option<Page<Event>>> {
        let mut pages = self.pages(&self.table.statements, from);
        Prefetch::start(async move { pages.try_next().await })
    }
}

/// The rows of a partition whose first page was requested.
struct PartitionRows {
    read: PartitionRead,
    ahead: Option<Prefetch<Option<Page<Event>>>>,
    /// The paging state of the next page; `None` before the first page and after the last.
    next: Option<PagingState>,
    one_ahead: bool,
}

impl PartitionRows {
    fn stream(self) -> impl Stream<Item = Result<Event, Error>> + Send {
        let pages = stream::try_unfold(self, |mut rows| async move {
            let (read, next) = (&rows.read, rows.next.take());
            let statements = &read.table.statements;
            let page = match (rows.ahead.take(), &next) {
                (Some(ahead), _) => {
                    let again = |error: Error, left| {
                        let from = error.paging_state().or(next.as_ref());
                        let mut pages =
                            read.pages(&statements.with_changed_options(|options| options.deadline = Some(left)), from);
                        async move { pages.try_next().await }
                    };
                    ahead.take(statements.deadline(), again).await?
                }
                (None, Some(next)) => read.pages(statements, Some(next)).try_next().await?,
                (None, None) => None,
            };
            let Some(page) = page else { return Ok::<_, Error>(None) };
            rows.next = page.next;
            rows.ahead = rows.next.as_ref().filter(|_| rows.one_ahead).map(|next| rows.read.request(Some(next)));
            Ok(Some((stream::iter(page.rows.into_iter().map(Ok)), rows)))
        });
        pages.try_flatten()
    }
}

/// Merges streams that are sorted by time into one. It ends with the first error.
#[inline] // compiled by the programs that use it, with all that it awaits
fn merged(parts: Vec<EventStream>, newest_first: bool) -> EventStream {
    match <[EventStream; 1]>::try_from(parts) {
        Ok([only]) => only,
        Err(parts) => {
            Box::pin(stream::once(heads(parts)).map_ok(move |heads| merge(heads, newest_first)).try_flatten())
        }
    }
}

/// The next event of a stream, and the rest of the stream.
type Head = (Event, EventStream);

async fn heads(parts: Vec<EventStream>) -> Result<Vec<Head>, Error> {
    let heads = parts.into_iter().map(|mut part| async { Ok(part.try_next().await?.map(|event| (event, part))) });
    join_all(heads).await.into_iter().filter_map(Result::transpose).collect()
}

fn merge(heads: Vec<Head>, newest_first: bool) -> impl Stream<Item = Result<Event, Error>> + Send {
    stream::try_unfold((heads, None::<EventStream>), move |(mut heads, taken)| async move {
        if let Some(mut part) = taken
            && let Some(event) = part.try_next().await?
        {
            heads.push((event, part));
        }
        let times = heads.iter().map(|(event, _)| event.event_time).enumerate();
        let next = if newest_first { times.max_by_key(|(_, time)| *time) } else { times.min_by_key(|(_, time)| *time) };
        Ok(next.map(|(index, _)| {
            let (event, part) = heads.swap_remove(index);
            (event, (heads, Some(part)))
        }))
    })
}
