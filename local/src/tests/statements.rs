use super::client::{Client, ClientAnswer, RequestOptions};
use super::{INVALID, local};

#[tokio::test]
async fn rules_refuse_with_the_services_text_or_mark_the_text_as_their_own() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("rules").await;
    client.table("rules", "t", "(a int, b int, c text, PRIMARY KEY (a, b))").await;
    for (statement, text) in [
        ("SELECT count(*) FROM rules.t", "countRows is not yet supported."),
        ("SELECT * FROM rules.t PER PARTITION LIMIT 1", "PER PARTITION LIMIT is not supported"),
        ("INSERT INTO rules.t (a, b) VALUES (1, 1) USING TTL 5", "TTL is not yet supported."),
        (
            "SELECT DISTINCT a FROM rules.t",
            "keyspaces-local: Amazon Keyspaces refuses SELECT DISTINCT. For static columns, name the partition and add \
             LIMIT 1; for partition keys, keep them in a table of their own, or read all rows and drop repetitions. \
             (gh:thatdot/quine (CassandraPersistor.scala); not in the grammar of DG:cql.dml.select)",
        ),
        (
            "TRUNCATE rules.t",
            "keyspaces-local: Amazon Keyspaces refuses TRUNCATE. Drop the table, wait until it is gone from \
             system_schema_mcs.tables, and create it again. (DG:cassandra-apis)",
        ),
        (
            "INSERT INTO rules.t (a, b) VALUES (1, 1) USING TIMESTAMP 5",
            "keyspaces-local: client-side timestamps are not enabled for table rules.t: USING TIMESTAMP and WRITETIME \
             need them (the service's message is not known)",
        ),
        (
            "SELECT writetime(c) FROM rules.t",
            "keyspaces-local: client-side timestamps are not enabled for table rules.t: USING TIMESTAMP and WRITETIME \
             need them (the service's message is not known)",
        ),
        (
            "SELECT maxwritetime(c) FROM rules.t",
            "keyspaces-local: not emulated: the function maxwritetime (line 1, column 8)",
        ),
        (
            "INSERT INTO rules.t (a, b) VALUES (1 + 1, 1)",
            "keyspaces-local: not emulated: arithmetic (line 1, column 36)",
        ),
        ("SELECT 1 + 2 FROM rules.t", "keyspaces-local: not emulated: arithmetic (line 1, column 8)"),
        ("DESCRIBE TABLES", "keyspaces-local: not emulated: the statement DESCRIBE (line 1, column 1)"),
    ] {
        assert_eq!(client.query(statement).await.refused(), (INVALID, text.to_owned()), "{statement}");
        assert_eq!(client.prepare(statement).await.refused(), (INVALID, text.to_owned()), "{statement}");
    }
}

#[tokio::test]
async fn a_time_to_live_is_accepted_if_the_table_has_a_default_one() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("ttl").await;
    client.table("ttl", "t", "(a int PRIMARY KEY, b int) WITH default_time_to_live = 100").await;
    assert_eq!(client.query("INSERT INTO ttl.t (a, b) VALUES (1, 1) USING TTL 5").await, ClientAnswer::Void);
    client.table("ttl", "u", "(a int PRIMARY KEY, b int)").await;
    let insert = "BEGIN BATCH INSERT INTO ttl.u (a, b) VALUES (1, 1) USING TTL 5; APPLY BATCH";
    assert_eq!(client.query(insert).await.refused(), (INVALID, "TTL is not yet supported.".into()));
    let altered = client.query("ALTER TABLE ttl.u WITH default_time_to_live = 100").await;
    assert!(matches!(altered, ClientAnswer::Changed(_)), "{altered:?}");
    client.active("ttl", "u").await;
    assert_eq!(client.query(insert).await, ClientAnswer::Void);
}

#[tokio::test]
async fn text_that_is_not_cql_is_refused_with_cassandras_text() {
    let mut client = Client::connect(local().await).await;
    let text = "line 1:0 no viable alternative at input 'SELEC' ([SELEC]...)";
    assert_eq!(client.query("SELEC x").await.refused(), (0x2000, text.to_owned()));
    assert_eq!(client.prepare("SELEC x").await.refused(), (0x2000, text.to_owned()));
    assert_eq!(client.query("").await.refused().0, 0x2000);
    let known_to_cassandra_only = "SELECT * FROM t WHERE a = ? ORDER BY v ANN OF [1.0] LIMIT 1";
    let (code, text) = client.query(known_to_cassandra_only).await.refused();
    assert_eq!(code, INVALID);
    assert!(text.starts_with("keyspaces-local: not emulated: this statement: line 1, column 40"), "{text}");
}

