use clap::Args;

use super::TableName;
use super::options::{Operation, Selection};
use super::run::{SummaryFormat, end, run};
use crate::failure::{Failure, Status};
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces count shop.sales
  keyspaces count shop.sales --where \"day = '2026-01-31'\" --local-one

The number goes to standard output, the summary to standard error; with --format json the summary
is the answer.";

/// Count the rows of a table by reading all of it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Count {
    /// The table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    operation: Operation,
}

impl Count {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let Self { table, selection, operation } = self;
        let session = operation.connect().await?;
        let count = selection.set(session.bulk().count(&table.keyspace, &table.table), &operation);
        let summary = run(count.progress(), |signal| count.until(signal).into_future()).await?;
        let is_json = matches!(operation.format, SummaryFormat::Json);
        if !is_json && summary.is_complete {
            output::answer(format_args!("{}\n", summary.rows))?;
        }
        end(&summary, operation.format, is_json)
    }
}
