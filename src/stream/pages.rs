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
use crate::statement::{NamedColumns, advice_on_columns, advice_on_row, explain_columns, explain_row};
use crate::{Error, ErrorKind};

/// One page of a read, and where the next page begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<R> {
    /// The rows of the page.
    pub rows: Vec<R>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<PagingState>,
}

/// The pages of a read as a [`Stream`] that is `Unpin` and `Send`, from [`Select::pages`](crate::Select::pages).
///
/// A page is requested only when the stream is polled, never ahead, because a program that shows one page may not need
/// the next. Empty pages are skipped. The stream can be dropped at any time. It ends after an error, which carries the
/// [paging state](crate::Error::paging_state) to resume from. Each page is a call with its own deadline.
pub struct Pages<R> {
    pages: BoxStream<'static, Result<Page<R>, Error>>,
}

/// A read whose values are bound and whose pages can be requested.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) call: Arc<Call>,
    pub(crate) request: Request,
    pub(crate) fingerprint: Fingerprint,
}

/// A page as the driver returns it, with the paging state of the next page.
pub(crate) type DriverPage = (QueryResult, PagingStateResponse);

impl Read {
    /// Reads the first page, without a copy of the request.
    pub(super) async fn first_page(&mut self) -> Result<DriverPage, Error> {
        let page = execute::read_page(&self.call, &mut self.request, &DriverState::start()).await?;
        // The pin would keep the connections of a removed peer open as long as the stream lives.
        self.request.unpin();
        Ok(page)
    }

    pub(crate) async fn page(&self, state: DriverState) -> Result<DriverPage, Error> {
        self.page_for(&self.call, state).await
    }

    /// Reads a page with `deadline` in place of the call's deadline.
    pub(crate) async fn page_within(&self, state: DriverState, deadline: Duration) -> Result<DriverPage, Error> {
        let mut call = Call::clone(&self.call);
        call.options.deadline = Some(deadline);
        self.page_for(&call, state).await
    }

    async fn page_for(&self, call: &Call, state: DriverState) -> Result<DriverPage, Error> {
        let page = execute::read_page(call, &mut self.request.clone(), &state).await;
        page.map_err(|error| match state.as_bytes_slice() {
            Some(_) => error.with_paging_state(PagingState::seal(&self.fingerprint, &state)),
            None => error,
        })
    }
}

impl<R: OwnedRow> Pages<R> {
    pub(crate) fn new(read: Result<Read, Error>, from: Option<PagingState>) -> Self {
        let decode = |call: &Arc<Call>, page| decode_all(call, page).map(|rows| (!rows.is_empty()).then_some(rows));
        Self { pages: page_stream(read, from, decode, |rows, next| Page { rows, next }) }
    }
}

/// Streams the pages of a read, starting at `from` or at the first page. `decode` decodes a page and returns `None` if
/// it is empty; `combine` makes an item of the decoded page and the paging state of the next page.
pub(super) fn page_stream<T: Send + 'static, P: Send + 'static>(
    read: Result<Read, Error>,
    from: Option<PagingState>,
    decode: impl Fn(&Arc<Call>, QueryResult) -> Result<Option<T>, Error> + Copy + Send + 'static,
    combine: impl Fn(T, Option<PagingState>) -> P + Copy + Send + 'static,
) -> BoxStream<'static, Result<P, Error>> {
    let start = read.and_then(|read| {
        let state = match from {
            Some(state) => state.open(&read.fingerprint, &read.call.info)?,
            None => DriverState::start(),
        };
        Ok((read, state))
    });
    let (read, state) = match start {
        Ok(start) => start,
        Err(error) => return Box::pin(stream::iter([Err(error)])),
    };
    let read = Arc::new(read);
    Box::pin(stream::try_unfold(Some(state), move |mut state| {
        let read = Arc::clone(&read);
        async move {
            while let Some(at) = state {
                let (page, next) = read.page(at).await?;
                state = match next {
                    PagingStateResponse::HasMorePages { state } => Some(state),
                    PagingStateResponse::NoMorePages => None,
                };
                if let Some(rows) = decode(&read.call, page)? {
                    let next = state.as_ref().map(|state| PagingState::seal(&read.fingerprint, state));
                    return Ok(Some((combine(rows, next), state)));
                }
            }
            Ok(None)
        }
    }))
}

