use std::time::Duration;

use super::client::{Client, ClientAnswer, RequestOptions};
use super::{Time, another, local};
use crate::names::Names;
use crate::upstream::InternalConnection;

async fn keyspaces_in_cassandra() -> Vec<String> {
    let connection = InternalConnection::new(local().await.cassandra_address());
    let rows = connection.select("SELECT JSON keyspace_name FROM system_schema.keyspaces", &[]).await.unwrap();
    rows.iter().map(|row| row["keyspace_name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn two_instances_over_one_cassandra_are_isolated_and_leave_nothing_behind() {
    let [one, two] = [another().await.start().await.unwrap(), another().await.start().await.unwrap()];
    let mut clients = [Client::connect(&one).await, Client::connect(&two).await];
    for (client, value) in clients.iter_mut().zip(1..) {
        client.keyspace("two_over_one").await;
        client.table("two_over_one", "t", "(a int PRIMARY KEY)").await;
        assert_eq!(client.query(&format!("INSERT INTO two_over_one.t (a) VALUES ({value})")).await, ClientAnswer::Void);
    }
    for client in &mut clients {
        assert_eq!(client.rows("SELECT * FROM two_over_one.t").await.values.len(), 1);
        let keyspaces = client.rows("SELECT keyspace_name FROM system_schema.keyspaces").await;
        assert_eq!(keyspaces.values.len(), 5);
    }
    let prefixes =
        |keyspaces: Vec<String>| keyspaces.into_iter().filter(|name| name.ends_with("_two_over_one")).count();
    assert_eq!(prefixes(keyspaces_in_cassandra().await), 2);
    one.close().await.unwrap();
    two.close().await.unwrap();
    let shared = Client::connect(local().await).await.rows("SELECT keyspace_name FROM system_schema.keyspaces").await;
    assert!(!shared.texts("keyspace_name").contains(&"two_over_one"));
    assert_eq!(prefixes(keyspaces_in_cassandra().await), 0);
}

#[tokio::test]
async fn a_named_instance_resumes_where_it_ended() {
    let time = Time::new();
    // An external Cassandra may contain an instance of an earlier run.
    let instance = crate::random::hex_32();
    let start = || async {
        let builder = another().await.instance(&instance).ddl_delay(Duration::from_secs(60)).clock(time.clock());
        builder.start().await.unwrap()
    };
    let first = start().await;
    let mut client = Client::connect(&first).await;
    let long = "b".repeat(48);
    for keyspace in ["app", &long] {
        client
            .query(&format!("CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SingleRegionStrategy'}}"))
            .await;
    }
    time.pass(60);
    for (keyspace, table) in [("app", "there"), (&long, "there"), ("app", "dropped")] {
        let create = format!("CREATE TABLE {keyspace}.{table} (a int PRIMARY KEY) WITH default_time_to_live = 10");
        assert!(matches!(client.query(&create).await, ClientAnswer::Changed(_)));
    }
    time.pass(60);
    client.query("INSERT INTO app.there (a) VALUES (1)").await;
    let id = client.prepared("SELECT * FROM app.there").await;
    client.query("DROP TABLE app.dropped").await;
    client.query("CREATE TABLE app.creating (a int PRIMARY KEY)").await;
    first.close().await.unwrap();

    let second = start().await;
    let mut client = Client::connect(&second).await;
    let statuses = "SELECT table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = 'app'";
    let rows = client.rows(statuses).await;
    assert_eq!(rows.texts("table_name"), ["creating", "dropped", "there"]);
    assert_eq!(rows.texts("status"), ["CREATING", "DELETING", "ACTIVE"]);
    assert!(matches!(client.execute(&id, RequestOptions::default()).await, ClientAnswer::Refused(0x2500, ..)));
    assert_eq!(client.rows("SELECT * FROM app.there").await.values.len(), 1);
    assert_eq!(client.rows(&format!("SELECT * FROM {long}.there")).await.table.0, long);
    assert_eq!(client.query("INSERT INTO app.there (a) VALUES (2) USING TTL 5").await, ClientAnswer::Void);
    time.pass(60);
    let rows = client.rows(statuses).await;
    assert_eq!(rows.texts("table_name"), ["creating", "there"]);
    assert_eq!(rows.texts("status"), ["ACTIVE", "ACTIVE"]);
    second.close().await.unwrap();

    // The gateway reads what happened to Cassandra meanwhile.
    let connection = InternalConnection::new(local().await.cassandra_address());
    let names = Names::new(&format!("kept {instance}"));
    connection.run(&format!("DROP TABLE {}.there", names.quoted_keyspace("app")), &[]).await.unwrap();
    connection
        .run(&format!("CREATE TABLE {}.new (a int PRIMARY KEY)", names.quoted_keyspace("app")), &[])
        .await
        .unwrap();
    let third = start().await;
    let mut client = Client::connect(&third).await;
    let rows = client.rows(statuses).await;
    assert_eq!(rows.texts("table_name"), ["creating", "new"]);
    assert_eq!(client.rows("SELECT * FROM app.new").await.columns, ["a"]);
    third.close().await.unwrap();
}

#[tokio::test]
async fn cassandra_with_wrong_partitioner_is_refused() {
    let refused = another().await.partitioner(crate::Partitioner::Default).start().await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("Murmur3Partitioner") && text.contains("RandomPartitioner"), "{text}");
}
