use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU8;
use std::sync::Arc;

use keyspaces_cql::Effect;
use scylla::response::{PagingState as DriverState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;

use super::{Core, NamedColumns, Statement, Values, sealed, statement_options};
use crate::execute::Request;
use crate::fan_out::FanOut;
use crate::row::{OwnedRow, Row};
use crate::scan::{Scan, ScanProgress};
use crate::stream::{Page, Pages, PagingState, RawPages, Read, Rows, decoded, rows_of};
use crate::{Error, ErrorKind, execute};

const TWO: NonZeroU8 = NonZeroU8::MIN.saturating_add(1);

/// A prepared SELECT: binds values of type `V`, gives rows of type `R`.
///
/// Cheap to clone. A borrowed `V` may be named with `'static` where the statement is kept
/// (`Select<(&'static str,), Name>`) and binds values of any shorter lifetime.
///
/// A page holds 1,000 rows unless the session or [`with_page_size`](Self::with_page_size) say otherwise, or fewer: with
/// `LIMIT n` as many as that, because the service reads on to the end of the page whatever the limit (DG:limit_queries), but
/// not with `ALLOW FILTERING`, where a page counts the rows that are read; and never more than 1 MB
/// (DG:paginating-results).
///
/// Columns that are added to a table later, by whomever, disturb no statement that names its columns. With `SELECT *` a derived
/// `R` takes the columns that it names and leaves the others; a tuple must have exactly the columns that come, and fails when
/// there is one more.
pub struct Select<V, R = Row> {
    pub(crate) core: Core,
    // Covariant in both: what is bound is only ever borrowed for a call.
    shape: PhantomData<fn() -> (V, R)>,
}

impl<V: SerializeRow, R: OwnedRow> Select<V, R> {
    /// The rows, fetched page by page as the stream is read.
    ///
    /// # Errors
    ///
    /// As items of the stream, which ends there. Before anything is sent: [`Type`](ErrorKind::Type) if the values do not fit
    /// the bind markers, [`TooLarge`](ErrorKind::TooLarge) if they are more than Keyspaces takes. After:
    /// [`Type`](ErrorKind::Type) if a row does not fit `R`, and whatever the server refuses.
    pub fn rows(&self, values: impl Values<V>) -> Rows<'static, R> {
        Rows::new(self.read(values.values()))
    }

    /// The rows as pages, each with the paging state to go on from, from the first.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows).
    pub fn pages(&self, values: impl Values<V>) -> Pages<R> {
        Pages::new(self.read(values.values()), None)
    }

    /// The pages from where `state` says, which came with a page of the same statement with the same values, be it in
    /// another run of the program.
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
    /// As [`rows`](Self::rows), and [`Cursor`](ErrorKind::Cursor) if the state is of another statement or of
    /// other values: nothing was sent.
    pub fn pages_from(&self, values: impl Values<V>, state: &PagingState) -> Pages<R> {
        Pages::new(self.read(values.values()), Some(state.clone()))
    }

    /// The pages as they come, from the first or from where `from` says; each [lends](crate::RawPage::rows) its rows.
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
    /// The statement's own row type `R` is checked when it is prepared, and not used here; the [`Row`] that it is by default
    /// takes any columns. A `SELECT *` gives all columns, and a row type that does not name all of them is refused.
    ///
    /// # Errors
    ///
    /// As [`pages_from`](Self::pages_from).
    pub fn raw_pages(&self, values: impl Values<V>, from: Option<&PagingState>) -> RawPages {
        RawPages::new(self.read(values.values()), from.cloned())
    }

    /// The names of the columns that its rows have, in their order; known before there is a row.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// let users = session.prepare::<keyspaces::Select<()>>("SELECT id, name FROM shop.users").await?;
    /// assert_eq!(users.column_names(), ["id", "name"]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        let columns = self.core.prepared.get_current_result_set_col_specs();
        columns.get().iter().map(|column| column.name().to_owned()).collect()
    }

    /// One page, from where `cursor` says or from the first; its [`cursor`](Page::cursor) is the text to go on from. What an
    /// HTTP endpoint needs: nothing is kept between two requests.
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
    /// How many rows a page has at most is [`with_page_size`](Self::with_page_size). It is empty only if there are no more rows.
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), and [`Cursor`](ErrorKind::Cursor) if the text is no cursor, was cut or changed, or belongs
    /// to another statement or other values: nothing was sent.
    pub async fn page(&self, values: impl Values<V>, cursor: Option<&str>) -> Result<Page<R>, Error> {
        let from = cursor.map(str::parse).transpose()?;
        let page = Pages::new(self.read(values.values()), from).try_next().await?;
        Ok(page.unwrap_or_else(|| Page { rows: Vec::new(), next: None }))
    }

    /// The one row that there is, or `None`.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), and [`Type`](ErrorKind::Type) if there are two: ask for [`first`](Self::first) if any
    /// will do.
    pub async fn one(&self, values: impl Values<V>) -> Result<Option<R>, Error> {
        let request = match self.for_few(values.values(), TWO) {
            Ok(request) => request,
            Err(error) => self.anew(error).await?.for_few(values.values(), TWO)?,
        };
        let mut one = None;
        let are_more = self.any(request, |row| one.replace(row).is_some()).await?;
        if are_more {
            let problem = "one row was asked for, there are more";
            return Err(Error::new(ErrorKind::Type, self.core.call.about.attempted.clone(), problem)
                .with_advice("Name the whole primary key in WHERE, or ask for first()"));
        }
        Ok(one)
    }

    /// The first row, or `None`.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows).
    pub async fn first(&self, values: impl Values<V>) -> Result<Option<R>, Error> {
        let request = match self.for_few(values.values(), NonZeroU8::MIN) {
            Ok(request) => request,
            Err(error) => self.anew(error).await?.for_few(values.values(), NonZeroU8::MIN)?,
        };
        let mut first = None;
        self.any(request, |row| first.replace(row).is_none()).await?;
        Ok(first)
    }

    /// A read with these values. Should they not fit, the text is prepared anew, once.
    pub(super) async fn read_or_anew(&self, values: V) -> Result<Read, Error> {
        match self.read(&values) {
            Ok(read) => Ok(read),
            Err(error) => self.anew(error).await?.read(&values),
        }
    }

    /// This statement with its text prepared anew, after values did not fit it; see [`Core::prepared_anew`].
    async fn anew(&self, error: Error) -> Result<Self, Error> {
        sealed::Sealed::new(self.core.prepared_anew(error).await?)
    }

    pub(crate) fn read(&self, values: &V) -> Result<Read, Error> {
        self.core.read(values)
    }

    /// For who wants no more than `rows` rows: the service reads as many as fit a page. Where rows are filtered out, that
    /// would make many pages.
    fn for_few(&self, values: &V, rows: NonZeroU8) -> Result<Request, Error> {
        let mut request = self.core.bind(values)?;
        if self.core.call.options.page_size.is_none() && !self.core.call.about.filters() {
            request.set_page_size(rows.into());
        }
        Ok(request)
    }

    /// Hands over rows until one is `enough`, and says whether one was. No page is asked for that is not needed.
    async fn any(&self, mut request: Request, mut enough: impl FnMut(R) -> bool) -> Result<bool, Error> {
        let call = &self.core.call;
        let mut state = DriverState::start();
        loop {
            let (page, next) = execute::page(call, &mut request, &state).await?;
            let page = rows_of(call, page)?;
            for row in decoded(call, &page)? {
                if enough(row?) {
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
    /// [`one`](Self::one) row for each of `keys`, many in flight together. Better than `IN`, of which Keyspaces makes as many
    /// queries one after another (DG:in.select).
    ///
    /// # Errors
    ///
    /// As [`one`](Self::one), for each key.
    pub fn one_of_each(&self, keys: impl IntoIterator<Item = V, IntoIter: Send + 'static>) -> FanOut<V, Option<R>> {
        crate::fan_out::one_of_each(self, keys)
    }

    /// All [`rows`](Self::rows) for each of `keys`, many in flight together; those of one key are held together, so it is for
    /// keys that have few.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), for each key.
    pub fn all_of_each(&self, keys: impl IntoIterator<Item = V, IntoIter: Send + 'static>) -> FanOut<V, Vec<R>> {
        crate::fan_out::all_of_each(self, keys)
    }
}

impl<R: OwnedRow> Select<(i64, i64), R> {
    /// Reads a whole table page by page, in as many token ranges at once as the session has connections (at most 32).
    ///
    /// The text selects by token, with both ends bound: `WHERE token(…) > ? AND token(…) <= ?`, all columns of the partition
    /// key in the parentheses.
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
    /// [`Refused`](ErrorKind::Refused) if the text does not select by token like that or has a `LIMIT`, which
    /// would hold for each range, or if the account's partitioner is not Murmur3 (DG:working-with-partitioners), which is
    /// seen from the type of its tokens.
    pub fn scan(&self) -> Result<Scan<R>, Error> {
        crate::scan::scan(self)
    }

    /// Goes on with a scan from where it was when `progress` was taken, be it in another run of the program.
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan), and [`Cursor`](ErrorKind::Cursor) if the progress is of another statement.
    pub fn scan_from(&self, progress: &ScanProgress) -> Result<Scan<R>, Error> {
        crate::scan::scan_from(self, progress)
    }
}

statement_options!(Select<V, R>, all, read);

impl<V: SerializeRow, R: OwnedRow> Statement for Select<V, R> {}

impl<V: SerializeRow, R: OwnedRow> sealed::Sealed for Select<V, R> {
    const EFFECT: Effect = Effect::Read;

    fn new(core: Core) -> Result<Self, Error> {
        let columns = core.prepared.get_current_result_set_col_specs();
        let columns = columns.get().as_slice();
        let fits = match R::type_check(columns) {
            Err(_) if core.call.about.reads_all_columns() => {
                NamedColumns::of::<R>(columns, None).map(|named| drop(core.call.named_columns.set(Arc::new(named))))
            }
            fits => fits,
        };
        fits.map_err(|error| core.unreadable(error))?;
        core.check_values::<V>()?;
        Ok(Self { core, shape: PhantomData })
    }
}

impl<V, R> Clone for Select<V, R> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), shape: PhantomData }
    }
}

impl<V, R> fmt::Debug for Select<V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Select").field(&self.core.prepared.get_statement()).finish()
    }
}
