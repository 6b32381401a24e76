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
use crate::stream::{AbortOnDrop, DriverPage, Fingerprint, decode_all, time_to_retry};
use crate::{Error, ErrorKind, Select};

/// The default number of ranges: enough to even out their sizes, and few enough to keep [`ScanProgress`] small.
const RANGES: NonZeroU16 = NonZeroU16::MIN.saturating_add(255);

/// The maximum of the default number of ranges in flight. Each range in flight holds a page in memory.
const MAX_IN_FLIGHT: usize = 32;

pub(crate) fn scan<R: OwnedRow>(select: &Select<(i64, i64), R>) -> Result<Scan<R>, Error> {
    check_tokens(select)?;
    Ok(Scan::new(select.clone(), ScanProgress::new(fingerprint(select), RANGES)))
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
                "a scan selects by token, but the statement does not",
                "Write WHERE token(partition key) > ? AND token(partition key) <= ?",
            );
        }
        if select.limit.is_some() {
            return refused(
                "a scan reads all rows, but the statement has a LIMIT, which would apply to each range separately",
                "Remove the LIMIT, and stop reading when there are enough rows",
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
/// progress yields each remaining page once. The scan holds at most one page for each range in flight, and ends after
/// an error. Separate tasks request the pages, so a scan that is not polled does not block other requests. Dropping the
/// scan ends these tasks. The deadline of a page starts when the scan is polled for it.
pub struct Scan<R> {
    select: Select<(i64, i64), R>,
    progress: ScanProgress,
    max_in_flight: usize,
    /// The unfinished ranges that are not in flight; `None` before the first poll.
    queue: Option<VecDeque<usize>>,
    requests: FuturesUnordered<AbortOnDrop<RequestedPage>>,
    /// When the caller began to wait for a page; `None` if it does not wait.
    waiting_since: Option<Instant>,
    /// The range of the last page.
    last_range: usize,
}

/// A requested page, its range and the time of the request.
struct RequestedPage {
    range: usize,
    requested_at: Instant,
    page: Result<DriverPage, Error>,
}

impl<R: OwnedRow> Scan<R> {
    fn new(select: Select<(i64, i64), R>, progress: ScanProgress) -> Self {
        let session = &select.untyped.call.session;
        let connections = session.peers().len().max(1) * session.connections_per_host().get();
        let max_in_flight = connections.min(MAX_IN_FLIGHT);
        Self {
            select,
            progress,
            max_in_flight,
            queue: None,
            requests: FuturesUnordered::new(),
            waiting_since: None,
            last_range: 0,
        }
    }

    /// Sets how many ranges may be in flight at once. Default: the connections of the session, at most 32.
    #[must_use]
    pub fn in_flight(mut self, ranges: NonZeroUsize) -> Self {
        self.max_in_flight = ranges.get();
        self
    }

    /// Sets how many ranges the table is divided into. Default: 256. A resumed scan keeps its number of ranges.
    #[must_use]
    pub fn ranges(mut self, ranges: NonZeroU16) -> Self {
        if self.progress.is_unread() {
            self.progress = ScanProgress::new(fingerprint(&self.select), ranges);
        }
        self
    }

    /// Returns the next page, or `None` after the last.
    ///
    /// Works like `TryStreamExt::try_next` of the crate `futures`, without the import. Dropping the future loses no
    /// page.
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

    /// Requests pages until as many ranges are in flight as allowed, or no range is left.
    fn request_pages(&mut self) {
        self.queue.get_or_insert_with(|| self.progress.unfinished().collect());
        while self.requests.len() < self.max_in_flight
            && let Some(range) = self.queue.as_mut().and_then(VecDeque::pop_front)
        {
            let page = self.request_page(range, None);
            self.requests.push(page);
        }
    }

    /// Requests the next page of a range.
    fn request_page(&self, range: usize, deadline: Option<Duration>) -> AbortOnDrop<RequestedPage> {
        let (read, requested_at) = (self.select.read(&self.progress.bounds(range)), Instant::now());
        let state = match self.progress.state(range) {
            RangeState::At(state) => DriverState::new_from_raw_bytes(&**state),
            RangeState::NotStarted | RangeState::Done => DriverState::start(),
        };
        AbortOnDrop::spawn(async move {
            let page = match (read, deadline) {
                (Ok(read), None) => read.page(state).await,
                (Ok(read), Some(deadline)) => read.page_within(state, deadline).await,
                (Err(error), _) => Err(error),
            };
            RequestedPage { range, requested_at, page }
        })
    }

    /// Requests a failed page again if the error is transient and the page was requested before the caller began to
    /// wait. Returns whether the page was requested again.
    fn retry_page(&mut self, requested: &RequestedPage, waiting_since: Instant) -> bool {
        let Err(error) = &requested.page else { return false };
        let deadline = self.select.untyped.call.deadline();
        let Some(left) =
            time_to_retry(error, waiting_since, deadline).filter(|_| requested.requested_at < waiting_since)
        else {
            return false;
        };
        let page = self.request_page(requested.range, Some(left));
        self.requests.push(page);
        true
    }

    /// Records a page in the progress and returns its rows.
    fn accept_page(&mut self, RequestedPage { range, page, .. }: RequestedPage) -> Result<Vec<R>, Error> {
        let (page, next) = page?;
        let rows = decode_all(&self.select.untyped.call, page)?;
        let state = match next {
            PagingStateResponse::NoMorePages => RangeState::Done,
            PagingStateResponse::HasMorePages { state } => {
                if let Some(queue) = &mut self.queue {
                    queue.push_front(range);
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
        let waiting_since = *scan.waiting_since.get_or_insert_with(Instant::now);
        loop {
            scan.request_pages();
            let Some(requested) = ready!(scan.requests.poll_next_unpin(context)) else { return Poll::Ready(None) };
            if scan.retry_page(&requested, waiting_since) {
                continue;
            }
            match scan.accept_page(requested) {
                Ok(rows) if rows.is_empty() => {}
                Ok(rows) => {
                    scan.waiting_since = None;
                    return Poll::Ready(Some(Ok(rows)));
                }
                Err(error) => {
                    scan.queue = Some(VecDeque::new());
                    scan.requests.clear();
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
