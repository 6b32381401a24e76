//! One JSON array. Lines and columns count from 1, columns in characters; the end is after the last character.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Finding, Report};
use crate::input::Source;

pub(super) fn write(report: &Report<'_>, to: &mut impl Write) -> io::Result<()> {
    let all: Vec<Value> = report.iter().map(|(source, finding)| to_json(source, finding)).collect();
    writeln!(to, "{:#}", Value::from(all))
}

fn to_json(source: &Source, finding: &Finding) -> Value {
    let end = finding.end(&source.text);
    json!({
        "file": source.name,
        "level": finding.level.to_string(),
        "id": finding.id,
        "text": finding.text,
        "help": finding.help,
        "source": finding.source,
        "line": finding.position.line,
        "column": finding.position.column,
        "end_line": end.line,
        "end_column": end.column,
    })
}
