use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::stream::{FusedStream, Stream};
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};

use super::ahead::PageAhead;
use super::pages::{Read, decoded, rows_of};
use crate::Error;
use crate::execute::Call;
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
pub struct Rows<R> {
    state: State<R>,
}

enum State<R> {
    /// Not polled yet.
    Fresh(Source),
    /// Gives the rows, one each time that it is polled and does not have to wait for the server.
    Reading(BoxFuture<'static, Result<(), Error>>, Arc<Given<R>>),
    Ended,
}

/// Where the read comes from.
enum Source {
    // Boxed: a stream is moved some times before it is polled, and each would copy half a kilobyte.
    Ready(Result<Box<Read>, Error>),
    Later(BoxFuture<'static, Result<Read, Error>>),
}

impl<R: OwnedRow> Rows<R> {
    /// The next row, or `None` after the last.
    ///
    /// As `TryStreamExt::try_next` of the crate `futures`, which need not be imported for it.
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
    /// # Errors
    ///
    /// As [`Select::rows`](crate::Select::rows).
    pub async fn try_collect<C: Default + Extend<R>>(mut self) -> Result<C, Error> {
        let mut all = C::default();
        match std::mem::replace(&mut self.state, State::Ended) {
            // Nobody is given a row before all are there, so it needs no future of its own on the heap.
            State::Fresh(source) => read_all(source, |row| all.extend(std::iter::once(row)), false).await?,
            begun => self.state = begun,
        }
        while let Some(row) = self.try_next().await? {
            all.extend(std::iter::once(row));
        }
        Ok(all)
    }

    pub(crate) fn new(read: Result<Read, Error>) -> Self {
        Self { state: State::Fresh(Source::Ready(read.map(Box::new))) }
    }

    /// For a read that has to be prepared first, when the stream is polled.
    pub(crate) fn later(read: impl Future<Output = Result<Read, Error>> + Send + 'static) -> Self {
        Self { state: State::Fresh(Source::Later(Box::pin(read))) }
    }

    fn poll_row(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, Error>>> {
        if matches!(self.state, State::Fresh(_))
            && let State::Fresh(source) = std::mem::replace(&mut self.state, State::Ended)
        {
            let given = Arc::new(Given(Mutex::new(None)));
            let slot = Arc::clone(&given);
            let reading = Box::pin(read_all(source, move |row| *slot.slot() = Some(row), true));
            self.state = State::Reading(reading, given);
        }
        let State::Reading(reading, given) = &mut self.state else { return Poll::Ready(None) };
        let ended = reading.as_mut().poll(context);
        if let Some(row) = given.slot().take() {
            return Poll::Ready(Some(Ok(row)));
        }
        let ended = ready!(ended);
        self.state = State::Ended;
        Poll::Ready(ended.err().map(Err))
    }
}

/// Reads all pages and hands over each row; `pauses` after each until it is polled again.
async fn read_all<R: OwnedRow>(source: Source, mut take: impl FnMut(R), pauses: bool) -> Result<(), Error> {
    let mut read = match source {
        Source::Ready(read) => read?,
        Source::Later(read) => Box::new(read.await?),
    };
    let (mut page, after) = read.first_page().await?;
    let mut next = more(after);
    if next.is_none() {
        return take_rows(&read.call, page, || (), &mut take, pauses).await;
    }
    // The task that asks ahead has a part in it.
    let read = Arc::<Read>::from(read);
    loop {
        let mut asked = None;
        let ask = || {
            if let (None, Some(state)) = (&asked, &next) {
                let (read, state) = (Arc::clone(&read), state.clone());
                asked = Some(PageAhead::ask(async move { read.page(state).await }));
            }
        };
        take_rows(&read.call, page, ask, &mut take, pauses).await?;
        let Some(state) = next else { return Ok(()) };
        let (arrived, after) = match asked {
            Some(ahead) => {
                let again = |_, left| read.page_within(state, left);
                ahead.wanted(read.call.deadline(), again).await?
            }
            // The page had no rows.
            None => read.page(state).await?,
        };
        (page, next) = (arrived, more(after));
    }
}

fn more(after: PagingStateResponse) -> Option<PagingState> {
    match after {
        PagingStateResponse::HasMorePages { state } => Some(state),
        PagingStateResponse::NoMorePages => None,
    }
}

/// Calls `ask` before each row.
///
/// Rows borrow from their page until they are decoded, and a future can hold both. All rows of a page decoded at once would
/// cost a quarter more: too many small allocations for the allocator to have at hand.
async fn take_rows<R: OwnedRow>(
    call: &Call,
    page: QueryResult,
    mut ask: impl FnMut(),
    take: &mut impl FnMut(R),
    pauses: bool,
) -> Result<(), Error> {
    let page = rows_of(call, page)?;
    for row in decoded(call, &page)? {
        ask();
        take(row?);
        if pauses {
            let mut waited = false;
            poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        }
    }
    Ok(())
}

/// The row that was given and not yet taken.
struct Given<R>(Mutex<Option<R>>);

impl<R> Given<R> {
    fn slot(&self) -> MutexGuard<'_, Option<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: OwnedRow> Stream for Rows<R> {
    type Item = Result<R, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_row(context)
    }
}

impl<R: OwnedRow> FusedStream for Rows<R> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

// Nothing in it is ever pinned in place: what is read is pinned on the heap.
impl<R> Unpin for Rows<R> {}

impl<R> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("has_ended", &matches!(self.state, State::Ended)).finish_non_exhaustive()
    }
}
