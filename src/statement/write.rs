use std::fmt;
use std::marker::PhantomData;

use keyspaces_cql::Effect;
use scylla::serialize::row::SerializeRow;

use super::{Statement, UntypedStatement, Values, sealed, statement_options};
use crate::{Error, Session, execute};

/// A prepared INSERT, UPDATE or DELETE without a condition that binds values of type `V`.
///
/// It writes at `LOCAL_QUORUM`, the only consistency that Keyspaces has for writes (DG:consistency). It is cheap to
/// clone. If a statement with a borrowed `V` is stored, its type may use the lifetime `'static`; it still binds values
/// of any shorter lifetime.
pub struct Write<V> {
    pub(crate) untyped: UntypedStatement,
    shape: PhantomData<fn() -> V>,
}

impl<V: SerializeRow> Write<V> {
    /// Executes the write, and returns when the service has acknowledged it.
    ///
    /// If one attempt is not answered in time and another is acknowledged, the first may still be in progress. It may
    /// be applied after a later write to the same row, and then replaces the values of that write. To prevent this, the
    /// table needs client-side timestamps and the text `USING TIMESTAMP ?`: see
    /// [`with_timestamp`](Self::with_timestamp).
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// Before anything is sent: [`Type`](crate::ErrorKind::Type) if the values do not fit the bind markers,
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if they exceed a limit of Keyspaces (1 MB for a row, 2,048 bytes for a
    /// partition key, DG:quotas). After: the server's error; [`Unknown`](crate::ErrorKind::Unknown) if the answer was
    /// lost and the statement is not idempotent (`now()`, a list append).
    pub async fn execute(&self, values: impl Values<V>) -> Result<(), Error> {
        let mut request = match self.untyped.bind(values.values()) {
            Ok(request) => request,
            Err(error) => self.untyped.prepare_again(error).await?.bind(values.values())?,
        };
        let call = &self.untyped.call;
        UntypedStatement::expect_no_rows(&call.info, execute::write(call, &mut request).await?)
    }
}

statement_options!(Write<V>, all, retry, idempotent, using);

impl<V> Write<V> {
    pub(crate) fn session(&self) -> &Session {
        &self.untyped.call.session
    }
}

impl<V: SerializeRow> Statement for Write<V> {}

impl<V: SerializeRow> sealed::Sealed for Write<V> {
    const EFFECT: Effect = Effect::Write;

    fn new(untyped: UntypedStatement) -> Result<Self, Error> {
        untyped.check_value_type::<V>()?;
        Ok(Self { untyped, shape: PhantomData })
    }
}

impl<V> Clone for Write<V> {
    fn clone(&self) -> Self {
        Self { untyped: self.untyped.clone(), shape: PhantomData }
    }
}

impl<V> fmt::Debug for Write<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Write").field(&self.untyped.prepared.get_statement()).finish()
    }
}
