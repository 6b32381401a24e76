//! CSV, as DSBulk and as cqlsh's COPY write it.

use super::records::Framing;
use super::{Cells, Reason};
use crate::bulk::value::{Nested, ScalarForm};
use crate::bulk::{BlobForm, TimestampForm};

/// CSV in one of two dialects, and what of it differs.
///
/// [`new`](Self::new) is RFC 4180 with the texts of DSBulk: a quote in quotes is doubled, collections, tuples and user-defined
/// types are JSON, blobs base64, timestamps `2026-01-31T13:30:54.123Z`. [`cqlsh`](Self::cqlsh) is what cqlsh's COPY writes: a
/// backslash escapes, collections are literals of CQL, blobs `0xcafe`, timestamps `2026-01-31 13:30:54.123+0000`. Reading takes
/// each form of a timestamp with a time zone in both.
///
/// A field without quotes that has no text is null; `""` is an empty text. COPY itself writes both alike.
///
/// The first line names the columns, unless [`columns`](Self::columns) does.
///
/// ```
/// use keyspaces::bulk::{Csv, TimestampForm};
///
/// let csv = Csv::new().delimiter(b';').null("NULL").timestamps(TimestampForm::UnixMillis);
/// # drop(csv);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Csv {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    pub(super) escape: Option<u8>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) null: String,
    nested: Nested,
    pub(super) form: ScalarForm,
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// RFC 4180, with values as DSBulk writes them.
    pub fn new() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            escape: None,
            columns: None,
            null: String::new(),
            nested: Nested::Json,
            form: ScalarForm::dsbulk(),
        }
    }

    /// As cqlsh's COPY writes it. COPY writes no first line with the names of the columns unless it is told to: give
    /// [`columns`](Self::columns).
    pub fn cqlsh() -> Self {
        Self { escape: Some(b'\\'), nested: Nested::Literal, form: ScalarForm::cqlsh(), ..Self::new() }
    }

    /// The names of the columns, in the order of the fields. There is then no line that names them.
    pub fn columns(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The byte between two fields. Default: `,`.
    pub fn delimiter(self, delimiter: u8) -> Self {
        Self { delimiter, ..self }
    }

    /// The byte around fields that have the delimiter in them. Default: `"`.
    pub fn quote(self, quote: u8) -> Self {
        Self { quote, ..self }
    }

    /// What null is written as, without quotes. Default: nothing. With another text, a field of no text is an empty text.
    pub fn null(self, null: impl Into<String>) -> Self {
        Self { null: null.into(), ..self }
    }

    /// How blobs are written. Default: base64, or hexadecimal in the dialect of cqlsh.
    pub fn blobs(mut self, blobs: BlobForm) -> Self {
        self.form.blobs = blobs;
        self
    }

    /// How timestamps are written. Default: [`TimestampForm::Iso`].
    pub fn timestamps(mut self, timestamps: TimestampForm) -> Self {
        self.form.timestamps = timestamps;
        self
    }

    /// Takes `""` for a value of no bytes, which Cassandra has for most types: an `int` of no bytes, for instance, which most
    /// drivers show as null or not at all. Default: refused, unless the type is text or blob.
    pub fn empty_values(mut self) -> Self {
        self.form.empty_values = true;
        self
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let marks = [Some(self.delimiter), Some(self.quote), self.escape];
        let marks: Vec<u8> = marks.into_iter().flatten().collect();
        match marks.iter().find(|mark| !mark.is_ascii() || matches!(mark, b'\n' | b'\r')) {
            Some(mark) => Err(format!("{:?} can be no delimiter, quote or escape", char::from(*mark))),
            None if marks.iter().enumerate().any(|(index, mark)| marks[..index].contains(mark)) => {
                Err("delimiter, quote and escape have to be different".to_owned())
            }
            None => Ok(()),
        }
    }

    pub(super) fn framing(&self) -> Framing {
        Framing { quote: Some((self.quote, self.delimiter)), escape: self.escape }
    }

    /// Appends the cells of a record's fields.
    pub(super) fn read(&self, record: &str, fields: &mut Fields, cells: &mut Cells<'_>) -> Result<(), Reason> {
        fields.split(record.as_bytes(), self).map_err(Reason::of_record)?;
        let (given, expected) = (fields.fields.len(), cells.columns.len());
        if given != expected {
            return Err(Reason::of_record(format!("has {given} fields, {expected} columns are expected")));
        }
        for (index, field) in fields.fields.iter().enumerate() {
            let text = fields.text(field, record);
            if !field.is_quoted && text == self.null {
                cells.null(index)?;
            } else {
                cells.text(index, text, &self.form, self.nested)?;
            }
        }
        Ok(())
    }

    /// The names in a line that names the columns.
    pub(super) fn header(&self, record: &str) -> Result<Vec<String>, Reason> {
        let mut fields = Fields::default();
        fields.split(record.as_bytes(), self).map_err(Reason::of_record)?;
        Ok(fields.fields.iter().map(|field| fields.text(field, record).trim().to_owned()).collect())
    }

    /// Appends the line that names the columns.
    pub(super) fn write_header<'n>(&self, names: impl Iterator<Item = &'n str>, out: &mut String) {
        if self.columns.is_none() {
            for (index, name) in names.enumerate() {
                self.delimit(index, out);
                self.write_field(name, out);
            }
            out.push('\n');
        }
    }

    /// Appends a row; a value of none is null.
    pub(super) fn write(&self, row: &super::RowCells<'_>, out: &mut String) -> Result<(), Reason> {
        let mut text = String::new();
        for (index, (column, value)) in row.iter().enumerate() {
            self.delimit(index, out);
            let Some(value) = value else {
                out.push_str(&self.null);
                continue;
            };
            text.clear();
            let written = column.of.write_text(value, &self.form, self.nested, &mut text);
            written.map_err(|problem| Reason::of_column(index, problem))?;
            self.write_field(&text, out);
        }
        out.push('\n');
        Ok(())
    }

    fn delimit(&self, index: usize, out: &mut String) {
        if index > 0 {
            out.push(self.delimiter.into());
        }
    }

    fn write_field(&self, text: &str, out: &mut String) {
        let special = |byte: u8| byte == self.delimiter || byte == self.quote || matches!(byte, b'\n' | b'\r');
        let is_null = text == self.null || text.is_empty();
        let quoted = is_null || text.bytes().any(|byte| special(byte) || Some(byte) == self.escape);
        if !quoted {
            out.push_str(text);
            return;
        }
        let quote = char::from(self.quote);
        out.push(quote);
        for letter in text.chars() {
            match self.escape.map(char::from) {
                None if letter == quote => out.push(quote),
                Some(escape) if letter == quote || letter == escape => out.push(escape),
                _ => {}
            }
            out.push(letter);
        }
        out.push(quote);
    }
}

