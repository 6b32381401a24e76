//! Reading partition after partition as one stream: the next ones asked for ahead of need, the shards of a day merged.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::future::join_all;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use super::EventTable;
use super::partition::{Partition, Slice};
use super::statements::{EventStatements, PartitionQuery};
use crate::stream::PageAhead;
use crate::tables::Event;
use crate::{Error, Page, Pages, PagingState};

/// How many partitions are asked for before their turn, that of whose turn it is included: as many days, or fewer where
/// each is several shards.
const PARTITIONS_AHEAD: usize = 32;

/// The first page of a partition is asked for ahead of its turn, so it is small.
const FIRST_PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

pub(super) type Found = BoxStream<'static, Result<Event, Error>>;

/// What is read of each day.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) table: Arc<EventTable>,
    pub(super) device: Arc<str>,
    pub(super) newest_first: bool,
    pub(super) event_type: Option<Arc<str>>,
    /// If no more rows than these are wanted.
    pub(super) at_most: Option<NonZeroU32>,
}

impl Reader {
    /// One day after the other. That many of them are begun at any time.
    pub(super) fn days<I>(self, days: I, begun: usize) -> impl Stream<Item = Result<Event, Error>> + Send + 'static
    where
        I: Iterator<Item = (NaiveDate, Slice)> + Send + 'static,
    {
        let newest_first = self.newest_first;
        stream::unfold((days, VecDeque::new()), move |(mut days, mut ahead)| {
            let more = days.by_ref().take(begun.saturating_sub(ahead.len()));
            ahead.extend(more.map(|(date, slice)| self.begin(date, slice)));
            let next = ahead.pop_front().map(|parts| (merged(parts, newest_first), (days, ahead)));
            std::future::ready(next)
        })
        .flatten()
    }

    pub(super) fn days_ahead(&self) -> usize {
        (PARTITIONS_AHEAD / usize::from(self.table.shards.count())).max(1)
    }

    /// Asks for the first page of each shard of a day, and gives the rows of each.
    #[inline] // compiled by the programs that use it, with all that it awaits
    fn begin(&self, date: NaiveDate, slice: Slice) -> Vec<Found> {
        let parts = self.table.shards.all().map(|shard| {
            let partition = Partition { device: Arc::clone(&self.device), date, shard };
            let wanted = PartitionQuery { slice, newest_first: self.newest_first, event_type: self.event_type.clone() };
            let read =
                PartitionRead { table: Arc::clone(&self.table), partition, wanted, first_page: self.first_page() };
            let asked = Some(read.ask(None));
            let rows: Found =
                Box::pin(PartitionRows { read, asked, next: None, one_ahead: self.at_most.is_none() }.stream());
            rows
        });
        parts.collect()
    }

    /// A page of a filtered read is rows read, not rows given: small ones would only be more of them.
    fn first_page(&self) -> Option<NonZeroU32> {
        let most = FIRST_PAGE.min(self.table.statements.page_size().unwrap_or(FIRST_PAGE));
        self.event_type.is_none().then(|| most.min(self.at_most.unwrap_or(most)))
    }
}

/// What is read of a partition.
struct PartitionRead {
    table: Arc<EventTable>,
    partition: Partition,
    wanted: PartitionQuery,
    first_page: Option<NonZeroU32>,
}

impl PartitionRead {
    /// Its pages from one on, or from the first.
    fn pages(&self, statements: &EventStatements, from: Option<&PagingState>) -> Pages<Event> {
        match from {
            Some(state) => statements.pages_from(&self.partition, &self.wanted, state),
            None => statements.pages(&self.partition, &self.wanted, self.first_page),
        }
    }

    #[inline] // compiled by the programs that use it, with all that it awaits
    fn ask(&self, from: Option<&PagingState>) -> PageAhead<Option<Page<Event>>> {
        let mut pages = self.pages(&self.table.statements, from);
        PageAhead::ask(async move { pages.try_next().await })
    }
}

/// The rows of a partition whose first page was asked for.
struct PartitionRows {
    read: PartitionRead,
    asked: Option<PageAhead<Option<Page<Event>>>>,
    /// Where the page begins that is asked for, or is to be; `None` before the first page and after the last.
    next: Option<PagingState>,
    one_ahead: bool,
}

impl PartitionRows {
    fn stream(self) -> impl Stream<Item = Result<Event, Error>> + Send {
        let pages = stream::try_unfold(self, |mut rows| async move {
            let (read, next) = (&rows.read, rows.next.take());
            let statements = &read.table.statements;
            let page = match (rows.asked.take(), &next) {
                (Some(asked), _) => {
                    let again = |error: Error, left| {
                        let from = error.paging_state().or(next.as_ref());
                        let mut pages =
                            read.pages(&statements.with_changed_options(|options| options.deadline = Some(left)), from);
                        async move { pages.try_next().await }
                    };
                    asked.wanted(statements.deadline(), again).await?
                }
                (None, Some(next)) => read.pages(statements, Some(next)).try_next().await?,
                (None, None) => None,
            };
            let Some(page) = page else { return Ok::<_, Error>(None) };
            rows.next = page.next;
            rows.asked = rows.next.as_ref().filter(|_| rows.one_ahead).map(|next| rows.read.ask(Some(next)));
            Ok(Some((stream::iter(page.rows.into_iter().map(Ok)), rows)))
        });
        pages.try_flatten()
    }
}

/// Several streams in one order as one in that order. Ends with the first error.
#[inline] // compiled by the programs that use it, with all that it awaits
fn merged(parts: Vec<Found>, newest_first: bool) -> Found {
    match <[Found; 1]>::try_from(parts) {
        Ok([only]) => only,
        Err(parts) => {
            Box::pin(stream::once(heads(parts)).map_ok(move |heads| merge(heads, newest_first)).try_flatten())
        }
    }
}

/// A stream with its next event taken off.
type Head = (Event, Found);

async fn heads(parts: Vec<Found>) -> Result<Vec<Head>, Error> {
    let heads = parts.into_iter().map(|mut part| async { Ok(part.try_next().await?.map(|event| (event, part))) });
    join_all(heads).await.into_iter().filter_map(Result::transpose).collect()
}

fn merge(heads: Vec<Head>, newest_first: bool) -> impl Stream<Item = Result<Event, Error>> + Send {
    stream::try_unfold((heads, None::<Found>), move |(mut heads, taken)| async move {
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
