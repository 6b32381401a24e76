use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{BoxStream, Stream, StreamExt};
use scylla::deserialize::row::DeserializeRow;
use scylla::response::query_result::QueryRowsResult;

use super::pages::{Read, pages_of, rows_of, wrong_columns, wrong_row};
use super::paging_state::PagingState;
use crate::Error;
use crate::execute::Call;

/// A page as it came, which lends its rows: `&str` and `&[u8]` of a row are parts of the page, and nothing is copied.
///
/// For reads that look at many rows and keep few. The rows are read anew each time that [`rows`](Self::rows) is called.
#[non_exhaustive]
pub struct RawPage {
    /// Where the next page begins; `None` after the last.
    pub next: Option<PagingState>,
    call: Arc<Call>,
    page: QueryRowsResult,
}

/// The pages of a read as they come, as a [`Stream`] that is `Unpin` and `Send`, from
/// [`Select::raw_pages`](crate::Select::raw_pages).
///
/// As with [`Pages`](crate::Pages), none is asked for ahead, empty ones are passed over, and it can be dropped at any time.
pub struct RawPages {
    pages: BoxStream<'static, Result<RawPage, Error>>,
}

impl RawPage {
    /// The rows, each read when the iterator comes to it. `R` is any row type, with borrowed fields or without.
    ///
    /// # Errors
    ///
    /// [`Type`](crate::ErrorKind::Type) if `R` does not fit the columns, and as items, if it does not fit a row.
    pub fn rows<'page, R: DeserializeRow<'page, 'page>>(
        &'page self,
    ) -> Result<impl Iterator<Item = Result<R, Error>> + use<'page, R>, Error> {
        let rows = self.page.rows::<R>().map_err(|error| wrong_columns(&self.call, error))?;
        Ok(rows.map(|row| row.map_err(|error| wrong_row(&self.call, error))))
    }

    /// How many rows there are: at least one.
    pub fn row_count(&self) -> usize {
        self.page.rows_num()
    }

    /// The text to go on from: [`next`](Self::next) as a cursor to hand to a client. `None` after the last page.
    pub fn cursor(&self) -> Option<String> {
        self.next.as_ref().map(ToString::to_string)
    }
}

impl RawPages {
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub(crate) fn new(read: Result<Read, Error>, from: Option<PagingState>) -> Self {
        let rows = |call: &Arc<Call>, page| {
            let page = rows_of(call, page)?;
            Ok((page.rows_num() > 0).then(|| (Arc::clone(call), page)))
        };
        Self { pages: pages_of(read, from, rows, |(call, page), next| RawPage { next, call, page }) }
    }

    /// The next page, or `None` after the last.
    ///
    /// As `TryStreamExt::try_next` of the crate `futures`, which need not be imported for it. Dropping the future loses no
    /// page: the next call goes on with the same one.
    ///
    /// # Errors
    ///
    /// As [`Select::rows`](crate::Select::rows).
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
    /// Without its rows, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPage").field("rows", &self.row_count()).field("next", &self.next).finish_non_exhaustive()
    }
}

impl fmt::Debug for RawPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPages").finish_non_exhaustive()
    }
}
