//! One line for each finding, as compilers write them.

use std::io::{self, Write};

use super::Report;

pub(super) fn write(report: &Report<'_>, to: &mut impl Write) -> io::Result<()> {
    for (source, finding) in report.iter() {
        let (line, column) = (finding.position.line, finding.position.column);
        let (name, text) = (&source.name, finding.message());
        writeln!(to, "{name}:{line}:{column}: {}[{}]: {text}", finding.level, finding.id)?;
    }
    Ok(())
}
