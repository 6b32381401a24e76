//! The consistency levels that each kind of request may use, as the service documents them (DG:consistency). The tests use
//! the bare driver, because the library has no way to request a wrong level.

use keyspaces::Session;
use scylla::client::session::Session as Driver;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::unprepared::Statement;
use scylla::statement::{Consistency, SerialConsistency};

use crate::local;

const ALL: [Consistency; 11] = [
    Consistency::Any,
    Consistency::One,
    Consistency::Two,
    Consistency::Three,
    Consistency::Quorum,
    Consistency::All,
    Consistency::LocalQuorum,
    Consistency::EachQuorum,
    Consistency::LocalOne,
    Consistency::Serial,
    Consistency::LocalSerial,
];

const FOR_READS: [Consistency; 3] = [Consistency::One, Consistency::LocalQuorum, Consistency::LocalOne];
const FOR_WRITES: [Consistency; 1] = [Consistency::LocalQuorum];

#[tokio::test]
async fn every_request_kind_allows_three_read_levels_and_one_write_level() {
    let session = local::session().await;
    let table = table(&session, "consistency_levels").await;
    let driver = &*session.dangerous_driver().expect("an open session");
    let select = format!("SELECT id FROM {table} WHERE id = 1");
    let insert = format!("INSERT INTO {table} (id) VALUES (1)");
    let conditional = format!("INSERT INTO {table} (id) VALUES (1) IF NOT EXISTS");

    for level in ALL {
        for text in [&select, &insert, &conditional] {
            let (allowed, supported): (&[_], _) = match text.starts_with("SELECT") {
                true => (&FOR_READS, "ONE, LOCAL_QUORUM, LOCAL_ONE"),
                false => (&FOR_WRITES, "LOCAL_QUORUM"),
            };
            let expected = match allowed.contains(&level) {
                true => None,
                false => Some(format!(
                    "Consistency level {} is not supported for this operation. Supported consistency levels are: \
                     {supported}",
                    name(level)
                )),
            };
            assert_eq!(query(driver, text, level).await, expected, "QUERY {text} at {level:?}");
            assert_eq!(execute(driver, text, level).await, expected, "EXECUTE {text} at {level:?}");
            if text == &insert {
                assert_eq!(batch(driver, text, level).await, expected, "BATCH {text} at {level:?}");
            }
        }
    }
}

#[tokio::test]
async fn any_request_accepts_either_serial_consistency() {
    let session = local::session().await;
    let table = table(&session, "consistency_serial").await;
    let driver = &*session.dangerous_driver().expect("an open session");
    for serial in [None, Some(SerialConsistency::Serial), Some(SerialConsistency::LocalSerial)] {
        for text in [
            format!("SELECT id FROM {table} WHERE id = 1"),
            format!("INSERT INTO {table} (id) VALUES (1) IF NOT EXISTS"),
        ] {
            let mut statement = Statement::new(text.as_str());
            statement.set_serial_consistency(serial);
            assert_eq!(
                refusal(driver.query_unpaged(statement, ()).await.map(drop)),
                None,
                "QUERY {text} at {serial:?}"
            );
            let mut statement = driver.prepare(text.as_str()).await.expect("a statement");
            statement.set_serial_consistency(serial);
            let executed = driver.execute_unpaged(&statement, ()).await.map(drop);
            assert_eq!(refusal(executed), None, "EXECUTE {text} at {serial:?}");
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.append_statement(format!("INSERT INTO {table} (id) VALUES (2)").as_str());
        batch.set_serial_consistency(serial);
        assert_eq!(refusal(driver.batch(&batch, ((),)).await.map(drop)), None, "BATCH at {serial:?}");
    }
}

/// Unverified: no source says at which level the service accepts definitions and `USE`. Every client sends its default.
#[tokio::test]
async fn definitions_are_sent_at_any_consistency() {
    let session = local::session().await;
    table(&session, "consistency_definitions").await;
    let driver = &*session.dangerous_driver().expect("an open session");
    for level in ALL {
        let text = "CREATE TABLE IF NOT EXISTS consistency_definitions.t (id int PRIMARY KEY)";
        assert_eq!(query(driver, text, level).await, None, "{level:?}");
        assert_eq!(query(driver, "USE consistency_definitions", level).await, None, "{level:?}");
    }
}

async fn table(session: &Session, keyspace: &str) -> String {
    let replication = "{'class': 'SingleRegionStrategy'}";
    let keyspace_text = format!("CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH REPLICATION = {replication}");
    session.define(&keyspace_text).await.expect("a keyspace");
    let table = format!("{keyspace}.t");
    session.define(&format!("CREATE TABLE IF NOT EXISTS {table} (id int PRIMARY KEY)")).await.expect("a table");
    table
}

async fn query(driver: &Driver, text: &str, level: Consistency) -> Option<String> {
    let mut statement = Statement::new(text);
    statement.set_consistency(level);
    refusal(driver.query_unpaged(statement, ()).await.map(drop))
}

async fn execute(driver: &Driver, text: &str, level: Consistency) -> Option<String> {
    let mut statement = driver.prepare(text).await.expect("preparing has no consistency");
    statement.set_consistency(level);
    refusal(driver.execute_unpaged(&statement, ()).await.map(drop))
}

async fn batch(driver: &Driver, text: &str, level: Consistency) -> Option<String> {
    let mut batch = Batch::new(BatchType::Unlogged);
    batch.append_statement(text);
    batch.set_consistency(level);
    refusal(driver.batch(&batch, ((),)).await.map(drop))
}

fn refusal(result: Result<(), ExecutionError>) -> Option<String> {
    match result {
        Ok(()) => None,
        Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, said))) => Some(said),
        Err(error) => panic!("neither taken nor refused as invalid: {error}"),
    }
}

fn name(level: Consistency) -> &'static str {
    match level {
        Consistency::Any => "ANY",
        Consistency::One => "ONE",
        Consistency::Two => "TWO",
        Consistency::Three => "THREE",
        Consistency::Quorum => "QUORUM",
        Consistency::All => "ALL",
        Consistency::LocalQuorum => "LOCAL_QUORUM",
        Consistency::EachQuorum => "EACH_QUORUM",
        Consistency::LocalOne => "LOCAL_ONE",
        Consistency::Serial => "SERIAL",
        Consistency::LocalSerial => "LOCAL_SERIAL",
    }
}
