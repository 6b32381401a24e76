//! CSV, as DSBulk and cqlsh's COPY write it.

use super::fields::{Field, Framing};
use super::records::Record;
use super::{Reason, RecordCells};
use crate::bulk::value::{Nested, ScalarForm};
use crate::bulk::{BlobForm, TimestampForm};
use crate::counted::Counted;

/// CSV in one of two dialects, with settings for the details.
///
/// [`new`](Self::new) is RFC 4180 with DSBulk's value formats: a quote inside quotes is doubled, collections, tuples and
/// user-defined types are JSON, blobs are base64, timestamps are `2026-01-31T13:30:54.123Z`. [`cqlsh`](Self::cqlsh) is the
/// output of cqlsh's COPY: a backslash escapes, collections are CQL literals, blobs are `0xcafe`, timestamps are
/// `2026-01-31 13:30:54.123+0000`. Both read each form of a timestamp that has a time zone.
///
/// An empty field without quotes is null; `""` is an empty text. COPY itself writes both in the same way.
///
/// The first line names the columns, unless [`columns`](Self::columns) is set.
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

    /// The dialect of cqlsh's COPY. COPY writes a header line only with the option HEADER; for files without one, set
    /// [`columns`](Self::columns).
    pub fn cqlsh() -> Self {
        Self { escape: Some(b'\\'), nested: Nested::Literal, form: ScalarForm::cqlsh(), ..Self::new() }
    }

    /// The names of the columns, in the order of the fields. The file then has no header line.
    pub fn columns(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The byte between two fields. Default: `,`.
    pub fn delimiter(self, delimiter: u8) -> Self {
        Self { delimiter, ..self }
    }

    /// The byte around fields that contain the delimiter. Default: `"`.
    pub fn quote(self, quote: u8) -> Self {
        Self { quote, ..self }
    }

    /// The text of null, without quotes. Default: empty. With another text, an empty field is an empty text.
    pub fn null(self, null: impl Into<String>) -> Self {
        Self { null: null.into(), ..self }
    }

    /// The form of blobs. Default: base64, or hexadecimal in the dialect of cqlsh.
    pub fn blobs(mut self, blobs: BlobForm) -> Self {
        self.form.blobs = blobs;
        self
    }

    /// The form of timestamps. Default: [`TimestampForm::Iso`].
    pub fn timestamps(mut self, timestamps: TimestampForm) -> Self {
        self.form.timestamps = timestamps;
        self
    }

    /// Reads `""` as a value of zero bytes. Cassandra has such values for most types: an empty `int`, for instance,
    /// which most drivers show as null or cannot show. Default: refused, unless the type is text or blob.
    pub fn empty_values(mut self) -> Self {
        self.form.empty_values = true;
        self
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let marks = [Some(self.delimiter), Some(self.quote), self.escape];
        let marks: Vec<u8> = marks.into_iter().flatten().collect();
        match marks.iter().find(|mark| !mark.is_ascii() || matches!(mark, b'\n' | b'\r')) {
            Some(mark) => Err(format!("{:?} cannot be a delimiter, quote or escape", char::from(*mark))),
            None if marks.iter().enumerate().any(|(index, mark)| marks[..index].contains(mark)) => {
                Err("the delimiter, the quote and the escape must differ".to_owned())
            }
            None => Ok(()),
        }
    }

    pub(super) fn framing(&self) -> Framing {
        Framing::Csv { delimiter: self.delimiter, quote: self.quote, escape: self.escape }
    }

    /// Appends the cells of a record's fields. `text` is the record; `unescaped` is a buffer that is reused.
    pub(super) fn read(
        &self,
        record: &Record<'_>,
        text: &str,
        unescaped: &mut String,
        cells: &mut RecordCells<'_>,
    ) -> Result<(), Reason> {
        let fields = record.fields.list().map_err(Reason::of_record)?;
        let (given, expected) = (fields.len(), cells.columns.len());
        if given != expected {
            let are = if expected == 1 { "is" } else { "are" };
            let (given, expected) = (Counted(given, "field"), Counted(expected, "column"));
            return Err(Reason::of_record(format!("has {given}, {expected} {are} expected")));
        }
        for (index, field) in fields.iter().enumerate() {
            let text = self.field(field, text, unescaped);
            if !field.is_quoted && text == self.null {
                cells.null(index)?;
            } else {
                cells.text(index, text, &self.form, self.nested)?;
            }
        }
        Ok(())
    }

    /// The column names in a header line.
    pub(super) fn header(&self, record: &Record<'_>, text: &str) -> Result<Vec<String>, Reason> {
        let fields = record.fields.list().map_err(Reason::of_record)?;
        let mut unescaped = String::new();
        Ok(fields.iter().map(|field| self.field(field, text, &mut unescaped).trim().to_owned()).collect())
    }

    fn field<'t>(&self, field: &Field, record: &'t str, unescaped: &'t mut String) -> &'t str {
        field.text(record, self.quote, self.escape, unescaped)
    }

    /// Appends the header line.
    pub(super) fn write_header<'n>(&self, names: impl Iterator<Item = &'n str>, out: &mut String) {
        if self.columns.is_none() {
            for (index, name) in names.enumerate() {
                self.delimit(index, out);
                self.write_field(name, out);
            }
            out.push('\n');
        }
    }

    /// Appends a row; a cell of `None` is null.
    pub(super) fn write(&self, row: &super::RowCells<'_>, out: &mut String) -> Result<(), Reason> {
        let mut text = String::new();
        for (index, (column, value)) in row.iter().enumerate() {
            self.delimit(index, out);
            let Some(value) = value else {
                out.push_str(&self.null);
                continue;
            };
            text.clear();
            let written = column.value_type.write_text(value, &self.form, self.nested, &mut text);
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::super::TextFormat;
    use super::*;

    type ParsedRecord = Result<Vec<(String, bool)>, String>;

    /// The records of a text: the fields of each, and whether they were quoted.
    fn records(text: &str, csv: &Csv) -> Vec<ParsedRecord> {
        let mut records = TextFormat::from(csv.clone()).records(Box::new(Cursor::new(text.as_bytes().to_vec())));
        let mut parsed = Vec::new();
        while let Some(record) = records.next().unwrap() {
            let text = std::str::from_utf8(record.bytes).unwrap();
            let field = |field: &Field| (csv.field(field, text, &mut String::new()).to_owned(), field.is_quoted);
            parsed.push(record.fields.list().map(|fields| fields.iter().map(field).collect()));
        }
        parsed
    }

    fn fields(record: &str, csv: &Csv) -> ParsedRecord {
        let mut records = records(record, csv);
        assert!(records.len() <= 1, "{record:?}");
        records.pop().unwrap_or_else(|| Ok(vec![(String::new(), false)]))
    }

    #[test]
    fn csv_fields_record_whether_they_were_quoted() {
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
    fn invalid_csv_record_is_refused_with_the_reason() {
        assert_eq!(fields("a,\"b", &Csv::new()), Err("ends inside of quotes; it may have been cut".to_owned()));
        assert_eq!(fields("a,\"b\"c,d", &Csv::new()), Err("has more text after the quotes of field 2".to_owned()));
    }

    /// Checks that the crate `csv` finds the same records and fields. The crate skips empty lines, and accepts malformed
    /// CSV that this reader refuses.
    fn is_same_for_the_crate_csv(text: &str, csv: &Csv) -> Result<(), TestCaseError> {
        let mut theirs = ::csv::ReaderBuilder::new();
        let theirs = theirs.has_headers(false).flexible(true).escape(csv.escape).from_reader(text.as_bytes());
        let theirs: Vec<Vec<String>> = theirs.into_deserialize().map(Result::unwrap).collect();
        let mut ours = records(text, csv);
        ours.retain(|fields| *fields != Ok(vec![(String::new(), false)]));
        prop_assert_eq!(ours.len(), theirs.len(), "{:?}", text);
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            if let Ok(ours) = ours {
                prop_assert_eq!(ours.into_iter().map(|(field, _)| field).collect::<Vec<_>>(), theirs, "{:?}", text);
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn csv_parsing_agrees_with_the_csv_crate(text in "[ab,\"\n ä]{0,40}", with_returns: bool) {
            let text = if with_returns { text.replace('\n', "\r\n") } else { text };
            is_same_for_the_crate_csv(&text, &Csv::new())?;
        }

        /// The crate `csv` treats the escape as one inside quotes only.
        #[test]
        fn escapes_inside_quotes_agree_with_the_csv_crate(
            fields in proptest::collection::vec(
                ("[ab ä]{0,3}|\"([ab,\n ä]|\"\"|\\\\[ab,\"\\\\\n]){0,6}\"", "[,\n]"),
                1..12,
            )
        ) {
            let text: String = fields.into_iter().flat_map(|(field, end)| [field, end]).collect();
            is_same_for_the_crate_csv(&text, &Csv::cqlsh())?;
        }

        #[test]
        fn csv_fields_round_trip(texts in proptest::collection::vec("[ab,;\"\\\\\n\r ä]{0,6}", 1..5)) {
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
