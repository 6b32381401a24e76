//! Reads a whole table, many token ranges at once.

mod progress;

use std::collections::VecDeque;
use std::fmt;
use std::num::{NonZeroU16, NonZeroUsize};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::stream::{FuturesUnordered, Stream, StreamExt};
use keyspaces_cql::Statement;
use keyspaces_cql::statement::{Operator, Subject};
use scylla::frame::response::result::{ColumnType, NativeType};
use scylla::response::{PagingState as DriverState, PagingStateResponse};
use tokio::time::Instant;

use self::progress::RangeState;
pub use self::progress::ScanProgress;
use crate::row::OwnedRow;
use crate::statement::SerializedView;
use crate::stream::{Ahead, Arrived, Fingerprint, decode, time_to_ask_again};
use crate::{Error, ErrorKind, Select};

/// The default number of ranges: enough to even out their sizes, and few enough to keep [`ScanProgress`] small.
const RANGES: NonZeroU16 = NonZeroU16::MIN.saturating_add(255);

/// The most ranges in flight by default, because each holds a page in memory.
const MOST_IN_FLIGHT: usize = 32;

pub(crate) fn scan<R: OwnedRow>(select: &Select<(i64, i64), R>) -> Result<Scan<R>, Error> {
    check_tokens(select)?;
    Ok(Scan::new(select.clone(), ScanProgress::begin(fingerprint(select), RANGES)))
}

pub(crate) fn scan_from<R: OwnedRow>(
    select: &Select<(i64, i64), R>,
    progress: &ScanProgress,
) -> Result<Scan<R>, Error> {
    check_tokens(select)?;
    progress.check(fingerprint(select), &select.untyped.call.info)?;
    Ok(Scan::new(select.clone(), progress.clone()))
}

fn fingerprint<R: OwnedRow>(select: &Select<(i64, i64), R>) -> Fingerprint {
    Fingerprint::new(select.untyped.text, SerializedView::new(&[], 0))
}

fn check_tokens<R: OwnedRow>(select: &Select<(i64, i64), R>) -> Result<(), Error> {
    let info = &select.untyped.call.info;
    let refused = |problem: &'static str, advice: &'static str| {
        Err(Error::new(ErrorKind::Refused, info.attempted.clone(), problem).with_advice(advice))
    };
    if let Some(Statement::Select(select)) = info.tree() {
        let by_token = select.relations.iter().filter(|relation| matches!(relation.subject, Subject::Token(_)));
        if !by_token.map(|relation| relation.operator).eq([Operator::Greater, Operator::LessOrEqual]) {
            return refused(
                "a scan selects by token, the text does not",
                "Write WHERE token(partition key) > ? AND token(partition key) <= ?",
            );
        }
        if select.limit.is_some() {
            return refused(
                "a scan reads all rows, the text has a LIMIT, which would hold for each of its ranges",
                "Leave the LIMIT away, and stop reading when there are enough",
            );
        }
    }
    let columns = select.untyped.prepared.get_variable_col_specs();
    if columns.iter().any(|column| !matches!(column.typ(), ColumnType::Native(NativeType::BigInt))) {
        return refused(
            "the tokens are not those of the Murmur3 partitioner",
            "Set it for the account and region: UPDATE system.local SET partitioner = \
             'org.apache.cassandra.dht.Murmur3Partitioner' WHERE key = 'local' (DG:working-with-partitioners)",
        );
    }
    Ok(())
}

/// A [`Stream`] of the pages of a whole table, in no particular order, from [`Select::scan`]; it is `Unpin` and `Send`.
///
/// The scan yields each page once and records it in its [`progress`](Self::progress); a scan that resumes from that
/// progress yields each remaining page once. The scan holds at most one page for each range in flight, and ends after an
/// error. Pages are requested by tasks of their own, which end when the scan is dropped, so a scan that is not polled
/// blocks nothing else. The deadline of a page counts from when the scan is polled for it.
pub struct Scan<R> {
    select: Select<(i64, i64), R>,
    progress: ScanProgress,
    in_flight: usize,
    /// The unfinished ranges that are not in flight; `None` before the first poll.
    waiting: Option<VecDeque<usize>>,
    asked: FuturesUnordered<Ahead<RequestedPage>>,
    /// When the caller began to wait for a page; `None` if it does not wait.
    wanted: Option<Instant>,
    /// The range of the last page.
    last_range: usize,
}

/// A requested page, its range and the time of the request.
struct RequestedPage {
    range: usize,
    at: Instant,
    page: Result<Arrived, Error>,
}