/// The fields of a record. Kept from record to record, so that they need no memory of their own.
#[derive(Debug, Default)]
pub(super) struct Fields {
    fields: Vec<Field>,
    /// The texts of those in which something is escaped.
    unescaped: String,
}

#[derive(Debug)]
struct Field {
    start: usize,
    end: usize,
    is_quoted: bool,
    is_unescaped: bool,
}

impl Fields {
    fn text<'t>(&'t self, field: &Field, record: &'t str) -> &'t str {
        let of = if field.is_unescaped { self.unescaped.as_str() } else { record };
        of.get(field.start..field.end).unwrap_or_default()
    }

    /// The number of the first field that is no UTF-8, if the record can be split.
    pub(super) fn first_not_utf_8(&mut self, record: &[u8], csv: &Csv) -> Option<usize> {
        let is_utf_8 =
            |field: &Field| std::str::from_utf8(record.get(field.start..field.end).unwrap_or_default()).is_ok();
        // A field in which something is escaped is told by its not being split.
        match self.split(record, csv) {
            Ok(()) => self.fields.iter().position(|field| !field.is_unescaped && !is_utf_8(field)),
            Err(_) => None,
        }
    }

    fn split(&mut self, record: &[u8], csv: &Csv) -> Result<(), String> {
        self.fields.clear();
        self.unescaped.clear();
        let mut at = 0;
        loop {
            let (field, next) = self.field(record, at, csv)?;
            self.fields.push(field);
            match record.get(next) {
                None => return Ok(()),
                Some(_) => at = next + 1,
            }
        }
    }

