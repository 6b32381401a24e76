use std::path::PathBuf;

use clap::Args;

use super::TableName;
use super::format::{FileFormat, format, input};
use super::pace::{Pace, rate};
use super::run::{SummaryFormat, end, interrupted, run};
use crate::failure::{Failure, Status};
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces delete shop.sales old-keys.csv --checkpoint sales.delete

The columns of the files are those of the primary key. Exit status as of load.";

/// Delete the rows whose keys are in files
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Delete {
    /// The table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// Files, .gz and .zst too; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the files are written in [default: by their names]
    #[arg(long, value_name = "FORMAT")]
    data_format: Option<FileFormat>,
    /// Capacity units a second, as 500, or a share of the provisioned capacity, as 80% [default: what the table takes]
    #[arg(long, value_name = "UNITS|PERCENT%")]
    rate: Option<Pace>,
    /// File that records how far it is
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// File for rows that can never be read as keys
    #[arg(long, value_name = "FILE")]
    rejected_to: Option<PathBuf>,
    /// Read, check and measure everything, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// How to write the summary
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: SummaryFormat,
    #[command(flatten)]
    place: Settings,
}

impl Delete {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let data_format = format(self.data_format, &self.files[0])?;
        let session = self.place.connect().await?;
        let (keyspace, table) = (&self.table.keyspace, &self.table.table);
        let mut delete = session.bulk().delete(keyspace, table, input(&self.files), data_format).rate(rate(self.rate));
        if let Some(path) = self.checkpoint {
            delete = delete.checkpoint(path);
        }
        if let Some(path) = self.rejected_to {
            delete = delete.rejected_to(path);
        }
        if self.dry_run {
            delete = delete.dry_run();
        }
        let summary = run(delete.progress(), delete.until(interrupted()).into_future()).await?;
        end(&summary, self.format, true)
    }
}
