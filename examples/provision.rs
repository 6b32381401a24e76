//! The guide's journey to a database: a keyspace, its tables with their capacity and recovery, what each is now; and rows
//! that were deleted by mistake, brought back as they were the moment before.
//!
//! Without arguments on a local Keyspaces that it starts; `--region us-east-1` on AWS, where provisioned capacity costs
//! money until the tables are dropped, and a restore takes 20 minutes and more; `--cassandra 127.0.0.1:9042` on a plain
//! Cassandra, which has neither.

#![expect(clippy::print_stdout, reason = "what it does is for people to read")]

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
    /// The keyspace to create, or to use if it is there
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
        let now = schema.describe_table(&keyspace, table).await?.ok_or("the table is not there")?;
        let status = now.status.map_or_else(|| "there".to_owned(), |status| status.to_string());
        println!("\n{table} is {status}:\n{}", now.definition);
    }
    if place.cassandra.is_none() {
        println!("\nIn the service's words:");
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
        println!("\nA plain Cassandra has no point-in-time recovery: nothing is deleted and brought back.");
    }

    session.close(Duration::from_secs(5)).await?;
    if let Some(local) = local {
        local.close().await?;
    }
    Ok(())
}

/// Writes users, deletes them, and has the table of the moment between beside the table of now.
async fn delete_by_mistake_and_restore(session: &Session, keyspace: &str) -> Result<(), Box<dyn Error>> {
    const RESTORED: &str = "users_restored";
    let schema = session.schema();
    if schema.describe_table(keyspace, RESTORED).await?.is_some() {
        return Err(format!("{keyspace}.{RESTORED} is there from another time: drop it, and begin again").into());
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
    const REST: Duration = Duration::from_secs(1);
    while let Some(earliest) = schema.describe_table(keyspace, "users").await?.and_then(|now| now.earliest_restorable)
        && earliest > Utc::now()
    {
        tokio::time::sleep(REST).await;
    }
    tokio::time::sleep(REST).await;
    let moment = Utc::now();
    tokio::time::sleep(REST).await;
    for user in &registered {
        users.delete(user.user_id).await?;
    }
    let left = all(session, keyspace, "users").await?.len();
    println!("{} of {} users are deleted, by mistake; {left} are left", registered.len(), before.len());
    let restore = schema.restore_table(keyspace, "users").at(moment).tag("restored", "true").into(keyspace, RESTORED);
    show("users as they were the moment before", restore).await?;

    let restored = all(session, keyspace, RESTORED).await?;
    for user in &registered {
        let there = restored.iter().find(|there| there.user_id == user.user_id);
        let told = if there == Some(user) { "as it was" } else { "NOT as it was" };
        println!("  {} {:8} {:20} {} {told}", user.user_id, user.name, user.email, user.created_at);
    }
    if restored != before {
        return Err(format!("{} rows were there, and {} others are restored", before.len(), restored.len()).into());
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

/// Makes a change and shows how far it is.
async fn show(what: &'static str, change: SchemaChange<'_>) -> Result<(), Box<dyn Error>> {
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(100));
    // Keyspaces' own options are nothing to a plain Cassandra.
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
