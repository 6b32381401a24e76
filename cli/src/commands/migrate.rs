use std::path::PathBuf;

use clap::Args;
use futures::TryStreamExt;
use keyspaces::migrate::{MigrationProgress, Migrations};

use crate::connection;
use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces migrate migrations/ --keyspace shop --dry-run
  keyspaces migrate migrations/ --keyspace shop
  keyspaces migrate migrations/ --keyspace shop --applied 3:2

Each file is applied once, by one program at a time. To resume an interrupted migration, run the
same command again. If it stops because an outcome is unknown, --applied 3:2 tells it that statement
2 of file 3 was applied.";

/// Apply the numbered CQL files of a folder, each once
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Migrate {
    /// Folder with files such as 0001_products.cql
    folder: PathBuf,
    /// Keyspace of the table that records the applied files; created if it does not exist
    #[arg(long)]
    keyspace: String,
    /// Print what would be applied, and apply nothing
    #[arg(long)]
    dry_run: bool,
    /// Resume after a statement of unknown outcome that was applied
    #[arg(long, value_name = "FILE:STATEMENT", value_parser = statement, conflicts_with = "dry_run")]
    applied: Option<(u64, usize)>,
    /// Resume at a statement of unknown outcome that was not applied
    #[arg(long, value_name = "FILE:STATEMENT", value_parser = statement, conflicts_with_all = ["applied", "dry_run"])]
    not_applied: Option<(u64, usize)>,
    #[command(flatten)]
    pub(super) connection: Settings,
}

impl Migrate {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let migrations = Migrations::from_folder(&self.folder)?;
        let session = connection::connect(self.connection).await?;
        let mut migrate = session.migrate(&self.keyspace, &migrations).without_keyspaces_options_on_cassandra();
        if self.dry_run {
            output::print(format_args!("{}\n", migrate.dry_run().await?))?;
            return Ok(Status::Success);
        }
        if let Some((version, statement)) = self.applied.or(self.not_applied) {
            migrate = migrate.resolve_unknown(version, statement, self.applied.is_some());
        }
        let mut changes = migrate.progress();
        let line = progress::spinner();
        while let Some(change) = changes.try_next().await? {
            match change {
                MigrationProgress::Applied { ref file, .. } => {
                    line.suspend(|| output::print(format_args!("{file}\n")))?
                }
                MigrationProgress::Found { .. } | MigrationProgress::NotApplied { .. } => {
                    line.suspend(|| output::note(change))
                }
                _ => line.set_message(change.to_string()),
            }
        }
        Ok(Status::Success)
    }
}

/// `3:2`
fn statement(text: &str) -> Result<(u64, usize), String> {
    let (file, statement) = text.split_once(':').ok_or("expected FILE:STATEMENT, both as numbers, such as 3:2")?;
    let number = |error: std::num::ParseIntError| error.to_string();
    Ok((file.parse().map_err(number)?, statement.parse().map_err(number)?))
}
