//! Batches: several writes in one request.

mod conditional;
mod key;
mod logged;
mod row;
#[cfg(test)]
mod tests;
mod unlogged;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use scylla::response::query_result::QueryResult;
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::statement::batch::{Batch, BatchType};

pub use self::conditional::ConditionalBatch;
pub(super) use self::key::{Key, Keys};
pub use self::logged::LoggedBatch;
pub use self::unlogged::UnloggedBatch;
use super::Core;
use super::about::About;
use super::cells::Cells;
use crate::consistency::WRITE_CONSISTENCY;
use crate::execute::{self, Call, Repeats};
use crate::pace::{Pace, Together};
use crate::{Error, ErrorKind, Session};

/// What any batch is made of.
struct Members {
    session: Session,
    kind: BatchType,
    of: Vec<Member>,
    tag: Option<Arc<str>>,
    deadline: Option<Duration>,
    attempt_timeout: Option<Duration>,
    repeats: Repeats,
}

/// One statement of a batch with its values.
#[derive(Clone)]
struct Member {
    prepared: scylla::statement::prepared::PreparedStatement,
    about: Arc<About>,
    repeatable: bool,
    paces: Together,
    values: Vec<u8>,
    count: usize,
    /// How much data it surely is for the service.
    bytes: usize,
    conditional: bool,
}

impl Members {
    fn new(session: &Session, kind: BatchType) -> Self {
        Self {
            session: session.clone(),
            kind,
            of: Vec::new(),
            tag: None,
            deadline: None,
            attempt_timeout: None,
            repeats: Repeats::default(),
        }
    }

    fn attempted(&self) -> String {
        let kind = match self.kind {
            BatchType::Unlogged => "an unlogged batch",
            BatchType::Logged | BatchType::Counter => "a logged batch",
        };
        format!("{kind} of {} statements", self.of.len())
    }

    fn refused(&self, problem: impl Into<String>, advice: &'static str) -> Error {
        Error::new(ErrorKind::Refused, self.attempted(), problem.into()).with_advice(advice)
    }

    fn bytes(&self) -> usize {
        self.of.iter().map(|member| member.bytes).sum()
    }

    /// Those of all its tables, each once.
    fn paces(&self) -> Together {
        let mut paces: Vec<&Arc<Pace>> = Vec::new();
        for pace in self.of.iter().flat_map(|member| &*member.paces) {
            if !paces.iter().any(|known| Arc::ptr_eq(known, pace)) {
                paces.push(pace);
            }
        }
        paces.into_iter().map(Arc::clone).collect()
    }

    async fn send(&self) -> Result<(QueryResult, Arc<About>), Error> {
        let repeatable = self.of.iter().all(|member| member.repeatable && !member.conditional);
        let mut call = Call::new(&self.session, About::of_several(self.attempted(), repeatable));
        call.tag.clone_from(&self.tag);
        call.deadline = self.deadline;
        call.attempt_timeout = self.attempt_timeout;
        call.repeats = self.repeats;
        call.paces = self.paces();
        let mut batch = Batch::new(self.kind);
        batch.set_consistency(WRITE_CONSISTENCY);
        for member in &self.of {
            batch.append_statement(member.prepared.clone());
        }
        // A logged batch costs twice the units of its rows (DG:batchStatements).
        let bytes = if self.kind == BatchType::Logged { 2 * self.bytes() } else { self.bytes() };
        let answer = execute::batch(&call, &mut batch, self.of.as_slice(), bytes).await?;
        Ok((answer, call.about))
    }
}

// Neither the statements nor their values: a text may have literals in it.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("kind", &self.kind)
            .field("statements", &self.of.len())
            .field("tag", &self.tag)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl Member {
    fn new(core: &Core, values: &impl SerializeRow, conditional: bool) -> Result<Self, Error> {
        let columns = core.prepared.get_variable_col_specs();
        let values = core.serialised(values)?;
        let cells = values.cells();
        Ok(Self {
            prepared: core.prepared.clone(),
            about: Arc::clone(&core.call.about),
            repeatable: core.call.is_repeatable(),
            paces: Arc::clone(&core.call.paces),
            values: cells.as_bytes().to_vec(),
            count: cells.count(),
            bytes: cells.surely_at_least(columns.as_slice()),
            conditional,
        })
    }

    fn cells(&self) -> Cells<'_> {
        Cells::of(&self.values, self.count)
    }
}

impl SerializeRow for Member {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        self.cells().serialize(context, writer)
    }

    fn is_empty(&self) -> bool {
        self.cells().is_empty()
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

            /// The batch with `deadline` for all attempts together, a year at most. Default: the session's
            /// [call timeout](crate::Builder::call_timeout).
            #[must_use]
            pub fn with_deadline(mut self, deadline: std::time::Duration) -> Self {
                self.members.deadline = Some(deadline.min(crate::session::LONGEST_TIMEOUT));
                self
            }

            /// The batch with `timeout` for each attempt, a year at most. Default: the session's
            /// [attempt timeout](crate::Builder::attempt_timeout). No attempt outlasts the deadline.
            #[must_use]
            pub fn with_attempt_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.members.attempt_timeout = Some(timeout.min(crate::session::LONGEST_TIMEOUT));
                self
            }

            /// The batch, sent again when it was throttled although one of its statements may not be sent twice: see
            /// [`Write::repeat_when_throttled`](crate::Write::repeat_when_throttled). Default: it is sent once.
            #[must_use]
            pub fn repeat_when_throttled(mut self) -> Self {
                self.members.repeats.when_throttled = true;
                self
            }

            /// The batch under a name of the caller's own in the trace. Default: none.
            #[must_use]
            pub fn with_tag(mut self, tag: &str) -> Self {
                self.members.tag = Some(tag.into());
                self
            }
        }
    };
}

use members_of;
