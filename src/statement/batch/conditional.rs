use super::logged::{check_logged, push_logged};
use std::fmt;
use std::marker::PhantomData;

use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::BatchType;

use super::{Members, members_of};
use crate::row::{OwnedRow, Row};
use crate::statement::answer;
use crate::statement::{Conditional, Outcome, Write};
use crate::{Error, Session, Values};

/// Several writes of which all are applied if every condition among them holds, and else none.
///
/// Sent as a logged batch, with the limits and at the cost of a [`LoggedBatch`](super::LoggedBatch), because that is what
/// Keyspaces documents for conditions (DG:batchStatements). A plain Cassandra takes one only within one partition of one
/// table. Where it is not applied, each row that stood in the way is given as an `R`, whichever statement it is about: name
/// the columns of all of them, as `Option`s, those of the primary key among them to tell which row it is.
pub struct ConditionalBatch<R = Row> {
    members: Members,
    rows: PhantomData<fn() -> R>,
}

impl<R: OwnedRow> ConditionalBatch<R> {
    /// A batch without statements.
    pub fn new(session: &Session) -> Self {
        Self { members: Members::new(session, BatchType::Logged), rows: PhantomData }
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
        push_logged(&mut self.members, &write.core, values.values(), true)?;
        Ok(self)
    }

    /// Adds a write without a condition of its own: it is applied if the conditions of the others hold.
    ///
    /// # Errors
    ///
    /// As [`LoggedBatch::push`](super::LoggedBatch::push).
    pub fn push_unconditional<V: SerializeRow>(
        &mut self,
        write: &Write<V>,
        values: impl Values<V>,
    ) -> Result<&mut Self, Error> {
        push_logged(&mut self.members, &write.core, values.values(), false)?;
        Ok(self)
    }

    /// Applies all of it, or nothing. It is never sent twice.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// As [`LoggedBatch::execute`](super::LoggedBatch::execute), but a lost or throttled answer is [`Outcome::Unknown`];
    /// [`Refused`](crate::ErrorKind::Refused) if no statement of it has a condition; [`Type`](crate::ErrorKind::Type) if it
    /// was not applied and a row that stood in the way does not fit `R`.
    pub async fn execute(&mut self) -> Result<Outcome<Vec<R>>, Error> {
        if !self.members.of.iter().any(|member| member.conditional) {
            return Err(self.members.refused("no statement of it has a condition", "Use a LoggedBatch"));
        }
        check_logged(&self.members).await?;
        let answered = self.members.send().await;
        Outcome::of(answered.and_then(|(answer, about)| answer::of_batch(&about, answer)))
    }
}

members_of!(ConditionalBatch<R>);

impl<R> fmt::Debug for ConditionalBatch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionalBatch").field("members", &self.members).finish()
    }
}
