use std::fmt;
use std::marker::PhantomData;

use keyspaces_cql::Effect;
use scylla::serialize::row::SerializeRow;

use super::{Statement, UntypedStatement, Values, sealed, statement_options};
use crate::{Error, Session, execute};

/// A prepared UPDATE that increments or decrements counters and binds values of type `V`. It is cheap to clone.
///
/// ```no_run
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// use keyspaces::{Increment, value::Counter};
///
/// let hits: Increment<(Counter, &str)> =
///     session.prepare("UPDATE shop.hits SET n = n + ? WHERE page = ?").await?;
/// hits.execute((Counter(1), "/")).await?;
/// # Ok(()) }
/// ```
///
/// The increment is not sent twice (but see [`retry_when_throttled`](Self::retry_when_throttled)), because it could be
/// applied twice. So if the answer was lost or the request was throttled, the error has the kind
/// [`Unknown`](crate::ErrorKind::Unknown): the increment may have been applied or not.
pub struct Increment<V> {
    untyped: UntypedStatement,
    shape: PhantomData<fn() -> V>,
}

impl<V: SerializeRow> Increment<V> {
    /// Executes the increment, and returns when the service has acknowledged it.
    ///
    /// If the future is dropped before it completes, the increment may have been sent and executed; no other attempt
    /// follows.
    ///
    /// # Errors
    ///
    /// [`Type`](crate::ErrorKind::Type) if the values do not fit the bind markers: nothing was sent.
    /// [`Unknown`](crate::ErrorKind::Unknown) if the answer was lost or the request was throttled: the increment may have
    /// been applied.
    pub async fn execute(&self, values: impl Values<V>) -> Result<(), Error> {
        let mut request = match self.untyped.bind(values.values()) {
            Ok(request) => request,
            Err(error) => self.untyped.prepare_again(error).await?.bind(values.values())?,
        };
        let call = &self.untyped.call;
        UntypedStatement::expect_no_rows(&call.info, execute::write(call, &mut request).await?)
    }
}

statement_options!(Increment<V>, all, retry);

impl<V> Increment<V> {
    pub(crate) fn session(&self) -> &Session {
        &self.untyped.call.session
    }

    #[cfg(feature = "bulk")]
    pub(crate) fn untyped(&self) -> &UntypedStatement {
        &self.untyped
    }
}

impl<V: SerializeRow> Statement for Increment<V> {}

impl<V: SerializeRow> sealed::Sealed for Increment<V> {
    const EFFECT: Effect = Effect::Increment;

    fn new(untyped: UntypedStatement) -> Result<Self, Error> {
        untyped.check_value_type::<V>()?;
        Ok(Self { untyped, shape: PhantomData })
    }
}

impl<V> Clone for Increment<V> {
    fn clone(&self) -> Self {
        Self { untyped: self.untyped.clone(), shape: PhantomData }
    }
}

impl<V> fmt::Debug for Increment<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Increment").field(&self.untyped.prepared.get_statement()).finish()
    }
}
