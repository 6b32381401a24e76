use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::BatchType;

use super::{BatchStatements, batch_methods};
use crate::statement::{UntypedStatement, Write};
use crate::{Error, Session, Values};

/// The maximum number of statements of an unlogged batch (DG:quotas).
const MAX_STATEMENTS: usize = 30;

/// Several independent writes in one request: at most 30 statements (DG:batchStatements).
///
/// **It is not atomic.** If it fails, some of its statements may have been applied and others not, and the service does
/// not say which. Either repeat the whole batch, which is safe if every statement is idempotent, or read the rows. A
/// batch saves round trips if all rows are in one partition, but has no other advantage; on Keyspaces it is not faster
/// than concurrent single writes.
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
    statements: BatchStatements,
}

impl UnloggedBatch {
    /// Creates an empty batch.
    pub fn new(session: &Session) -> Self {
        Self { statements: BatchStatements::new(session, BatchType::Unlogged) }
    }

    /// Adds a write.
    ///
    /// # Errors
    ///
    /// The errors of [`Write::execute`] before anything is sent, and [`TooLarge`](crate::ErrorKind::TooLarge) for the
    /// 31st statement. After an error, the batch is unchanged.
    pub fn push<V: SerializeRow>(&mut self, write: &Write<V>, values: impl Values<V>) -> Result<&mut Self, Error> {
        self.statements.push(&write.untyped, values.values(), false, |statements, _| {
            if statements.entries.len() < MAX_STATEMENTS {
                return Ok(());
            }
            Err(statements.too_large(
                format!("one more statement is too many: Keyspaces accepts at most {MAX_STATEMENTS}"),
                "Write the rest in another batch, or as single writes in flight at once",
            ))
        })?;
        Ok(self)
    }

    /// Executes the batch, and returns when all of it is acknowledged. An empty batch does nothing.
    ///
    /// If the future is dropped before it completes, the batch may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// The server's error; some of the statements may have been applied. [`Unknown`](crate::ErrorKind::Unknown) if the
    /// answer was lost and one of the statements is not idempotent.
    pub async fn execute(&mut self) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        let (answer, info) = self.statements.send().await?;
        UntypedStatement::expect_no_rows(&info, answer)
    }
}

batch_methods!(UnloggedBatch);
