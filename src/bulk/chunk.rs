//! Rows that were read, on their way to the sender.

use std::collections::HashSet;

use tokio::sync::mpsc;

use super::checkpoint::Resume;
use super::format::{Position, Reason};
use super::rejected::RejectedRow;
use super::row::RowValues;
use crate::Error;

/// Rows that go from the reader to the sender together.
const CHUNK_ROWS: usize = 256;
const CHUNK_BYTES: usize = 256 * 1024;

/// What a reader gives.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// In the order of their ordinals, without a gap.
    pub(super) rows: Vec<InputRow>,
    /// Where to go on after rows that were read from a table.
    pub(super) scan: Option<String>,
}

/// A row that was read.
#[derive(Debug)]
pub(super) struct InputRow {
    /// Which of all rows of the input it is.
    pub(super) ordinal: u64,
    pub(super) at: RowPosition,
    pub(super) row: ReadRow,
}

#[derive(Debug)]
pub(super) enum ReadRow {
    Row {
        values: RowValues,
        units: u32,
    },
    Rejected(Reason, RejectedRow),
    /// Acknowledged by the run that is gone on with.
    Done,
}

/// Where a row begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct RowPosition {
    pub(super) file: u32,
    pub(super) at: Position,
    /// The size of the record.
    pub(super) bytes: u32,
}

/// Gathers the rows of a reader into chunks and sends them.
pub(super) struct Chunks<'c> {
    to: &'c mpsc::Sender<Result<Chunk, Error>>,
    chunk: Chunk,
    /// Bytes of the rows in the chunk.
    bytes: usize,
    /// The next row.
    ordinal: u64,
    /// Rows before this one were read by the run that is gone on with.
    read_to: u64,
    /// Those of them that are to be sent.
    unsent: HashSet<u64>,
}

impl<'c> Chunks<'c> {
    pub(super) fn new(to: &'c mpsc::Sender<Result<Chunk, Error>>, resume: Option<&Resume>) -> Self {
        Self {
            to,
            chunk: Chunk::default(),
            bytes: 0,
            ordinal: resume.map_or(0, |resume| resume.ordinal),
            read_to: resume.map_or(0, |resume| resume.read_to),
            unsent: resume.map(|resume| resume.unsent.iter().copied().collect()).unwrap_or_default(),
        }
    }

    /// Whether the next row was acknowledged by the run that is gone on with.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.ordinal < self.read_to && !self.unsent.contains(&self.ordinal)
    }

    /// Adds the next row, which takes so many bytes; says whether anybody takes further ones.
    pub(super) fn push(&mut self, at: RowPosition, row: ReadRow, bytes: usize) -> bool {
        self.chunk.rows.push(InputRow { ordinal: self.ordinal, at, row });
        self.ordinal += 1;
        self.bytes += bytes;
        if self.chunk.rows.len() < CHUNK_ROWS && self.bytes < CHUNK_BYTES {
            return true;
        }
        self.bytes = 0;
        self.to.blocking_send(Ok(std::mem::take(&mut self.chunk))).is_ok()
    }

    /// Sends the last rows.
    pub(super) fn end(self) {
        // If nobody takes it, nobody needs it.
        let _ = self.to.blocking_send(Ok(self.chunk));
    }
}
