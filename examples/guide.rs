//! Follows "How to Set Up Amazon Keyspaces" step by step with this library. Each step prints the command that the guide uses
//! for it.
//!
//! Without arguments it runs on a local Keyspaces that it starts. `--region us-east-1` runs it on AWS, where provisioned capacity
//! costs money until the tables are dropped, and a restore takes 20 minutes or more.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

mod place;

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use keyspaces::lint::lint;
use keyspaces::monitoring::{Table, Topic, throttled_requests};
use keyspaces::schema::{
    CapacityMode, KeyspaceDefinition, NativeType, PointInTimeRecovery, SortOrder, TableChange, TableDefinition,
};
use keyspaces::tables::{Event, Events, User, Users};
use keyspaces::{Outcome, Select, Session};
use keyspaces_local::Local;
use uuid::Uuid;

use self::place::Place;

type Done = Result<(), Box<dyn Error>>;

#[derive(Parser)]
#[command(about = "Walk through the guide \"How to Set Up Amazon Keyspaces\" with this library")]
struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The keyspace of the guide
    #[arg(long, default_value = "my_application")]
    keyspace: String,
}

#[tokio::main]
async fn main() -> Done {
    let Arguments { place, keyspace } = Arguments::parse();
    if place.cassandra.is_some() {
        return Err(
            "a plain Cassandra has neither capacity modes nor point-in-time recovery: use a local Keyspaces".into()
        );
    }
    unsupported_features();
    let (builder, local) = place.find(Duration::from_secs(1)).await?;
    let session = builder.connect().await?;
    let guide = Guide { session: &session, keyspace: &keyspace };
    guide.connect_with_sigv4();
    guide.create_the_keyspace().await?;
    let user = guide.create_users().await?;
    guide.service_specific_credentials();
    guide.create_events().await?;
    guide.newest_ten_events().await?;
    guide.provisioned_capacity().await?;
    guide.enable_recovery().await?;
    guide.restore(&user).await?;
    guide.alarm_on_throttled_requests()?;
    guide.metrics_to_watch(local.as_ref());
    guide.model_around_queries().await?;

    session.close(Duration::from_secs(5)).await?;
    if let Some(local) = local {
        local.close().await?;
    }
    Ok(())
}

/// Prints the title of the next step, and the guide's command for it.
fn step(title: &str, command: &str) {
    println!("\n== {title}");
    for line in command.lines() {
        println!("   | {}", line.trim());
    }
}

/// Features of Cassandra that Keyspaces does not support, found without a service.
fn unsupported_features() {
    step("What Keyspaces does not support", "(a list in the guide; here the findings of lint for a schema)");
    let schema = "
        CREATE INDEX ON my_application.users (email);
        CREATE MATERIALIZED VIEW my_application.users_by_email AS SELECT * FROM my_application.users
            WHERE email IS NOT NULL AND user_id IS NOT NULL PRIMARY KEY (email, user_id);
        CREATE AGGREGATE my_application.average(int) SFUNC add STYPE tuple<int, bigint>;";
    for finding in lint(schema) {
        println!("{finding}");
    }
}

/// The steps of the guide, which share a session.
struct Guide<'a> {
    session: &'a Session,
    keyspace: &'a str,
}

