use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::stream::{FusedStream, Stream};
use scylla::response::query_result::QueryRowsResult;
use scylla::response::{PagingState, PagingStateResponse};

use super::pages::{DriverPage, Read, decode_each, into_rows};
use super::prefetch::Prefetch;
use crate::Error;
use crate::execute::Call;
use crate::lock::locked;
use crate::row::OwnedRow;

/// The rows of a read, fetched page by page, as a [`Stream`] that is `Unpin` and `Send`.
///
/// Nothing is sent before the stream is polled. When the first row of a page is taken, the next page is requested, so
/// that it arrives while the program works on these rows; the stream never holds more than these two pages. A separate
/// task requests the next page, so a stream that is not polled does not block other requests; dropping the stream ends
/// the task. Empty pages, which the service returns where a filter removes rows, are skipped. The stream can be dropped
/// at any time.
///
/// Each page is a call with its own deadline, which starts when the page is needed. A page that is throttled or whose
/// connection breaks is requested again, at another peer if there is one, so that no row is lost or repeated. When the
/// deadline has passed, the stream ends with an error, which carries the [paging state](crate::Error::paging_state) to
/// resume from.
///
/// `'v` is the lifetime of the bound values: `'static` for a [`Select`](crate::Select), which binds them at once, and
/// the caller's for [`Session::rows`](crate::Session::rows), which has to prepare the text first.
pub struct Rows<'v, R> {
    state: RowsState<'v, R>,
}

enum RowsState<'v, R> {
    /// Not polled yet.
    NotStarted(RowsSource<'v>),
    /// Each poll of the future puts one row into the slot, unless it has to wait for the server.
    Reading(BoxFuture<'v, Result<(), Error>>, Arc<RowSlot<R>>),
    Ended,
}

/// A read, or the future that prepares it.
enum RowsSource<'v> {
    // On the heap, because a stream is moved several times before it is polled, and each move would copy half a
    // kilobyte.
    Ready(Result<Arc<Read>, Error>),
    Preparing(BoxFuture<'v, Result<Read, Error>>),
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
    /// The errors of [`Select::rows`](crate::Select::rows).
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
    /// The errors of [`Select::rows`](crate::Select::rows).
    pub async fn try_collect<C: Default + Extend<R>>(mut self) -> Result<C, Error> {
        let mut all = C::default();
        match std::mem::replace(&mut self.state, RowsState::Ended) {
            // No row is returned before all have arrived, so the read needs no boxed future of its own.
            RowsState::NotStarted(source) => {
                let mut pages = PageReader::open(source).await?;
                while let Some(page) = pages.next().await? {
                    let mut failed = None;
                    all.extend(
                        decode_each(pages.call(), &page)?.map_while(|row| row.map_err(|e| failed = Some(e)).ok()),
                    );
                    failed.map_or(Ok(()), Err)?;
                }
            }
            started => self.state = started,
        }
        while let Some(row) = self.try_next().await? {
            all.extend(std::iter::once(row));
        }
        Ok(all)
    }

    pub(crate) fn new(read: Result<Read, Error>) -> Self {
        Self { state: RowsState::NotStarted(RowsSource::Ready(read.map(Arc::new))) }
    }

    /// Creates the stream of a read that is prepared when the stream is first polled.
    pub(crate) fn preparing(read: impl Future<Output = Result<Read, Error>> + Send + 'v) -> Self {
        Self { state: RowsState::NotStarted(RowsSource::Preparing(Box::pin(read))) }
    }

    fn poll_row(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, Error>>> {
        if matches!(self.state, RowsState::NotStarted(_))
            && let RowsState::NotStarted(source) = std::mem::replace(&mut self.state, RowsState::Ended)
        {
            let slot = Arc::new(RowSlot(Mutex::new(None)));
            let reading = Box::pin(decode_rows(source, Arc::clone(&slot)));
            self.state = RowsState::Reading(reading, slot);
        }
        let RowsState::Reading(reading, slot) = &mut self.state else { return Poll::Ready(None) };
        let ended = reading.as_mut().poll(context);
        if let Some(row) = slot.lock().take() {
            return Poll::Ready(Some(Ok(row)));
        }
        let ended = ready!(ended);
        self.state = RowsState::Ended;
        Poll::Ready(ended.err().map(Err))
    }
}

/// Decodes the rows one by one: each poll puts one row into `slot`, unless it has to wait for the server.
async fn decode_rows<R: OwnedRow>(source: RowsSource<'_>, slot: Arc<RowSlot<R>>) -> Result<(), Error> {
    let mut pages = PageReader::open(source).await?;
    while let Some(page) = pages.next().await? {
        // Undecoded rows borrow from their page, and a future can hold both. Decoding all rows of a page at once would
        // cost a quarter more, because the allocator cannot serve so many small allocations from its cache.
        for row in decode_each(pages.call(), &page)? {
            *slot.lock() = Some(row?);
            let mut waited = false;
            poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        }
    }
    Ok(())
}

/// Reads the pages of a read in order, and requests each page before the caller needs it.
struct PageReader {
    /// Shared with the task that requests the next page.
    read: Arc<Read>,
    next: NextPage,
}

/// Where the next page comes from.
enum NextPage {
    First,
    At(PagingState),
    /// The page has been requested ahead; the paging state says where it begins.
    Requested(Prefetch<DriverPage>, PagingState),
    End,
}

impl PageReader {
    async fn open(source: RowsSource<'_>) -> Result<Self, Error> {
        let read = match source {
            RowsSource::Ready(read) => read?,
            RowsSource::Preparing(read) => Arc::new(read.await?),
        };
        Ok(Self { read, next: NextPage::First })
    }

    fn call(&self) -> &Call {
        &self.read.call
    }

    /// Returns the next page. If the page has rows, the page after it is requested at once.
    async fn next(&mut self) -> Result<Option<QueryRowsResult>, Error> {
        let (page, after) = match std::mem::replace(&mut self.next, NextPage::End) {
            NextPage::First => Arc::make_mut(&mut self.read).first_page().await?,
            NextPage::At(state) => self.read.page(state).await?,
            NextPage::Requested(prefetch, state) => {
                let retry = |_, left| self.read.page_within(state, left);
                prefetch.take(self.read.call.deadline(), retry).await?
            }
            NextPage::End => return Ok(None),
        };
        let page = into_rows(&self.read.call, page)?;
        if let PagingStateResponse::HasMorePages { state } = after {
            self.next = if page.rows_num() == 0 {
                NextPage::At(state)
            } else {
                let (read, at) = (Arc::clone(&self.read), state.clone());
                NextPage::Requested(Prefetch::start(async move { read.page(at).await }), state)
            };
        }
        Ok(Some(page))
    }
}

/// The slot for a row that has been decoded and not yet taken.
struct RowSlot<R>(Mutex<Option<R>>);

impl<R> RowSlot<R> {
    fn lock(&self) -> MutexGuard<'_, Option<R>> {
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
