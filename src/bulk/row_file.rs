//! One file of rows that is being written.

use std::io;

use super::encoder::{Encoder, Sink};
use super::format::{Reason, RowCells, TextFormat};
use super::input::Compression;

/// The size of the buffer of formatted rows.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file of rows, in any format.
pub(super) trait RowFile: Send {
    /// Adds a row to the buffer.
    fn write(&mut self, row: &RowCells<'_>) -> Result<(), Reason>;

    /// Writes the buffer if it is full.
    fn flush_if_full(&mut self) -> io::Result<()>;

    /// Syncs all rows to the disk, and returns the length of the file, from which writing can resume.
    fn sync(&mut self) -> io::Result<u64>;

    /// Writes all rows to the disk, and ends the file.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A file of lines of text.
pub(super) struct TextFile {
    format: TextFormat,
    compression: Compression,
    /// `None` after an error.
    encoder: Option<Encoder>,
    text: String,
}

impl TextFile {
    pub(super) fn new(format: TextFormat, compression: Compression, sink: Sink) -> io::Result<Self> {
        Ok(Self { format, compression, encoder: Some(Encoder::new(compression, sink)?), text: String::new() })
    }

    /// Writes the header before the rows.
    pub(super) fn with_header<'n>(mut self, names: impl Iterator<Item = &'n str>) -> Self {
        self.format.write_header(names, &mut self.text);
        self
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(encoder) = &mut self.encoder {
            encoder.write_all(self.text.as_bytes())?;
        }
        self.text.clear();
        Ok(())
    }
}

impl RowFile for TextFile {
    fn write(&mut self, row: &RowCells<'_>) -> Result<(), Reason> {
        self.format.write(row, &mut self.text)
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.text.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Ends a member or frame of a compressed file; another one follows.
    fn sync(&mut self) -> io::Result<u64> {
        self.flush()?;
        let Some(encoder) = self.encoder.take() else { return Ok(0) };
        let mut sink = encoder.finish()?;
        let length = sink.sync()?;
        self.encoder = Some(Encoder::new(self.compression, sink)?);
        Ok(length)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        let Some(encoder) = self.encoder.take() else { return Ok(()) };
        encoder.finish()?.sync().map(|_| ())
    }
}
