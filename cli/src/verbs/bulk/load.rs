use std::path::PathBuf;

use clap::Args;
use keyspaces::bulk::Nulls;

use super::TableName;
use super::format::{FileFormat, format, input};
use super::pace::{Pace, rate};
use super::run::{SummaryFormat, end, interrupted, run};
use crate::failure::{Failure, Status};
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces load shop.sales sales-*.csv.gz --checkpoint sales.load --rejected-to sales.rejected.csv
  keyspaces load shop.sales sales.csv --dry-run                # rows, bytes and units, without sending
  keyspaces load shop.sales - --data-format jsonl --rate 80%   # standard input, paced by the provisioned capacity

After Ctrl-C or a kill the same command with --checkpoint goes on where it was.
Exit status: 0 if all rows are loaded, 1 if rows were rejected, 130 if it was stopped.";

/// Load rows from CSV or JSON Lines into a table
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Load {
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
    /// File that records how far the load is
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// File for rows that can never be loaded, to be mended and loaded again [default: the first one ends the load]
    #[arg(long, value_name = "FILE")]
    rejected_to: Option<PathBuf>,
    /// With how many rejected rows the load goes on [default: 100 with --rejected-to, else none]
    #[arg(long, value_name = "ROWS")]
    most_rejected: Option<u64>,
    /// Write null where a row has null, which deletes what was there [default: leave it as it is]
    #[arg(long)]
    write_nulls: bool,
    /// Column of the files with the seconds that a row lives
    #[arg(long, value_name = "COLUMN")]
    ttl_column: Option<String>,
    /// Column of the files with the write time in microseconds since 1970
    #[arg(long, value_name = "COLUMN")]
    write_time_column: Option<String>,
    /// Add to the counters of a table of counters; a row that is sent again after a kill counts twice
    #[arg(long)]
    allow_counters: bool,
    /// Read, check and measure everything, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// How to write the summary
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: SummaryFormat,
    #[command(flatten)]
    place: Settings,
}

impl Load {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let data_format = format(self.data_format, &self.files[0])?;
        let session = self.place.connect().await?;
        let (keyspace, table) = (&self.table.keyspace, &self.table.table);
        let mut load = session.bulk().load(keyspace, table, input(&self.files), data_format).rate(rate(self.rate));
        if let Some(path) = self.checkpoint {
            load = load.checkpoint(path);
        }
        if let Some(path) = self.rejected_to {
            load = load.rejected_to(path);
        }
        if let Some(rows) = self.most_rejected {
            load = load.most_rejected(rows);
        }
        if self.write_nulls {
            load = load.nulls(Nulls::Null);
        }
        if let Some(column) = self.ttl_column {
            load = load.ttl_column(column);
        }
        if let Some(column) = self.write_time_column {
            load = load.write_time_column(column);
        }
        if self.allow_counters {
            load = load.allow_counters();
        }
        if self.dry_run {
            load = load.dry_run();
        }
        let summary = run(load.progress(), load.until(interrupted()).into_future()).await?;
        end(&summary, self.format, true)
    }
}
