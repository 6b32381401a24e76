use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::stream::{FusedStream, Stream};
use scylla::response::query_result::QueryRowsResult;
use scylla::response::{PagingState, PagingStateResponse};

use super::ahead::PageAhead;
use super::pages::{Arrived, Read, decoded, rows_of};
use crate::Error;
use crate::execute::Call;
use crate::lock::locked;
use crate::row::OwnedRow;

/// The rows of a read, fetched page by page, as a [`Stream`] that is `Unpin` and `Send`.
///
/// Nothing is sent before the stream is polled. When the first row of a page is taken, the next page is requested, so that
/// it arrives while the program works on these rows; the stream never holds more than these two pages. The next page is
/// requested by a task of its own, which ends when the stream is dropped, so a stream that is not polled blocks nothing
/// else. Empty pages, which the service returns where a filter removes rows, are skipped. The stream can be dropped at any
/// time.
///
/// Each page is a call with its own deadline, which counts from when the page is needed. A page that is throttled or whose
/// connection breaks is requested again, at another peer if there is one, so that no row is lost or repeated. When the
/// deadline has passed, the stream ends with an error, which carries the [paging state](crate::Error::paging_state) to
/// resume from.
///
/// `'v` is the lifetime of the bound values: `'static` for a [`Select`](crate::Select), which binds them at once, and the
/// caller's for [`Session::rows`](crate::Session::rows), which has to prepare the text first.
pub struct Rows<'v, R> {
    state: RowsState<'v, R>,
}