    /// The field that begins at `at`, and where the delimiter after it is.
    fn field(&mut self, record: &[u8], at: usize, csv: &Csv) -> Result<(Field, usize), String> {
        let is_quoted = record.get(at) == Some(&csv.quote);
        let start = at + usize::from(is_quoted);
        let mut end = start;
        // Where the text since the last escape begins, once there was one.
        let mut escaped: Option<(usize, usize)> = None;
        loop {
            let byte = record.get(end).copied();
            match byte {
                None if is_quoted => return Err("ends inside of quotes; it may have been cut".to_owned()),
                Some(byte) if is_quoted && byte == csv.quote && record.get(end + 1) != Some(&csv.quote) => break,
                None => break,
                Some(byte) if !is_quoted && byte == csv.delimiter => break,
                Some(byte) if Some(byte) == csv.escape || is_quoted && byte == csv.quote => {
                    let (from, begun) = escaped.unwrap_or((start, self.unescaped.len()));
                    self.unescape(record, from, end)?;
                    // The byte after it stands for itself.
                    escaped = Some((end + 1, begun));
                    end += 2;
                }
                Some(_) => end += 1,
            }
        }
        let end = end.min(record.len());
        let next = end + usize::from(is_quoted);
        if is_quoted && record.get(next).is_some_and(|byte| *byte != csv.delimiter) {
            return Err(format!("has more text after the quotes of field {}", self.fields.len() + 1));
        }
        let Some((from, begun)) = escaped else {
            return Ok((Field { start, end, is_quoted, is_unescaped: false }, next));
        };
        self.unescape(record, from.min(end), end)?;
        Ok((Field { start: begun, end: self.unescaped.len(), is_quoted, is_unescaped: true }, next))
    }

    fn unescape(&mut self, record: &[u8], from: usize, to: usize) -> Result<(), String> {
        let text = std::str::from_utf8(record.get(from..to).unwrap_or_default());
        // The delimiter, the quote and the escape are ASCII, so what is between them is whole.
        self.unescaped.push_str(text.map_err(|_| "is cut inside of a letter".to_owned())?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(record: &str, csv: &Csv) -> Result<Vec<(String, bool)>, String> {
        let mut fields = Fields::default();
        fields.split(record.as_bytes(), csv)?;
        Ok(fields.fields.iter().map(|field| (fields.text(field, record).to_owned(), field.is_quoted)).collect())
    }

    #[test]
    fn fields_are_told_with_whether_they_were_quoted() {
        let plain = |text: &str| (text.to_owned(), false);
        let quoted = |text: &str| (text.to_owned(), true);
        let csv = Csv::new();
        assert_eq!(fields("a,,\"\"", &csv).unwrap(), [plain("a"), plain(""), quoted("")]);
        assert_eq!(fields("\"a,\"\"b\"\"\",5\" disk", &csv).unwrap(), [quoted("a,\"b\""), plain("5\" disk")]);
        assert_eq!(fields("", &csv).unwrap(), [plain("")]);
        let cqlsh = Csv::cqlsh();
        assert_eq!(fields("a\\,b,\"c\\\"\\\\\",d\\", &cqlsh).unwrap(), [plain("a,b"), quoted("c\"\\"), plain("d")]);
    }

    #[test]
    fn a_record_that_is_no_csv_is_told_in_words() {
        assert_eq!(fields("a,\"b", &Csv::new()), Err("ends inside of quotes; it may have been cut".to_owned()));
        assert_eq!(fields("a,\"b\"c,d", &Csv::new()), Err("has more text after the quotes of field 2".to_owned()));
    }

    proptest! {
        #[test]
        fn fields_survive_being_written(texts in proptest::collection::vec("[ab,;\"\\\\\n\r ä]{0,6}", 1..5)) {
            for csv in [Csv::new(), Csv::cqlsh(), Csv::new().delimiter(b';'), Csv::new().null("a")] {
                let mut line = String::new();
                for (index, text) in texts.iter().enumerate() {
                    csv.delimit(index, &mut line);
                    csv.write_field(text, &mut line);
                }
                let read: Vec<_> = fields(&line, &csv).unwrap().into_iter().map(|(text, _)| text).collect();
                prop_assert_eq!(&read, &texts, "{}", line);
            }
        }
    }
}
