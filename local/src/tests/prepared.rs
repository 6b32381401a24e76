use std::time::Duration;

use super::client::{Client, ClientAnswer, LOCAL_QUORUM, RequestOptions};
use super::{INVALID, another, local};

#[tokio::test]
async fn a_statement_prepared_on_one_connection_is_executed_on_another() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("prepared").await;
    client.table("prepared", "t", "(a int PRIMARY KEY, b text)").await;
    let insert = client.prepared("INSERT INTO prepared.t (a, b) VALUES (?, ?)").await;
    let select = client.prepared("SELECT b FROM prepared.t WHERE a = ?").await;
    let mut other = Client::connect(local().await).await;
    let one = 1_i32.to_be_bytes();
    let stored = other.execute(&insert, RequestOptions { values: &[&one, b"x"], ..RequestOptions::default() }).await;
    assert_eq!(stored, ClientAnswer::Void);
    let ClientAnswer::Rows(rows) =
        other.execute(&select, RequestOptions { values: &[&one], ..RequestOptions::default() }).await
    else {
        panic!()
    };
    assert_eq!((rows.texts("b"), &rows.table), (vec!["x"], &("prepared".into(), "t".into())));
}

#[tokio::test]
async fn an_unknown_id_is_unprepared() {
    let mut client = Client::connect(local().await).await;
    let id = [0xAB; 16];
    for answer in [client.execute(&id, RequestOptions::default()).await, client.batch(&[Err(&id)], LOCAL_QUORUM).await]
    {
        let ClientAnswer::Refused(code, text, rest) = answer else { panic!() };
        assert_eq!(code, 0x2500);
        assert!(text.starts_with("Prepared query with ID abababababababababababababababab not found"), "{text}");
        assert_eq!(rest[..], [&[0, 16], &id[..]].concat());
    }
}

#[tokio::test]
async fn statements_on_a_recreated_table_are_prepared_again() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("prepared_anew").await;
    client.table("prepared_anew", "t", "(a int PRIMARY KEY)").await;
    let id = client.prepared("SELECT * FROM prepared_anew.t").await;
    client.query("DROP TABLE prepared_anew.t").await;
    let query = "SELECT * FROM system_schema_mcs.tables WHERE keyspace_name = 'prepared_anew'";
    client.query_until(query, |rows| rows.values.is_empty()).await;
    client.table("prepared_anew", "t", "(a text PRIMARY KEY)").await;
    let ClientAnswer::Refused(code, _, rest) = client.execute(&id, RequestOptions::default()).await else { panic!() };
    assert_eq!((code, &rest[..]), (0x2500, &[&[0, 16], &id[..]].concat()[..]));
    let again = client.prepared("SELECT * FROM prepared_anew.t").await;
    assert!(matches!(client.execute(&again, RequestOptions::default()).await, ClientAnswer::Rows(_)));
}

/// As in a cluster, where each peer has its own prepared statements and evicts them when their table changes. A
/// client that asks for rows without their columns cannot learn of the change otherwise.
#[tokio::test]
async fn each_peer_answers_unprepared_once_after_a_table_was_altered() {
    let local = local().await;
    let mut peers = Vec::new();
    for last in 1..=3 {
        peers.push(Client::connect_at(local, ([127, 0, 0, last], local.port()).into()).await);
    }
    peers[0].keyspace("prepared_by_peers").await;
    peers[0].table("prepared_by_peers", "t", "(a int PRIMARY KEY, b text)").await;
    peers[0].query("INSERT INTO prepared_by_peers.t (a, b) VALUES (1, 'b')").await;
    const ALL: &str = "SELECT * FROM prepared_by_peers.t";
    let without_columns = || RequestOptions { skip_metadata: true, ..RequestOptions::default() };
    // The third peer executes a statement that only the others have prepared.
    let id = peers[0].prepared(ALL).await;
    peers[1].prepared(ALL).await;
    for peer in &mut peers {
        assert!(matches!(peer.execute(&id, without_columns()).await, ClientAnswer::Rows(_)));
    }
    peers[0].query("ALTER TABLE prepared_by_peers.t ADD aa text").await;
    peers[0].active("prepared_by_peers", "t").await;
    for peer in &mut peers {
        let ClientAnswer::Refused(code, ..) = peer.execute(&id, without_columns()).await else { panic!() };
        assert_eq!(code, 0x2500);
        assert_eq!(peer.prepared(ALL).await, id);
        assert!(matches!(peer.execute(&id, without_columns()).await, ClientAnswer::Rows(_)));
    }
    // A change of another table has no effect on this one.
    peers[0].table("prepared_by_peers", "u", "(a int PRIMARY KEY)").await;
    for peer in &mut peers {
        assert!(matches!(peer.execute(&id, without_columns()).await, ClientAnswer::Rows(_)));
    }
}

#[tokio::test]
async fn unqualified_names_resolve_to_the_keyspace_in_use_at_prepare() {
    let mut client = Client::connect(local().await).await;
    for keyspace in ["prepared_here", "prepared_there"] {
        client.keyspace(keyspace).await;
        client.table(keyspace, "t", "(a int PRIMARY KEY)").await;
    }
    client.query("USE prepared_here").await;
    let here = client.prepared("SELECT * FROM t").await;
    client.query("USE prepared_there").await;
    let id = client.prepared("SELECT * FROM t").await;
    assert_ne!(here, id);
    for (id, keyspace) in [(here, "prepared_here"), (id, "prepared_there")] {
        let ClientAnswer::Rows(rows) = client.execute(&id, RequestOptions::default()).await else { panic!() };
        assert_eq!(rows.table.0, keyspace);
    }
}

#[tokio::test]
async fn definitions_and_use_cannot_be_prepared() {
    let mut client = Client::connect(local().await).await;
    // The text of a public report.
    let unconfigured = client.prepare("CREATE TABLE a.t (a int PRIMARY KEY)").await.refused();
    assert_eq!(unconfigured, (INVALID, "unconfigured table a.t".into()));
    let text = "keyspaces-local: Amazon Keyspaces refuses CREATE, ALTER, DROP and RESTORE as prepared statements. \
                Send the statement unprepared. (DG:functional-differences)";
    assert_eq!(client.prepare("DROP KEYSPACE a").await.refused(), (INVALID, text.into()));
    assert_eq!(
        client.prepare("USE system").await.refused().1,
        "keyspaces-local: not emulated: USE as a prepared statement (line 1, column 1)"
    );
    assert_eq!(
        client.prepare("SELECT count(*) FROM t").await.refused(),
        (INVALID, "countRows is not yet supported.".into())
    );
}

#[tokio::test]
async fn type_hint_may_be_qualified_by_keyspace() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.keyspace("hints").await;
    assert!(matches!(client.query("CREATE TYPE hints.y (a int)").await, ClientAnswer::Changed(_)));
    client.table("hints", "t", "(a int PRIMARY KEY, b y)").await;
    assert_eq!(client.query("INSERT INTO hints.t (a, b) VALUES (1, (hints.y) {a: 2})").await, ClientAnswer::Void);
    assert_eq!(client.rows("SELECT a FROM hints.t").await.ints("a"), [1]);
    let (code, text) = client.query("INSERT INTO hints.t (a, b) VALUES (1, (other.y) {a: 2})").await.refused();
    assert_eq!(code, INVALID);
    assert!(text.contains("cannot refer to a user type in keyspace other"), "{text}");
}