impl Guide<'_> {
    fn connect_with_sigv4(&self) {
        step(
            "Connect with SigV4 over TLS",
            "cluster = Cluster(['cassandra.us-east-1.amazonaws.com'], port=9142, ssl_context=ssl_context,
             auth_provider=SigV4AuthProvider(boto3.Session(region_name='us-east-1')))",
        );
        println!("connected to {}, {} peers", self.session.endpoint(), self.session.peers().len());
    }

    async fn create_the_keyspace(&self) -> Done {
        step(
            "Create the keyspace, and wait for it",
            "aws keyspaces create-keyspace --keyspace-name my_application
             aws keyspaces get-keyspace --keyspace-name my_application",
        );
        let keyspace = KeyspaceDefinition::new(self.keyspace);
        self.session.schema().create_keyspace_if_not_exists(&keyspace).await?;
        println!("{keyspace}");
        Ok(())
    }

    async fn create_users(&self) -> Result<User, Box<dyn Error>> {
        step(
            "Create the table users, and a user",
            "aws keyspaces create-table --keyspace-name my_application --table-name users
             --schema-definition '{\"allColumns\": [{\"name\": \"user_id\", \"type\": \"uuid\"}, …],
             \"partitionKeys\": [{\"name\": \"user_id\"}]}' --default-time-to-live 0",
        );
        let table = Users::table(self.keyspace)?;
        self.session.schema().create_table_if_not_exists(&table).await?;
        println!("{table}");
        let users = Users::new(self.session, self.keyspace).await?;
        let user = User::new(Uuid::new_v4(), "ada@example.com", "Ada Lovelace", Utc::now(), "active");
        match users.register(&user).await? {
            Outcome::Applied => println!("registered {} <{}>", user.name, user.email),
            other => return Err(format!("the user is not registered: {other:?}").into()),
        }
        Ok(user)
    }

    #[expect(clippy::unused_self, reason = "a step like the others")]
    fn service_specific_credentials(&self) {
        step(
            "Service-specific credentials",
            "aws iam create-service-specific-credential --user-name keyspaces-user
             --service-name cassandra.amazonaws.com",
        );
        println!("CQL has no statement for this: IAM creates them. A session uses them with");
        println!("Session::builder().password(user, password); with SigV4 no password is needed.");
    }

    async fn create_events(&self) -> Done {
        step(
            "Create the table events",
            "session.execute('CREATE TABLE IF NOT EXISTS my_application.events (device_id text, event_date date,
             event_time timestamp, event_type text, payload text,
             PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC)')",
        );
        let table = Events::table(self.keyspace)?;
        // The guide uses the table at once, which fails, because a new table is CREATING. This waits until it is ACTIVE.
        self.session.schema().create_table_if_not_exists(&table).await?;
        println!("{table}");
        Ok(())
    }

    async fn newest_ten_events(&self) -> Done {
        step(
            "Insert events, and read the newest ten of a device",
            "session.execute('INSERT INTO my_application.events (…) VALUES (?, ?, ?, ?, ?)', …)
             session.execute('SELECT * FROM my_application.events WHERE device_id = ? AND event_date = ? LIMIT 10', …)",
        );
        let events = Events::new(self.session, self.keyspace).await?;
        let now = Utc::now();
        let measured: Vec<_> = (0..15)
            .map(|minute| {
                let payload = format!("{{\"celsius\": {}.5}}", 15 + minute);
                Event::new("device-001", now - TimeDelta::minutes(minute), "temperature", payload)
            })
            .collect();
        for written in events.insert_many(&measured).await {
            written?;
        }
        let mut latest = events.latest("device-001", 10);
        while let Some(event) = latest.try_next().await? {
            println!("{}  {}  {}", event.event_time.format("%F %T"), event.event_type, event.payload);
        }
        Ok(())
    }

    async fn provisioned_capacity(&self) -> Done {
        step(
            "A table with provisioned capacity",
            "aws keyspaces create-table --keyspace-name my_application --table-name high_volume_events
             --schema-definition '…' --capacity-specification
             throughputMode=PROVISIONED,readCapacityUnits=1000,writeCapacityUnits=500",
        );
        let table = TableDefinition::builder(self.keyspace, "high_volume_events")
            .partition_key("partition_key", NativeType::Text)
            .clustering_column("sort_key", NativeType::Timestamp, SortOrder::Descending)
            .column("data", NativeType::Text)
            .with(CapacityMode::Provisioned { read: 1_000, write: 500 })
            .build()?;
        self.session.schema().create_table_if_not_exists(&table).await?;
        println!("{table}");
        Ok(())
    }

    async fn enable_recovery(&self) -> Done {
        step(
            "Enable point-in-time recovery",
            "aws keyspaces update-table --keyspace-name my_application --table-name users
             --point-in-time-recovery '{\"status\": \"ENABLED\"}'",
        );
        let enable = [TableChange::Set(PointInTimeRecovery::Enabled.into())];
        self.session.schema().alter_table(self.keyspace, "users", &enable).await?;
        println!(
            "users can be restored to {} at the earliest",
            self.earliest_restorable().await?.format("%F %T%.3f UTC")
        );
        Ok(())
    }

    async fn restore(&self, user: &User) -> Done {
        step(
            "Restore the table users to an earlier time",
            "aws keyspaces restore-table --source-keyspace-name my_application --source-table-name users
             --target-keyspace-name my_application --target-table-name users_restored
             --restore-timestamp 2026-02-10T15:30:00Z",
        );
        let users = Users::new(self.session, self.keyspace).await?;
        // A second after the earliest time, and a second before the mistake.
        let moment = self.earliest_restorable().await?.max(Utc::now()) + TimeDelta::seconds(1);
        let pause = (moment - Utc::now()).to_std().unwrap_or_default() + Duration::from_secs(1);
        tokio::time::sleep(pause).await;
        users.delete(user.user_id).await?;
        println!("deleted {}, by mistake", user.name);

        let schema = self.session.schema();
        schema.restore_table(self.keyspace, "users").at(moment).into(self.keyspace, "users_restored").await?;
        let select = format!("SELECT name, status FROM {}.users_restored WHERE user_id = ?", self.keyspace);
        let restored: Select<(Uuid,), (String, String)> = self.session.prepare(&select).await?;
        let (name, status) = restored.one((user.user_id,)).await?.ok_or("the user is not in the restored table")?;
        println!("users_restored has {name}, {status}, as of {}", moment.format("%F %T%.3f UTC"));
        Ok(())
    }

    fn alarm_on_throttled_requests(&self) -> Done {
        step(
            "An alarm on throttled requests",
            "aws cloudwatch put-metric-alarm --alarm-name KeyspacesThrottling --namespace AWS/Cassandra
             --metric-name ThrottledRequests --dimensions Name=Keyspace,Value=my_application Name=TableName,Value=events
             --statistic Sum --period 60 --evaluation-periods 3 --threshold 10
             --comparison-operator GreaterThanThreshold --alarm-actions arn:aws:sns:us-east-1:111122223333:keyspaces-alerts",
        );
        // The guide's metric does not exist, so its alarm never fires. Throttled requests are counted by operation.
        let topic = Topic::new("arn:aws:sns:us-east-1:111122223333:keyspaces-alerts")?;
        let alarm = throttled_requests(&Table::new(self.keyspace, "events")?).with_alarm_action(&topic)?;
        println!("{}: {}, where", alarm.name(), alarm.expression().text());
        for (number, metric) in (1..).zip(alarm.expression().metrics()) {
            println!("  m{number} is the {metric}");
        }
        println!(
            "`cargo run --example alarms` writes this and other alarms for the AWS CLI, CloudFormation and Terraform;"
        );
        println!("with the feature cloudwatch, keyspaces::monitoring::plan_alarms(…) sends them.");
        Ok(())
    }

    fn metrics_to_watch(&self, local: Option<&Local>) {
        step(
            "Metrics to watch: successful and throttled requests, system errors, consumed units",
            "aws cloudwatch get-metric-statistics --namespace AWS/Cassandra --metric-name SuccessfulRequestCount …",
        );
        println!("with the feature cloudwatch: keyspaces::monitoring::read_metrics(&client, &table, an_hour_ago..now)");
        let counted = local.map(|local| local.metering().snapshot()).unwrap_or_default();
        for counted in counted.iter().filter(|counted| counted.keyspace == self.keyspace) {
            let throttled = counted.read_throttle_events + counted.write_throttle_events;
            println!(
                "{} {:?}: {} succeeded, {throttled} throttled, {} system errors, {} RCU, {} WCU",
                counted.table_name,
                counted.operation,
                counted.successful_request_count,
                counted.system_errors,
                counted.consumed_read_capacity_units,
                counted.consumed_write_capacity_units,
            );
        }
    }

    async fn model_around_queries(&self) -> Done {
        step(
            "Model around queries; single queries in parallel instead of a large IN",
            "(advice in the guide; here the days of a week, each a partition, read in parallel and returned in order)",
        );
        let events = Events::new(self.session, self.keyspace).await?;
        let now = Utc::now();
        let week: Vec<Event> = events.between("device-001", now - TimeDelta::days(7)..now).try_collect().await?;
        println!("device-001 has {} events in the last seven days", week.len());
        Ok(())
    }

    async fn earliest_restorable(&self) -> Result<DateTime<Utc>, Box<dyn Error>> {
        let table = self
            .session
            .schema()
            .describe_table(self.keyspace, "users")
            .await?
            .ok_or("the table users does not exist")?;
        Ok(table.earliest_restorable.ok_or("the table users has no point-in-time recovery")?)
    }
}
