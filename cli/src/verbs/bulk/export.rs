use std::path::{Path, PathBuf};

use clap::Args;
use keyspaces::ReadConsistency;
use keyspaces::bulk::Output;

use super::TableName;
use super::format::{FileFormat, format};
use super::pace::{Pace, rate};
use super::run::{SummaryFormat, end, interrupted, run};
use crate::failure::{Failure, Status};
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces export shop.sales sales.csv.zst --checkpoint sales.export
  keyspaces export shop.sales - --data-format jsonl --where \"day = '2026-01-31'\" | jq .price

After Ctrl-C or a kill the same command with --checkpoint goes on where it was.
Exit status: 0 if all rows are exported, 130 if it was stopped.";

/// Write the rows of a table to CSV or JSON Lines
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Export {
    /// The table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// File to write, .gz and .zst too; - is standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to write [default: by the name of the file]
    #[arg(long, value_name = "FORMAT")]
    data_format: Option<FileFormat>,
    /// Columns to write, in this order [default: all, those of the key first]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
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
    /// Replace a file that is there
    #[arg(long)]
    overwrite: bool,
    /// How to write the summary
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: SummaryFormat,
    #[command(flatten)]
    place: Settings,
}

impl Export {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let data_format = format(self.data_format, &self.file)?;
        let is_stdout = self.file == Path::new("-");
        let mut output = if is_stdout { Output::stdout() } else { Output::file(&self.file) };
        if self.overwrite {
            output = output.overwrite();
        }
        let session = self.place.connect().await?;
        let (keyspace, table) = (&self.table.keyspace, &self.table.table);
        let mut export = session.bulk().export(keyspace, table, output, data_format).rate(rate(self.rate));
        if !self.columns.is_empty() {
            export = export.columns(self.columns);
        }
        if let Some(filter) = self.filter {
            export = export.filter(filter);
        }
        if self.local_one {
            export = export.consistency(ReadConsistency::LocalOne);
        }
        if let Some(path) = self.checkpoint {
            export = export.checkpoint(path);
        }
        let summary = run(export.progress(), export.until(interrupted()).into_future()).await?;
        end(&summary, self.format, !is_stdout)
    }
}
