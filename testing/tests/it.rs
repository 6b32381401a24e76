//! The functions of the crate, against the target that the environment names.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use keyspaces::{ErrorKind, Session};

#[tokio::test]
async fn each_session_has_its_own_keyspace_and_its_tables_can_be_truncated() {
    let session = keyspaces_testing::session().await.unwrap();
    let other = keyspaces_testing::new_keyspace(&session).await.unwrap();
    let tables = [
        "CREATE TABLE names (id int PRIMARY KEY, name text)",
        "CREATE TABLE \"Readings\" (sensor text, \"Day\" date, at timestamp, n int, PRIMARY KEY ((sensor, \"Day\"), at))",
    ];
    for table in tables {
        session.define(table).await.unwrap();
        other.define(table).await.unwrap();
    }
    for session in [&session, &other] {
        for id in 0..3 {
            session.execute("INSERT INTO names (id, name) VALUES (?, 'Ada')", (id,)).await.unwrap();
            for day in ["2026-11-25", "2026-11-26"] {
                let put = format!("INSERT INTO \"Readings\" (sensor, \"Day\", at, n) VALUES ('a', '{day}', {id}, 1)");
                session.execute(&put, ()).await.unwrap();
            }
        }
    }
    keyspaces_testing::empty_tables(&session).await.unwrap();
    assert_eq!((rows(&session, "names").await, rows(&session, "\"Readings\"").await), (0, 0));
    assert_eq!((rows(&other, "names").await, rows(&other, "\"Readings\"").await), (3, 6));
    session.execute("INSERT INTO names (id, name) VALUES (1, 'Bob')", ()).await.unwrap();
    assert_eq!(rows(&session, "names").await, 1);
}

async fn rows(session: &Session, table: &str) -> usize {
    let rows = session.rows::<keyspaces::Row>(&format!("SELECT * FROM {table}"), ());
    rows.try_collect::<Vec<_>>().await.unwrap().len()
}

#[tokio::test]
async fn empty_tables_is_refused_without_a_keyspace() {
    let session = keyspaces_testing::builder().await.unwrap().connect().await.unwrap();
    let error = keyspaces_testing::empty_tables(&session).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(
        error.to_string(),
        "emptying the tables of the session's keyspace failed: the session has no keyspace. Take a session from \
         keyspaces_testing::session(), or give it one with in_keyspace"
    );
}
