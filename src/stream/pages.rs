use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use scylla::deserialize::DeserializationError;
use scylla::response::query_result::{QueryResult, QueryRowsResult, RowsError};
use scylla::response::{PagingState as DriverState, PagingStateResponse};

use super::paging_state::PagingState;
use super::sealed::Fingerprint;
use crate::execute::{self, Call, Request};
use crate::row::OwnedRow;
use crate::statement::{NamedColumns, advice_on_columns, advice_on_row, of_columns, of_row};
use crate::{Error, ErrorKind};

/// One page of a read, and how to go on from it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<R> {
    /// Its rows.
    pub rows: Vec<R>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<PagingState>,
}

/// The pages of a read as a [`Stream`] that is `Unpin` and `Send`, from [`Select::pages`](crate::Select::pages).
///
/// A page is asked for when it is polled for, and none ahead: who shows one page to somebody needs no other. Empty pages are
/// passed over. It can be dropped at any time, and ends after an error, which has the [paging
/// state](crate::Error::paging_state) to go on from; each page is a call with a deadline of its own.
pub struct Pages<R> {
    pages: BoxStream<'static, Result<Page<R>, Error>>,
}

/// A read about to be made, from its values on.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) call: Arc<Call>,
    pub(crate) request: Request,
    pub(crate) fingerprint: Fingerprint,
}

/// A page as it comes, and what follows it.
pub(crate) type Arrived = (QueryResult, PagingStateResponse);

impl Read {
    /// The first page. The request is not copied for it.
    pub(super) async fn first_page(&mut self) -> Result<Arrived, Error> {
        let page = execute::page(&self.call, &mut self.request, &DriverState::start()).await?;
        // A stream that is held must not hold the connections of a peer.
        self.request.unpin();
        Ok(page)
    }

    pub(crate) async fn page(&self, state: DriverState) -> Result<Arrived, Error> {
        self.page_of(&self.call, state).await
    }

    /// A page with a deadline of its own.
    pub(crate) async fn page_within(&self, state: DriverState, deadline: Duration) -> Result<Arrived, Error> {
        let mut call = Call::clone(&self.call);
        call.options.deadline = Some(deadline);
        self.page_of(&call, state).await
    }

    async fn page_of(&self, call: &Call, state: DriverState) -> Result<Arrived, Error> {
        let page = execute::page(call, &mut self.request.clone(), &state).await;
        page.map_err(|error| match state.as_bytes_slice() {
            Some(_) => error.with_paging_state(PagingState::seal(&self.fingerprint, &state)),
            None => error,
        })
    }
}

impl<R: OwnedRow> Pages<R> {
    pub(crate) fn new(read: Result<Read, Error>, from: Option<PagingState>) -> Self {
        let rows = |call: &Arc<Call>, page| decode(call, page).map(|rows| (!rows.is_empty()).then_some(rows));
        Self { pages: pages_of(read, from, rows, |rows, next| Page { rows, next }) }
    }
}

/// The pages of a read from where `from` says: `rows` reads one, unless it has none, and `page` puts it together with where the
/// next one begins.
pub(super) fn pages_of<T: Send + 'static, P: Send + 'static>(
    read: Result<Read, Error>,
    from: Option<PagingState>,
    rows: impl Fn(&Arc<Call>, QueryResult) -> Result<Option<T>, Error> + Copy + Send + 'static,
    page: impl Fn(T, Option<PagingState>) -> P + Copy + Send + 'static,
) -> BoxStream<'static, Result<P, Error>> {
    let begun = read.and_then(|read| {
        let state = match from {
            Some(state) => state.open(&read.fingerprint, &read.call.about)?,
            None => DriverState::start(),
        };
        Ok((read, state))
    });
    let (read, state) = match begun {
        Ok(begun) => begun,
        Err(error) => return Box::pin(stream::iter([Err(error)])),
    };
    let read = Arc::new(read);
    Box::pin(stream::try_unfold(Some(state), move |mut state| {
        let read = Arc::clone(&read);
        async move {
            while let Some(at) = state {
                let (arrived, next) = read.page(at).await?;
                state = match next {
                    PagingStateResponse::HasMorePages { state } => Some(state),
                    PagingStateResponse::NoMorePages => None,
                };
                if let Some(rows) = rows(&read.call, arrived)? {
                    let next = state.as_ref().map(|state| PagingState::seal(&read.fingerprint, state));
                    return Ok(Some((page(rows, next), state)));
                }
            }
            Ok(None)
        }
    }))
}

