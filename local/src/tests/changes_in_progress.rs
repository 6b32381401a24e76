//! The system tables during a change, and which statements are accepted meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, ClientAnswer};
use super::{INVALID, Time, another};
use crate::local::Local;

const CREATE_KEYSPACE: &str = "CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}";

/// Every definition takes a minute.
async fn slow(time: &Time) -> (Local, Client) {
    let local = another().await.ddl_delay(Duration::from_secs(60)).clock(time.clock()).start().await.unwrap();
    let client = Client::connect(&local).await;
    (local, client)
}

/// Starts a definition.
async fn start_definition(client: &mut Client, statement: &str) {
    let answer = client.query(statement).await;
    assert!(matches!(answer, ClientAnswer::Changed(_)), "{statement}: {answer:?}");
}

/// Starts a definition, and lets the minute pass.
async fn define_and_wait(client: &mut Client, time: &Time, statement: &str) {
    start_definition(client, statement).await;
    time.pass(60);
}

async fn rows(client: &mut Client, what: &str, replica: &str) -> Vec<Value> {
    let rows = client.rows(&format!("SELECT JSON {what} FROM {replica}")).await;
    rows.texts("[json]").into_iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

fn refused(text: &str) -> (i32, String) {
    (INVALID, format!("keyspaces-local: {text}"))
}

#[tokio::test]
async fn a_cdc_stream_is_enabled_and_disabled_with_its_table() {
    const TABLE: &str = "system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 't'";
    let time = Time::new();
    let (local, mut client) = slow(&time).await;
    define_and_wait(&mut client, &time, CREATE_KEYSPACE).await;
    let replication = async |client: &mut Client| {
        let row =
            rows(client, "status, cdc, cdc_specification, custom_properties, latest_stream_arn", TABLE).await.remove(0);
        assert_eq!(row["cdc_specification"], row["custom_properties"]["cdc_specification"]);
        let of_table = (row["status"].as_str().unwrap().to_owned(), row["cdc"].as_bool().unwrap());
        (of_table, row["cdc_specification"].clone(), row["latest_stream_arn"].clone())
    };
    let arn = |time: &Time| {
        let since: chrono::DateTime<chrono::Utc> = time.clock()().into();
        let label = since.format("%Y-%m-%dT%H:%M:%S%.3f");
        format!("arn:aws:cassandra:us-east-1:111122223333:/keyspace/ks/table/t/stream/{label}")
    };

    let first = arn(&time);
    start_definition(
        &mut client,
        "CREATE TABLE ks.t (a int PRIMARY KEY) WITH CDC = TRUE AND CUSTOM_PROPERTIES = {'cdc_specification': {'view_type': \
         'NEW_IMAGE'}}",
    )
    .await;
    let cdc = |status: &str| json!({"status": status, "view_type": "NEW_IMAGE", "latest_stream_arn": first});
    assert_eq!(replication(&mut client).await, (("CREATING".into(), true), cdc("ENABLING"), json!(first)));
    time.pass(60);
    assert_eq!(replication(&mut client).await, (("ACTIVE".into(), true), cdc("ENABLED"), json!(first)));
    start_definition(&mut client, "ALTER TABLE ks.t ADD b int").await;
    assert_eq!(replication(&mut client).await, (("UPDATING".into(), true), cdc("ENABLED"), json!(first)));
    time.pass(60);

    start_definition(&mut client, "ALTER TABLE ks.t WITH CDC = FALSE").await;
    let disabling = json!({"status": "DISABLING", "latest_stream_arn": first});
    assert_eq!(replication(&mut client).await, (("UPDATING".into(), false), disabling, json!(first)));
    time.pass(60);
    assert_eq!(replication(&mut client).await, (("ACTIVE".into(), false), Value::Null, json!(first)));

    let second = arn(&time);
    define_and_wait(&mut client, &time, "ALTER TABLE ks.t WITH CDC = TRUE").await;
    let cdc = json!({"status": "ENABLED", "view_type": "NEW_AND_OLD_IMAGES", "latest_stream_arn": second});
    assert_eq!(replication(&mut client).await, (("ACTIVE".into(), true), cdc, json!(second)));
    assert_ne!(first, second);
    local.close().await.unwrap();
}

#[tokio::test]
async fn auto_scaling_is_shown_once_the_table_is_active() {
    const SCALING: &str = "system_schema_mcs.autoscaling WHERE keyspace_name = 'ks' AND table_name = 't'";
    let time = Time::new();
    let (local, mut client) = slow(&time).await;
    define_and_wait(&mut client, &time, CREATE_KEYSPACE).await;
    start_definition(
        &mut client,
        "CREATE TABLE ks.t (a int PRIMARY KEY) WITH AUTOSCALING_SETTINGS = \
         {'provisioned_read_capacity_autoscaling_update': {'minimum_units': 5, 'maximum_units': 40, 'scaling_policy': \
         {'target_tracking_scaling_policy_configuration': {'target_value': 50}}}}",
    )
    .await;
    assert_eq!(rows(&mut client, "table_name", SCALING).await, [] as [Value; 0]);
    time.pass(60);
    assert_eq!(rows(&mut client, "table_name", SCALING).await, [json!({"table_name": "t"})]);
    local.close().await.unwrap();
}

#[tokio::test]
async fn the_users_of_a_type_are_shown_with_it() {
    const USES: &str =
        "type_name, max_nesting_depth AS depth, direct_referring_tables AS tables, direct_parent_types AS parents";
    const TYPES: &str = "system_schema_mcs.types WHERE keyspace_name = 'ks'";
    let time = Time::new();
    let (local, mut client) = slow(&time).await;
    define_and_wait(&mut client, &time, CREATE_KEYSPACE).await;
    define_and_wait(&mut client, &time, "CREATE TYPE ks.inner (a int)").await;
    define_and_wait(&mut client, &time, "CREATE TYPE ks.outer (a list<frozen<inner>>)").await;
    define_and_wait(&mut client, &time, "CREATE TABLE ks.t (a int PRIMARY KEY, b frozen<outer>)").await;
    let outer = |tables: &[&str]| json!({"type_name": "outer", "depth": 2, "tables": tables, "parents": []});
    let inner = |tables: &[&str]| json!({"type_name": "inner", "depth": 1, "tables": tables, "parents": ["outer"]});
    assert_eq!(rows(&mut client, USES, TYPES).await, [inner(&[]), outer(&["t"])]);
    define_and_wait(&mut client, &time, "ALTER TABLE ks.t ADD c frozen<inner>").await;
    define_and_wait(&mut client, &time, "CREATE TABLE ks.u (a int PRIMARY KEY, b frozen<map<int, frozen<outer>>>)")
        .await;
    assert_eq!(rows(&mut client, USES, TYPES).await, [inner(&["t"]), outer(&["t", "u"])]);
    define_and_wait(&mut client, &time, "DROP TABLE ks.t").await;
    define_and_wait(&mut client, &time, "DROP TABLE ks.u").await;
    define_and_wait(&mut client, &time, "DROP TYPE ks.outer").await;
    let alone = json!({"type_name": "inner", "depth": 1, "tables": [], "parents": []});
    assert_eq!(rows(&mut client, USES, TYPES).await, [alone]);
    local.close().await.unwrap();
}

#[tokio::test]
async fn tables_and_types_are_shown_in_every_region() {
    const KEYSPACE: &str = "system_multiregion_info.keyspaces WHERE keyspace_name = 'ks'";
    const TYPE: &str = "system_multiregion_info.types WHERE keyspace_name = 'ks' AND type_name = 'y'";
    const TABLE: &str = "system_multiregion_info.tables WHERE keyspace_name = 'ks' AND table_name = 't'";
    let time = Time::new();
    let (local, mut client) = slow(&time).await;
    let replica = |region: &str, status: &str| json!({"region": region, "status": status});
    let all = |status: &str| ["eu-central-1", "eu-west-1", "us-east-1"].map(|region| replica(region, status));
    define_and_wait(
        &mut client,
        &time,
        "CREATE KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': '3'}",
    )
    .await;
    define_and_wait(&mut client, &time, "CREATE TYPE ks.y (a int)").await;
    start_definition(&mut client, "CREATE TABLE ks.t (a int PRIMARY KEY, b frozen<y>)").await;
    assert_eq!(
        rows(&mut client, "region, status", TABLE).await,
        [replica("eu-west-1", "CREATING"), replica("us-east-1", "CREATING")]
    );
    time.pass(60);
    assert_eq!(
        rows(&mut client, "region, status", TYPE).await,
        [replica("eu-west-1", "ACTIVE"), replica("us-east-1", "ACTIVE")]
    );

    // A change of tags alone does not block other definitions in the keyspace.
    start_definition(&mut client, "ALTER KEYSPACE ks ADD TAGS {'a': 'b'}").await;
    assert_eq!(
        rows(&mut client, "region, status", KEYSPACE).await,
        [replica("eu-west-1", "Updating"), replica("us-east-1", "Updating")]
    );
    define_and_wait(&mut client, &time, "ALTER TABLE ks.t ADD c int").await;

    start_definition(
        &mut client,
        "ALTER KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': '3', \
         'eu-central-1': '3'} AND client_side_timestamps = {'status': 'ENABLED'}",
    )
    .await;
    assert_eq!(
        rows(&mut client, "region, status, tables_replication_progress AS done", KEYSPACE).await,
        [
            json!({"region": "eu-central-1", "status": "Creating", "done": "0%"}),
            json!({"region": "eu-west-1", "status": "Updating", "done": null}),
            json!({"region": "us-east-1", "status": "Updating", "done": null}),
        ]
    );
    let refusal = refused("keyspace ks is being updated: wait until system_schema_mcs says that this is over");
    for early in ["ALTER TABLE ks.t ADD d int", "DROP TYPE ks.y", "ALTER KEYSPACE ks ADD TAGS {'c': 'd'}"] {
        assert_eq!(client.query(early).await.refused(), refusal, "{early}");
    }
    time.pass(60);
    assert_eq!(rows(&mut client, "region, status", KEYSPACE).await, all("Active"));
    assert_eq!(rows(&mut client, "region, status", TABLE).await, all("ACTIVE"));
    assert_eq!(rows(&mut client, "region, status", TYPE).await, all("ACTIVE"));
    start_definition(&mut client, "DROP TABLE ks.t").await;
    assert_eq!(rows(&mut client, "region, status", TABLE).await, all("DELETING"));
    time.pass(60);
    define_and_wait(&mut client, &time, "DROP TYPE ks.y").await;
    for gone in [TABLE, TYPE] {
        assert_eq!(rows(&mut client, "region", gone).await, [] as [Value; 0]);
    }
    local.close().await.unwrap();
}

#[tokio::test]
async fn an_inaccessible_table_can_be_used_again_with_another_key() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1";
    let time = Time::new();
    let builder = another().await.ddl_delay(Duration::from_secs(60)).clock(time.clock());
    let local = builder.inaccessible_key(key).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    define_and_wait(&mut client, &time, CREATE_KEYSPACE).await;
    let create = format!(
        "CREATE TABLE ks.t (a int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {{'encryption_specification': \
         {{'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': '{key}'}}}}"
    );
    define_and_wait(&mut client, &time, &create).await;
    start_definition(
        &mut client,
        "ALTER TABLE ks.t WITH CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY'}}",
    )
    .await;
    let status = "system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 't'";
    assert_eq!(rows(&mut client, "status", status).await, [json!({"status": "UPDATING"})]);
    let unconfigured = (INVALID, "unconfigured table ks.t".to_owned());
    assert_eq!(client.query("SELECT * FROM ks.t").await.refused(), unconfigured);
    assert_eq!(client.query("INSERT INTO ks.t (a) VALUES (1)").await.refused(), unconfigured);
    time.pass(60);
    assert_eq!(client.query("INSERT INTO ks.t (a) VALUES (1)").await, ClientAnswer::Void);
    local.close().await.unwrap();
}