impl<R> Page<R> {
    /// Returns [`next`](Self::next) as text: a cursor to hand to a client. `None` after the last page.
    pub fn cursor(&self) -> Option<String> {
        self.next.as_ref().map(ToString::to_string)
    }
}

impl<R> Pages<R> {
    /// Returns the next page that is not empty, or `None` after the last.
    ///
    /// Works like `TryStreamExt::try_next` of the crate `futures`, without the import. Dropping the future loses no
    /// page: the next call continues with the same one.
    ///
    /// # Errors
    ///
    /// The errors of [`Select::rows`](crate::Select::rows).
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

/// Decodes all rows of a page.
pub(crate) fn decode_all<R: OwnedRow>(call: &Call, page: QueryResult) -> Result<Vec<R>, Error> {
    let page = into_rows(call, page)?;
    let columns = page.column_specs().len().max(1);
    // The server states the number of rows. The page's size bounds it, so that a wrong number does not allocate too
    // much: a row takes at least four bytes per column.
    let mut rows = Vec::with_capacity(page.rows_num().min(page.rows_bytes_size() / (4 * columns)));
    for row in decode_each(call, &page)? {
        rows.push(row?);
    }
    Ok(rows)
}

/// Returns the rows of an answer, and charges the capacity that the page cost. An answer without a result set is an
/// error.
pub(crate) fn into_rows(call: &Call, page: QueryResult) -> Result<QueryRowsResult, Error> {
    let problem = "the answer contains no rows";
    let new = |error| Error::new(ErrorKind::Server, call.info.attempted.clone(), problem).with_source(error);
    let page = page.into_rows_result().map_err(new)?;
    call.charge_page(page.rows_bytes_size());
    Ok(page)
}

/// An iterator over rows: either every column is decoded, or only the columns that the row type names.
enum DecodedRows<A, N> {
    All(A),
    Named(N),
}

impl<T, A: Iterator<Item = T>, N: Iterator<Item = T>> Iterator for DecodedRows<A, N> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::All(rows) => rows.next(),
            Self::Named(rows) => rows.next(),
        }
    }
}

/// Returns an iterator that decodes the rows of a page one by one.
pub(crate) fn decode_each<'page, R: OwnedRow>(
    call: &'page Call,
    page: &'page QueryRowsResult,
) -> Result<impl Iterator<Item = Result<R, Error>> + use<'page, R>, Error> {
    let columns = page.column_specs();
    let rows = match call.named_columns.get().filter(|named| named.matches(columns.as_slice())) {
        Some(named) => Arc::clone(named).rows(page).map(DecodedRows::Named),
        None => match page.rows::<R>() {
            Ok(rows) => Ok(DecodedRows::All(rows)),
            // The row type may still fit: another program may have added a column.
            Err(RowsError::TypeCheckFailed(_)) if call.info.reads_all_columns() => {
                let named = NamedColumns::select::<R>(columns.as_slice(), None).map_err(RowsError::TypeCheckFailed);
                named.map(Arc::new).and_then(|named| {
                    // The columns of the first page are kept for the call. A later page with other columns is matched
                    // by itself.
                    call.named_columns.get_or_init(|| Arc::clone(&named));
                    named.rows(page).map(DecodedRows::Named)
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
    Error::new(ErrorKind::Type, call.info.attempted.clone(), explain_columns(&error))
        .with_advice_if(advice_on_columns(&error))
        .with_source(error)
}

/// The error for a row that does not fit the row type.
pub(super) fn wrong_row(call: &Call, error: DeserializationError) -> Error {
    Error::new(ErrorKind::Type, call.info.attempted.clone(), explain_row(&error))
        .with_advice_if(advice_on_row(&error))
        .with_source(error)
}
