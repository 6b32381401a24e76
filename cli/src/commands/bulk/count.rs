use std::num::NonZeroUsize;

use clap::Args;
use keyspaces::bulk::{Csv, Format, JsonLines, Output};

use super::TableName;
use super::options::{OperationOptions, ReadOptions};
use super::run::{finish, run};
use crate::failure::{Failure, Status};
use crate::output::{self, SummaryFormat};

const EXAMPLE: &str = "\
Example:
  keyspaces count shop.sales
  keyspaces count shop.sales --where \"day = '2026-01-31'\" --local-one
  keyspaces count shop.sales --by-partition --largest 10

The number goes to standard output, the summary to standard error. Standard output has the summary
instead with --format json, and a line for each partition with --by-partition.";

/// Count the rows of a table; reads the whole table
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Count {
    /// Table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// Count the rows of each partition, in CSV or, with --format json, in JSON Lines
    #[arg(long, conflicts_with = "checkpoint")]
    by_partition: bool,
    /// Print only the partitions with the most rows, this many
    #[arg(long, value_name = "PARTITIONS", requires = "by_partition")]
    largest: Option<NonZeroUsize>,
    #[command(flatten)]
    read: ReadOptions,
    #[command(flatten)]
    pub(crate) operation: OperationOptions,
}

impl Count {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let Self { table, by_partition, largest, read, operation } = self;
        let session = operation.connect().await?;
        let is_json = matches!(operation.format, SummaryFormat::Json);
        let (bulk, keyspace, table) = (session.bulk(), &table.keyspace, &table.table);
        let lines = if is_json { Format::from(JsonLines::new()) } else { Csv::new().into() };
        let count = match by_partition {
            true => bulk.count_by_partition(keyspace, table, Output::stdout(), lines),
            false => bulk.count(keyspace, table),
        };
        let count = largest.into_iter().fold(count, keyspaces::bulk::Export::largest);
        let count = read.configure(count, &operation);
        let summary = run(count.progress(), |signal| count.stop_when(signal).into_future()).await?;
        if !is_json && !by_partition && summary.is_complete {
            output::print(format_args!("{}\n", summary.rows))?;
        }
        finish(&summary, operation.format, is_json && !by_partition)
    }
}