impl<R> Page<R> {
    /// The text to go on from: [`next`](Self::next) as a cursor to hand to a client. `None` after the last page.
    pub fn cursor(&self) -> Option<String> {
        self.next.as_ref().map(ToString::to_string)
    }
}

impl<R> Pages<R> {
    /// The next page, or `None` after the last. An empty page is never given.
    ///
    /// As `TryStreamExt::try_next` of the crate `futures`, which need not be imported for it. Dropping the future loses no
    /// page: the next call goes on with the same one.
    ///
    /// # Errors
    ///
    /// As [`Select::rows`](crate::Select::rows).
    pub async fn try_next(&mut self) -> Result<Option<Page<R>>, Error> {
        self.pages.next().await.transpose()
    }
}

impl<R> Stream for Pages<R> {
    type Item = Result<Page<R>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pages.as_mut().poll_next(context)
    }
}

impl<R> fmt::Debug for Pages<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

/// The rows of a page, decoded together.
pub(crate) fn decode<R: OwnedRow>(call: &Call, page: QueryResult) -> Result<Vec<R>, Error> {
    let page = rows_of(call, page)?;
    let columns = page.column_specs().len().max(1);
    // The number of rows is the server's word; each takes four bytes a column.
    let mut rows = Vec::with_capacity(page.rows_num().min(page.rows_bytes_size() / (4 * columns)));
    for row in decoded(call, &page)? {
        rows.push(row?);
    }
    Ok(rows)
}

/// What an answer has to hold that is a page.
pub(crate) fn rows_of(call: &Call, page: QueryResult) -> Result<QueryRowsResult, Error> {
    let problem = "the answer holds no rows";
    let new = |error| Error::new(ErrorKind::Server, call.about.attempted.clone(), problem).with_source(error);
    let page = page.into_rows_result().map_err(new)?;
    call.has_read(page.rows_bytes_size());
    Ok(page)
}

/// Rows of which every column is read, or those that the row type names.
enum Decoded<A, N> {
    All(A),
    Named(N),
}

impl<T, A: Iterator<Item = T>, N: Iterator<Item = T>> Iterator for Decoded<A, N> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::All(rows) => rows.next(),
            Self::Named(rows) => rows.next(),
        }
    }
}

/// The rows of a page, decoded one by one.
pub(crate) fn decoded<'page, R: OwnedRow>(
    call: &'page Call,
    page: &'page QueryRowsResult,
) -> Result<impl Iterator<Item = Result<R, Error>> + use<'page, R>, Error> {
    let columns = page.column_specs();
    let rows = match call.named_columns.get().filter(|named| named.are_of(columns.as_slice())) {
        Some(named) => Arc::clone(named).rows(page).map(Decoded::Named),
        None => match page.rows::<R>() {
            Ok(rows) => Ok(Decoded::All(rows)),
            // Another program may have added a column at any time.
            Err(RowsError::TypeCheckFailed(_)) if call.about.reads_all_columns() => {
                let named = NamedColumns::of::<R>(columns.as_slice(), None).map_err(RowsError::TypeCheckFailed);
                named.map(Arc::new).and_then(|named| {
                    // Those of the first page; where another page has others, they are found for that page alone.
                    call.named_columns.get_or_init(|| Arc::clone(&named));
                    named.rows(page).map(Decoded::Named)
                })
            }
            Err(error) => Err(error),
        },
    };
    let rows = rows.map_err(|error| wrong_columns(call, error))?;
    Ok(rows.map(move |row| row.map_err(|error| wrong_row(call, error))))
}

/// The error for columns that the row type does not fit.
pub(super) fn wrong_columns(call: &Call, RowsError::TypeCheckFailed(error): RowsError) -> Error {
    Error::new(ErrorKind::Type, call.about.attempted.clone(), of_columns(&error))
        .with_advice_if(advice_on_columns(&error))
        .with_source(error)
}

/// The error for a row that does not fit the row type.
pub(super) fn wrong_row(call: &Call, error: DeserializationError) -> Error {
    Error::new(ErrorKind::Type, call.about.attempted.clone(), of_row(&error))
        .with_advice_if(advice_on_row(&error))
        .with_source(error)
}
