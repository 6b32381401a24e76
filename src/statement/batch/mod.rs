//! Batches: several writes in one request.

mod conditional;
mod key;
mod logged;
mod row;
#[cfg(test)]
mod tests;
mod unlogged;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};

pub use self::conditional::ConditionalBatch;
pub(super) use self::key::{Key, Keys};
pub use self::logged::LoggedBatch;
pub use self::unlogged::UnloggedBatch;
use super::Core;
use super::about::About;
use super::cells::Cells;
use crate::consistency::WRITE_CONSISTENCY;
use crate::execute::{self, Call, WRITE_UNIT};
use crate::options::CallOptions;
use crate::pace::{Pace, Together};
use crate::{Error, ErrorKind, Session};

/// What any batch is made of.
struct Members {
    session: Session,
    batch: Batch,
    of: Vec<Member>,
    /// Of all members, one after the other: a buffer for each would be an allocation for each.
    values: Vec<u8>,
    options: CallOptions,
}

/// One statement of a batch.
struct Member {
    about: Arc<About>,
    repeatable: bool,
    paces: Together,
    /// Where its values are, and how many.
    values: Range<usize>,
    count: usize,
    conditional: bool,
}

/// Room that is made with the first statement, in statements and in values of some hundred bytes.
const USUALLY_AT_MOST: usize = 10;

impl Members {
    fn new(session: &Session, kind: BatchType) -> Self {
        let mut batch = Batch::new(kind);
        batch.set_consistency(WRITE_CONSISTENCY);
        Self { session: session.clone(), batch, of: Vec::new(), values: Vec::new(), options: CallOptions::default() }
    }

    /// Adds a statement unless `refuses` has a reason against it, given the values with those of the statement.
    fn push(
        &mut self,
        core: &Core,
        values: &impl SerializeRow,
        conditional: bool,
        refuses: impl FnOnce(&Self, Cells<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let serialised = core.serialised(values)?;
        let cells = serialised.cells();
        refuses(self, cells)?;
        if self.of.is_empty() {
            self.of.reserve(USUALLY_AT_MOST);
            self.batch.statements.reserve(USUALLY_AT_MOST);
            self.values.reserve(USUALLY_AT_MOST * cells.as_bytes().len().min(512));
        }
        let start = self.values.len();
        self.values.extend_from_slice(cells.as_bytes());
        self.batch.append_statement(core.prepared.clone());
        self.of.push(Member {
            about: Arc::clone(&core.call.about),
            repeatable: core.call.is_repeatable(),
            paces: Arc::clone(&core.call.paces),
            values: start..self.values.len(),
            count: cells.count(),
            conditional,
        });
        Ok(())
    }

    fn cells(&self, member: &Member) -> Cells<'_> {
        member.cells(&self.values)
    }

    fn attempted(&self) -> String {
        let kind = match self.batch.get_type() {
            BatchType::Unlogged => "an unlogged batch",
            BatchType::Logged | BatchType::Counter => "a logged batch",
        };
        format!("{kind} of {} statements", self.of.len())
    }

    fn refused(&self, problem: impl Into<String>, advice: &'static str) -> Error {
        Error::new(ErrorKind::Refused, self.attempted(), problem.into()).with_advice(advice)
    }

    fn too_large(&self, problem: impl Into<String>, advice: &'static str) -> Error {
        Error::new(ErrorKind::TooLarge, self.attempted(), problem.into()).with_advice(advice)
    }

    /// How much data it surely is for the service.
    fn surely_at_least(&self) -> usize {
        let sizes = self.of.iter().zip(&self.batch.statements).map(|(member, statement)| match statement {
            BatchStatement::PreparedStatement(prepared) => {
                self.cells(member).surely_at_least(prepared.get_variable_col_specs().as_slice())
            }
            _ => 0,
        });
        sizes.sum()
    }

    /// Those of all its tables, each once.
    fn paces(&self) -> Together {
        let Some((first, others)) = self.of.split_first() else { return Arc::default() };
        if others.iter().all(|member| Arc::ptr_eq(&member.paces, &first.paces)) {
            return Arc::clone(&first.paces);
        }
        let mut paces: Vec<&Arc<Pace>> = Vec::new();
        for pace in self.of.iter().flat_map(|member| &*member.paces) {
            if !paces.iter().any(|known| Arc::ptr_eq(known, pace)) {
                paces.push(pace);
            }
        }
        paces.into_iter().map(Arc::clone).collect()
    }

    async fn send(&mut self) -> Result<(QueryResult, Arc<About>), Error> {
        let repeatable = self.of.iter().all(|member| member.repeatable && !member.conditional);
        let mut call = Call::new(&self.session, About::of_several(self.batch.get_type(), self.attempted(), repeatable));
        call.options = self.options.clone();
        call.paces = self.paces();
        // Each row takes whole units, and in a logged batch twice as many (DG:batchStatements).
        let rows = self.of.iter().map(|member| member.values.len().div_ceil(WRITE_UNIT).max(1) * WRITE_UNIT);
        let bytes = rows.sum::<usize>() * if self.batch.get_type() == BatchType::Logged { 2 } else { 1 };
        let cells: Vec<Cells<'_>> = self.of.iter().map(|member| member.cells(&self.values)).collect();
        let answer = execute::batch(&call, &mut self.batch, cells.as_slice(), bytes).await?;
        Ok((answer, call.about))
    }
}

impl Member {
    fn cells<'b>(&self, values: &'b [u8]) -> Cells<'b> {
        Cells::of(values.get(self.values.clone()).unwrap_or_default(), self.count)
    }
}

// Neither the statements nor their values: a text may have literals in it.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("kind", &self.batch.get_type())
            .field("statements", &self.of.len())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Gives a kind of batch what all have.
macro_rules! members_of {
    ($batch:ident $(<$parameter:ident>)?) => {
        impl $(<$parameter>)? $batch $(<$parameter>)? {
            /// How many statements are in it.
            pub fn len(&self) -> usize {
                self.members.of.len()
            }

            /// Whether there is no statement in it.
            pub fn is_empty(&self) -> bool {
                self.members.of.is_empty()
            }

            fn with_changed_options(mut self, change: impl FnOnce(&mut crate::options::CallOptions)) -> Self {
                change(&mut self.members.options);
                self
            }
        }

        crate::options::call_options!(
            impl [$($parameter)?] $batch $(<$parameter>)?, self: [self], all, repeat
        );
    };
}

use members_of;
