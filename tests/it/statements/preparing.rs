use std::time::Duration;

use chrono::NaiveDate;
use futures::future::join_all;
use keyspaces::value::CqlDate;
use keyspaces::{ErrorKind, Select, SerializeRow, Write};
use keyspaces_local::journal::Kind;
use uuid::Uuid;

use crate::server::{local, session, table};

#[tokio::test]
async fn mismatched_row_type_is_refused_at_prepare() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let text = format!("SELECT id, name FROM {table}");
    let error = session.prepare::<Select<(), (i64, String)>>(&text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!("preparing SELECT FROM {table} failed: the column id is int, it cannot be read as i64")
    );
    let error = session.prepare::<Select<(), (i32,)>>(&text).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("preparing SELECT FROM {table} failed: (i32,) has 1 value, the rows have 2 columns")
    );
}

#[tokio::test]
async fn mismatched_values_are_refused_before_anything_is_sent() {
    #[derive(SerializeRow)]
    #[scylla(crate = keyspaces)]
    struct Misnamed {
        id: i32,
        nome: String,
    }

    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let text = format!("INSERT INTO {table} (id, name) VALUES (?, ?)");
    // The length and element types of a vector are known only with its value.
    let store: Write<Vec<f64>> = session.prepare(&text).await.unwrap();
    let error = store.execute(vec![1.0, 2.5]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!("INSERT INTO {table} failed: the bind marker for id is int, f64 cannot be bound to it")
    );
    let store: Write<Misnamed> = session.prepare(&text).await.unwrap();
    let error = store.execute(Misnamed { id: 1, nome: "Ada".into() }).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("INSERT INTO {table} failed: the statement has a bind marker for name, Misnamed has no value for it")
    );
    if let Some(local) = local().await {
        let sent = local
            .journal()
            .filter(|it| it.kind == Kind::Execute && it.statement.as_ref().is_some_and(|text| text.contains(&table)));
        assert_eq!(sent.len(), 0, "{sent:?}");
    }
}

#[tokio::test]
async fn unexpected_null_error_names_the_column() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    session.execute(&format!("INSERT INTO {table} (id) VALUES (1)"), ()).await.unwrap();
    let names: Select<(), (String,)> = session.prepare(&format!("SELECT name FROM {table}")).await.unwrap();
    assert_eq!(
        names.one(()).await.unwrap_err().to_string(),
        format!(
            "SELECT FROM {table} failed: the column name (text) is null in a row, and String cannot hold null: read it \
             as Option<String>. A partition of which only static columns are written gives one row, in which every other column but the partition \
             key is null"
        )
    );
}

#[tokio::test]
async fn unrepresentable_date_error_names_the_column() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, d date").await;
    let store = format!("INSERT INTO {table} (id, d) VALUES (?, ?)");
    // Day 0 is 2^31 days before 1970.
    session.execute(&store, (1, CqlDate(0))).await.unwrap();
    let text = format!("SELECT d FROM {table} WHERE id = ?");
    let any: Select<(i32,), (CqlDate,)> = session.prepare(&text).await.unwrap();
    assert_eq!(any.one((1,)).await.unwrap(), Some((CqlDate(0),)));
    let known: Select<(i32,), (NaiveDate,)> = session.prepare(&text).await.unwrap();
    let error = known.one((1,)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!("SELECT FROM {table} failed: the column d (date) of a row has a value that NaiveDate cannot hold")
    );
}

#[tokio::test]
async fn prepare_on_inactive_table_fails_until_the_table_is_active() {
    if local().await.is_none() {
        return;
    }
    let session = session().await;
    table(&session, "id int PRIMARY KEY").await;
    let status: Select<(String,), (String,)> = session
        .prepare("SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'it' AND table_name = ?")
        .await
        .unwrap();
    // The local Keyspaces takes half a second. On a slow machine that may be over before the table is first used.
    for _ in 0..20 {
        let name = format!("t{}", Uuid::new_v4().simple());
        let text = format!("INSERT INTO it.{name} (id) VALUES (?)");
        let create = format!("CREATE TABLE it.{name} (id int PRIMARY KEY)");
        let status = async || status.one((name.clone(),)).await.unwrap().map(|(status,)| status);
        let early = async {
            while status().await.is_none() {
                tokio::task::yield_now().await;
            }
            let early = session.prepare::<Write<(i32,)>>(&text).await;
            (early, status().await)
        };
        let (defined, (early, after)) = tokio::join!(async { session.define(&create).await }, early);
        defined.unwrap();
        session.prepare::<Write<(i32,)>>(&text).await.unwrap().execute((1,)).await.unwrap();
        if after.as_deref() != Some("CREATING") {
            continue;
        }
        let error = early.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotReady);
        assert_eq!(
            error.to_string(),
            format!(
                "preparing INSERT INTO it.{name} failed: refused by the server; the server's message: \"unconfigured table \
                 it.{name}\""
            )
        );
        return;
    }
    panic!("no table was seen while it was being created");
}

#[tokio::test]
async fn preparing_on_missing_table_returns_the_server_message() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let text = format!("SELECT id FROM {table}x");
    let error = session.prepare::<Select<(), (i32,)>>(&text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    let name = table.split_once('.').unwrap().1;
    assert!(error.server_message().unwrap().contains(&format!("{name}x")), "{error}");
    // A failure is not cached.
    session.define(&format!("CREATE TABLE {table}x (id int PRIMARY KEY)")).await.unwrap();
    session.prepare::<Select<(), (i32,)>>(&text).await.unwrap();
}

#[tokio::test]
async fn concurrent_prepares_share_one_request_that_survives_cancellation() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let text = format!("SELECT id FROM {table} WHERE id = ?");
    let given_up = tokio::time::timeout(Duration::ZERO, session.prepare::<Select<(i32,), (i32,)>>(&text)).await;
    assert!(given_up.is_err());
    let asked = join_all((0..20).map(|_| session.prepare::<Select<(i32,), (i32,)>>(&text))).await;
    assert!(asked.iter().all(Result::is_ok));
    session.prepare::<Select<(i32,), (i32,)>>(&text).await.unwrap();
    let Some(local) = local().await else { return };
    let prepared = local
        .journal()
        .filter(|it| it.kind == Kind::Prepare && it.statement.as_deref().is_some_and(|prepared| prepared == text));
    let connected = session.peers().iter().filter(|peer| peer.is_connected()).count();
    // The driver prepares once on every peer.
    assert!(prepared.len() <= connected, "{} for {connected} peers", prepared.len());
}

#[tokio::test]
async fn statement_on_table_recreated_with_other_types_is_prepared_again() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, v int").await;
    let text = format!("INSERT INTO {table} (id, v) VALUES (?, ?)");
    session.prepare::<Write<(i32, i32)>>(&text).await.unwrap().execute((1, 1)).await.unwrap();
    session.define(&format!("DROP TABLE {table}")).await.unwrap();
    session.define(&format!("CREATE TABLE {table} (id int PRIMARY KEY, v text)")).await.unwrap();
    session.prepare::<Write<(i32, &str)>>(&text).await.unwrap().execute((1, "one")).await.unwrap();
}
