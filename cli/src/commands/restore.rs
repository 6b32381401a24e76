use chrono::{DateTime, Utc};
use clap::Args;

use super::bulk::TableName;
use crate::connection;
use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces restore shop.users --at 2026-06-30T04:05:00Z --into shop.users_restored";

/// Restore a table to an earlier point in time, as a new table
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Restore {
    /// Table to restore; it may have been dropped
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// Point in time to restore, in RFC 3339 [default: now, or when the table was dropped]
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// Name of the new table
    #[arg(long, value_name = "KEYSPACE.TABLE")]
    into: TableName,
    #[command(flatten)]
    pub(super) connection: Settings,
}

impl Restore {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let session = connection::connect(self.connection).await?;
        let mut restore = session.schema().restore_table(&self.table.keyspace, &self.table.table);
        if let Some(moment) = self.at {
            restore = restore.at(moment);
        }
        progress::show(restore.into(&self.into.keyspace, &self.into.table).progress()).await?;
        output::note(format_args!("restored {} as {}", self.table, self.into));
        Ok(Status::Success)
    }
}
