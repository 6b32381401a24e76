use std::path::PathBuf;

use clap::Args;
use keyspaces::{Endpoint, ReadConsistency, Session};

use super::TableName;
use super::options::OperationOptions;
use super::rate::RateArgument;
use super::run::{finish, run};
use crate::failure::{Failure, Status};

const EXAMPLE: &str = "\
Example:
  keyspaces copy shop.sales shop.sales_2
  keyspaces copy shop.sales shop.sales --from-cassandra 10.0.0.7:9042 --checkpoint sales.copy

The exit status is that of load.";

/// Copy rows from one table to another, also from a plain Cassandra
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Copy {
    /// Table to read
    #[arg(value_name = "FROM")]
    from: TableName,
    /// Table to write
    #[arg(value_name = "TO")]
    to: TableName,
    /// Copy only the rows that match these relations, written as after WHERE in a SELECT, without the word WHERE
    #[arg(long = "where", value_name = "RELATIONS")]
    filter: Option<String>,
    /// Read at LOCAL_ONE: half the cost, and the most recent writes may be missing
    #[arg(long)]
    local_one: bool,
    /// Plain Cassandra to read from [default: the service that is written to]
    #[arg(long, value_name = "HOST[:PORT]")]
    from_cassandra: Option<String>,
    /// Read capacity to use, like --rate for writes [default: adapts to throttling]
    #[arg(long, value_name = "UNITS|PERCENT%")]
    read_rate: Option<RateArgument>,
    /// File for rows that the second table refuses, in JSON Lines
    #[arg(long, value_name = "FILE")]
    rejected_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) operation: OperationOptions,
}

impl Copy {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let operation = self.operation;
        let to = operation.connect().await?;
        let from = match &self.from_cassandra {
            Some(address) => Session::builder().endpoint(Endpoint::cassandra(address)?).connect().await?,
            None => to.clone(),
        };
        let (source, target) = ((&*self.from.keyspace, &*self.from.table), (&*self.to.keyspace, &*self.to.table));
        let mut copy = from
            .bulk()
            .copy(source, &to, target)
            .rate(operation.rate())
            .read_rate(RateArgument::or_adaptive(self.read_rate));
        if self.local_one {
            copy = copy.consistency(ReadConsistency::LocalOne);
        }
        if let Some(filter) = self.filter {
            copy = copy.filter(filter);
        }
        if let Some(path) = &operation.checkpoint {
            copy = copy.checkpoint(path);
        }
        if let Some(path) = self.rejected_file {
            copy = copy.rejected_file(path);
        }
        let summary = run(copy.progress(), |signal| copy.stop_when(signal).into_future()).await?;
        finish(&summary, operation.format, true)
    }
}