enum RowsState<'v, R> {
    /// Not polled yet.
    Fresh(RowsSource<'v>),
    /// The future puts one row into the slot each time it is polled, unless it has to wait for the server.
    Reading(BoxFuture<'v, Result<(), Error>>, Arc<PendingRow<R>>),
    Ended,
}

/// A read, or the future that prepares it.
enum RowsSource<'v> {
    // On the heap, because a stream is moved several times before it is polled, and each move would copy half a kilobyte.
    Ready(Result<Arc<Read>, Error>),
    Later(BoxFuture<'v, Result<Read, Error>>),
}

impl<'v, R: OwnedRow> Rows<'v, R> {
    /// Returns the next row, or `None` after the last.
    ///
    /// Works like `TryStreamExt::try_next` of the crate `futures`, without the import.
    ///
    /// Dropping the future loses no row: the next call continues where this one stopped.
    ///
    /// # Errors
    ///
    /// As [`Select::rows`](crate::Select::rows).
    pub async fn try_next(&mut self) -> Result<Option<R>, Error> {
        poll_fn(|context| self.poll_row(context)).await.transpose()
    }

    /// Collects all rows, however many there are. Use it where their number is known to be small.
    ///
    /// Works like `TryStreamExt::try_collect` of the crate `futures`, without the import.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`Select::rows`](crate::Select::rows).
    pub async fn try_collect<C: Default + Extend<R>>(mut self) -> Result<C, Error> {
        let mut all = C::default();
        match std::mem::replace(&mut self.state, RowsState::Ended) {
            // No row is returned before all have arrived, so the read needs no boxed future of its own.
            RowsState::Fresh(source) => {
                let mut pages = PagesInTurn::of(source).await?;
                while let Some(page) = pages.next().await? {
                    let mut failed = None;
                    all.extend(decoded(pages.call(), &page)?.map_while(|row| row.map_err(|e| failed = Some(e)).ok()));
                    failed.map_or(Ok(()), Err)?;
                }
            }
            begun => self.state = begun,
        }
        while let Some(row) = self.try_next().await? {
            all.extend(std::iter::once(row));
        }
        Ok(all)
    }

    pub(crate) fn new(read: Result<Read, Error>) -> Self {
        Self { state: RowsState::Fresh(RowsSource::Ready(read.map(Arc::new))) }
    }

    /// Creates the stream of a read that is prepared when the stream is first polled.
    pub(crate) fn later(read: impl Future<Output = Result<Read, Error>> + Send + 'v) -> Self {
        Self { state: RowsState::Fresh(RowsSource::Later(Box::pin(read))) }
    }

    fn poll_row(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, Error>>> {
        if matches!(self.state, RowsState::Fresh(_))
            && let RowsState::Fresh(source) = std::mem::replace(&mut self.state, RowsState::Ended)
        {
            let given = Arc::new(PendingRow(Mutex::new(None)));
            let slot = Arc::clone(&given);
            let reading = Box::pin(give_each(source, slot));
            self.state = RowsState::Reading(reading, given);
        }
        let RowsState::Reading(reading, given) = &mut self.state else { return Poll::Ready(None) };
        let ended = reading.as_mut().poll(context);
        if let Some(row) = given.slot().take() {
            return Poll::Ready(Some(Ok(row)));
        }
        let ended = ready!(ended);
        self.state = RowsState::Ended;
        Poll::Ready(ended.err().map(Err))
    }
}

/// Puts the rows into `given`, one each time it is polled and a row is available.
async fn give_each<R: OwnedRow>(source: RowsSource<'_>, given: Arc<PendingRow<R>>) -> Result<(), Error> {
    let mut pages = PagesInTurn::of(source).await?;
    while let Some(page) = pages.next().await? {
        // Undecoded rows borrow from their page, and a future can hold both. Decoding all rows of a page at once would cost
        // a quarter more, because the allocator cannot serve so many small allocations from its cache.
        for row in decoded(pages.call(), &page)? {
            *given.slot() = Some(row?);
            let mut waited = false;
            poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        }
    }
    Ok(())
}

/// The pages of a read, one after the other.
struct PagesInTurn {
    // Shared with the task that requests the next page.
    read: Arc<Read>,
    next: Next,
}

enum Next {
    First,
    At(PagingState),
    /// The next page has been requested ahead; the paging state says where it begins.
    Asked(PageAhead<Arrived>, PagingState),
    Nothing,
}

impl PagesInTurn {
    async fn of(source: RowsSource<'_>) -> Result<Self, Error> {
        let read = match source {
            RowsSource::Ready(read) => read?,
            RowsSource::Later(read) => Arc::new(read.await?),
        };
        Ok(Self { read, next: Next::First })
    }

    fn call(&self) -> &Call {
        &self.read.call
    }

    /// Returns the next page. If the page has rows, the page after it is requested at once.
    async fn next(&mut self) -> Result<Option<QueryRowsResult>, Error> {
        let (page, after) = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::First => Arc::make_mut(&mut self.read).first_page().await?,
            Next::At(state) => self.read.page(state).await?,
            Next::Asked(ahead, state) => {
                let again = |_, left| self.read.page_within(state, left);
                ahead.wanted(self.read.call.deadline(), again).await?
            }
            Next::Nothing => return Ok(None),
        };
        let page = rows_of(&self.read.call, page)?;
        if let PagingStateResponse::HasMorePages { state } = after {
            self.next = if page.rows_num() == 0 {
                Next::At(state)
            } else {
                let (read, at) = (Arc::clone(&self.read), state.clone());
                Next::Asked(PageAhead::ask(async move { read.page(at).await }), state)
            };
        }
        Ok(Some(page))
    }
}

/// The slot for a row that has been decoded and not yet taken.
struct PendingRow<R>(Mutex<Option<R>>);

impl<R> PendingRow<R> {
    fn slot(&self) -> MutexGuard<'_, Option<R>> {
        locked(&self.0)
    }
}

impl<R: OwnedRow> Stream for Rows<'_, R> {
    type Item = Result<R, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_row(context)
    }
}

impl<R: OwnedRow> FusedStream for Rows<'_, R> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, RowsState::Ended)
    }
}

// No field is pinned in place: the futures are pinned on the heap.
impl<R> Unpin for Rows<'_, R> {}

impl<R> fmt::Debug for Rows<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("has_ended", &matches!(self.state, RowsState::Ended)).finish_non_exhaustive()
    }
}