impl<R: OwnedRow> Scan<R> {
    fn new(select: Select<(i64, i64), R>, progress: ScanProgress) -> Self {
        let session = &select.untyped.call.session;
        let connections = session.peers().len().max(1) * session.connections_per_host().get();
        let in_flight = connections.min(MOST_IN_FLIGHT);
        Self { select, progress, in_flight, waiting: None, asked: FuturesUnordered::new(), wanted: None, last_range: 0 }
    }

    /// Sets how many ranges may be in flight at once. Default: the connections of the session, at most 32.
    #[must_use]
    pub fn in_flight(mut self, ranges: NonZeroUsize) -> Self {
        self.in_flight = ranges.get();
        self
    }

    /// Sets how many ranges the table is divided into. Default: 256. A resumed scan keeps its number of ranges.
    #[must_use]
    pub fn ranges(mut self, ranges: NonZeroU16) -> Self {
        if self.progress.is_fresh() {
            self.progress = ScanProgress::begin(fingerprint(&self.select), ranges);
        }
        self
    }

    /// Returns the next page, or `None` after the last.
    ///
    /// Works like `TryStreamExt::try_next` of the crate `futures`, without the import. Dropping the future loses no page.
    ///
    /// # Errors
    ///
    /// The errors of [`Select::rows`].
    pub async fn try_next(&mut self) -> Result<Option<Vec<R>>, Error> {
        StreamExt::next(self).await.transpose()
    }

    /// Returns the progress of the scan, including every page it has yielded.
    pub fn progress(&self) -> &ScanProgress {
        &self.progress
    }

    /// Returns the range of the last page that the scan yielded.
    #[cfg(feature = "bulk")]
    pub(crate) fn last_range(&self) -> usize {
        self.last_range
    }

    fn ask(&mut self) {
        self.waiting.get_or_insert_with(|| self.progress.unfinished().collect());
        while self.asked.len() < self.in_flight
            && let Some(range) = self.waiting.as_mut().and_then(VecDeque::pop_front)
        {
            let page = self.ask_for(range, None);
            self.asked.push(page);
        }
    }

    fn ask_for(&self, range: usize, deadline: Option<Duration>) -> Ahead<RequestedPage> {
        let (read, at) = (self.select.read(&self.progress.bounds(range)), Instant::now());
        let state = match self.progress.state(range) {
            RangeState::At(state) => DriverState::new_from_raw_bytes(&**state),
            RangeState::Fresh | RangeState::Done => DriverState::start(),
        };
        Ahead::begin(async move {
            let page = match (read, deadline) {
                (Ok(read), None) => read.page(state).await,
                (Ok(read), Some(deadline)) => read.page_within(state, deadline).await,
                (Err(error), _) => Err(error),
            };
            RequestedPage { range, at, page }
        })
    }

    /// Requests a page again if it was requested before the caller waited for a page, and failed. Returns whether it did.
    fn asks_again(&mut self, asked: &RequestedPage, wanted: Instant) -> bool {
        let Err(error) = &asked.page else { return false };
        let deadline = self.select.untyped.call.deadline();
        let Some(left) = time_to_ask_again(error, wanted, deadline).filter(|_| asked.at < wanted) else { return false };
        let page = self.ask_for(asked.range, Some(left));
        self.asked.push(page);
        true
    }

    fn page(&mut self, RequestedPage { range, page, .. }: RequestedPage) -> Result<Vec<R>, Error> {
        let (page, next) = page?;
        let rows = decode(&self.select.untyped.call, page)?;
        let state = match next {
            PagingStateResponse::NoMorePages => RangeState::Done,
            PagingStateResponse::HasMorePages { state } => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.push_front(range);
                }
                RangeState::At(state.as_bytes_slice().map(|bytes| bytes.to_vec()).unwrap_or_default())
            }
        };
        self.progress.set(range, state);
        self.last_range = range;
        Ok(rows)
    }
}

impl<R: OwnedRow> Stream for Scan<R> {
    type Item = Result<Vec<R>, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let scan = self.get_mut();
        let wanted = *scan.wanted.get_or_insert_with(Instant::now);
        loop {
            scan.ask();
            let Some(asked) = ready!(scan.asked.poll_next_unpin(context)) else { return Poll::Ready(None) };
            if scan.asks_again(&asked, wanted) {
                continue;
            }
            match scan.page(asked) {
                Ok(rows) if rows.is_empty() => {}
                Ok(rows) => {
                    scan.wanted = None;
                    return Poll::Ready(Some(Ok(rows)));
                }
                Err(error) => {
                    scan.waiting = Some(VecDeque::new());
                    scan.asked.clear();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl<R> Unpin for Scan<R> {}

impl<R> fmt::Debug for Scan<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("select", &self.select).field("progress", &self.progress).finish_non_exhaustive()
    }
}
