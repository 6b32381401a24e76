//! The prepared statement for the rows.

use std::sync::Arc;
use std::time::Duration;

use scylla::serialize::row::SerializeRow;

use super::batches::RowGroup;
use super::row::RowValues;
use super::row_sender::SendRow;
use super::statement_text::{StatementText, insert, insert_statics};
use super::table::{Column, DescribedTable};
use crate::{Error, Increment, Session, UnloggedBatch, Write};

/// The deadline of one call, including the wait for a throttled table. It is at most the stall timeout, so that an
/// error comes in time, but at least a second.
const MAX_CALL_DEADLINE: Duration = Duration::from_secs(60);
const MIN_CALL_DEADLINE: Duration = Duration::from_secs(1);

/// A prepared statement to which each row is bound.
#[derive(Clone, Debug)]
pub(super) struct RowStatement {
    write: PreparedWrite,
    /// The column index of each bind marker; `None` if the markers are in the order of the columns.
    order: Option<Arc<[usize]>>,
    /// The statement for rows without clustering columns, which have only static columns.
    statics: Option<StaticRowStatement>,
    session: Session,
    deadline: Duration,
}

/// A prepared statement that writes a row, or adds its values to counters.
#[derive(Clone, Debug)]
enum PreparedWrite {
    Write(Write<RowValues>),
    Increment(Increment<RowValues>),
}

#[derive(Clone, Debug)]
struct StaticRowStatement {
    write: PreparedWrite,
    order: Arc<[usize]>,
    /// The index of the first clustering column.
    clustering: usize,
}

impl RowStatement {
    /// Prepares a statement that writes, or one that adds to counters if `is_increment`.
    pub(super) async fn prepare(
        session: &Session,
        statement: StatementText,
        is_increment: bool,
        stall_timeout: Duration,
    ) -> Result<Self, Error> {
        let deadline = stall_timeout.clamp(MIN_CALL_DEADLINE, MAX_CALL_DEADLINE);
        let write = match is_increment {
            true => {
                let increment = session.prepare::<Increment<_>>(&statement.text).await?;
                PreparedWrite::Increment(increment.retry_when_throttled().with_deadline(deadline))
            }
            false => PreparedWrite::Write(session.prepare::<Write<_>>(&statement.text).await?.with_deadline(deadline)),
        };
        let is_in_order = statement.order.is_sorted();
        Ok(Self {
            write,
            order: (!is_in_order).then(|| statement.order.into()),
            statics: None,
            session: session.clone(),
            deadline,
        })
    }

    /// Adds a statement for rows in which the column `clustering` is null.
    pub(super) async fn with_statics(
        self,
        session: &Session,
        statement: StatementText,
        clustering: usize,
        stall_timeout: Duration,
    ) -> Result<Self, Error> {
        let deadline = stall_timeout.clamp(MIN_CALL_DEADLINE, MAX_CALL_DEADLINE);
        let write = session.prepare::<Write<_>>(&statement.text).await?.with_deadline(deadline);
        let write = PreparedWrite::Write(write);
        Ok(Self { statics: Some(StaticRowStatement { write, order: statement.order.into(), clustering }), ..self })
    }

    /// Serialises a row of the caller's type, in the order of the bind markers.
    pub(super) fn serialise(&self, row: &impl SerializeRow) -> Result<RowValues, Error> {
        let untyped = match &self.write {
            PreparedWrite::Write(write) => &write.untyped,
            PreparedWrite::Increment(increment) => increment.untyped(),
        };
        untyped.serialize_row(row).map(RowValues)
    }

    /// The statement for a row, and the row in the order of its bind markers, if that order differs.
    fn for_row(&self, values: &RowValues) -> (&PreparedWrite, Option<RowValues>) {
        match &self.statics {
            Some(StaticRowStatement { write, order, clustering }) if values.is_null(*clustering) => {
                (write, Some(values.in_order(order)))
            }
            _ => (&self.write, self.order.as_ref().map(|order| values.in_order(order))),
        }
    }
}

impl SendRow for RowStatement {
    async fn execute(&self, values: &RowValues) -> Result<(), Error> {
        let (write, ordered) = self.for_row(values);
        let values = ordered.as_ref().unwrap_or(values);
        match write {
            PreparedWrite::Write(write) => write.execute(values).await,
            PreparedWrite::Increment(increment) => increment.execute(values).await,
        }
    }

    async fn execute_batch(&self, rows: &RowGroup) -> Result<(), Error> {
        let mut batch = UnloggedBatch::new(&self.session).with_deadline(self.deadline);
        for row in rows.rows() {
            let (write, ordered) = self.for_row(&row.values);
            let values = ordered.as_ref().unwrap_or(&row.values);
            match write {
                PreparedWrite::Write(write) => batch.push(write, values).map(|_| ())?,
                // Tables of counters are not loaded in batches.
                PreparedWrite::Increment(increment) => increment.execute(values).await?,
            }
        }
        batch.execute().await
    }
}

/// Prepares the statement that loads rows with these columns.
pub(super) async fn prepare_insert(
    session: &Session,
    table: &DescribedTable,
    columns: &[Column],
    stall_timeout: Duration,
) -> Result<RowStatement, Error> {
    let statement = RowStatement::prepare(session, insert(table, columns), table.has_counters(), stall_timeout).await?;
    match insert_statics(table, columns) {
        Some((text, clustering)) => statement.with_statics(session, text, clustering, stall_timeout).await,
        None => Ok(statement),
    }
}
