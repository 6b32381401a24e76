//! Reading partition after partition as one stream: the next ones asked for ahead of need, the shards of a day merged.

use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::FutureExt;
use futures::future::join_all;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use super::Table;
use super::partition::{Partition, Slice};
use super::statements::Wanted;
use crate::tables::Event;
use crate::{Error, Page, Pages};

/// How many partitions are asked for before their turn, that of whose turn it is included: as many days, or fewer where
/// each is several shards.
const PARTITIONS_AHEAD: usize = 32;

/// The first page of a partition is asked for ahead of its turn, so it is small.
const FIRST_PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

pub(super) type Found = BoxStream<'static, Result<Event, Error>>;

/// What is read of each day.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) table: Arc<Table>,
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
        stream::iter(days)
            .map(move |(date, slice)| self.clone().begin(date, slice))
            .buffered(begun)
            .map(move |parts| merged(parts, newest_first))
            .flatten()
    }

    pub(super) fn days_ahead(&self) -> usize {
        (PARTITIONS_AHEAD / usize::from(self.table.shards.count())).max(1)
    }

    /// Asks for the first page of each shard of a day, and gives the rows of each when these pages are here.
    async fn begin(self, date: NaiveDate, slice: Slice) -> Vec<Found> {
        let parts = self.table.shards.all().map(|shard| {
            let partition = Partition { device: Arc::clone(&self.device), date, shard };
            self.begin_partition(partition, slice)
        });
        join_all(parts).await
    }

    async fn begin_partition(&self, partition: Partition, slice: Slice) -> Found {
        let wanted = Wanted { slice, newest_first: self.newest_first, event_type: self.event_type.clone() };
        let statements = &self.table.statements;
        let first = statements.pages(&partition, &wanted, self.first_page()).try_next().await;
        let next = match &first {
            Ok(Some(page)) => page.next.as_ref().map(|state| statements.pages_from(&partition, &wanted, state)),
            Ok(None) | Err(_) => None,
        };
        let rows = Rows { here: first.transpose(), next, one_ahead: self.at_most.is_none() };
        Box::pin(rows.stream())
    }

    /// A page of a filtered read is rows read, not rows given: small ones would only be more of them.
    fn first_page(&self) -> Option<NonZeroU32> {
        let most = FIRST_PAGE.min(self.table.page_size.unwrap_or(FIRST_PAGE));
        self.event_type.is_none().then(|| most.min(self.at_most.unwrap_or(most)))
    }
}

/// The rows of a partition whose first page is here.
struct Rows {
    here: Option<Result<Page<Event>, Error>>,
    next: Option<Pages<Event>>,
    one_ahead: bool,
}

impl Rows {
    fn stream(self) -> impl Stream<Item = Result<Event, Error>> + Send {
        let pages = stream::try_unfold(self, |mut rows| async move {
            let page = match (rows.here.take(), &mut rows.next) {
                (Some(page), _) => Some(page?),
                (None, Some(next)) => next.try_next().await?,
                (None, None) => None,
            };
            let Some(page) = page else { return Ok::<_, Error>(None) };
            if rows.one_ahead {
                rows.ask_for_next();
            }
            Ok(Some((stream::iter(page.rows.into_iter().map(Ok)), rows)))
        });
        pages.try_flatten()
    }

    /// Has the next page sent for, so that it arrives while the rows of this one are worked on.
    fn ask_for_next(&mut self) {
        match self.next.as_mut().and_then(|next| next.try_next().now_or_never()) {
            None => {}
            Some(Ok(None)) => self.next = None,
            Some(page) => self.here = page.transpose(),
        }
    }
}

/// Several streams in one order as one in that order. Ends with the first error.
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
