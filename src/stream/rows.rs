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
/// Nothing is sent before it is polled. When the first row of a page is taken, the next page is asked for, so it arrives
/// while these rows are worked on; no more than these two pages are ever held. It is asked for by a task of its own, which
/// ends when the stream is dropped, so a stream that is not read on holds up nothing else. Empty pages, which the service
/// gives where a filter drops rows, are passed over. It can be dropped at any time.
///
/// Each page is a call with a deadline of its own, which counts from when the page is needed: throttled or cut, it is asked
/// for again, at another peer where there is one, so that no row is lost and none comes twice. When its deadline has passed,
/// the stream ends with the error, which has the [paging state](crate::Error::paging_state) to go on from.
///
/// `'v` is how long the values live that are bound: `'static` for those of a [`Select`](crate::Select), which are bound at
/// once, and those of the caller for [`Session::rows`](crate::Session::rows), whose text has to be prepared before.
pub struct Rows<'v, R> {
    state: RowsState<'v, R>,
}

enum RowsState<'v, R> {
    /// Not polled yet.
    Fresh(RowsSource<'v>),
    /// Gives the rows, one each time that it is polled and does not have to wait for the server.
    Reading(BoxFuture<'v, Result<(), Error>>, Arc<PendingRow<R>>),
    Ended,
}

/// Where the read comes from.
enum RowsSource<'v> {
    // On the heap: a stream is moved some times before it is polled, and each would copy half a kilobyte.
    Ready(Result<Arc<Read>, Error>),
    Later(BoxFuture<'v, Result<Read, Error>>),
}

impl<'v, R: OwnedRow> Rows<'v, R> {
    /// The next row, or `None` after the last.
    ///
    /// As `TryStreamExt::try_next` of the crate `futures`, which need not be imported for it.
    ///
    /// Dropping the future loses nothing: the next call goes on where this one was.
    ///
    /// # Errors
    ///
    /// As [`Select::rows`](crate::Select::rows).
    pub async fn try_next(&mut self) -> Result<Option<R>, Error> {
        poll_fn(|context| self.poll_row(context)).await.transpose()
    }

    /// All rows together, however many they are: to be used where that is known to be few.
    ///
    /// As `TryStreamExt::try_collect` of the crate `futures`, which need not be imported for it.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`Select::rows`](crate::Select::rows).
    pub async fn try_collect<C: Default + Extend<R>>(mut self) -> Result<C, Error> {
        let mut all = C::default();
        match std::mem::replace(&mut self.state, RowsState::Ended) {
            // Nobody is given a row before all are there, so it needs no future of its own on the heap.
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

    /// For a read that has to be prepared first, when the stream is polled.
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

/// Gives all rows, one each time that it is polled and has one.
async fn give_each<R: OwnedRow>(source: RowsSource<'_>, given: Arc<PendingRow<R>>) -> Result<(), Error> {
    let mut pages = PagesInTurn::of(source).await?;
    while let Some(page) = pages.next().await? {
        // Rows borrow from their page until they are decoded, and a future can hold both. All rows of a page decoded at
        // once would cost a quarter more: too many small allocations for the allocator to have at hand.
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
    // The task that asks ahead has a part in it.
    read: Arc<Read>,
    next: Next,
}

enum Next {
    First,
    At(PagingState),
    /// Asked for while the rows before it are worked on, and where it begins.
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

    /// The next page. If it has rows, the one after it is asked for already.
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

/// The row that was given and not yet taken.
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

// Nothing in it is ever pinned in place: what is read is pinned on the heap.
impl<R> Unpin for Rows<'_, R> {}

impl<R> fmt::Debug for Rows<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("has_ended", &matches!(self.state, RowsState::Ended)).finish_non_exhaustive()
    }
}
