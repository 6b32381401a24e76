use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU8;
use std::sync::Arc;

use keyspaces_cql::Effect;
use scylla::response::{PagingState as DriverState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;

use super::{NamedColumns, Statement, UntypedStatement, Values, sealed, statement_options};
use crate::execute::Request;
use crate::fan_out::FanOut;
use crate::row::{OwnedRow, Row};
use crate::scan::{Scan, ScanProgress};
use crate::stream::{Page, Pages, PagingState, RawPages, Read, Rows, decode_each, into_rows};
use crate::{Error, ErrorKind, execute};

const TWO: NonZeroU8 = NonZeroU8::MIN.saturating_add(1);

/// A prepared SELECT that binds values of type `V` and returns rows of type `R`.
///
/// It is cheap to clone. If a statement with a borrowed `V` is stored, its type may use the lifetime `'static`
/// (`Select<(&'static str,), Name>`); it still binds values of any shorter lifetime.
///
/// A page has at most 1,000 rows, unless the session or [`with_page_size`](Self::with_page_size) sets another number,
/// and at most 1 MB (DG:paginating-results). With `LIMIT n` a page has at most `n` rows, because otherwise the service
/// would read a whole page regardless of the limit (DG:limit_queries). With `ALLOW FILTERING`, `LIMIT` does not change
/// the page size, which then counts the rows read.
///
/// A column added to a table later does not affect a statement that names its columns. With `SELECT *`, a derived `R`
/// reads the columns that it names and ignores the others; a tuple must have exactly the returned columns, and fails
/// after a column is added.
pub struct Select<V, R = Row> {
    pub(crate) untyped: UntypedStatement,
    // Covariant in both parameters, because values are only borrowed for a call.
    shape: PhantomData<fn() -> (V, R)>,
}

impl<V: SerializeRow, R: OwnedRow> Select<V, R> {
    /// Returns the rows, fetched page by page as the stream is read.
    ///
    /// # Errors
    ///
    /// The stream yields the error and ends. Before anything is sent: [`Type`](ErrorKind::Type) if the values do not fit
    /// the bind markers, [`TooLarge`](ErrorKind::TooLarge) if they exceed a limit of Keyspaces. After:
    /// [`Type`](ErrorKind::Type) if a row does not fit `R`, and any refusal by the server.
    pub fn rows(&self, values: impl Values<V>) -> Rows<'static, R> {
        Rows::new(self.read(values.values()))
    }

    /// Returns the rows as pages, starting at the first page; each page has the paging state of the next.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows).
    pub fn pages(&self, values: impl Values<V>) -> Pages<R> {
        Pages::new(self.read(values.values()), None)
    }

    /// Returns the pages starting at `state`, which is from a page of the same statement with the same values, possibly
    /// from an earlier run of the program.
    ///
    /// ```no_run
    /// # async fn run(names: keyspaces::Select<(String,), (String,)>, stored: &str) -> Result<(), keyspaces::Error> {
    /// let mut pages = names.pages_from(("7".to_owned(),), &stored.parse()?);
    /// if let Some(page) = pages.try_next().await? {
    ///     println!("{} names, and next {:?}", page.rows.len(), page.next.map(|state| state.to_string()));
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), and [`Cursor`](ErrorKind::Cursor) if the state belongs to another statement or other
    /// values; nothing was sent.
    pub fn pages_from(&self, values: impl Values<V>, state: &PagingState) -> Pages<R> {
        Pages::new(self.read(values.values()), Some(state.clone()))
    }

    /// Returns the undecoded pages, starting at `from` or at the first page. [`RawPage::rows`](crate::RawPage::rows)
    /// decodes rows that borrow from the page.
    ///
    /// ```no_run
    /// # async fn run(names: keyspaces::Select<(String,)>) -> Result<(), keyspaces::Error> {
    /// let (mut pages, mut letters) = (names.raw_pages(("7".to_owned(),), None), 0);
    /// while let Some(page) = pages.try_next().await? {
    ///     for row in page.rows::<(&str,)>()? {
    ///         let (name,) = row?;
    ///         letters += name.len();
    ///     }
    /// }
    /// # drop(letters);
    /// # Ok(()) }
    /// ```
    ///
    /// The statement's row type `R` is checked when the statement is prepared, but not used here; the default, [`Row`],
    /// accepts any columns. A `SELECT *` returns all columns, and a row type that does not name all of them is refused.
    ///
    /// # Errors
    ///
    /// As [`pages_from`](Self::pages_from).
    pub fn raw_pages(&self, values: impl Values<V>, from: Option<&PagingState>) -> RawPages {
        RawPages::new(self.read(values.values()), from.cloned())
    }

    /// Returns the names of the result's columns, in order. They are known without reading a row.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// let users = session.prepare::<keyspaces::Select<()>>("SELECT id, name FROM shop.users").await?;
    /// assert_eq!(users.column_names(), ["id", "name"]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        let columns = self.untyped.prepared.get_current_result_set_col_specs();
        columns.get().iter().map(|column| column.name().to_owned()).collect()
    }

    /// Returns one page: the page at `cursor`, or the first page. [`Page::cursor`] is the text with which to request
    /// the next page. This suits an HTTP endpoint, because the server keeps no state between two requests.
    ///
    /// ```no_run
    /// # async fn run(names: keyspaces::Select<(String,), (String,)>) -> Result<(), keyspaces::Error> {
    /// /// GET /shops/{shop}/names?cursor=…
    /// async fn names_of(
    ///     names: &keyspaces::Select<(String,), (String,)>,
    ///     shop: String,
    ///     cursor: Option<&str>,
    /// ) -> Result<(Vec<String>, Option<String>), keyspaces::Error> {
    ///     let page = names.page((shop,), cursor).await?;
    ///     let cursor = page.cursor();
    ///     Ok((page.rows.into_iter().map(|(name,)| name).collect(), cursor))
    /// }
    /// # let _ = names_of(&names, "7".to_owned(), None).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// [`with_page_size`](Self::with_page_size) sets the maximum number of rows of a page. A page is empty only if
    /// there are no more rows. Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), and [`Cursor`](ErrorKind::Cursor) if the cursor is not valid, was truncated or altered,
    /// or belongs to another statement or other values; nothing was sent.
    pub async fn page(&self, values: impl Values<V>, cursor: Option<&str>) -> Result<Page<R>, Error> {
        let from = cursor.map(str::parse).transpose()?;
        let page = Pages::new(self.read(values.values()), from).try_next().await?;
        Ok(page.unwrap_or_else(|| Page { rows: Vec::new(), next: None }))
    }

    /// Returns the only row, or `None` if there is none.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), and [`Type`](ErrorKind::Type) if there is more than one row: use [`first`](Self::first)
    /// to accept any row.
    pub async fn one(&self, values: impl Values<V>) -> Result<Option<R>, Error> {
        let request = match self.bind_for_few_rows(values.values(), TWO) {
            Ok(request) => request,
            Err(error) => self.prepare_again(error).await?.bind_for_few_rows(values.values(), TWO)?,
        };
        let mut one = None;
        let has_more = self.read_until(request, |row| one.replace(row).is_some()).await?;
        if has_more {
            let problem = "expected one row, but there are more";
            return Err(Error::new(ErrorKind::Type, self.untyped.call.info.attempted.clone(), problem)
                .with_advice("Name the whole primary key in WHERE, or use first()"));
        }
        Ok(one)
    }

    /// Returns the first row, or `None` if there is none.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows).
    pub async fn first(&self, values: impl Values<V>) -> Result<Option<R>, Error> {
        let request = match self.bind_for_few_rows(values.values(), NonZeroU8::MIN) {
            Ok(request) => request,
            Err(error) => self.prepare_again(error).await?.bind_for_few_rows(values.values(), NonZeroU8::MIN)?,
        };
        let mut first = None;
        self.read_until(request, |row| first.replace(row).is_none()).await?;
        Ok(first)
    }

    /// Returns a read with these values. If they do not fit, the text is prepared again, once.
    pub(super) async fn read_or_prepare_again(&self, values: V) -> Result<Read, Error> {
        match self.read(&values) {
            Ok(read) => Ok(read),
            Err(error) => self.prepare_again(error).await?.read(&values),
        }
    }

    /// Prepares the statement again after values did not fit it; see [`UntypedStatement::prepare_again`].
    async fn prepare_again(&self, error: Error) -> Result<Self, Error> {
        sealed::Sealed::new(self.untyped.prepare_again(error).await?)
    }

    pub(crate) fn read(&self, values: &V) -> Result<Read, Error> {
        self.untyped.read(values)
    }

    /// Returns a request for a caller that needs at most `rows` rows. The page size is set to `rows`, because the
    /// service reads a whole page, unless the options set a page size or the statement filters out rows, which would
    /// then need many small pages.
    fn bind_for_few_rows(&self, values: &V, rows: NonZeroU8) -> Result<Request, Error> {
        let mut request = self.untyped.bind(values)?;
        if self.untyped.call.options.page_size.is_none() && !self.untyped.call.info.filters_rows() {
            request.set_page_size(rows.into());
        }
        Ok(request)
    }

    /// Passes rows to `is_enough` until it returns true, and returns whether it did. Requests a page only when it is
    /// needed.
    async fn read_until(&self, mut request: Request, mut is_enough: impl FnMut(R) -> bool) -> Result<bool, Error> {
        let call = &self.untyped.call;
        let mut state = DriverState::start();
        loop {
            let (page, next) = execute::read_page(call, &mut request, &state).await?;
            let page = into_rows(call, page)?;
            for row in decode_each(call, &page)? {
                if is_enough(row?) {
                    return Ok(true);
                }
            }
            state = match next {
                PagingStateResponse::HasMorePages { state } => state,
                PagingStateResponse::NoMorePages => return Ok(false),
            };
        }
    }
}

