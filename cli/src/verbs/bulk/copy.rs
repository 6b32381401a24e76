use std::path::PathBuf;

use clap::Args;
use keyspaces::{Endpoint, ReadConsistency, Session};

use super::TableName;
use super::options::Operation;
use super::pace::Pace;
use super::run::{end, run};
use crate::failure::{Failure, Status};

const EXAMPLE: &str = "\
Example:
  keyspaces copy shop.sales shop.sales_2
  keyspaces copy shop.sales shop.sales --from-cassandra 10.0.0.7:9042 --checkpoint sales.copy

Exit status as of load.";

/// Copy the rows of a table to another one, also from a plain Cassandra
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Copy {
    /// The table to read
    #[arg(value_name = "FROM")]
    from: TableName,
    /// The table to write, at the place to connect to
    #[arg(value_name = "TO")]
    to: TableName,
    /// Only the rows of which this is true: what follows WHERE in a SELECT
    #[arg(long = "where", value_name = "RELATIONS")]
    filter: Option<String>,
    /// Read at LOCAL_ONE, which costs half as much and may miss what was written a moment ago
    #[arg(long)]
    local_one: bool,
    /// Read from this plain Cassandra [default: the same place]
    #[arg(long, value_name = "HOST[:PORT]")]
    from_cassandra: Option<String>,
    /// How much of the table that is read may be used; --rate is of the one that is written
    #[arg(long, value_name = "UNITS|PERCENT%")]
    read_rate: Option<Pace>,
    /// File for rows that the second table refuses, as JSON Lines
    #[arg(long, value_name = "FILE")]
    rejected_to: Option<PathBuf>,
    #[command(flatten)]
    operation: Operation,
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
        let mut copy =
            from.bulk().copy(source, &to, target).rate(operation.rate()).read_rate(Pace::or_adaptive(self.read_rate));
        if self.local_one {
            copy = copy.consistency(ReadConsistency::LocalOne);
        }
        if let Some(filter) = self.filter {
            copy = copy.filter(filter);
        }
        if let Some(path) = &operation.checkpoint {
            copy = copy.checkpoint(path);
        }
        if let Some(path) = self.rejected_to {
            copy = copy.rejected_to(path);
        }
        let summary = run(copy.progress(), |signal| copy.until(signal).into_future()).await?;
        end(&summary, operation.format, true)
    }
}
