use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::stream::{FusedStream, Stream};
use scylla::response::{PagingState, PagingStateResponse};

use super::pages::{Arrived, Read, decode};
use crate::Error;
use crate::row::OwnedRow;

/// The rows of a read, fetched page by page, as a [`Stream`] that is `Unpin` and `Send`.
///
/// Nothing is sent before it is polled. When the first row of a page is taken, the next page is asked for, so it arrives
/// while these rows are worked on; no more than these two pages are ever held. Empty pages, which the service gives where a
/// filter drops rows, are passed over. It can be dropped at any time, and ends after an error.
pub struct Rows<R> {
    read: Option<Arc<Read>>,
    rows: std::vec::IntoIter<R>,
    next: Next,
}

enum Next {
    Nothing,
    Failed(Error),
    Prepared(BoxFuture<'static, Result<Read, Error>>),
    At(PagingState),
    Asked(BoxFuture<'static, Result<Arrived, Error>>),
    Here(Box<Arrived>),
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
        std::future::poll_fn(|context| self.poll_row(context)).await.transpose()
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
        while let Some(row) = self.try_next().await? {
            all.extend(std::iter::once(row));
        }
        Ok(all)
    }

    pub(crate) fn new(read: Result<Read, Error>) -> Self {
        let (read, next) = match read {
            Ok(read) => (Some(Arc::new(read)), Next::At(PagingState::start())),
            Err(error) => (None, Next::Failed(error)),
        };
        Self { read, rows: Vec::new().into_iter(), next }
    }

    /// For a read that has to be prepared first, when the stream is polled.
    pub(crate) fn later(read: BoxFuture<'static, Result<Read, Error>>) -> Self {
        Self { read: None, rows: Vec::new().into_iter(), next: Next::Prepared(read) }
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        let (Next::At(state), Some(read)) = (&self.next, &self.read) else { return };
        let (read, state) = (Arc::clone(read), state.clone());
        let mut asked: BoxFuture<'static, _> = Box::pin(async move { read.page(state).await });
        // It is sent when it is polled first; after that the driver takes the answer in by itself.
        self.next = match asked.as_mut().poll(context) {
            Poll::Ready(Ok(page)) => Next::Here(Box::new(page)),
            Poll::Ready(Err(error)) => Next::Failed(error),
            Poll::Pending => Next::Asked(asked),
        };
    }

    fn take(&mut self, (page, state): Arrived) -> Result<(), Error> {
        let Some(read) = &self.read else { return Ok(()) };
        self.rows = decode(&read.call.about, page)?.into_iter();
        self.next = match state {
            PagingStateResponse::HasMorePages { state } => Next::At(state),
            PagingStateResponse::NoMorePages => Next::Nothing,
        };
        Ok(())
    }

    fn poll_row(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, Error>>> {
        loop {
            if let Some(row) = self.rows.next() {
                self.ask(context);
                return Poll::Ready(Some(Ok(row)));
            }
            let taken = match std::mem::replace(&mut self.next, Next::Nothing) {
                Next::Nothing => return Poll::Ready(None),
                Next::Failed(error) => Err(error),
                Next::Prepared(mut read) => match read.as_mut().poll(context) {
                    Poll::Pending => {
                        self.next = Next::Prepared(read);
                        return Poll::Pending;
                    }
                    Poll::Ready(read) => read.map(|read| {
                        self.read = Some(Arc::new(read));
                        self.next = Next::At(PagingState::start());
                    }),
                },
                Next::At(state) => {
                    self.next = Next::At(state);
                    self.ask(context);
                    Ok(())
                }
                Next::Here(page) => self.take(*page),
                Next::Asked(mut asked) => match asked.as_mut().poll(context) {
                    Poll::Pending => {
                        self.next = Next::Asked(asked);
                        return Poll::Pending;
                    }
                    Poll::Ready(page) => page.and_then(|page| self.take(page)),
                },
            };
            if let Err(error) = taken {
                self.read = None;
                return Poll::Ready(Some(Err(error)));
            }
            if let Next::Asked(_) = self.next {
                return Poll::Pending;
            }
        }
    }
}

impl<R: OwnedRow> Stream for Rows<R> {
    type Item = Result<R, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let row = ready!(self.get_mut().poll_row(context));
        Poll::Ready(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let here = self.rows.len();
        (here, if matches!(self.next, Next::Nothing) { Some(here) } else { None })
    }
}

impl<R: OwnedRow> FusedStream for Rows<R> {
    fn is_terminated(&self) -> bool {
        self.rows.len() == 0 && matches!(self.next, Next::Nothing)
    }
}

// Nothing in it is ever pinned in place: what is in flight is pinned on the heap.
impl<R> Unpin for Rows<R> {}

impl<R> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("rows_at_hand", &self.rows.len()).finish_non_exhaustive()
    }
}
