use std::path::PathBuf;

use clap::Args;
use keyspaces::lint::{Severity, lint};

use crate::failure::{Failure, Status};
use crate::findings::{Finding, FindingsFormat, Level, Report};
use crate::input::Source;
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces lint schema.cql
  keyspaces lint --format github migrations/*.cql     # annotations in a pull request

Exit status: 0 without errors (warnings are allowed), 1 with errors, 2 if a file cannot be read.
The command does not connect.";

/// Check CQL files for what Amazon Keyspaces refuses or AWS advises against
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Lint {
    /// CQL files in UTF-8; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: FindingsFormat,
}

impl Lint {
    pub(crate) fn run(self) -> Result<Status, Failure> {
        let (sources, mut status) = Source::read_all(&self.files);
        let mut report = Report::default();
        for source in &sources {
            report.add(source, lint(&source.text).into_iter().map(finding));
        }
        output::check_written(report.write(self.format, &mut anstream::stdout()))?;
        if report.has_errors() {
            status = status.max(Status::Negative);
        }
        Ok(status)
    }
}

fn finding(finding: keyspaces::lint::Finding) -> Finding {
    Finding {
        level: match finding.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        },
        id: finding.id.to_owned(),
        span: finding.span,
        position: finding.position,
        text: finding.reason,
        help: finding.alternative.map(str::to_owned),
        source: finding.source,
    }
}
