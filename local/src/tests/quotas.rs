use std::time::Duration;

use super::client::{Client, ClientAnswer};
use super::{INVALID, Time, another};
use crate::Ddl;

const CREATE_KEYSPACE: &str = "CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}";

fn refused(text: &str) -> (i32, String) {
    (INVALID, format!("keyspaces-local: {text}"))
}

async fn execute_and_wait(client: &mut Client, statement: &str) {
    let answer = client.query(statement).await;
    assert!(matches!(answer, ClientAnswer::Changed(_)), "{}: {answer:?}", &statement[..statement.len().min(200)]);
}

#[tokio::test]
async fn limits_of_user_defined_types_depend_on_the_existing_ones() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    execute_and_wait(&mut client, CREATE_KEYSPACE).await;
    execute_and_wait(&mut client, "CREATE TYPE ks.l1 (a int)").await;
    for level in 2..=8 {
        execute_and_wait(&mut client, &format!("CREATE TYPE ks.l{level} (a list<frozen<l{}>>)", level - 1)).await;
    }
    let too_deep = client.query("CREATE TYPE ks.l9 (a int, b frozen<l8>)").await;
    assert_eq!(too_deep.refused(), refused("8 types may be nested in each other (DG:quotas)"));
    for parent in 2..=10 {
        execute_and_wait(&mut client, &format!("CREATE TYPE ks.p{parent} (a frozen<l1>)")).await;
    }
    let parent = client.query("CREATE TYPE ks.p11 (a frozen<map<int, l1>>)").await;
    assert_eq!(parent.refused(), refused("10 types use type ks.l1 (DG:quotas)"));
    execute_and_wait(&mut client, "DROP TYPE ks.p2").await;
    execute_and_wait(&mut client, "CREATE TYPE ks.p11 (a frozen<map<int, l1>>)").await;
    local.close().await.unwrap();
}

#[tokio::test]
async fn an_altered_table_has_the_limits_of_a_new_one() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    execute_and_wait(&mut client, CREATE_KEYSPACE).await;
    let column = |letter: &str| letter.repeat(50_000);
    let columns: String = ["b", "c", "d", "e", "f", "g"].map(|letter| format!(", {} int", column(letter))).concat();
    execute_and_wait(&mut client, &format!("CREATE TABLE ks.t (a int PRIMARY KEY{columns})")).await;
    let more = client.query(&format!("ALTER TABLE ks.t ADD ({} int, {} int)", column("h"), column("i"))).await;
    assert_eq!(more.refused(), refused(&keyspaces_cql::rules::SCHEMA_TOO_LARGE.to_string()));
    execute_and_wait(&mut client, &format!("ALTER TABLE ks.t ADD {} int", column("h"))).await;

    execute_and_wait(&mut client, "CREATE TABLE ks.u (a int PRIMARY KEY)").await;
    for (alter, expected) in [
        ("ADD (b int, a int)", keyspaces_cql::rules::COLUMN_EXISTS.to_string()),
        ("ADD b int STATIC", "not emulated: a static column that is added to a table (line 1, column 22)".to_owned()),
        (
            "WITH CUSTOM_PROPERTIES = {'replica_updates': {'us-east-1': {'read_capacity_units': 40001}}}",
            "a table may have 40000 units of reads and of writes (DG:quotas)".to_owned(),
        ),
    ] {
        assert_eq!(client.query(&format!("ALTER TABLE ks.u {alter}")).await.refused(), refused(&expected), "{alter}");
    }
    assert_eq!(client.rows("SELECT * FROM ks.u").await.columns, ["a"]);
    let scaled = "CREATE TABLE ks.v (a int PRIMARY KEY) WITH AUTOSCALING_SETTINGS = \
                  {'provisioned_read_capacity_autoscaling_update': {'minimum_units': 5, 'maximum_units': 40001, \
                  'scaling_policy': {'target_tracking_scaling_policy_configuration': {'target_value': 50}}}}";
    let units = "a table may have 40000 units of reads and of writes (DG:quotas)";
    assert_eq!(client.query(scaled).await.refused(), refused(units));
    local.close().await.unwrap();
}

#[tokio::test]
async fn the_number_of_key_changes_outlives_the_gateway() {
    let (name, time) = (crate::random::hex_32(), Time::new());
    let start = || async {
        another().await.instance(&name).ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap()
    };
    let alter = |key: &str| {
        format!(
            "ALTER TABLE ks.t WITH CUSTOM_PROPERTIES = {{'encryption_specification': {{'encryption_type': \
             'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': 'arn:aws:kms:us-east-1:111122223333:key/{key}'}}}}"
        )
    };
    let local = start().await;
    let mut client = Client::connect(&local).await;
    execute_and_wait(&mut client, CREATE_KEYSPACE).await;
    execute_and_wait(&mut client, "CREATE TABLE ks.t (a int PRIMARY KEY)").await;
    for key in ["1", "2", "3", "4"] {
        execute_and_wait(&mut client, &alter(key)).await;
    }
    drop(client);
    local.close().await.unwrap();

    let local = start().await;
    let mut client = Client::connect(&local).await;
    let too_often =
        "the key of the table was changed four times in these 24 hours, and once in the last six (DG:quotas)";
    assert_eq!(client.query(&alter("5")).await.refused(), refused(too_often));
    time.pass(6 * 3_600);
    execute_and_wait(&mut client, &alter("5")).await;
    execute_and_wait(&mut client, "DROP KEYSPACE ks").await;
    local.close().await.unwrap();
}

#[tokio::test]
async fn dropping_a_keyspace_of_51_tables_counts_as_one_definition() {
    let time = Time::new();
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock());
    let local = local.ddl_delay_of(Ddl::DropKeyspace, Duration::from_secs(60)).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    execute_and_wait(&mut client, CREATE_KEYSPACE).await;
    for table in 0..51 {
        execute_and_wait(&mut client, &format!("CREATE TABLE ks.t{table} (a int PRIMARY KEY)")).await;
    }
    execute_and_wait(&mut client, "DROP KEYSPACE ks").await;
    let tables = "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks'";
    assert_eq!(client.rows(tables).await.texts("status"), ["DELETING"; 51]);
    execute_and_wait(&mut client, &CREATE_KEYSPACE.replace("ks", "other")).await;
    time.pass(60);
    assert!(client.rows(tables).await.values.is_empty());
    execute_and_wait(&mut client, CREATE_KEYSPACE).await;
    local.close().await.unwrap();
}
