use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, TryStreamExt};
use scylla::deserialize::row::DeserializeRow;
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::statement::bound::BoundStatement;

use crate::statement::About;
use crate::{Error, ErrorKind, Session, execute};

/// A row type that owns what it holds: any `DeserializeRow` type without borrowed fields, a tuple or a derived struct.
pub trait OwnedRow: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static {}

impl<R> OwnedRow for R where R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static {}

/// The rows of a read, page by page, as a [`Stream`] that is `Unpin` and `Send`.
pub struct Rows<R> {
    rows: BoxStream<'static, Result<R, Error>>,
}

impl<R: OwnedRow> Rows<R> {
    pub(crate) fn new(session: Session, about: Arc<About>, bound: Result<BoundStatement, Error>) -> Self {
        let bound = match bound {
            Ok(bound) => bound,
            Err(error) => return Self { rows: Box::pin(stream::iter([Err(error)])) },
        };
        let pages = stream::try_unfold(Some(PagingState::start()), move |state| {
            let (session, about, bound) = (session.clone(), Arc::clone(&about), bound.clone());
            async move {
                let Some(state) = state else { return Ok(None) };
                let (page, next) = execute::page(&session, &about, &bound, state).await?;
                let rows = decode(&about, page)?;
                let next = match next {
                    PagingStateResponse::HasMorePages { state } => Some(state),
                    PagingStateResponse::NoMorePages => None,
                };
                Ok(Some((stream::iter(rows.into_iter().map(Ok)), next)))
            }
        });
        Self { rows: Box::pin(pages.try_flatten()) }
    }
}

fn decode<R: OwnedRow>(about: &About, page: QueryResult) -> Result<Vec<R>, Error> {
    let of_type = |problem: &'static str| Error::new(ErrorKind::Type, about.attempted.clone(), problem);
    let page = page.into_rows_result().map_err(|error| of_type("the answer holds no rows").with_source(error))?;
    let rows = page.rows::<R>().map_err(|error| of_type("the row type does not fit the columns").with_source(error))?;
    rows.collect::<Result<_, _>>().map_err(|error| of_type("a row does not fit the row type").with_source(error))
}

impl<R> Stream for Rows<R> {
    type Item = Result<R, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.rows.as_mut().poll_next(context)
    }
}

impl<R> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}
