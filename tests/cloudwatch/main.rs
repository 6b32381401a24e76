//! Sends alarms to the CloudWatch of a local Keyspaces, and reads metrics from it. `tests/monitoring/run` runs these tests with
//! the AWS CLI and boto3 too.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod others;

use std::time::{Duration, SystemTime};

use keyspaces::monitoring::aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use keyspaces::monitoring::aws_sdk_cloudwatch::{Client, Config};
use keyspaces::monitoring::metrics::Operation;
use keyspaces::monitoring::{self, Alarm, AlarmChange, Comparison, Table, Topic, recommended};
use keyspaces::{Conditional, ErrorKind, Outcome, Row, Select, Session, Write};
use keyspaces_local::{CapacityMode, Local};
use keyspaces_testing::LocalBuilder;

const MINUTE: Duration = Duration::from_secs(60);

/// A local Keyspaces for one test, because tests move the time of its CloudWatch.
async fn local() -> Local {
    Local::builder().plain_http(true).ddl_delay(Duration::ZERO).start().await.expect("a local Keyspaces starts")
}

fn client_of(local: &Local, credentials: &keyspaces_local::Credentials) -> Client {
    let (access, secret) = (credentials.access_key.as_str(), credentials.secret_key.as_str());
    let credentials = Credentials::new(access, secret, credentials.session_token.clone(), None, "test");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(local.region().to_owned()))
        .endpoint_url(local.control_plane())
        .credentials_provider(credentials);
    Client::from_conf(config.build())
}

fn client(local: &Local) -> Client {
    client_of(local, local.credentials())
}

async fn session(local: &Local) -> Session {
    Session::builder().local(local).unwrap().connect().await.unwrap()
}

/// A table `shop.orders` of five write units a second.
async fn hot_table(local: &Local) -> Table {
    let session = session(local).await;
    session.define("CREATE KEYSPACE shop WITH REPLICATION = {'class': 'SingleRegionStrategy'}").await.unwrap();
    session.define("CREATE TABLE shop.orders (id int PRIMARY KEY, v text)").await.unwrap();
    local.throttling().set_capacity("shop", "orders", Some(CapacityMode::Provisioned { read: 1_000, write: 5 }));
    Table::new("shop", "orders").unwrap()
}

/// Sends more writes than the table takes, in a session that does not know yet that the table is throttled.
async fn burst(local: &Local) {
    let session = session(local).await;
    let store: Write<(i32,)> = session.prepare("INSERT INTO shop.orders (id) VALUES (?)").await.unwrap();
    let store = store.with_deadline(Duration::from_millis(300));
    let mut written = store.execute_each((0..64).map(|id| (id,)));
    let mut failed = 0;
    while let Some((_, result)) = written.next().await {
        if let Err(error) = result {
            assert!(error.is_throttled() || error.is_timeout() || error.kind() == ErrorKind::Throttled, "{error}");
            failed += 1;
        }
    }
    assert!(failed > 0, "the table took all of them");
}

/// Throttles the table minute by minute, until this alarm is in ALARM or eight minutes have passed.
async fn throttle_until_alarm(local: &Local, client: &Client, alarm: &str) -> String {
    let mut state = String::new();
    for _ in 0..8 {
        burst(local).await;
        local.metering().advance(MINUTE);
        state = self::state(client, alarm).await;
        if state == "ALARM" {
            break;
        }
    }
    state
}

async fn state(client: &Client, alarm: &str) -> String {
    let described = client.describe_alarms().alarm_names(alarm).send().await.unwrap();
    described.metric_alarms()[0].state_value().unwrap().as_str().to_owned()
}

#[tokio::test]
async fn throttled_table_triggers_the_recommended_alarm() {
    let local = local().await;
    let (table, client) = (hot_table(&local).await, client(&local));
    monitoring::plan_alarms(&client, recommended(&table)).await.unwrap().apply(&client).await.unwrap();
    let throttled = "shop.orders throttled requests";
    assert_eq!(state(&client, throttled).await, "INSUFFICIENT_DATA");
    assert_eq!(throttle_until_alarm(&local, &client, throttled).await, "ALARM");
    assert_eq!(state(&client, "shop.orders hot partition").await, "OK");
    // The writes have ended.
    local.metering().advance(5 * MINUTE);
    assert_eq!(state(&client, throttled).await, "OK");
}

