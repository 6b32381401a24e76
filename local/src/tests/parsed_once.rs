//! A client's statement is parsed only once.

use std::fs;
use std::path::Path;

use super::client::{Client, ClientAnswer, LOCAL_QUORUM, RequestOptions};
use super::{RECOVERY, local};
use crate::statement::counter::parsed;

#[tokio::test]
async fn every_statement_is_parsed_once() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("parsed_once").await;
    client.table("parsed_once", "t", "(a int, b int, c timeuuid, d int, PRIMARY KEY (a, b))").await;
    client.table("parsed_once", "kept", &format!("(a int PRIMARY KEY, c timeuuid, e timestamp) WITH {RECOVERY}")).await;
    for text in [
        "INSERT INTO parsed_once.t (a, b, c, d) VALUES (1, 1, now(), 1)",
        "INSERT INTO parsed_once.t JSON '{\"a\": 1, \"b\": 2, \"d\": 2}'",
        "UPDATE parsed_once.t SET d = 3 WHERE a = 1 AND b = 3 IF EXISTS",
        "BEGIN BATCH INSERT INTO parsed_once.t (a, b) VALUES (1, 4); INSERT INTO parsed_once.t (a, b) VALUES (1, 5); \
         APPLY BATCH",
        "DELETE FROM parsed_once.t WHERE a = 1 AND b > 100",
        "SELECT unixTimestampOf(c), d FROM parsed_once.t WHERE a = 1 LIMIT 2",
        "SELECT * FROM parsed_once.t WHERE a = 1 AND d = 1 ALLOW FILTERING",
        // The table has recovery, so the gateway needs the values of the statement.
        "INSERT INTO parsed_once.kept (a, c, e) VALUES (1, now(), currentTimestamp())",
        "BEGIN UNLOGGED BATCH INSERT INTO parsed_once.kept (a, c) VALUES (2, now()); DELETE FROM parsed_once.kept WHERE \
         a = 1; APPLY BATCH",
    ] {
        let answer = client.query(text).await;
        assert!(!matches!(answer, ClientAnswer::Refused(..)), "{text}: {answer:?}");
    }
    let write = client.prepared("INSERT INTO parsed_once.kept (a, c) VALUES (3, now())").await;
    let read = client.prepared("SELECT a FROM parsed_once.t WHERE a = 1 AND d = 2 LIMIT 3 ALLOW FILTERING").await;
    for _ in 0..3 {
        assert_eq!(client.execute(&write, RequestOptions::default()).await, ClientAnswer::Void);
        assert!(matches!(client.execute(&read, RequestOptions::default()).await, ClientAnswer::Rows(_)));
    }
    let batch = [Ok("INSERT INTO parsed_once.kept (a, c) VALUES (4, now())"), Err(&write[..])];
    assert_eq!(client.batch(&batch, LOCAL_QUORUM).await, ClientAnswer::Void);

    assert!(matches!(client.query("ALTER TABLE parsed_once.t ADD f int").await, ClientAnswer::Changed(_)));

    let mut parsed = parsed("parsed_once.");
    parsed.sort_unstable();
    let repeated: Vec<_> = parsed.iter().filter(|(_, times)| *times != 1).collect();
    assert!(parsed.len() == 15 && repeated.is_empty(), "{} texts, of which more than once: {repeated:?}", parsed.len());
}

#[test]
fn statements_are_parsed_in_one_place() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut parsing = Vec::new();
    let mut directories = vec![source.join("gateway"), source.join("statement")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("\nmod tests").next().unwrap();
            if code.contains("keyspaces_cql::parse(") {
                parsing.push(path.strip_prefix(&source).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    assert_eq!(parsing, ["statement/text.rs"]);
}