#[tokio::test]
async fn use_affects_only_its_own_connection() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("used").await;
    let mut other = Client::connect(local().await).await;
    assert_eq!(client.query("USE used").await, ClientAnswer::Keyspace("used".into()));
    client.table("used", "t", "(a int PRIMARY KEY)").await;
    assert_eq!(client.query("INSERT INTO t (a) VALUES (1)").await, ClientAnswer::Void);
    assert_eq!(client.rows("SELECT * FROM t").await.table, ("used".into(), "t".into()));
    let (_, text) = other.query("SELECT * FROM t").await.refused();
    assert!(text.starts_with("No keyspace has been specified"), "{text}");
    client.query("USE system").await;
    assert_eq!(client.rows("SELECT * FROM local").await.table, ("system".into(), "local".into()));
}

#[tokio::test]
async fn quoted_and_long_names_are_preserved() {
    let mut client = Client::connect(local().await).await;
    let long = "a".repeat(48);
    for keyspace in ["Quoted", &long] {
        let create = format!("CREATE KEYSPACE \"{keyspace}\" WITH replication = {{'class': 'SingleRegionStrategy'}}");
        assert_eq!(
            client.query(&create).await,
            ClientAnswer::Changed(vec!["CREATED".into(), "KEYSPACE".into(), keyspace.into()])
        );
        let seen = format!("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'");
        client.query_until(&seen, |rows| !rows.values.is_empty()).await;
        let create = format!("CREATE TABLE \"{keyspace}\".\"T\" (\"A\" int PRIMARY KEY)");
        assert!(matches!(client.query(&create).await, ClientAnswer::Changed(_)));
        client.active(keyspace, "T").await;
        let rows = client.rows(&format!("SELECT * FROM \"{keyspace}\".\"T\"")).await;
        assert_eq!((rows.table, rows.columns), ((keyspace.to_owned(), "T".to_owned()), vec!["A".to_owned()]));
        let (_, text) = client.query(&format!("SELECT nosuch FROM \"{keyspace}\".\"T\"")).await.refused();
        assert!(text.contains(keyspace) && !text.contains("kl"), "{text}");
    }
}

#[tokio::test]
async fn frame_timestamp_is_ignored_without_client_side_timestamps() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("timestamps").await;
    client.table("timestamps", "t", "(a int PRIMARY KEY, b text)").await;
    let insert = |b: &str| format!("INSERT INTO timestamps.t (a, b) VALUES (1, '{b}')");
    let far_ahead = RequestOptions { timestamp: Some(4_000_000_000_000_000), ..RequestOptions::default() };
    assert_eq!(client.query_with(&insert("first"), far_ahead).await, ClientAnswer::Void);
    assert_eq!(
        client.query_with(&insert("second"), RequestOptions { timestamp: Some(1), ..RequestOptions::default() }).await,
        ClientAnswer::Void
    );
    assert_eq!(client.rows("SELECT b FROM timestamps.t").await.texts("b"), ["second"]);
}

#[tokio::test]
async fn a_query_may_have_values() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("query_values").await;
    client.table("query_values", "t", "(a int PRIMARY KEY, b text)").await;
    client.query("USE query_values").await;
    let one = 1_i32.to_be_bytes();
    let insert = RequestOptions { values: &[&one, "ä".as_bytes()], ..RequestOptions::default() };
    assert_eq!(
        client.query_with("INSERT INTO t (a, b) VALUES (?, ?) IF NOT EXISTS", insert).await.applied(),
        Some(true)
    );
    assert_eq!(
        client.query_with("INSERT INTO t (a, b) VALUES (?, ?) IF NOT EXISTS", insert).await.applied(),
        Some(false)
    );
    let select = RequestOptions { values: &[&one], ..RequestOptions::default() };
    let ClientAnswer::Rows(rows) = client.query_with("SELECT b FROM t WHERE a = ?", select).await else { panic!() };
    assert_eq!(rows.texts("b"), ["ä"]);
}
