use std::collections::HashSet;

use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::BatchType;

use super::row::ModifiedRow;
use super::{BatchStatements, batch_methods};
use crate::statement::info::StatementInfo;
use crate::statement::modification::ModifiedColumns;
use crate::statement::{UntypedStatement, Write};
use crate::{Error, Session, Values};

/// The maximum number of statements of a logged batch (DG:quotas).
const MAX_STATEMENTS: usize = 100;
const MAX_STATEMENTS_WITH_STATIC_COLUMNS: usize = 50;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Several writes that are applied together or not at all: at most 100 statements (50 if one sets a static column) and
/// 4 MB (DG:batchStatements).
///
/// A logged batch costs twice the write units of its rows. Two statements must not write the same row, and a statement
/// must not delete a range. Both rules are checked before the batch is sent, with the primary key of the table. The key
/// is read from `system_schema` the first time and then kept; if it cannot be read, only the service checks the rules.
/// Counters are not allowed, and do not compile.
///
/// ```no_run
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// use keyspaces::{LoggedBatch, Write};
///
/// let by_id: Write<(&str, &str)> =
///     session.prepare("INSERT INTO shop.names (id, name) VALUES (?, ?)").await?;
/// let by_name: Write<(&str, &str)> =
///     session.prepare("INSERT INTO shop.ids (name, id) VALUES (?, ?)").await?;
/// let mut batch = LoggedBatch::new(&session);
/// batch.push(&by_id, ("7", "Ada"))?.push(&by_name, ("Ada", "7"))?;
/// batch.execute().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct LoggedBatch {
    statements: BatchStatements,
}

impl LoggedBatch {
    /// Creates an empty batch.
    pub fn new(session: &Session) -> Self {
        Self { statements: BatchStatements::new(session, BatchType::Logged) }
    }

    /// Adds a write.
    ///
    /// # Errors
    ///
    /// The errors of [`Write::execute`] before anything is sent, [`TooLarge`](crate::ErrorKind::TooLarge) for the 101st
    /// statement and for more than 4 MB, [`Refused`](crate::ErrorKind::Refused) for a statement that applies to a range
    /// of rows. After an error, the batch is unchanged.
    pub fn push<V: SerializeRow>(&mut self, write: &Write<V>, values: impl Values<V>) -> Result<&mut Self, Error> {
        push_logged(&mut self.statements, &write.untyped, values.values(), false)?;
        Ok(self)
    }

    /// Executes the batch, and returns when all of it is applied. An empty batch does nothing.
    ///
    /// If the future is dropped before it completes, the batch may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// Before anything is sent: [`Refused`](crate::ErrorKind::Refused) if two statements write the same row, if one
    /// deletes a range, or if there are more than 50 statements and one sets a static column. After: the server's
    /// error; [`Unknown`](crate::ErrorKind::Unknown) if the answer was lost and one of the statements is not
    /// idempotent. If [`may_have_been_applied`](crate::Error::may_have_been_applied) is `false`, nothing was applied.
    pub async fn execute(&mut self) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        check_logged(&self.statements).await?;
        let (answer, info) = self.statements.send().await?;
        UntypedStatement::expect_no_rows(&info, answer)
    }
}

batch_methods!(LoggedBatch);

pub(super) fn push_logged(
    statements: &mut BatchStatements,
    untyped: &UntypedStatement,
    values: &impl SerializeRow,
    is_conditional: bool,
) -> Result<(), Error> {
    let info = &untyped.call.info;
    statements.push(untyped, values, is_conditional, |statements, values| {
        if statements.entries.len() == MAX_STATEMENTS {
            return Err(statements.too_large(
                format!("one more statement is too many: Keyspaces accepts at most {MAX_STATEMENTS}"),
                "Put into one batch only what must be applied together",
            ));
        }
        // The lower bound is at most the size of the values themselves, so it is not computed for small batches.
        if statements.values.len() > MAX_BYTES {
            let columns = untyped.prepared.get_variable_col_specs();
            let bytes = statements.min_size() + values.min_size(columns.as_slice());
            if bytes > MAX_BYTES {
                return Err(statements.too_large(
                    format!("with this statement it has at least {bytes} bytes: Keyspaces accepts at most {MAX_BYTES}"),
                    "Put into one batch only what must be applied together",
                ));
            }
        }
        match info.tree().and_then(ModifiedColumns::find) {
            Some(modified) if modified.has_range => Err(applies_to_range(statements, info)),
            _ => Ok(()),
        }
    })
}

/// Checks the rules that need the primary keys of the tables.
pub(super) async fn check_logged(statements: &BatchStatements) -> Result<(), Error> {
    let mut rows = HashSet::new();
    for entry in &statements.entries {
        let Some(row) = ModifiedRow::identify(&statements.session, &entry.call.info, statements.values_of(entry)).await
        else {
            continue;
        };
        if row.is_range() {
            return Err(applies_to_range(statements, &entry.call.info));
        }
        if row.sets_static_columns && statements.entries.len() > MAX_STATEMENTS_WITH_STATIC_COLUMNS {
            return Err(statements.refused(
                format!(
                    "{} sets a static column: Keyspaces then accepts at most {MAX_STATEMENTS_WITH_STATIC_COLUMNS} statements",
                    entry.call.info.attempted
                ),
                "Set the static column in another batch",
            ));
        }
        if let Some(identity) = row.identity()
            && !rows.insert(identity)
        {
            return Err(statements.refused(
                format!("{} writes a row that another of its statements also writes", entry.call.info.attempted),
                "Keyspaces refuses that (DG:batchStatements): set all columns of the row in one statement",
            ));
        }
    }
    Ok(())
}

fn applies_to_range(statements: &BatchStatements, info: &StatementInfo) -> Error {
    statements.refused(
        format!("{} applies to a range of rows", info.attempted),
        "Keyspaces refuses that in a logged batch (DG:batchStatements): name the whole primary key with =",
    )
}
