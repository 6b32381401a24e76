//! Where a record ends and where its fields are, found together in one pass over its bytes.

use memchr::{memchr, memchr2, memchr3};

/// What ends a record, and what ends a field of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// The end of a line ends a record. There are no fields.
    Lines,
    /// The end of a line ends a record, but not inside of quotes.
    Csv { delimiter: u8, quote: u8, escape: Option<u8> },
}

/// A field of a record, without the quotes around it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Field {
    start: usize,
    end: usize,
    pub(super) is_quoted: bool,
    /// A quote is doubled in it, or something is escaped.
    is_escaped: bool,
}

/// The fields of a record, or what is wrong with it.
#[derive(Debug, Default)]
pub(in crate::bulk) struct Fields {
    list: Vec<Field>,
    fault: Option<CsvFault>,
}

/// Why a record is no CSV.
#[derive(Clone, Copy, Debug)]
enum CsvFault {
    CutInQuotes,
    /// In the field of this number, from 1.
    TextAfterQuotes(usize),
}

/// Looks for the end of a record. When more bytes are there, it goes on where it was.
#[derive(Debug)]
pub(super) struct RecordScan {
    framing: Framing,
    state: CsvState,
    /// The bytes before it were looked at.
    at: usize,
    fields: Fields,
    /// Where the text of the current field begins.
    start: usize,
    /// Where its closing quote is.
    closed: Option<usize>,
    is_escaped: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum CsvState {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote inside of quotes: the end of them, or half of a quote that is meant.
    QuoteInQuoted,
    /// After the escape, inside of quotes or not.
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

    /// Begins another record.
    pub(super) fn begin(&mut self, framing: Framing) {
        (self.framing, self.at) = (framing, 0);
        self.fields.list.clear();
        self.fields.fault = None;
        self.begin_field();
    }

    /// Where the end of the record's line is in `bytes`, which begin where the record does; `None` if it is not there yet.
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

    /// Takes in that the input ends after `length` bytes of the record.
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
    /// The fields, or in words what is wrong with the record.
    pub(super) fn list(&self) -> Result<&[Field], String> {
        match self.fault {
            None => Ok(&self.list),
            Some(CsvFault::CutInQuotes) => Err("ends inside of quotes; it may have been cut".to_owned()),
            Some(CsvFault::TextAfterQuotes(field)) => Err(format!("has more text after the quotes of field {field}")),
        }
    }

    /// The number of the first field that is no UTF-8, if the fields are known.
    pub(super) fn first_not_utf_8(&self, record: &[u8]) -> Option<usize> {
        let bytes = |field: &Field| record.get(field.start..field.end).unwrap_or_default();
        self.list().ok()?.iter().position(|field| std::str::from_utf8(bytes(field)).is_err())
    }
}

impl Field {
    /// The text of the field in its record. If something is escaped in it, the text is made in `unescaped`.
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
            // The letter after it stands for itself.
            unescaped.extend(if is_escape { letters.next() } else { Some(letter) });
        }
        unescaped
    }
}
