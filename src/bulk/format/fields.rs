//! Finds the end of a record and its fields, in one pass over the bytes.

use memchr::{memchr, memchr2, memchr3};

/// The framing of records and fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// Each line is a record without fields.
    Lines,
    /// Each line is a record with fields, except that line ends inside quotes belong to a field.
    Csv { delimiter: u8, quote: u8, escape: Option<u8> },
}

/// A field of a record, without the quotes around it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Field {
    start: usize,
    end: usize,
    pub(super) is_quoted: bool,
    /// Whether the field has doubled quotes or escapes.
    is_escaped: bool,
}

/// The fields of a record, or its error.
#[derive(Debug, Default)]
pub(in crate::bulk) struct Fields {
    list: Vec<Field>,
    fault: Option<CsvFault>,
}

/// Why a record is not valid CSV.
#[derive(Clone, Copy, Debug)]
enum CsvFault {
    CutInQuotes,
    /// The number of the field, from 1.
    TextAfterQuotes(usize),
}

/// Searches for the end of a record. When more bytes arrive, the search continues where it stopped.
#[derive(Debug)]
pub(super) struct RecordScan {
    framing: Framing,
    state: CsvState,
    /// The offset up to which the bytes were scanned.
    at: usize,
    fields: Fields,
    /// The start of the current field's text.
    start: usize,
    /// The offset of the field's closing quote.
    closed: Option<usize>,
    is_escaped: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum CsvState {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote inside quotes: the closing quote, or the first half of a doubled quote.
    QuoteInQuoted,
    /// After the escape, inside quotes or not.
    Escaped {
        quoted: bool,
    },
}

impl RecordScan {
    pub(super) fn new() -> Self {
        Self {
            framing: Framing::Lines,
            state: CsvState::FieldStart,
            at: 0,
            fields: Fields::default(),
            start: 0,
            closed: None,
            is_escaped: false,
        }
    }

    /// Starts another record.
    pub(super) fn begin(&mut self, framing: Framing) {
        (self.framing, self.at) = (framing, 0);
        self.fields.list.clear();
        self.fields.fault = None;
        self.begin_field();
    }

    /// The end of the record's last line in `bytes`, which begin with the record; `None` if more bytes are needed.
    pub(super) fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let Framing::Csv { delimiter, quote, escape } = self.framing else {
            let found = memchr(b'\n', &bytes[self.at..]);
            self.at += found.unwrap_or(bytes.len() - self.at);
            return found.map(|_| self.at);
        };
        while let [first, ..] = bytes[self.at..] {
            match self.state {
                CsvState::FieldStart if first == quote => {
                    (self.state, self.at) = (CsvState::Quoted, self.at + 1);
                    self.start = self.at;
                }
                CsvState::FieldStart => self.state = CsvState::Unquoted,
                CsvState::Unquoted => {
                    let found = memchr3(b'\n', delimiter, escape.unwrap_or(delimiter), &bytes[self.at..]);
                    let at = self.at + found.unwrap_or(bytes.len() - self.at);
                    match bytes.get(at) {
                        None => self.at = at,
                        Some(b'\n') => {
                            self.end_field(if bytes[..at].ends_with(b"\r") { at - 1 } else { at });
                            return Some(at);
                        }
                        Some(byte) if *byte == delimiter => {
                            self.end_field(at);
                            self.at = at + 1;
                            self.begin_field();
                        }
                        Some(_) => self.escape(at, false),
                    }
                }
                CsvState::Quoted => {
                    let found = memchr2(quote, escape.unwrap_or(quote), &bytes[self.at..]);
                    let at = self.at + found.unwrap_or(bytes.len() - self.at);
                    match bytes.get(at) {
                        None => self.at = at,
                        Some(byte) if *byte == quote => {
                            (self.state, self.at, self.closed) = (CsvState::QuoteInQuoted, at + 1, Some(at));
                        }
                        Some(_) => self.escape(at, true),
                    }
                }
                CsvState::QuoteInQuoted if first == quote => {
                    (self.state, self.at, self.closed) = (CsvState::Quoted, self.at + 1, None);
                    self.is_escaped = true;
                }
                CsvState::QuoteInQuoted => self.state = CsvState::Unquoted,
                CsvState::Escaped { quoted } => {
                    self.state = if quoted { CsvState::Quoted } else { CsvState::Unquoted };
                    self.at += 1;
                }
            }
        }
        None
    }

    /// Ends the record at `length`, where the input ends.
    pub(super) fn end_input(&mut self, length: usize) {
        match self.state {
            CsvState::Quoted | CsvState::Escaped { quoted: true } => self.fault(CsvFault::CutInQuotes),
            _ => self.end_field(length),
        }
    }

    /// The fields of the record whose end was found.
    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    fn begin_field(&mut self) {
        (self.state, self.start, self.closed, self.is_escaped) = (CsvState::FieldStart, self.at, None, false);
    }

    fn escape(&mut self, at: usize, quoted: bool) {
        (self.state, self.at, self.is_escaped) = (CsvState::Escaped { quoted }, at + 1, true);
    }

    fn end_field(&mut self, at: usize) {
        let Self { start, closed, is_escaped, .. } = *self;
        self.fields.list.push(Field { start, end: closed.unwrap_or(at), is_quoted: closed.is_some(), is_escaped });
        if closed.is_some_and(|closed| closed + 1 != at) {
            self.fault(CsvFault::TextAfterQuotes(self.fields.list.len()));
        }
    }

    fn fault(&mut self, fault: CsvFault) {
        self.fields.fault.get_or_insert(fault);
    }
}

impl Fields {
    /// The fields, or the problem of the record.
    pub(super) fn list(&self) -> Result<&[Field], String> {
        match self.fault {
            None => Ok(&self.list),
            Some(CsvFault::CutInQuotes) => Err("ends inside of quotes; it may have been cut".to_owned()),
            Some(CsvFault::TextAfterQuotes(field)) => Err(format!("has more text after the quotes of field {field}")),
        }
    }

    /// The number of the first field that is not valid UTF-8, if the fields are known.
    pub(super) fn first_not_utf_8(&self, record: &[u8]) -> Option<usize> {
        let bytes = |field: &Field| record.get(field.start..field.end).unwrap_or_default();
        self.list().ok()?.iter().position(|field| std::str::from_utf8(bytes(field)).is_err())
    }
}

impl Field {
    /// The text of the field in its record. If the field has escapes, the text is built in `unescaped`.
    pub(super) fn text<'t>(
        &self,
        record: &'t str,
        quote: u8,
        escape: Option<u8>,
        unescaped: &'t mut String,
    ) -> &'t str {
        let text = record.get(self.start..self.end).unwrap_or_default();
        if !self.is_escaped {
            return text;
        }
        let (quote, escape) = (char::from(quote), escape.map(char::from));
        let mut letters = text.chars();
        unescaped.clear();
        while let Some(letter) = letters.next() {
            let is_escape = Some(letter) == escape || self.is_quoted && letter == quote;
            // The character after an escape is literal.
            unescaped.extend(if is_escape { letters.next() } else { Some(letter) });
        }
        unescaped
    }
}
