//! Splits the bytes of an input into records, with the offset and line of each, and the checksum of the bytes before it.

use std::io::{self, Read};

use crc32fast::Hasher;
use memchr::memchr_iter;

use super::fields::{Fields, Framing, RecordScan};
use crate::saturated::saturated;

/// A row has at most 1 MB (DG:quotas), which is 2 MB in hexadecimal digits, so a longer record cannot be a row.
const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

const BUFFER_BYTES: usize = 256 * 1024;

/// The byte order mark, which some programs write at the start of a text file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The start of a comment line, which states why the next record was rejected.
pub(in crate::bulk) const COMMENT: &[u8] = b"#!keyspaces ";

/// The records of one input.
pub(in crate::bulk) struct Records {
    input: Box<dyn Read + Send>,
    framing: Framing,
    scan: RecordScan,
    buffer: Vec<u8>,
    /// The start of the unconsumed part of the buffer.
    start: usize,
    end: usize,
    is_at_end: bool,
    position: Position,
    hasher: Hasher,
}

/// The position of a record.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::bulk) struct Position {
    /// The offset in bytes of the decompressed input.
    pub(in crate::bulk) offset: u64,
    /// The line number, from 1.
    pub(in crate::bulk) line: u64,
    /// The checksum of all bytes before it.
    pub(in crate::bulk) crc: u32,
}

/// A record without its line end.
#[derive(Clone, Copy, Debug)]
pub(in crate::bulk) struct Record<'b> {
    pub(in crate::bulk) bytes: &'b [u8],
    pub(super) fields: &'b Fields,
    pub(in crate::bulk) position: Position,
    /// Whether the input ended with the record, without a line end.
    pub(in crate::bulk) is_last: bool,
}

impl Records {
    pub(super) fn new(input: Box<dyn Read + Send>, framing: Framing) -> Self {
        Self {
            input,
            framing,
            scan: RecordScan::new(),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            is_at_end: false,
            position: Position { line: 1, ..Position::default() },
            hasher: Hasher::new(),
        }
    }

    pub(in crate::bulk) fn position(&self) -> Position {
        Position { crc: self.hasher.clone().finalize(), ..self.position }
    }

    /// Skips the bytes before `to`. Returns whether they have the same checksum.
    pub(in crate::bulk) fn skip_to(&mut self, to: Position) -> io::Result<bool> {
        while self.position.offset < to.offset {
            if self.start == self.end && !self.fill()? {
                return Ok(false);
            }
            let left = to.offset - self.position.offset;
            let length = (self.end - self.start).min(saturated::<usize>(left));
            self.take(length);
        }
        self.position.line = to.line;
        Ok(self.position() == to)
    }

    /// The next record, unless the input has ended. Empty lines are records.
    pub(in crate::bulk) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        if self.position.offset == 0 && self.start == 0 {
            self.fill_at_least(BYTE_ORDER_MARK.len())?;
            if self.unread().starts_with(BYTE_ORDER_MARK) {
                self.take(BYTE_ORDER_MARK.len());
            }
        }
        let position = self.position();
        self.fill_at_least(COMMENT.len())?;
        let is_comment = self.unread().starts_with(COMMENT);
        self.scan.begin(if is_comment { Framing::Lines } else { self.framing });
        loop {
            if let Some(end) = self.scan.find_end(&self.buffer[self.start..self.end]) {
                let from = self.take(end + 1);
                let line = &self.buffer[from..from + end];
                let bytes = line.strip_suffix(b"\r").unwrap_or(line);
                return Ok(Some(Record { bytes, fields: self.scan.fields(), position, is_last: false }));
            }
            let length = self.end - self.start;
            if length > MAX_RECORD_BYTES {
                let message = format!(
                    "the record that begins in line {} is longer than {MAX_RECORD_BYTES} bytes; probably a quote is not \
                     closed",
                    position.line
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            if !self.fill()? {
                self.scan.end_input(length);
                let from = self.take(length);
                let bytes = &self.buffer[from..from + length];
                let fields = self.scan.fields();
                return Ok((length > 0).then_some(Record { bytes, fields, position, is_last: true }));
            }
        }
    }

    /// Consumes bytes of the buffer, and returns their start.
    fn take(&mut self, length: usize) -> usize {
        let from = self.start;
        let taken = &self.buffer[from..from + length];
        self.hasher.update(taken);
        self.position.line += memchr_iter(b'\n', taken).count() as u64;
        self.position.offset += length as u64;
        self.start += length;
        from
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn fill_at_least(&mut self, bytes: usize) -> io::Result<()> {
        while self.end - self.start < bytes && self.fill()? {}
        Ok(())
    }

    /// Reads more bytes. Returns `false` at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        let read = loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += read;
        self.is_at_end = read == 0;
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: Framing = Framing::Csv { delimiter: b',', quote: b'"', escape: None };

    /// Returns one byte at a time, so that every possible split is tested.
    struct OneByteReader(io::Cursor<Vec<u8>>);

    impl Read for OneByteReader {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut into[..1])
        }
    }

