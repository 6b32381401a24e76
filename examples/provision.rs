//! Provisions the guide's database: a keyspace and its tables with capacity and recovery. Then deletes rows by mistake, and
//! restores them as they were a moment before.
//!
//! Without arguments it runs on a local Keyspaces that it starts. `--region us-east-1` runs it on AWS, where provisioned capacity
//! costs money until the tables are dropped, and a restore takes 20 minutes or more. `--cassandra 127.0.0.1:9042` runs it on a plain
//! Cassandra, which has neither.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

mod place;

use std::error::Error;
use std::time::Duration;

use chrono::Utc;
use clap::Parser;
use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use keyspaces::schema::{
    CapacityMode, KeyspaceDefinition, Name, NativeType, PointInTimeRecovery, SchemaChange, SortOrder, TableChange,
    TableDefinition,
};
use keyspaces::tables::{Events, User, Users};
use keyspaces::{Outcome, Row, Session};
use uuid::Uuid;

use self::place::Place;

#[derive(Parser)]
#[command(about = "Create the guide's keyspace and tables on Amazon Keyspaces, or on a local one")]
struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The keyspace to use; it is created if it does not exist
    #[arg(long, default_value = "my_application")]
    keyspace: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { place, keyspace } = Arguments::parse();
    let (builder, local) = place.find(Duration::from_secs(2)).await?;
    let session = builder.connect().await?;
    println!("Connected to {}", session.endpoint());
    let schema = session.schema();

    let definition = KeyspaceDefinition::new(keyspace.as_str()).tag("stage", "test");
    show("the keyspace", schema.create_keyspace_if_not_exists(&definition)).await?;

    let high_volume = TableDefinition::builder(keyspace.as_str(), "high_volume_events")
        .partition_key("partition_key", NativeType::Text)
        .clustering_column("sort_key", NativeType::Timestamp, SortOrder::Ascending)
        .column("data", NativeType::Text)
        .with(CapacityMode::Provisioned { read: 1_000, write: 500 })
        .build()?;
    let tables = [Users::table(&keyspace)?, Events::table(&keyspace)?, high_volume];
    show("three tables", schema.create_tables_if_not_exist(&tables)).await?;

    let recovery = [TableChange::Set(PointInTimeRecovery::Enabled.into())];
    show("recovery of users", schema.alter_table(&keyspace, "users", &recovery)).await?;

    for table in ["users", "events", "high_volume_events"] {
        let now = schema.describe_table(&keyspace, table).await?.ok_or("the table does not exist")?;
        let status = now.status.map_or_else(|| "created".to_owned(), |status| status.to_string());
        println!("\n{table} is {status}:\n{}", now.definition);
    }
    if place.cassandra.is_none() {
        println!("\nAs the system tables show them:");
        let select =
            "SELECT table_name, status, custom_properties FROM system_schema_mcs.tables WHERE keyspace_name = ?";
        let mut rows = session.rows::<Row>(select, (keyspace.clone(),));
        while let Some(row) = rows.try_next().await? {
            let column = |name| row.get(name).map(ToString::to_string).unwrap_or_default();
            println!("  {} {} {}", column("table_name"), column("status"), column("custom_properties"));
        }
        println!();
        delete_by_mistake_and_restore(&session, &keyspace).await?;
    } else {
        println!("\nA plain Cassandra has no point-in-time recovery, so nothing is deleted and restored.");
    }

    session.close(Duration::from_secs(5)).await?;
    if let Some(local) = local {
        local.close().await?;
    }
    Ok(())
}

/// Writes users, deletes them, and restores the table as it was in between.
async fn delete_by_mistake_and_restore(session: &Session, keyspace: &str) -> Result<(), Box<dyn Error>> {
    const RESTORED: &str = "users_restored";
    let schema = session.schema();
    if schema.describe_table(keyspace, RESTORED).await?.is_some() {
        return Err(format!("{keyspace}.{RESTORED} exists from an earlier run: drop it, and start again").into());
    }
    let users = Users::new(session, keyspace).await?;
    let mut registered = Vec::new();
    for name in ["Ada", "Barbara", "Edsger", "Grace", "Leslie", "Radia"] {
        let user = User::new(Uuid::new_v4(), format!("{name}@example.com"), name, Utc::now(), "active");
        if !matches!(users.register(&user).await?, Outcome::Applied) {
            return Err(format!("{name} is not registered").into());
        }
        registered.push(user);
    }
    let before = all(session, keyspace, "users").await?;

    // A table is restored to a second (DG:PointInTimeRecovery), by a clock that may be ahead of this machine's.
    const PAUSE: Duration = Duration::from_secs(1);
    while let Some(earliest) = schema.describe_table(keyspace, "users").await?.and_then(|now| now.earliest_restorable)
        && earliest > Utc::now()
    {
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(PAUSE).await;
    let moment = Utc::now();
    tokio::time::sleep(PAUSE).await;
    for user in &registered {
        users.delete(user.user_id).await?;
    }
    let left = all(session, keyspace, "users").await?.len();
    println!("{} of {} users are deleted by mistake; {left} are left", registered.len(), before.len());
    let restore = schema.restore_table(keyspace, "users").at(moment).tag("restored", "true").into(keyspace, RESTORED);
    show("users as they were the moment before", restore).await?;

    let restored = all(session, keyspace, RESTORED).await?;
    for user in &registered {
        let found = restored.iter().find(|found| found.user_id == user.user_id);
        let result = if found == Some(user) { "restored" } else { "NOT restored" };
        println!("  {} {:8} {:20} {} {result}", user.user_id, user.name, user.email, user.created_at);
    }
    if restored != before {
        return Err(format!("{} rows existed, and {} different ones are restored", before.len(), restored.len()).into());
    }
    println!(
        "{keyspace}.{RESTORED} has the {} rows that {keyspace}.users had at {}",
        restored.len(),
        moment.format("%F %T%.3f UTC")
    );
    Ok(())
}

/// All rows, by their keys.
async fn all(session: &Session, keyspace: &str, table: &str) -> Result<Vec<User>, keyspaces::Error> {
    let select = format!("SELECT user_id, email, name, created_at, status FROM {}.{table}", Name::new(keyspace));
    let mut users: Vec<User> = session.rows(&select, ()).try_collect().await?;
    users.sort_by_key(|user| user.user_id);
    Ok(users)
}

/// Makes a change and shows its progress.
async fn show(what: &'static str, change: SchemaChange<'_>) -> Result<(), Box<dyn Error>> {
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(100));
    // A plain Cassandra does not have the options of Keyspaces.
    let mut progress = change.without_keyspaces_options_on_cassandra().progress();
    let mut took = Duration::ZERO;
    while let Some(progress) = progress.try_next().await? {
        took = progress.elapsed;
        bar.set_message(progress.to_string());
    }
    bar.finish_and_clear();
    println!("{what}: done after {took:.1?}");
    Ok(())
}