impl<V: SerializeRow + Send + Sync + 'static, R: OwnedRow> Select<V, R> {
    /// Reads [`one`](Self::one) row for each of `keys`, with many reads in flight at once. This is faster than `IN`,
    /// whose queries Keyspaces executes one after another (DG:in.select).
    ///
    /// # Errors
    ///
    /// As [`one`](Self::one), for each key.
    pub fn one_for_each(&self, keys: impl IntoIterator<Item = V, IntoIter: Send + 'static>) -> FanOut<V, Option<R>> {
        crate::fan_out::one_for_each(self, keys)
    }

    /// Reads all [`rows`](Self::rows) for each of `keys`, with many reads in flight at once. The rows of one key are
    /// collected in memory, so use it for keys with few rows.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), for each key.
    pub fn all_for_each(&self, keys: impl IntoIterator<Item = V, IntoIter: Send + 'static>) -> FanOut<V, Vec<R>> {
        crate::fan_out::all_for_each(self, keys)
    }
}

impl<R: OwnedRow> Select<(i64, i64), R> {
    /// Reads a whole table page by page, with as many token ranges in flight as the session has connections (at most 32).
    ///
    /// The text must select by token, with both bounds as bind markers: `WHERE token(…) > ? AND token(…) <= ?`, with
    /// all columns of the partition key in the parentheses.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::Select;
    ///
    /// let names: Select<(i64, i64), (String, String)> =
    ///     session.prepare("SELECT id, name FROM shop.names WHERE token(id) > ? AND token(id) <= ?").await?;
    /// let mut scan = names.scan()?;
    /// while let Some(rows) = scan.try_next().await? {
    ///     println!("{} rows more, {:.0} % of the ranges done", rows.len(), 100.0 * scan.progress().fraction());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the text does not select by token in this way, if it has a `LIMIT`, which
    /// would apply to each range, or if the type of the tokens shows that the account's partitioner is not Murmur3
    /// (DG:working-with-partitioners).
    pub fn scan(&self) -> Result<Scan<R>, Error> {
        crate::scan::scan(self)
    }

