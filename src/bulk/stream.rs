//! Rows from a stream of the caller's program.

use std::sync::Arc;

use futures::stream::{BoxStream, Stream, StreamExt};
use keyspaces_cql::units;
use scylla::serialize::row::SerializeRow;
use tokio::sync::mpsc;

use super::chunk::{Chunk, InputRow, ReadRow, RowPosition};
use super::format::{Position, RowCells};
use super::rejected::RejectedRow;
use super::row::{self, RowValues};
use super::row_statement::RowStatement;
use super::table::Column;
use crate::Error;
use crate::saturated::saturated;

const CHUNK_ROWS: usize = 256;

/// Rows that are serialised once their statement is prepared.
pub(super) type RowStream = BoxStream<'static, SerialiseRow>;

type SerialiseRow = Box<dyn FnOnce(&RowStatement) -> Result<RowValues, Error> + Send>;

pub(super) fn row_stream<V>(rows: impl Stream<Item = V> + Send + 'static) -> RowStream
where
    V: SerializeRow + Send + 'static,
{
    let later = |row: V| -> SerialiseRow { Box::new(move |statement: &RowStatement| statement.serialise(&row)) };
    rows.map(later).boxed()
}

/// Sends all rows until the stream or the receiver ends.
pub(super) async fn send_rows(
    rows: RowStream,
    statement: RowStatement,
    columns: Arc<[Column]>,
    table: units::Table,
    sender: mpsc::Sender<Result<Chunk, Error>>,
) {
    let mut rows = rows.ready_chunks(CHUNK_ROWS);
    let mut ordinal = 0;
    while let Some(ready) = rows.next().await {
        let mut chunk = Chunk::default();
        for row in ready {
            let values = match row(&statement) {
                Ok(values) => values,
                Err(error) => {
                    // A failed send means that the receiver has ended and needs no error.
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            };
            push_values(&mut chunk, ordinal, values, &columns, &table);
            ordinal += 1;
        }
        if sender.send(Ok(chunk)).await.is_err() {
            return;
        }
    }
}

/// Adds a row that does not come from a file.
pub(super) fn push_values(
    chunk: &mut Chunk,
    ordinal: u64,
    values: RowValues,
    columns: &[Column],
    table: &units::Table,
) {
    let bytes = saturated::<u32>(values.0.len());
    let row = match row::write_units(&RowCells { columns, bytes: &values.0 }, table) {
        Ok(units) => ReadRow::Row { values, units },
        Err(reason) => ReadRow::Rejected(reason, RejectedRow::Values(values)),
    };
    let at = Position { line: ordinal + 1, ..Position::default() };
    chunk.rows.push(InputRow { ordinal, at: RowPosition { file: 0, at, bytes }, row });
}