    fn records(text: &str, framing: Framing) -> Records {
        Records::new(Box::new(OneByteReader(io::Cursor::new(text.as_bytes().to_vec()))), framing)
    }

    fn all(text: &str, framing: Framing) -> Vec<(String, u64, u64, bool)> {
        let mut records = records(text, framing);
        let mut all = Vec::new();
        while let Some(Record { bytes, position, is_last, .. }) = records.next().unwrap() {
            all.push((String::from_utf8(bytes.to_vec()).unwrap(), position.offset, position.line, is_last));
        }
        all
    }

    #[test]
    fn csv_record_ends_at_a_newline_outside_quotes() {
        let read = |text: &str| all(text, CSV);
        let record = |text: &str, offset, line, is_last| (text.to_owned(), offset, line, is_last);
        assert_eq!(read("a,b\r\nc,d"), [record("a,b", 0, 1, false), record("c,d", 5, 2, true)]);
        assert_eq!(read("1,\"a\nb\"\n2,c\n"), [record("1,\"a\nb\"", 0, 1, false), record("2,c", 8, 3, false)]);
        assert_eq!(read("\"a\"\"\n\"\nb\n"), [record("\"a\"\"\n\"", 0, 1, false), record("b", 7, 3, false)]);
        // A quote inside an unquoted field is an ordinary character.
        assert_eq!(read("5\" disk\nb\n"), [record("5\" disk", 0, 1, false), record("b", 8, 2, false)]);
        assert_eq!(read("\u{feff}a\n\n"), [record("a", 3, 1, false), record("", 5, 2, false)]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn escaped_newline_does_not_end_a_record() {
        let framing = Framing::Csv { delimiter: b',', quote: b'"', escape: Some(b'\\') };
        let texts: Vec<_> = all("a\\\nb\n\"c\\\"\n\"\nd\n", framing).into_iter().map(|(text, ..)| text).collect();
        assert_eq!(texts, ["a\\\nb", "\"c\\\"\n\"", "d"]);
    }

    #[test]
    fn skip_to_requires_identical_bytes_before_the_position() {
        let text = "id\n1\n\"2\n\"\n3\n";
        let mut whole = records(text, CSV);
        while let Some(Record { position, bytes, .. }) = whole.next().unwrap() {
            let bytes = bytes.to_vec();
            let mut again = records(text, CSV);
            assert!(again.skip_to(position).unwrap());
            let found = again.next().unwrap().unwrap();
            assert_eq!((found.bytes, found.position), (&bytes[..], position));
            let is_same = records(&text.replace("id", "no"), CSV).skip_to(position).unwrap();
            assert_eq!(is_same, position.offset == 0);
        }
        assert!(!records("id", CSV).skip_to(whole.position()).unwrap());
    }

    #[test]
    fn quotes_in_a_rejection_reason_line_open_no_quoted_field() {
        let texts: Vec<_> = all("#!keyspaces {,\"x}\na\n", CSV).into_iter().map(|(text, ..)| text).collect();
        assert_eq!(texts, ["#!keyspaces {,\"x}", "a"]);
    }

    #[test]
    fn unclosed_quote_error_gives_its_line() {
        let text = format!("a\n\"{}", "x\n".repeat(MAX_RECORD_BYTES));
        let mut records = Records::new(Box::new(io::Cursor::new(text.into_bytes())), CSV);
        records.next().unwrap();
        assert_eq!(
            records.next().unwrap_err().to_string(),
            "the record that begins in line 2 is longer than 8388608 bytes; probably a quote is not closed"
        );
    }
}
