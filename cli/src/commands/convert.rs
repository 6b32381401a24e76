use std::path::PathBuf;

use clap::Args;
use keyspaces::convert::{Action, ConversionFinding, convert};

use crate::failure::{Failure, Status};
use crate::findings::{Finding, FindingsFormat, Level, Report};
use crate::input::Source;
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces convert cassandra.cql > keyspaces.cql

The converted statements go to standard output, notes on the changes to standard error. The command
does not connect.
Exit status: 0 if everything is converted, 1 if a decision is needed, 2 if a file cannot be read.";

/// Convert a Cassandra or ScyllaDB schema to Amazon Keyspaces
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Convert {
    /// CQL files in UTF-8; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Output format of the notes on changes
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: FindingsFormat,
}

impl Convert {
    pub(crate) fn run(self) -> Result<Status, Failure> {
        let (sources, mut status) = Source::read_all(&self.files);
        let mut report = Report::default();
        for source in &sources {
            let conversion = convert(&source.text);
            output::print(&conversion)?;
            report.add(source, conversion.findings.into_iter().map(finding));
        }
        // The notes are lost if standard error is closed; the converted statements are the result.
        let _ = report.write(self.format, &mut anstream::stderr());
        if report.has_errors() {
            status = status.max(Status::Negative);
        }
        Ok(status)
    }
}

fn finding(finding: ConversionFinding) -> Finding {
    let (level, id) = match finding.action {
        Action::Decide => (Level::Error, "to-decide"),
        Action::LeftOut => (Level::Note, "left-out"),
        Action::Replaced => (Level::Note, "replaced"),
        Action::Added => (Level::Note, "added"),
    };
    let help = match finding.replacement {
        Some(replacement) => format!("{} {replacement};", finding.reason),
        None => finding.reason,
    };
    Finding {
        level,
        id: id.to_owned(),
        span: finding.span,
        position: finding.position,
        text: finding.summary,
        help: Some(help),
        source: finding.source,
    }
}
