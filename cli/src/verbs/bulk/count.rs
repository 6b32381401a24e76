use std::path::PathBuf;

use clap::Args;
use keyspaces::ReadConsistency;

use super::TableName;
use super::pace::{Pace, rate};
use super::run::{SummaryFormat, end, interrupted, run};
use crate::failure::{Failure, Status};
use crate::output;
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces count shop.sales
  keyspaces count shop.sales --where \"day = '2026-01-31'\" --local-one

The number goes to standard output, the summary to standard error; with --format json the summary is the answer.";

/// Count the rows of a table by reading all of it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Count {
    /// The table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// Only the rows of which this is true: what follows WHERE in a SELECT
    #[arg(long = "where", value_name = "RELATIONS")]
    filter: Option<String>,
    /// Read at LOCAL_ONE, which costs half as much and may miss what was written a moment ago
    #[arg(long)]
    local_one: bool,
    /// Capacity units a second, as 500, or a share of the provisioned capacity, as 80% [default: what the table gives]
    #[arg(long, value_name = "UNITS|PERCENT%")]
    rate: Option<Pace>,
    /// File that records how far it is
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// How to write the summary
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: SummaryFormat,
    #[command(flatten)]
    place: Settings,
}

impl Count {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let session = self.place.connect().await?;
        let mut count = session.bulk().count(&self.table.keyspace, &self.table.table).rate(rate(self.rate));
        if let Some(filter) = self.filter {
            count = count.filter(filter);
        }
        if self.local_one {
            count = count.consistency(ReadConsistency::LocalOne);
        }
        if let Some(path) = self.checkpoint {
            count = count.checkpoint(path);
        }
        let summary = run(count.progress(), count.until(interrupted()).into_future()).await?;
        let is_json = matches!(self.format, SummaryFormat::Json);
        if !is_json && summary.is_complete {
            output::answer(format_args!("{}\n", summary.rows))?;
        }
        end(&summary, self.format, is_json)
    }
}