    /// Resumes a scan from `progress`, possibly from an earlier run of the program.
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan), and [`Cursor`](ErrorKind::Cursor) if the progress belongs to another statement.
    pub fn scan_from(&self, progress: &ScanProgress) -> Result<Scan<R>, Error> {
        crate::scan::scan_from(self, progress)
    }
}

statement_options!(Select<V, R>, all, read);

impl<V: SerializeRow, R: OwnedRow> Statement for Select<V, R> {}

impl<V: SerializeRow, R: OwnedRow> sealed::Sealed for Select<V, R> {
    const EFFECT: Effect = Effect::Read;

    fn new(untyped: UntypedStatement) -> Result<Self, Error> {
        let columns = untyped.prepared.get_current_result_set_col_specs();
        let columns = columns.get().as_slice();
        let fits = match R::type_check(columns) {
            Err(_) if untyped.call.info.reads_all_columns() => NamedColumns::select::<R>(columns, None)
                .map(|named| drop(untyped.call.named_columns.set(Arc::new(named)))),
            fits => fits,
        };
        fits.map_err(|error| untyped.row_type_error(error))?;
        untyped.check_value_type::<V>()?;
        Ok(Self { untyped, shape: PhantomData })
    }
}

impl<V, R> Clone for Select<V, R> {
    fn clone(&self) -> Self {
        Self { untyped: self.untyped.clone(), shape: PhantomData }
    }
}

impl<V, R> fmt::Debug for Select<V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Select").field(&self.untyped.prepared.get_statement()).finish()
    }
}
