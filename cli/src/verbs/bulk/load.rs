use clap::Args;
use keyspaces::bulk::Nulls;

use super::TableName;
use super::options::{Operation, Rows};
use super::run::{end, run};
use crate::failure::{Failure, Status};

const EXAMPLE: &str = "\
Example:
  keyspaces load shop.sales sales-*.csv.gz --checkpoint sales.load --rejected-to sales.rejected.csv
  keyspaces load shop.sales sales.csv --dry-run
  keyspaces load shop.sales - --data-format jsonl --rate 80%   # of the provisioned capacity
  keyspaces load shop.sales copied.csv --data-format cqlsh --columns id,day,price

After Ctrl-C or a kill the same command with --checkpoint goes on where it was.
Exit status: 0 if all rows are loaded, 1 if rows were rejected, 130 if it was stopped.";

/// Load rows from CSV, JSON Lines or Parquet into a table
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Load {
    /// The table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    #[command(flatten)]
    rows: Rows,
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
    /// Send rows of a partition that follow one another in one request of up to 30: for small rows of large partitions. It
    /// takes as many capacity units
    #[arg(long)]
    batches: bool,
    /// Add to the counters of a table of counters; a row that is sent again after a kill counts twice
    #[arg(long)]
    allow_counters: bool,
    #[command(flatten)]
    operation: Operation,
}

impl Load {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let Self { table, rows, operation, .. } = &self;
        let format = rows.format()?;
        let session = operation.connect().await?;
        let load = session.bulk().load(&table.keyspace, &table.table, rows.input()?, format);
        let mut load = rows.set(load, operation);
        if let Some(rows) = self.most_rejected {
            load = load.most_rejected(rows);
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
        let summary = run(load.progress(), |signal| load.until(signal).into_future()).await?;
        end(&summary, operation.format, true)
    }
}
