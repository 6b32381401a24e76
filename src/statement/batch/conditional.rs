use super::logged::{check_logged, push_logged};
use std::fmt;
use std::marker::PhantomData;

use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::BatchType;

use super::{BatchStatements, batch_methods};
use crate::row::{OwnedRow, Row};
use crate::statement::answer;
use crate::statement::{Conditional, Outcome, Write};
use crate::{Error, Session, Values};

/// Several writes, with conditions. If every condition holds, all writes are applied; otherwise, none is.
///
/// It is sent as a logged batch, with the limits and the cost of a [`LoggedBatch`](super::LoggedBatch), because
/// Keyspaces documents conditions for logged batches (DG:batchStatements). A plain Cassandra accepts one only within
/// one partition of one table. If the batch is not applied, each existing row is returned as an `R`, for any of the
/// statements. So `R` should name the columns of all statements as `Option`s, and the primary key to identify the row.
pub struct ConditionalBatch<R = Row> {
    statements: BatchStatements,
    rows: PhantomData<fn() -> R>,
}

impl<R: OwnedRow> ConditionalBatch<R> {
    /// Creates an empty batch.
    pub fn new(session: &Session) -> Self {
        Self { statements: BatchStatements::new(session, BatchType::Logged), rows: PhantomData }
    }

    /// Adds a conditional write.
    ///
    /// # Errors
    ///
    /// As [`LoggedBatch::push`](super::LoggedBatch::push).
    pub fn push<V: SerializeRow, O: OwnedRow>(
        &mut self,
        write: &Conditional<V, O>,
        values: impl Values<V>,
    ) -> Result<&mut Self, Error> {
        push_logged(&mut self.statements, &write.untyped, values.values(), true)?;
        Ok(self)
    }

    /// Adds a write without a condition. It is applied if the conditions of the other writes hold.
    ///
    /// # Errors
    ///
    /// As [`LoggedBatch::push`](super::LoggedBatch::push).
    pub fn push_unconditional<V: SerializeRow>(
        &mut self,
        write: &Write<V>,
        values: impl Values<V>,
    ) -> Result<&mut Self, Error> {
        push_logged(&mut self.statements, &write.untyped, values.values(), false)?;
        Ok(self)
    }

    /// Executes the batch, which is applied as a whole or not at all. It is not sent twice (but see
    /// [`retry_when_throttled`](Self::retry_when_throttled)).
    ///
    /// If the future is dropped before it completes, the batch may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// As [`LoggedBatch::execute`](super::LoggedBatch::execute), but a lost or throttled answer is [`Outcome::Unknown`];
    /// [`Refused`](crate::ErrorKind::Refused) if no statement has a condition; [`Type`](crate::ErrorKind::Type) if the
    /// batch was not applied and an existing row does not fit `R`.
    pub async fn execute(&mut self) -> Result<Outcome<Vec<R>>, Error> {
        if !self.statements.entries.iter().any(|entry| entry.is_conditional) {
            return Err(self.statements.refused("none of its statements has a condition", "Use a LoggedBatch"));
        }
        check_logged(&self.statements).await?;
        let answered = self.statements.send().await;
        Outcome::from_answer(answered.and_then(|(answer, info)| answer::decode_batch(&info, answer)))
    }
}

batch_methods!(ConditionalBatch<R>);

impl<R> fmt::Debug for ConditionalBatch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionalBatch").field("statements", &self.statements).finish()
    }
}
