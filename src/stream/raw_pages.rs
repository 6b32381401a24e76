use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{BoxStream, Stream, StreamExt};
use scylla::deserialize::row::DeserializeRow;
use scylla::response::query_result::QueryRowsResult;

use super::pages::{Read, into_rows, page_stream, wrong_columns, wrong_row};
use super::paging_state::PagingState;
use crate::Error;
use crate::execute::Call;

/// An undecoded page. Its rows can borrow from it: a `&str` or `&[u8]` in a row points into the page, and nothing is
/// copied.
///
/// It suits reads that inspect many rows and keep few. Each call of [`rows`](Self::rows) decodes the rows again.
#[non_exhaustive]
pub struct RawPage {
    /// Where the next page begins; `None` after the last.
    pub next: Option<PagingState>,
    call: Arc<Call>,
    page: QueryRowsResult,
}

/// The undecoded pages of a read as a [`Stream`] that is `Unpin` and `Send`, from
/// [`Select::raw_pages`](crate::Select::raw_pages).
///
/// As with [`Pages`](crate::Pages), no page is requested ahead, empty pages are skipped, and the stream can be dropped
/// at any time.
pub struct RawPages {
    pages: BoxStream<'static, Result<RawPage, Error>>,
}

impl RawPage {
    /// Returns an iterator that decodes the rows one by one. `R` is any row type, with or without borrowed fields.
    ///
    /// # Errors
    ///
    /// [`Type`](crate::ErrorKind::Type) if `R` does not fit the columns; the same error is an item if `R` does not fit
    /// one row.
    pub fn rows<'page, R: DeserializeRow<'page, 'page>>(
        &'page self,
    ) -> Result<impl Iterator<Item = Result<R, Error>> + use<'page, R>, Error> {
        let rows = self.page.rows::<R>().map_err(|error| wrong_columns(&self.call, error))?;
        Ok(rows.map(|row| row.map_err(|error| wrong_row(&self.call, error))))
    }

    /// The number of rows: at least one.
    pub fn row_count(&self) -> usize {
        self.page.rows_num()
    }

    /// Returns [`next`](Self::next) as text: a cursor to hand to a client. `None` after the last page.
    pub fn cursor(&self) -> Option<String> {
        self.next.as_ref().map(ToString::to_string)
    }
}

impl RawPages {
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub(crate) fn new(read: Result<Read, Error>, from: Option<PagingState>) -> Self {
        let decode = |call: &Arc<Call>, page| {
            let page = into_rows(call, page)?;
            Ok((page.rows_num() > 0).then(|| (Arc::clone(call), page)))
        };
        Self { pages: page_stream(read, from, decode, |(call, page), next| RawPage { next, call, page }) }
    }

    /// Returns the next page, or `None` after the last.
    ///
    /// Works like `TryStreamExt::try_next` of the crate `futures`, without the import. Dropping the future loses no
    /// page: the next call continues with the same one.
    ///
    /// # Errors
    ///
    /// The errors of [`Select::rows`](crate::Select::rows).
    pub async fn try_next(&mut self) -> Result<Option<RawPage>, Error> {
        self.pages.next().await.transpose()
    }
}

impl Stream for RawPages {
    type Item = Result<RawPage, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pages.as_mut().poll_next(context)
    }
}

impl fmt::Debug for RawPage {
    /// Leaves out the rows, because they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPage").field("rows", &self.row_count()).field("next", &self.next).finish_non_exhaustive()
    }
}

impl fmt::Debug for RawPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPages").finish_non_exhaustive()
    }
}
