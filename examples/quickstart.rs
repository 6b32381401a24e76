//! Connects, creates the guide's two tables and waits for them, writes events and a user, reads them back.
//!
//! Without arguments it uses a local Keyspaces that it starts. With `--region us-east-1` it uses AWS (credentials from
//! the environment, or from the default chain with `--features aws-config`), with `--cassandra 127.0.0.1:9042` a plain
//! Cassandra.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::error::Error;

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use clap::Parser;
use keyspaces::schema::{KeyspaceDefinition, NativeType, SortOrder, TableDefinition};
use keyspaces::{Endpoint, Select, Session, Write};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;
use uuid::Uuid;

#[derive(Parser)]
#[command(about = "Write and read the events and users tables on Amazon Keyspaces, or on a local one")]
struct Arguments {
    /// Run against AWS, in this region
    #[arg(long, conflicts_with = "cassandra")]
    region: Option<String>,
    /// Run against a plain Cassandra
    #[arg(long, value_name = "HOST:PORT")]
    cassandra: Option<String>,
    /// The keyspace to use; it is created if it does not exist
    #[arg(long, default_value = "my_application")]
    keyspace: String,
}

#[keyspaces::row]
#[derive(Debug)]
struct Event {
    device_id: String,
    event_date: NaiveDate,
    event_time: DateTime<Utc>,
    event_type: String,
    payload: String,
}

#[keyspaces::row]
#[derive(Debug)]
struct User {
    user_id: Uuid,
    email: String,
    name: String,
    created_at: DateTime<Utc>,
    status: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();

    // A local Keyspaces lives as long as this value.
    let mut local = None;
    let builder = match (&arguments.region, &arguments.cassandra) {
        (Some(region), _) => Session::builder().region(region),
        (None, Some(cassandra)) => Session::builder().endpoint(Endpoint::cassandra(cassandra)?),
        (None, None) => {
            println!("Starting a local Keyspaces (the first time this downloads Apache Cassandra, 66 MB) ...");
            let local = local.insert(Local::builder().progress(|step| println!("  {step}")).start().await?);
            Session::builder().local(local)?
        }
    };
    let session = builder.connect().await?;
    println!("Connected to {}: {} peers", session.endpoint(), session.peers().len());

    let keyspace = &arguments.keyspace;
    println!("Creating keyspace {keyspace} and its tables, and waiting until they are ACTIVE ...");
    let schema = session.schema();
    schema.create_keyspace_if_not_exists(&KeyspaceDefinition::new(keyspace.as_str())).await?;
    let events = TableDefinition::builder(keyspace.as_str(), "events")
        .partition_key("device_id", NativeType::Text)
        .partition_key("event_date", NativeType::Date)
        .clustering_column("event_time", NativeType::Timestamp, SortOrder::Descending)
        .column("event_type", NativeType::Text)
        .column("payload", NativeType::Text)
        .build()?;
    let users = TableDefinition::builder(keyspace.as_str(), "users")
        .partition_key("user_id", NativeType::Uuid)
        .column("email", NativeType::Text)
        .column("name", NativeType::Text)
        .column("created_at", NativeType::Timestamp)
        .column("status", NativeType::Text)
        .build()?;
    schema.create_tables_if_not_exist([&events, &users]).await?;

    // The type says what a statement does. A statement that does something else is refused before it is sent.
    let store_event: Write<Event> = session
        .prepare(&format!(
            "INSERT INTO {keyspace}.events (device_id, event_date, event_time, event_type, payload) \
             VALUES (?, ?, ?, ?, ?)"
        ))
        .await?;
    let latest: Select<(&str, NaiveDate), Event> = session
        .prepare(&format!(
            "SELECT device_id, event_date, event_time, event_type, payload FROM {keyspace}.events \
             WHERE device_id = ? AND event_date = ? LIMIT 10"
        ))
        .await?;
    let store_user: Write<User> = session
        .prepare(&format!(
            "INSERT INTO {keyspace}.users (user_id, email, name, created_at, status) VALUES (?, ?, ?, ?, ?)"
        ))
        .await?;
    let user_by_id: Select<(Uuid,), User> = session
        .prepare(&format!("SELECT user_id, email, name, created_at, status FROM {keyspace}.users WHERE user_id = ?"))
        .await?;

    let today = Utc::now().date_naive();
    let morning = today.and_time(NaiveTime::MIN).and_utc() + Duration::hours(8);
    for (minute, celsius) in [(0, 19.5), (5, 20.1), (10, 20.8)] {
        let event = Event {
            device_id: "device-001".into(),
            event_date: today,
            event_time: morning + Duration::minutes(minute),
            event_type: "temperature".into(),
            payload: format!("{{\"celsius\": {celsius}}}"),
        };
        store_event.execute(&event).await?;
    }
    let user = User {
        user_id: Uuid::from_u128(0x5f0c_2b4e_8a4d_4c1e_9b1f_2d3e_4f50_6172),
        email: "ada@example.com".into(),
        name: "Ada Lovelace".into(),
        created_at: morning,
        status: "active".into(),
    };
    store_user.execute(&user).await?;
    println!("Wrote three events and a user.");

    println!("The events of device-001 on {today}, newest first:");
    let mut events = latest.rows(("device-001", today));
    while let Some(event) = events.try_next().await? {
        println!("  {}  {}  {}", event.event_time.format("%H:%M:%S"), event.event_type, event.payload);
    }
    let found = user_by_id.one((user.user_id,)).await?.ok_or("the user does not exist")?;
    println!("User {}: {} <{}>, {}", found.user_id, found.name, found.email, found.status);

    session.close(std::time::Duration::from_secs(5)).await?;
    println!("Done. Next: the same against AWS: -- --region us-east-1");
    if let Some(local) = local {
        local.close().await?;
    }
    Ok(())
}
