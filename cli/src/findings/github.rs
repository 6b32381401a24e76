//! Workflow commands of GitHub Actions:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::io::{self, Write};

use super::{Level, Report};

pub(super) fn write(report: &Report<'_>, to: &mut impl Write) -> io::Result<()> {
    for (source, finding) in report.iter() {
        let command = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let (start, end) = (finding.position, finding.end(&source.text));
        let (file, title) = (escape_property(&source.name), escape_property(&finding.id));
        let text = escape_data(&finding.message());
        // GitHub ignores columns unless start and end are on one line.
        let columns = match start.line == end.line {
            true => format!(",col={},endColumn={}", start.column, end.column),
            false => String::new(),
        };
        writeln!(
            to,
            "::{command} file={file},line={},endLine={}{columns},title={title}::{text}",
            start.line, end.line
        )?;
    }
    Ok(())
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}
