use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::BatchType;

use super::{Members, members_of};
use crate::statement::{Core, Write};
use crate::{Error, Session, Values};

/// (DG:quotas)
const MOST_STATEMENTS: usize = 30;

/// Several writes in one request, each on its own: at most 30 (DG:batchStatements).
///
/// **It is not atomic.** If it fails, some of its statements may have been written and others not, and the service does not
/// say which: repeat all of them, which does no harm where each may be sent twice, or read. It saves round trips where all
/// rows are in one partition, and nothing else; on Keyspaces it is no faster than single writes in flight together.
///
/// ```no_run
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// use keyspaces::{UnloggedBatch, Write};
///
/// let store: Write<(&str, &str)> =
///     session.prepare("INSERT INTO shop.names (id, name) VALUES (?, ?)").await?;
/// let mut batch = UnloggedBatch::new(&session);
/// batch.push(&store, ("7", "Ada"))?;
/// batch.push(&store, ("8", "Grace"))?;
/// batch.execute().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct UnloggedBatch {
    members: Members,
}

impl UnloggedBatch {
    /// A batch without statements.
    pub fn new(session: &Session) -> Self {
        Self { members: Members::new(session, BatchType::Unlogged) }
    }

    /// Adds a write.
    ///
    /// # Errors
    ///
    /// As [`Write::execute`] before anything is sent, and [`TooLarge`](crate::ErrorKind::TooLarge) for the 31st statement. The
    /// batch stays as it was.
    pub fn push<V: SerializeRow>(&mut self, write: &Write<V>, values: impl Values<V>) -> Result<&mut Self, Error> {
        self.members.push(&write.core, values.values(), false, |members, _| {
            if members.of.len() < MOST_STATEMENTS {
                return Ok(());
            }
            Err(members.too_large(
                format!("one more is too many, Keyspaces takes {MOST_STATEMENTS}"),
                "Write the rest in another batch, or singly and in flight together",
            ))
        })?;
        Ok(self)
    }

    /// Sends it, and returns when all of it is acknowledged. Without statements it does nothing.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// What the server says; some of the statements may have been written. [`Unknown`](crate::ErrorKind::Unknown) if the
    /// answer was lost and one of the statements may not be sent twice.
    pub async fn execute(&mut self) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        let (answer, about) = self.members.send().await?;
        Core::expect_no_rows(&about, answer)
    }
}

members_of!(UnloggedBatch);
