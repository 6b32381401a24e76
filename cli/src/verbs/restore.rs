use chrono::{DateTime, Utc};
use clap::Args;

use super::bulk::TableName;
use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces restore shop.users --at 2026-06-30T04:05:00Z --into shop.users_restored";

/// Restore a table as it was at a moment, as a new table
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Restore {
    /// The table to restore, which may have been dropped
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// The moment, in RFC 3339 [default: now, or when it was dropped]
    #[arg(long, value_name = "MOMENT")]
    at: Option<DateTime<Utc>>,
    /// The new table
    #[arg(long, value_name = "KEYSPACE.TABLE")]
    into: TableName,
    #[command(flatten)]
    place: Settings,
}

impl Restore {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let session = self.place.connect().await?;
        let mut restore = session.schema().restore_table(&self.table.keyspace, &self.table.table);
        if let Some(moment) = self.at {
            restore = restore.at(moment);
        }
        progress::follow(restore.into(&self.into.keyspace, &self.into.table).progress()).await?;
        output::note(format_args!("restored {} as {}", self.table, self.into));
        Ok(Status::Done)
    }
}
