//! The guide's journey to a database: a keyspace, its tables with their capacity and recovery, and what each is now.
//!
//! Without arguments on a local Keyspaces that it starts; `--region us-east-1` on AWS, where provisioned capacity costs
//! money until the tables are dropped; `--cassandra 127.0.0.1:9042` on a plain Cassandra, which has neither.

#![expect(clippy::print_stdout, reason = "what it does is for people to read")]

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use keyspaces::schema::{
    CapacityMode, KeyspaceDefinition, NativeType, Order, PointInTimeRecovery, SchemaChange, TableChange,
    TableDefinition,
};
use keyspaces::tables::{Events, Users};
use keyspaces::{Endpoint, Row, Session};
use keyspaces_local::Local;

#[derive(Parser)]
#[command(about = "Create the guide's keyspace and tables on Amazon Keyspaces, or on a local one")]
struct Arguments {
    /// Run against AWS, in this region
    #[arg(long, conflicts_with = "cassandra")]
    region: Option<String>,
    /// Run against a plain Cassandra
    #[arg(long, value_name = "HOST:PORT")]
    cassandra: Option<String>,
    /// The keyspace to create, or to use if it is there
    #[arg(long, default_value = "my_application")]
    keyspace: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { region, cassandra, keyspace } = Arguments::parse();
    let mut local = None;
    let builder = match (&region, &cassandra) {
        (Some(region), _) => Session::builder().region(region),
        (None, Some(cassandra)) => Session::builder().endpoint(Endpoint::cassandra(cassandra)?),
        (None, None) => {
            println!("Starting a local Keyspaces (the first time this downloads Apache Cassandra, 66 MB) ...");
            let builder = Local::builder().ddl_delay(Duration::from_secs(2)).progress(|step| println!("  {step}"));
            let local = local.insert(builder.start().await?);
            let own = local.credentials();
            Session::builder()
                .region(local.region())
                .endpoint(Endpoint::explicit(local.host(), local.port(), local.server_name())?)
                .trust_pem(local.ca_pem())?
                .static_credentials(&own.access_key, &own.secret_key, own.session_token.as_deref())
        }
    };
    let session = builder.connect().await?;
    println!("Connected to {}", session.endpoint());
    let schema = session.schema();

    let definition = KeyspaceDefinition::new(keyspace.as_str()).tag("stage", "test");
    show("the keyspace", schema.create_keyspace_if_not_exists(&definition)).await?;

    let high_volume = TableDefinition::builder(keyspace.as_str(), "high_volume_events")
        .partition_key("partition_key", NativeType::Text)
        .clustering_column("sort_key", NativeType::Timestamp, Order::Ascending)
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
    if cassandra.is_none() {
        println!("\nIn the service's words:");
        let select =
            "SELECT table_name, status, custom_properties FROM system_schema_mcs.tables WHERE keyspace_name = ?";
        let mut rows = session.rows::<Row>(select, (keyspace,));
        while let Some(row) = rows.try_next().await? {
            let column = |name| row.get(name).map(ToString::to_string).unwrap_or_default();
            println!("  {} {} {}", column("table_name"), column("status"), column("custom_properties"));
        }
    }

    session.close(Duration::from_secs(5)).await?;
    if let Some(local) = local {
        local.close().await?;
    }
    Ok(())
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
