use clap::Args;

use super::TableName;
use super::options::{Operation, Rows};
use super::run::{end, run};
use crate::failure::{Failure, Status};

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
    #[command(flatten)]
    rows: Rows,
    #[command(flatten)]
    operation: Operation,
}

impl Delete {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let Self { table, rows, operation } = self;
        let format = rows.format()?;
        let session = operation.connect().await?;
        let delete = session.bulk().delete(&table.keyspace, &table.table, rows.input()?, format);
        let delete = rows.set(delete, &operation);
        let summary = run(delete.progress(), |signal| delete.until(signal).into_future()).await?;
        end(&summary, operation.format, true)
    }
}
