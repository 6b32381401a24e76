use clap::Args;

use super::TableName;
use super::options::{InputOptions, OperationOptions};
use super::run::{finish, run};
use crate::failure::{Failure, Status};

const EXAMPLE: &str = "\
Example:
  keyspaces delete shop.sales old-keys.csv --checkpoint sales.delete

The files have the columns of the primary key. The exit status is that of load.";

/// Delete the rows whose primary keys are in files
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Delete {
    /// Table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    #[command(flatten)]
    input: InputOptions,
    #[command(flatten)]
    pub(crate) operation: OperationOptions,
}

impl Delete {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let Self { table, input, operation } = self;
        let format = input.format()?;
        let session = operation.connect().await?;
        let delete = session.bulk().delete(&table.keyspace, &table.table, input.files()?, format);
        let delete = input.configure(delete, &operation);
        let summary = run(delete.progress(), |signal| delete.stop_when(signal).into_future()).await?;
        finish(&summary, operation.format, true)
    }
}
