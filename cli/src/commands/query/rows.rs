//! Formats rows as text.

use keyspaces::Row;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use super::{RowFormat, value};

/// The number of rows over which columns are aligned.
const ALIGNED_ROWS: usize = 100;

/// Formats rows one after the other.
pub(super) struct RowWriter {
    format: RowFormat,
    /// The column names, if they are known before the first row.
    names: Vec<String>,
    /// The number of rows so far.
    rows: usize,
    /// The header and the rows that are not aligned yet.
    table: Vec<Vec<String>>,
}

impl RowWriter {
    pub(super) fn new(format: RowFormat, names: Vec<String>) -> Self {
        Self { format, names, rows: 0, table: Vec::new() }
    }

    /// Adds a row and returns the text that is complete.
    pub(super) fn row(&mut self, row: Row) -> String {
        self.rows += 1;
        let is_first = self.rows == 1;
        match self.format {
            RowFormat::Table => self.add_to_table(row),
            RowFormat::Csv => csv_row(row, is_first),
            RowFormat::Json => format!("{}{}", if is_first { "[\n" } else { ",\n" }, json_row(row)),
            RowFormat::Jsonl => format!("{}\n", json_row(row)),
        }
    }

    /// The rest of the text, to print after the last row.
    pub(super) fn finish(&mut self) -> String {
        match (self.format, self.rows) {
            (RowFormat::Json, 0) => "[]\n".to_owned(),
            (RowFormat::Json, _) => "\n]\n".to_owned(),
            (RowFormat::Table, _) => align(&std::mem::take(&mut self.table)),
            (RowFormat::Csv, 0) if !self.names.is_empty() => csv_line(std::mem::take(&mut self.names)),
            (RowFormat::Csv | RowFormat::Jsonl, _) => String::new(),
        }
    }

    fn add_to_table(&mut self, row: Row) -> String {
        let (names, values): (Vec<String>, Vec<String>) = row
            .into_columns()
            .map(|(name, value)| (name, value.as_ref().map_or_else(|| "null".to_owned(), value::text)))
            .map(|(name, value)| (name, escape_controls(value)))
            .unzip();
        if self.table.is_empty() {
            self.table.push(names);
        }
        self.table.push(values);
        if self.table.len() > ALIGNED_ROWS { align(&std::mem::take(&mut self.table)) } else { String::new() }
    }
}

/// Escapes control characters, which would break the table and could send commands to the terminal.
fn escape_controls(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escaped = text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() });
    escaped.collect()
}

fn align(table: &[Vec<String>]) -> String {
    let Some(header) = table.first() else { return String::new() };
    let width = |column: usize| table.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..header.len()).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for (index, row) in table.iter().enumerate() {
        push_line(&mut text, row.iter().zip(&widths).map(|(cell, width)| (cell.as_str(), *width)), " | ");
        if index == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            push_line(&mut text, rules.iter().zip(&widths).map(|(cell, width)| (cell.as_str(), *width)), "-+-");
        }
    }
    text
}

fn push_line<'c>(text: &mut String, cells: impl Iterator<Item = (&'c str, usize)>, between: &str) {
    let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width()))).collect();
    text.push_str(cells.join(between).trim_end());
    text.push('\n');
}

fn csv_row(row: Row, is_first: bool) -> String {
    let (names, values): (Vec<String>, Vec<String>) = row
        .into_columns()
        .map(|(name, value)| (name, value.as_ref().map(value::text).map_or_else(String::new, csv_field)))
        .unzip();
    let header = if is_first { csv_line(names) } else { String::new() };
    format!("{header}{}\n", values.join(","))
}

fn csv_line(texts: Vec<String>) -> String {
    let fields: Vec<String> = texts.into_iter().map(csv_field).collect();
    format!("{}\n", fields.join(","))
}

/// An empty text is quoted, null is not.
fn csv_field(text: String) -> String {
    match text.is_empty() || text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn json_row(row: Row) -> Value {
    let columns = row.into_columns();
    Value::Object(
        columns.map(|(name, value)| (name, value.as_ref().map_or(Value::Null, value::json))).collect::<Map<_, _>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_display_width() {
        let table = [["id", "name"], ["1", "日本"], ["22", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(align(&table), "id | name\n---+-----\n1  | 日本\n22 |\n");
        assert_eq!(escape_controls("a\u{1b}[2Jb".to_owned()), "a\\u{1b}[2Jb");
    }

    #[test]
    fn csv_distinguishes_null_from_an_empty_text() {
        assert_eq!(csv_field(String::new()), "\"\"");
        assert_eq!(csv_field("a\"b".to_owned()), "\"a\"\"b\"");
    }
}
