//! The statements of tools that were made for Cassandra, and the settings that they need.

use super::client::{Client, ClientAnswer};
use super::{INVALID, another, local};

#[tokio::test]
async fn if_not_exists_for_an_existing_object_does_nothing() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("tools_there").await;
    client.table("tools_there", "t", "(a int PRIMARY KEY)").await;
    assert_eq!(client.query("CREATE TYPE tools_there.u (a int)").await.refused_or_none(), None);
    for statement in [
        "CREATE KEYSPACE IF NOT EXISTS tools_there WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE KEYSPACE IF NOT EXISTS tools_there WITH replication = {'class': 'EverywhereStrategy'} AND \
         durable_writes = false",
        "CREATE TABLE IF NOT EXISTS tools_there.t (a int, b duration, PRIMARY KEY (a, b)) WITH made_up = 1",
        "CREATE TYPE IF NOT EXISTS tools_there.u (a counter)",
    ] {
        assert_eq!(client.query(statement).await, ClientAnswer::Void, "{statement}");
    }
    assert_eq!(client.query("USE tools_there").await.refused_or_none(), None);
    assert_eq!(client.query("CREATE TABLE IF NOT EXISTS t (a duration PRIMARY KEY)").await, ClientAnswer::Void);
    // A table that does not exist is checked.
    let missing = client.query("CREATE TABLE IF NOT EXISTS tools_there.other (a duration PRIMARY KEY)").await;
    assert!(missing.refused().1.contains("duration"));
}

/// The statements of JanusGraph 1.0 with its settings for Keyspaces, where the keyspace exists before JanusGraph
/// starts.
#[tokio::test]
async fn janusgraph_creates_its_tables_in_an_existing_keyspace() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("janusgraph").await;
    let keyspace = "CREATE KEYSPACE IF NOT EXISTS janusgraph WITH replication={'class':'SimpleStrategy',\
                    'replication_factor':1}";
    let table = "CREATE TABLE IF NOT EXISTS janusgraph.edgestore(key blob,column1 blob,value blob,\
                 PRIMARY KEY(key,column1)) WITH CLUSTERING ORDER BY (column1 ASC) AND \
                 compaction={'class':'SizeTieredCompactionStrategy'} AND \
                 compression={'class':'LZ4Compressor','chunk_length_in_kb':64} AND gc_grace_seconds=864000 AND \
                 speculative_retry='99percentile'";
    assert_eq!(client.query(keyspace).await, ClientAnswer::Void);
    assert_eq!(client.query(table).await.refused_or_none(), None);
    client.active("janusgraph", "edgestore").await;
    assert_eq!(client.query(table).await, ClientAnswer::Void);
}

#[tokio::test]
async fn cassandras_strategies_are_accepted_only_with_three_copies() {
    let mut client = Client::connect(local().await).await;
    let create = |name: &str, replication: &str| format!("CREATE KEYSPACE {name} WITH replication = {{{replication}}}");
    let taken = create("tools_simple", "'class': 'SimpleStrategy', 'replication_factor': 3");
    assert_eq!(client.query(&taken).await.refused_or_none(), None);
    let other = "keyspaces-local: not emulated: this replication (the guide names {'class': 'SingleRegionStrategy'} without \
                 other entries, and NetworkTopologyStrategy with two Regions or more) (line 1, column 43)";
    let few = "keyspaces-local: Amazon Keyspaces refuses NetworkTopologyStrategy with fewer than two Regions. Use \
               {'class': 'SingleRegionStrategy'} for one Region. (DG:cql.ddl.keyspace)";
    for (replication, text) in [
        ("'class': 'SimpleStrategy', 'replication_factor': 1", other),
        ("'class': 'SimpleStrategy'", other),
        ("'class': 'SingleRegionStrategy', 'replication_factor': 3", other),
        ("'class': 'NetworkTopologyStrategy', 'replication_factor': 1", few),
        ("'class': 'NetworkTopologyStrategy', 'datacenter1': 1", few),
    ] {
        let refused = client.query(&create("case_a", replication)).await.refused();
        assert_eq!(refused, (INVALID, text.to_owned()), "{replication}");
    }
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_closed_until_another_one_closes() {
    let local = another().await.max_connections(1).start().await.unwrap();
    let first = Client::connect(&local).await;
    let address = ([127, 0, 0, 1], local.port()).into();
    assert!(Client::handshake(local.ca_pem(), address).await.is_err());
    drop(first);
    let again = async {
        while Client::handshake(local.ca_pem(), address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.unwrap();
}

#[tokio::test]
async fn a_schema_file_is_active_before_the_first_client_connects() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("schema.cql");
    let start = async |text: &str| {
        std::fs::write(&file, text).unwrap();
        another().await.schema(&file).ddl_delay(std::time::Duration::from_secs(600)).start().await
    };
    let local = start(
        "-- What the application has.\nCREATE KEYSPACE app WITH replication = {'class': 'SingleRegionStrategy'};\n\
         USE app;\nCREATE TYPE place (x int, y int);\nCREATE TABLE t (a int PRIMARY KEY, b frozen<place>);\n\
         CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY);\n",
    )
    .await
    .unwrap();
    let mut client = Client::connect(&local).await;
    assert_eq!(client.query("INSERT INTO app.t (a, b) VALUES (1, {x: 1, y: 2})").await, ClientAnswer::Void);
    for (text, problem) in [
        (
            "CREATE KEYSPACE app\n",
            "1:1: keyspaces-local: Amazon Keyspaces refuses CREATE KEYSPACE without replication.",
        ),
        ("\n  CREATE TABLE nowhere.t (a int PRIMARY KEY);", "2:3: unconfigured keyspace nowhere"),
        ("CREATE TABEL t", "1:8: expected "),
        ("INSERT INTO app.t (a) VALUES (1)", "1:1: a schema file has CREATE, ALTER and DROP statements and USE;"),
    ] {
        let error = start(text).await.unwrap_err().to_string();
        let begins = format!("the schema file could not be applied: {}:{problem}", file.display());
        assert!(error.starts_with(&begins), "{error}");
    }
}
