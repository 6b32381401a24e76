use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::TryStreamExt;
use keyspaces_cql::Effect;
use scylla::serialize::row::SerializeRow;

use super::{Core, Statement, sealed};
use crate::stream::{OwnedRow, Rows};
use crate::{Error, ErrorKind, ReadConsistency};

/// A prepared SELECT: binds values of type `V`, gives rows of type `R`.
///
/// Cheap to clone. A borrowed `V` may be named with `'static` where the statement is kept
/// (`Select<(&'static str,), Row>`) and binds values of any shorter lifetime.
pub struct Select<V, R> {
    core: Core,
    // Covariant in both: what is bound is only ever borrowed for a call.
    shape: PhantomData<fn() -> (V, R)>,
}

impl<V: SerializeRow, R: OwnedRow> Select<V, R> {
    /// The rows, fetched page by page as the stream is read. Nothing is sent before it is polled; dropped, it leaves
    /// nothing behind. Pages that the service gives empty are passed over.
    ///
    /// # Errors
    ///
    /// As items of the stream, which ends there: [`Type`](ErrorKind::Type) if the values do not fit the bind markers
    /// (nothing was sent) or a row does not fit `R`, and whatever the server refuses.
    pub fn rows(&self, values: impl Borrow<V>) -> Rows<R> {
        let core = &self.core;
        Rows::new(core.session.clone(), Arc::clone(&core.about), core.bind(values.borrow()))
    }

    /// The one row that there is, or `None`.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), and [`Type`](ErrorKind::Type) if there are two: ask for [`first`](Self::first) if any
    /// will do.
    pub async fn one(&self, values: impl Borrow<V>) -> Result<Option<R>, Error> {
        let mut rows = self.rows(values);
        let one = rows.try_next().await?;
        if one.is_some() && rows.try_next().await?.is_some() {
            let problem = "one row was asked for, there are more";
            return Err(Error::new(ErrorKind::Type, self.core.about.attempted.clone(), problem)
                .with_advice("Name the whole primary key in WHERE, or ask for first()"));
        }
        Ok(one)
    }

    /// The first row, or `None`.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows).
    pub async fn first(&self, values: impl Borrow<V>) -> Result<Option<R>, Error> {
        self.rows(values).try_next().await
    }

    /// The same statement at another consistency than the session's.
    pub fn with_consistency(mut self, consistency: ReadConsistency) -> Self {
        self.core.prepared.set_consistency(consistency.as_driver());
        self
    }
}

impl<V: SerializeRow, R: OwnedRow> Statement for Select<V, R> {}

impl<V: SerializeRow, R: OwnedRow> sealed::Sealed for Select<V, R> {
    const EFFECT: Effect = Effect::Read;

    fn new(mut core: Core) -> Result<Self, Error> {
        R::type_check(core.prepared.get_current_result_set_col_specs().get().as_slice()).map_err(|error| {
            let problem = "the row type does not fit the columns";
            Error::new(ErrorKind::Type, format!("preparing {}", core.about.attempted), problem).with_source(error)
        })?;
        core.prepared.set_consistency(core.session.read_consistency().as_driver());
        core.prepared.set_page_size(core.session.page_size());
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
