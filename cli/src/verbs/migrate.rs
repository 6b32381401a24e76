use std::path::PathBuf;

use clap::Args;
use futures::TryStreamExt;
use keyspaces::migrate::{Migrations, Progress};

use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces migrate migrations/ --keyspace shop --dry-run
  keyspaces migrate migrations/ --keyspace shop
  keyspaces migrate migrations/ --keyspace shop --applied 3:2

Each file is applied once, by one program at a time. An interrupted migration goes on when it is
started again. --applied 3:2 says that statement 2 of file 3 was applied, where that was unknown.";

/// Apply a folder of numbered CQL files, each once
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Migrate {
    /// The folder with the files, such as 0001_products.cql
    folder: PathBuf,
    /// The keyspace of the table that records which files are applied; created if it is not there
    #[arg(long)]
    keyspace: String,
    /// Only print what would be applied
    #[arg(long)]
    dry_run: bool,
    /// The statement whose outcome is unknown was applied
    #[arg(long, value_name = "FILE:STATEMENT", value_parser = statement, conflicts_with = "dry_run")]
    applied: Option<(u64, usize)>,
    /// The statement whose outcome is unknown was not applied
    #[arg(long, value_name = "FILE:STATEMENT", value_parser = statement, conflicts_with_all = ["applied", "dry_run"])]
    not_applied: Option<(u64, usize)>,
    #[command(flatten)]
    place: Settings,
}

impl Migrate {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let migrations = Migrations::from_folder(&self.folder)?;
        let session = self.place.connect().await?;
        let mut migrate = session.migrate(&self.keyspace, &migrations).without_keyspaces_options_on_cassandra();
        if self.dry_run {
            output::answer(format_args!("{}\n", migrate.dry_run().await?))?;
            return Ok(Status::Done);
        }
        if let Some((version, statement)) = self.applied.or(self.not_applied) {
            migrate = migrate.was_applied(version, statement, self.applied.is_some());
        }
        let mut changes = migrate.progress();
        let line = progress::line();
        while let Some(change) = changes.try_next().await? {
            match change {
                Progress::Applied { ref file, .. } => line.suspend(|| output::answer(format_args!("{file}\n")))?,
                Progress::Found { .. } | Progress::NotApplied { .. } => line.suspend(|| output::note(change)),
                _ => line.set_message(change.to_string()),
            }
        }
        Ok(Status::Done)
    }
}

/// `3:2`
fn statement(text: &str) -> Result<(u64, usize), String> {
    let (file, statement) =
        text.split_once(':').ok_or("write the number of the file, a colon, and the statement's, as 3:2")?;
    let number = |error: std::num::ParseIntError| error.to_string();
    Ok((file.parse().map_err(number)?, statement.parse().map_err(number)?))
}
