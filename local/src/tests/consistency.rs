use super::client::{Client, ClientAnswer, LOCAL_QUORUM, RequestOptions};
use super::{INVALID, local};

const LEVELS: [&str; 11] = [
    "ANY",
    "ONE",
    "TWO",
    "THREE",
    "QUORUM",
    "ALL",
    "LOCAL_QUORUM",
    "EACH_QUORUM",
    "SERIAL",
    "LOCAL_SERIAL",
    "LOCAL_ONE",
];
const READS: [&str; 3] = ["ONE", "LOCAL_QUORUM", "LOCAL_ONE"];
const WRITES: [&str; 1] = ["LOCAL_QUORUM"];

fn assert_checked_as_in_the_service(answer: ClientAnswer, level: &str, supported: &[&str]) {
    if supported.contains(&level) {
        assert!(!matches!(answer, ClientAnswer::Refused(..)), "{level}: {answer:?}");
        return;
    }
    let text = format!(
        "Consistency level {level} is not supported for this operation. Supported consistency levels are: {}",
        supported.join(", ")
    );
    assert_eq!(answer.refused(), (INVALID, text));
}

#[tokio::test]
async fn every_consistency_level_of_every_kind_of_request_is_accepted_or_refused_as_documented() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("consistency").await;
    client.table("consistency", "t", "(a int PRIMARY KEY, b int)").await;
    client.table("consistency", "c", "(a int PRIMARY KEY, n counter)").await;
    let reads = [
        "SELECT * FROM consistency.t",
        "SELECT * FROM system.local",
        "SELECT * FROM system.peers",
        "SELECT * FROM system_schema.keyspaces",
        "SELECT * FROM system_schema_mcs.tables",
    ];
    let writes = [
        "INSERT INTO consistency.t (a, b) VALUES (1, 1)",
        "INSERT INTO consistency.t (a, b) VALUES (1, 1) IF NOT EXISTS",
        "UPDATE consistency.t SET b = 2 WHERE a = 1",
        "UPDATE consistency.t SET b = 2 WHERE a = 1 IF b = 1",
        "UPDATE consistency.c SET n = n + 1 WHERE a = 1",
        "DELETE FROM consistency.t WHERE a = 1",
        "DELETE FROM consistency.t WHERE a = 1 IF EXISTS",
        "BEGIN UNLOGGED BATCH INSERT INTO consistency.t (a, b) VALUES (2, 2) APPLY BATCH",
    ];
    for (statements, supported) in [(&reads[..], &READS[..]), (&writes, &WRITES)] {
        for statement in statements {
            let id = client.prepared(statement).await;
            for (level, code) in LEVELS.into_iter().zip(0..) {
                assert_checked_as_in_the_service(
                    client.query_with(statement, RequestOptions::consistency(code)).await,
                    level,
                    supported,
                );
                assert_checked_as_in_the_service(
                    client.execute(&id, RequestOptions::consistency(code)).await,
                    level,
                    supported,
                );
            }
        }
    }
    let id = client.prepared(writes[0]).await;
    for (level, code) in LEVELS.into_iter().zip(0..) {
        assert_checked_as_in_the_service(client.batch(&[Ok(writes[0])], code).await, level, &WRITES);
        assert_checked_as_in_the_service(client.batch(&[Err(&id)], code).await, level, &WRITES);
    }
}

/// No source says what the service does: unverified.
#[tokio::test]
async fn definitions_and_use_are_accepted_at_any_level() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("consistency_any").await;
    for code in 0..LEVELS.len() as u16 {
        let create = format!("CREATE TABLE consistency_any.t{code} (a int PRIMARY KEY)");
        assert!(matches!(
            client.query_with(&create, RequestOptions::consistency(code)).await,
            ClientAnswer::Changed(_)
        ));
        let used = client.query_with("USE consistency_any", RequestOptions::consistency(code)).await;
        assert_eq!(used, ClientAnswer::Keyspace("consistency_any".into()));
    }
}

#[tokio::test]
async fn the_serial_consistency_may_be_either_serial_level() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("consistency_serial").await;
    client.table("consistency_serial", "t", "(a int PRIMARY KEY)").await;
    let conditional = "INSERT INTO consistency_serial.t (a) VALUES (1) IF NOT EXISTS";
    let plain = "INSERT INTO consistency_serial.t (a) VALUES (1)";
    let id = client.prepared(conditional).await;
    for (level, code) in LEVELS.into_iter().zip(0..) {
        let with = RequestOptions { serial: Some(code), ..RequestOptions::default() };
        assert_eq!(client.query_with(plain, with).await, ClientAnswer::Void, "{level}");
        for answer in [client.query_with(conditional, with).await, client.execute(&id, with).await] {
            if level.ends_with("SERIAL") {
                assert!(matches!(answer, ClientAnswer::Rows(_)), "{answer:?}");
            } else {
                let text = format!(
                    "keyspaces-local: the serial consistency of a conditional write is SERIAL or LOCAL_SERIAL, not {level}"
                );
                assert_eq!(answer.refused(), (INVALID, text));
            }
        }
    }
}

#[tokio::test]
async fn an_invalid_statement_is_refused_before_its_consistency_level() {
    let mut client = Client::connect(local().await).await;
    let (_, text) =
        client.query_with("SELECT count(*) FROM system.local", RequestOptions::consistency(4)).await.refused();
    assert_eq!(text, "countRows is not yet supported.");
    let (_, text) = client.query_with("SELECT * FROM nosuch.t", RequestOptions::consistency(4)).await.refused();
    assert!(text.starts_with("Consistency level QUORUM is not supported"), "{text}");
    let (_, text) =
        client.query_with("SELECT * FROM nosuch.t", RequestOptions::consistency(LOCAL_QUORUM)).await.refused();
    assert_eq!(text, "unconfigured keyspace nosuch");
}
