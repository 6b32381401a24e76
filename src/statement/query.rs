//! Statements for one use.

use std::fmt;
use std::sync::Arc;

use keyspaces_cql::Effect;
use scylla::serialize::row::SerializeRow;
use scylla::statement::unprepared;

use super::prepare_with;
use super::{Select, SerializedView, StatementInfo, UntypedStatement, Write};
use crate::consistency::WRITE_CONSISTENCY;
use crate::execute::{self, Call, Request};
use crate::options::{CallOptions, call_options};
use crate::row::OwnedRow;
use crate::stream::{Fingerprint, Read, Rows, TextHash};
use crate::{Error, Session};

/// A statement for one use, with its values and options; from [`Session::query`].
///
/// ```no_run
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// use std::time::Duration;
///
/// use keyspaces::ReadConsistency;
///
/// let name: Option<(String,)> = session
///     .query("SELECT name FROM shop.names WHERE id = ?", ("7",))
///     .with_deadline(Duration::from_secs(1))
///     .with_consistency(ReadConsistency::LocalOne)
///     .one()
///     .await?;
/// session
///     .query("INSERT INTO shop.offers (id, price) VALUES (?, ?) USING TTL ?", ("7", 42))
///     .with_ttl(Duration::from_secs(3_600))
///     .execute()
///     .await?;
/// # drop(name);
/// # Ok(()) }
/// ```
pub struct Query<'q, V> {
    session: &'q Session,
    text: &'q str,
    values: V,
    options: CallOptions,
}

impl<'q, V> Query<'q, V> {
    pub(crate) fn new(session: &'q Session, text: &'q str, values: V) -> Self {
        Self { session, text, values, options: CallOptions::default() }
    }
}

impl<V: SerializeRow> Query<'_, V> {
    /// Executes a write: an INSERT, UPDATE or DELETE without a condition. On a plain Cassandra it also executes statements
    /// that Keyspaces lacks, such as TRUNCATE.
    ///
    /// If the future is dropped, the write may have been sent and executed.
    ///
    /// # Errors
    ///
    /// The errors of [`prepare`](Session::prepare) for a [`Write`] and of [`execute`](Write::execute). A conditional write
    /// is refused, because its outcome must be checked.
    pub async fn execute(self) -> Result<(), Error> {
        if self.is_prepared() {
            let write: Write<V> = prepare_with(self.session, self.text, self.options).await?;
            return write.execute(self.values).await;
        }
        let (info, text) = StatementInfo::check(self.text, self.session, &[Effect::Write])?;
        let mut statement = unprepared::Statement::new(&*text);
        statement.set_consistency(WRITE_CONSISTENCY);
        let call = Call::new(self.session, info, self.options);
        let answer = execute::write(&call, &mut Request::Text(statement)).await?;
        UntypedStatement::expect_no_rows(&call.info, answer)
    }

    fn is_prepared(&self) -> bool {
        !self.values.is_empty() || self.options.ttl.is_some() || self.options.timestamp.is_some()
    }

    /// Returns the only row of a read, or `None` if there is none. The text is prepared, even without values, and
    /// cached.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// The errors of [`prepare`](Session::prepare) for a [`Select`] and of [`one`](Select::one).
    pub async fn one<R: OwnedRow>(self) -> Result<Option<R>, Error> {
        let select: Select<V, R> = prepare_with(self.session, self.text, self.options).await?;
        select.one(self.values).await
    }
}

impl<'v, V: SerializeRow + Send + 'v> Query<'_, V> {
    /// Returns the rows of a read as type `R` ([`Row`](crate::Row) if the columns are not known).
    ///
    /// # Errors
    ///
    /// The stream yields the errors of [`prepare`](Session::prepare) for a [`Select`] and of [`rows`](Select::rows).
    pub fn rows<R: OwnedRow>(self) -> Rows<'v, R> {
        if self.values.is_empty() {
            return Rows::new(self.unprepared());
        }
        let (session, text) = (self.session.clone(), self.text.to_owned());
        let (values, call_options) = (self.values, self.options);
        Rows::preparing(async move {
            let select: Select<V, R> = prepare_with(&session, &text, call_options).await?;
            select.read_or_prepare_again(values).await
        })
    }

    fn unprepared(self) -> Result<Read, Error> {
        let session = self.session;
        let (info, text) = StatementInfo::check(self.text, session, &[Effect::Read])?;
        let page_size = info.page_size(session.page_size());
        let call = Call::new(session, info, self.options);
        let mut statement = unprepared::Statement::new(&*text);
        let consistency = call.options.consistency.unwrap_or_else(|| session.read_consistency());
        statement.set_consistency(consistency.as_driver());
        statement.set_page_size(call.options.page_size_for_driver().unwrap_or(page_size));
        let fingerprint = Fingerprint::new(TextHash::new(&text), SerializedView::new(&[], 0));
        Ok(Read { call: Arc::new(call), request: Request::Text(statement), fingerprint })
    }
}

call_options!(impl ['q, V] Query<'q, V>, self: [self], all, read, retry, idempotent, using);

impl<V> Query<'_, V> {
    fn with_changed_options(mut self, change: impl FnOnce(&mut CallOptions)) -> Self {
        change(&mut self.options);
        self
    }
}

impl<V> fmt::Debug for Query<'_, V> {
    /// Leaves out the text, whose literals may be secrets, and the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("options", &self.options).finish_non_exhaustive()
    }
}
