use std::num::NonZeroUsize;

use clap::Args;
use keyspaces::bulk::{Csv, Format, JsonLines, Output};

use super::TableName;
use super::options::{Operation, Selection};
use super::run::{SummaryFormat, end, run};
use crate::failure::{Failure, Status};
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces count shop.sales
  keyspaces count shop.sales --where \"day = '2026-01-31'\" --local-one
  keyspaces count shop.sales --by-partition --largest 10

The number goes to standard output, the summary to standard error; with --format json the summary
is the answer. With --by-partition the lines are the answer.";

/// Count the rows of a table by reading all of it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Count {
    /// The table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// Count the rows of each partition: a line of CSV for each, of JSON with --format json
    #[arg(long, conflicts_with = "checkpoint")]
    by_partition: bool,
    /// Only so many partitions, those with the most rows
    #[arg(long, value_name = "PARTITIONS", requires = "by_partition")]
    largest: Option<NonZeroUsize>,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    operation: Operation,
}

impl Count {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let Self { table, by_partition, largest, selection, operation } = self;
        let session = operation.connect().await?;
        let is_json = matches!(operation.format, SummaryFormat::Json);
        let (bulk, keyspace, table) = (session.bulk(), &table.keyspace, &table.table);
        let lines = if is_json { Format::from(JsonLines::new()) } else { Csv::new().into() };
        let count = match by_partition {
            true => bulk.count_by_partition(keyspace, table, Output::stdout(), lines),
            false => bulk.count(keyspace, table),
        };
        let count = largest.into_iter().fold(count, keyspaces::bulk::Export::largest);
        let count = selection.set(count, &operation);
        let summary = run(count.progress(), |signal| count.until(signal).into_future()).await?;
        if !is_json && !by_partition && summary.is_complete {
            output::answer(format_args!("{}\n", summary.rows))?;
        }
        end(&summary, operation.format, is_json && !by_partition)
    }
}
