//! Chunks of rows, sent from the reader to the sender.

use std::collections::HashSet;

use tokio::sync::mpsc;

use super::checkpoint::ResumePoint;
use super::format::{Position, Reason};
use super::rejected::RejectedRow;
use super::row::RowValues;
use crate::Error;

/// The maximum number of rows of a chunk.
const CHUNK_ROWS: usize = 256;
const CHUNK_BYTES: usize = 256 * 1024;

/// A chunk of rows from a reader.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// The rows in the order of their ordinals, without gaps.
    pub(super) rows: Vec<InputRow>,
    /// The position at which to resume a scan after these rows; only for rows read from a table.
    pub(super) scan: Option<String>,
}

/// A row that was read.
#[derive(Debug)]
pub(super) struct InputRow {
    /// The number of the row among all rows of the input.
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
    /// The row was acknowledged in the earlier run that this one resumes.
    AlreadyAcknowledged,
}

/// The position of a row in the input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct RowPosition {
    pub(super) file: u32,
    pub(super) at: Position,
    /// The size of the row's record.
    pub(super) bytes: u32,
}

/// Gathers the rows of a reader into chunks and sends them.
pub(super) struct Chunks<'c> {
    to: &'c mpsc::Sender<Result<Chunk, Error>>,
    chunk: Chunk,
    /// The bytes of the rows in the chunk.
    bytes: usize,
    /// The ordinal of the next row.
    ordinal: u64,
    /// The resumed run had read the rows before this ordinal.
    read_to: u64,
    /// The rows before `read_to` that still have to be sent.
    unsent: HashSet<u64>,
}

impl<'c> Chunks<'c> {
    pub(super) fn new(to: &'c mpsc::Sender<Result<Chunk, Error>>, resume: Option<&ResumePoint>) -> Self {
        Self {
            to,
            chunk: Chunk::default(),
            bytes: 0,
            ordinal: resume.map_or(0, |resume| resume.ordinal),
            read_to: resume.map_or(0, |resume| resume.read_to),
            unsent: resume.map(|resume| resume.unsent.iter().copied().collect()).unwrap_or_default(),
        }
    }

    /// Whether the next row was acknowledged in the resumed run.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.ordinal < self.read_to && !self.unsent.contains(&self.ordinal)
    }

    /// Adds the next row with its size in bytes. Returns whether the sender still accepts rows.
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
        // A failed send means that the sender has ended and needs no more rows.
        let _ = self.to.blocking_send(Ok(self.chunk));
    }
}
