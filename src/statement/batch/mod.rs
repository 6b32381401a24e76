//! Batches: several writes in one request.

mod conditional;
mod key;
mod kinds;
mod logged;
mod row;
#[cfg(test)]
mod tests;
mod unlogged;
mod values;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};

pub use self::conditional::ConditionalBatch;
pub(super) use self::key::{PrimaryKey, PrimaryKeys, primary_key};
use self::kinds::BatchKind;
pub(super) use self::kinds::BatchKinds;
pub use self::logged::LoggedBatch;
pub use self::unlogged::UnloggedBatch;
use self::values::BatchEntryValues;
use super::UntypedStatement;
use super::info::StatementInfo;
use super::serialized::SerializedView;
use crate::consistency::WRITE_CONSISTENCY;
use crate::execute::{self, Call, WRITE_UNIT};
use crate::options::CallOptions;
use crate::rate_limiter::{RateLimiter, TableLimiters};
use crate::{Error, ErrorKind, Session};

/// The common part of all batches.
struct BatchStatements {
    session: Session,
    batch: Batch,
    entries: Vec<BatchEntry>,
    /// The values of all entries, one after the other, in one buffer: a buffer for each entry would need an allocation
    /// for each.
    values: Vec<u8>,
    options: CallOptions,
}

/// One statement of a batch.
struct BatchEntry {
    call: Arc<Call>,
    /// The range of the entry's values in the buffer, and their number.
    range: Range<usize>,
    count: usize,
    is_conditional: bool,
}

/// The capacities that the first statement reserves.
const TYPICAL_STATEMENTS: usize = 10;
const TYPICAL_BYTES: usize = 2 * 1024;

impl BatchStatements {
    fn new(session: &Session, kind: BatchType) -> Self {
        let mut batch = Batch::new(kind);
        batch.set_consistency(WRITE_CONSISTENCY);
        Self {
            session: session.clone(),
            batch,
            entries: Vec::new(),
            values: Vec::new(),
            options: CallOptions::default(),
        }
    }

    /// Adds a statement unless `refuses` returns an error. `refuses` receives the batch with the values of the new
    /// statement, which are the last ones.
    fn push(
        &mut self,
        untyped: &UntypedStatement,
        values: &impl SerializeRow,
        is_conditional: bool,
        refuses: impl FnOnce(&Self, SerializedView<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.entries.is_empty() {
            self.entries.reserve(TYPICAL_STATEMENTS);
            self.batch.statements.reserve(TYPICAL_STATEMENTS);
            self.values.reserve(TYPICAL_BYTES);
        }
        let start = self.values.len();
        let appended = untyped.append_values(values, &mut self.values).and_then(|count| {
            refuses(self, SerializedView::new(self.values.get(start..).unwrap_or_default(), count)).map(|()| count)
        });
        let count = appended.inspect_err(|_| self.values.truncate(start))?;
        self.batch.append_statement(untyped.prepared.clone());
        self.entries.push(BatchEntry {
            call: Arc::clone(&untyped.call),
            range: start..self.values.len(),
            count,
            is_conditional,
        });
        Ok(())
    }

    fn values_of(&self, entry: &BatchEntry) -> SerializedView<'_> {
        entry.values(&self.values)
    }

    fn kind(&self) -> BatchKind {
        let is_idempotent = self.entries.iter().all(|entry| entry.call.is_idempotent() && !entry.is_conditional);
        BatchKind {
            is_logged: self.batch.get_type() != BatchType::Unlogged,
            statements: self.entries.len(),
            is_idempotent,
        }
    }

    fn attempted(&self) -> String {
        self.kind().attempted()
    }

    fn refused(&self, problem: impl Into<String>, advice: &'static str) -> Error {
        Error::new(ErrorKind::Refused, self.attempted(), problem.into()).with_advice(advice)
    }

    fn too_large(&self, problem: impl Into<String>, advice: &'static str) -> Error {
        Error::new(ErrorKind::TooLarge, self.attempted(), problem.into()).with_advice(advice)
    }

    /// A lower bound of the size that the service computes for the batch.
    fn min_size(&self) -> usize {
        let sizes = self.entries.iter().zip(&self.batch.statements).map(|(entry, statement)| match statement {
            BatchStatement::PreparedStatement(prepared) => {
                self.values_of(entry).min_size(prepared.get_variable_col_specs().as_slice())
            }
            _ => 0,
        });
        sizes.sum()
    }

    /// The rate limiters of all tables of the batch, each once.
    fn rate_limiters(&self) -> TableLimiters {
        let Some((first, others)) = self.entries.split_first() else { return Arc::default() };
        if others.iter().all(|entry| Arc::ptr_eq(&entry.call.rate_limiters, &first.call.rate_limiters)) {
            return Arc::clone(&first.call.rate_limiters);
        }
        let mut rate_limiters: Vec<&Arc<RateLimiter>> = Vec::new();
        for limiter in self.entries.iter().flat_map(|entry| &*entry.call.rate_limiters) {
            if !rate_limiters.iter().any(|known| Arc::ptr_eq(known, limiter)) {
                rate_limiters.push(limiter);
            }
        }
        rate_limiters.into_iter().map(Arc::clone).collect()
    }

    async fn send(&mut self) -> Result<(QueryResult, Arc<StatementInfo>), Error> {
        let (info, metrics) = self.session.statements().batch_kinds().get(self.kind(), self.options.tag.clone());
        let (session, options) = (self.session.without_keyspace(), self.options.clone());
        let call = Call {
            session,
            info,
            options,
            rate_limiters: self.rate_limiters(),
            metrics,
            named_columns: OnceLock::new(),
        };
        // Each row costs whole units, and twice as many in a logged batch (DG:batchStatements).
        let rows = self.entries.iter().map(|entry| entry.range.len().div_ceil(WRITE_UNIT).max(1) * WRITE_UNIT);
        let bytes = rows.sum::<usize>() * if self.batch.get_type() == BatchType::Logged { 2 } else { 1 };
        let values = BatchEntryValues { entries: &self.entries, bytes: &self.values };
        let answer = execute::batch(&call, &mut self.batch, &values, bytes).await?;
        Ok((answer, call.info))
    }
}

impl BatchEntry {
    fn values<'b>(&self, bytes: &'b [u8]) -> SerializedView<'b> {
        SerializedView::new(bytes.get(self.range.clone()).unwrap_or_default(), self.count)
    }
}

// Leaves out the values and the statements, because a text may contain literals.
impl fmt::Debug for BatchStatements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchStatements")
            .field("kind", &self.batch.get_type())
            .field("statements", &self.entries.len())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Implements the methods that all kinds of batches share.
macro_rules! batch_methods {
    ($batch:ident $(<$parameter:ident>)?) => {
        impl $(<$parameter>)? $batch $(<$parameter>)? {
            /// The number of statements in the batch.
            pub fn len(&self) -> usize {
                self.statements.entries.len()
            }

            /// Whether the batch is empty.
            pub fn is_empty(&self) -> bool {
                self.statements.entries.is_empty()
            }

            fn with_changed_options(mut self, change: impl FnOnce(&mut crate::options::CallOptions)) -> Self {
                change(&mut self.statements.options);
                self
            }
        }

        crate::options::call_options!(
            impl [$($parameter)?] $batch $(<$parameter>)?, self: [self], all, retry
        );
    };
}

use batch_methods;
