//! Applies a folder of numbered CQL files, once each, even if several programs do so at the same time. Also plans the changes from
//! the current schema to that of a file, with costs and what cannot be undone.
//!
//! `cargo run --example migrate` does both on a local Keyspaces that it starts, with the files in this folder; `--
//! migrations/ --keyspace shop --region us-east-1` on AWS; `--cassandra 127.0.0.1:9042` on a plain Cassandra.
//! `--dry-run` only prints what would be done. `--plan schema.cql` prints a plan, and applies it with `--yes`, so
//! `--yes` and `--dry-run` exclude each other.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

mod place;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use keyspaces::Session;
use keyspaces::migrate::{MigrationProgress, Migrations};
use keyspaces::schema::Definitions;

use self::place::Place;

#[derive(Parser)]
#[command(about = "Apply numbered CQL files to Amazon Keyspaces, or to a local one")]
struct Arguments {
    /// The folder with the files [default: a small sample]
    folder: Option<PathBuf>,
    /// The keyspace of the table that records the applied files; it is created if it does not exist
    #[arg(long, default_value = "shop")]
    keyspace: String,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    /// Plan the changes from the current schema to the CREATE statements of this file
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Apply the plan
    #[arg(long, requires = "plan", conflicts_with = "dry_run")]
    yes: bool,
    /// The statement of unknown outcome was applied: the number of its file, and its number in the file
    #[arg(long, value_name = "FILE:STATEMENT", value_parser = statement)]
    applied: Option<(u64, usize)>,
    /// The statement of unknown outcome was not applied
    #[arg(long, value_name = "FILE:STATEMENT", value_parser = statement, conflicts_with = "applied")]
    not_applied: Option<(u64, usize)>,
    #[command(flatten)]
    place: Place,
}

/// `3:2`
fn statement(text: &str) -> Result<(u64, usize), String> {
    let (version, statement) =
        text.split_once(':').ok_or("write the number of the file, a colon, and the statement's")?;
    let number = |error: std::num::ParseIntError| error.to_string();
    Ok((version.parse().map_err(number)?, statement.parse().map_err(number)?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let (builder, local) = arguments.place.find(Duration::from_secs(1)).await?;
    let folder = arguments.folder.clone().unwrap_or_else(|| samples.join("migrations"));
    // All files are read before anything is sent.
    let migrations = Migrations::from_folder(&folder)?;
    // A local Keyspaces is empty, so there a plan is shown after the files are applied.
    let plan = arguments.plan.clone().or_else(|| local.as_ref().map(|_| samples.join("schema.cql")));
    let desired = plan.map(|path| read(&path)).transpose()?;
    let session = builder.connect().await?;
    println!("Connected to {}\n", session.endpoint());
    if arguments.plan.is_none() || local.is_some() {
        migrate(&session, &arguments, &migrations).await?;
    }
    if let Some(desired) = desired {
        let plan = session.schema().plan(desired).without_keyspaces_options_on_cassandra().await?;
        println!("\nThe plan: {plan}");
        if arguments.yes {
            let mut progress = plan.apply().without_keyspaces_options_on_cassandra().progress();
            let bar = spinner()?;
            while let Some(progress) = progress.try_next().await? {
                bar.set_message(progress.to_string());
            }
            bar.finish_and_clear();
            println!("The plan is applied.");
        }
    }
    session.close(Duration::from_secs(5)).await?;
    if let Some(local) = local {
        local.close().await?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Definitions, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Definitions::parse(&text).map_err(|error| format!("{}, {error}", path.display()))?)
}

async fn migrate(session: &Session, arguments: &Arguments, migrations: &Migrations) -> Result<(), Box<dyn Error>> {
    let mut migrate = session.migrate(&arguments.keyspace, migrations).without_keyspaces_options_on_cassandra();
    println!("To be done: {}\n", migrate.dry_run().await?);
    if arguments.dry_run {
        return Ok(());
    }
    if let Some((version, statement)) = arguments.applied.or(arguments.not_applied) {
        migrate = migrate.resolve_unknown(version, statement, arguments.applied.is_some());
    }
    let mut progress = migrate.progress();
    let bar = spinner()?;
    while let Some(progress) = progress.try_next().await? {
        match progress {
            MigrationProgress::Applied { .. }
            | MigrationProgress::Found { .. }
            | MigrationProgress::NotApplied { .. } => {
                bar.suspend(|| println!("{progress}"));
            }
            _ => bar.set_message(progress.to_string()),
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn spinner() -> Result<ProgressBar, Box<dyn Error>> {
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {wide_msg}")?);
    bar.enable_steady_tick(Duration::from_millis(100));
    Ok(bar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_and_dry_run_arguments_are_mutually_exclusive() {
        let parsed =
            |arguments: &[&str]| Arguments::try_parse_from([&["migrate", "--plan", "schema.cql"], arguments].concat());
        assert!(parsed(&["--yes"]).is_ok());
        assert!(parsed(&["--dry-run"]).is_ok());
        let refused = parsed(&["--yes", "--dry-run"]).err().unwrap().to_string();
        assert!(refused.starts_with("error: the argument '--yes' cannot be used with '--dry-run'"), "{refused}");
    }
}