#[tokio::test]
async fn alarm_plan_lists_changes_and_is_empty_once_applied() {
    let local = local().await;
    let client = client(&local);
    let table = Table::new("shop", "orders").unwrap().provisioned().replicated_to("eu-west-1").with_stream("label");
    let topic = Topic::new("arn:aws:sns:us-east-1:111122223333:alerts").unwrap();
    let alarms = || -> Vec<Alarm> {
        recommended(&table)
            .into_iter()
            .map(|alarm| alarm.with_alarm_action(&topic).unwrap().with_ok_action(&topic).unwrap())
            .collect()
    };
    let plan = monitoring::plan_alarms(&client, alarms()).await.unwrap();
    assert!(plan.changes().all(|(_, change)| *change == AlarmChange::Create));
    assert!(plan.to_string().starts_with("create    shop.orders throttled requests\n"), "{plan}");
    plan.apply(&client).await.unwrap();
    let again = monitoring::plan_alarms(&client, alarms()).await.unwrap();
    assert!(again.is_empty(), "{again}");

    let mut changed = alarms();
    changed[0] = changed[0].clone().with_comparison(Comparison::Above(50.0)).unwrap().with_datapoints(2, 3).unwrap();
    changed[1] = changed[1].clone().with_alarm_action(&topic).unwrap();
    let plan = monitoring::plan_alarms(&client, changed.clone()).await.unwrap();
    let lines: Vec<String> = plan.to_string().lines().take(3).map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "replace   shop.orders throttled requests (Threshold, DatapointsToAlarm)",
            "replace   shop.orders hot partition (AlarmActions)",
            "unchanged shop.orders connection rate",
        ]
    );
    plan.apply(&client).await.unwrap();
    assert!(monitoring::plan_alarms(&client, changed).await.unwrap().is_empty());
}

#[tokio::test]
async fn monitoring_without_permissions_fails_as_unauthorized() {
    let local = local().await;
    let client = client_of(&local, local.credentials_without_permissions());
    let table = Table::new("shop", "orders").unwrap();
    let error = monitoring::plan_alarms(&client, recommended(&table)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(
        error.to_string(),
        "describing the existing alarms failed: CloudWatch refused the request with AccessDenied; the server's message: \
         \"User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: cloudwatch:DescribeAlarms because no \
         identity-based policy allows the cloudwatch:DescribeAlarms action\". The principal needs cloudwatch:DescribeAlarms, \
         cloudwatch:PutMetricAlarm and cloudwatch:GetMetricData"
    );
    let now = SystemTime::now();
    let error = monitoring::read_metrics(&client, &table, now..now).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "reading the metrics of shop.orders failed: the range of time ends before it begins, or is empty. Pass the earlier time first"
    );
}

/// Sends requests to `shop.orders`: 40 inserts, 25 reads, 10 conditional inserts of which 4 find their condition false, and a
/// burst that is throttled.
async fn counted_workload(local: &Local) -> Table {
    let table = hot_table(local).await;
    local.throttling().set_capacity("shop", "orders", None);
    let session = session(local).await;
    let store: Write<(i32,)> = session.prepare("INSERT INTO shop.orders (id) VALUES (?)").await.unwrap();
    let read: Select<(i32,), (i32,)> = session.prepare("SELECT id FROM shop.orders WHERE id = ?").await.unwrap();
    let claim: Conditional<(i32,), Row> =
        session.prepare("INSERT INTO shop.orders (id) VALUES (?) IF NOT EXISTS").await.unwrap();
    for id in 0..40 {
        store.execute((id,)).await.unwrap();
    }
    for id in 0..25 {
        read.one((id,)).await.unwrap();
    }
    for id in 36..46 {
        let applied = matches!(claim.execute((id,)).await.unwrap(), Outcome::Applied);
        assert_eq!(applied, id >= 40);
    }
    local.throttling().set_capacity("shop", "orders", Some(CapacityMode::Provisioned { read: 1_000, write: 5 }));
    burst(local).await;
    table
}

/// A range of time that contains all requests of the test.
fn around_now() -> std::ops::Range<SystemTime> {
    let now = SystemTime::now();
    now - 30 * MINUTE..now + 2 * MINUTE
}

#[tokio::test]
async fn metrics_read_match_the_workload() {
    let local = local().await;
    let table = counted_workload(&local).await;
    let read = monitoring::read_metrics(&client(&local), &table, around_now()).await.unwrap();
    for (operation, counted) in [
        (Operation::Select, keyspaces_local::Operation::Select),
        (Operation::Insert, keyspaces_local::Operation::Insert),
        (Operation::Update, keyspaces_local::Operation::Update),
    ] {
        let read = read.operations.iter().find(|read| read.operation == operation).unwrap();
        let counted = local.metering().get("shop", "orders", counted);
        let throttled = counted.read_throttle_events + counted.write_throttle_events;
        assert_eq!(read.successful_requests, counted.successful_request_count as f64);
        assert_eq!(read.throttled, throttled as f64);
        assert_eq!(read.latency.is_some(), counted.successful_request_count > 0);
    }
    assert_eq!(read.failed_conditions, 4.0);
    assert_eq!(read.consumed_read_units, 25.0);
    let inserts = local.metering().get("shop", "orders", keyspaces_local::Operation::Insert);
    assert_eq!(read.consumed_write_units, inserts.consumed_write_capacity_units);
    assert!(read.throttled() > 0.0 && read.successful_requests() >= 75.0, "{read}");
    let latency = read.operations[1].latency.unwrap();
    assert!(Duration::ZERO < latency.average && latency.average <= latency.maximum, "{latency:?}");
}
