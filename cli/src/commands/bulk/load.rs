use clap::Args;
use keyspaces::bulk::Nulls;

use super::TableName;
use super::options::{InputOptions, OperationOptions};
use super::run::{finish, run};
use crate::failure::{Failure, Status};

const EXAMPLE: &str = "\
Example:
  keyspaces load shop.sales sales-*.csv.gz --checkpoint sales.load --rejected-file rejected.csv
  keyspaces load shop.sales sales.csv --dry-run
  keyspaces load shop.sales - --data-format jsonl --rate 80%   # of the provisioned capacity
  keyspaces load shop.sales copied.csv --data-format cqlsh --columns id,day,price

To resume after Ctrl-C or a kill, run the same command with --checkpoint again.
Exit status: 0 if all rows are loaded, 1 if rows were rejected, 130 if the load was stopped.";

/// Load rows from CSV, JSON Lines or Parquet files into a table
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Load {
    /// Table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    #[command(flatten)]
    input: InputOptions,
    /// Maximum number of rejected rows; one more stops the load [default: 100 with --rejected-file or --dry-run, else 0]
    #[arg(long, value_name = "ROWS")]
    max_rejected: Option<u64>,
    /// Write nulls, which deletes stored values [default: keep stored values]
    #[arg(long)]
    write_nulls: bool,
    /// Column of the files with the time to live in seconds
    #[arg(long, value_name = "COLUMN")]
    ttl_column: Option<String>,
    /// Column of the files with the write time, in microseconds since 1970
    #[arg(long, value_name = "COLUMN")]
    write_time_column: Option<String>,
    /// Send adjacent rows of a partition in batches of up to 30; saves requests, not capacity units
    #[arg(long)]
    batches: bool,
    /// Allow a table of counters; rows that are sent again after a kill count twice
    #[arg(long)]
    allow_counters: bool,
    #[command(flatten)]
    pub(crate) operation: OperationOptions,
}

impl Load {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let Self { table, input, operation, .. } = &self;
        let format = input.format()?;
        let session = operation.connect().await?;
        let load = session.bulk().load(&table.keyspace, &table.table, input.files()?, format);
        let mut load = input.configure(load, operation);
        if let Some(rows) = self.max_rejected {
            load = load.max_rejected(rows);
        }
        if self.write_nulls {
            load = load.nulls(Nulls::Null);
        }
        if let Some(column) = &self.ttl_column {
            load = load.ttl_column(column);
        }
        if let Some(column) = &self.write_time_column {
            load = load.write_time_column(column);
        }
        if self.batches {
            load = load.batches_by_partition();
        }
        if self.allow_counters {
            load = load.allow_counters();
        }
        let summary = run(load.progress(), |signal| load.stop_when(signal).into_future()).await?;
        finish(&summary, operation.format, true)
    }
}
