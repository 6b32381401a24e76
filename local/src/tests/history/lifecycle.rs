use std::time::Duration;

use super::super::client::{Client, ClientAnswer};
use super::super::{Time, another};
use super::{RECOVERY, RecoverableTable, now};
use crate::local::Local;
use crate::names::SchemaObject;

const COLUMNS: &str = "p int, c int, s text STATIC, r text, PRIMARY KEY (p, c)";

async fn disable(client: &mut Client) {
    let text = format!("ALTER TABLE ks.t WITH {}", RECOVERY.replace("enabled", "disabled"));
    assert!(matches!(client.query(&text).await, ClientAnswer::Changed(_)));
    client.active("ks", "t").await;
}

async fn enable(client: &mut Client) {
    assert!(matches!(client.query(&format!("ALTER TABLE ks.t WITH {RECOVERY}")).await, ClientAnswer::Changed(_)));
}

#[tokio::test]
async fn existing_rows_are_in_the_history_once_the_table_is_active() {
    let mut table = RecoverableTable::new(COLUMNS, "").await;
    disable(&mut table.client).await;
    for p in 0..3 {
        for c in 0..40 {
            table.run(&format!("INSERT INTO ks.t (p, c, r, s) VALUES ({p}, {c}, 'r', 's{p}')")).await;
        }
    }
    table.run("INSERT INTO ks.t (p, s) VALUES (7, 'static alone')").await;
    table.run("INSERT INTO ks.t (p, c) VALUES (8, 1)").await;
    let before = now();
    // Another client keeps writing, and deletes rows that may have been read already.
    let mut other = Client::connect(&table.local).await;
    let writing = tokio::spawn(async move {
        for c in 0..40 {
            for text in [
                format!("DELETE FROM ks.t WHERE p = 1 AND c = {c}"),
                format!("INSERT INTO ks.t (p, c, r) VALUES (2, {c}, 'new')"),
                format!("INSERT INTO ks.t (p, c, r) VALUES (3, {c}, 'new')"),
            ] {
                assert_eq!(other.query(&text).await, ClientAnswer::Void);
            }
        }
    });
    enable(&mut table.client).await;
    table.client.active("ks", "t").await;
    let earliest = table.history().earliest(&table.table_id(), now()).unwrap();
    assert!(earliest > before && earliest <= now());
    writing.await.unwrap();
    let (moment, rows) = table.snapshot().await;
    // In one partition only the static column remains.
    assert_eq!(rows.values.len(), 40 + 1 + 40 + 40 + 2);
    assert_eq!(table.restored_rows(moment).await, rows);
    let failed =
        table.history().restore(&table.table_id(), before, &SchemaObject::table("ks", "back")).await.unwrap_err();
    assert_eq!(failed.to_string(), format!("the history of table ks.t does not reach back to {before} ms since 1970"));
}

#[tokio::test]
async fn disabling_recovery_removes_the_history() {
    let mut table = RecoverableTable::new(COLUMNS, "").await;
    table.run("INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'x')").await;
    let table_id = table.table_id();
    let (moment, _) = table.snapshot().await;
    assert!(table.history().earliest(&table_id, now()).is_some());
    disable(&mut table.client).await;
    assert_eq!(table.history().earliest(&table_id, now()), None);
    let inner = table.local.listeners().shared().schema().names().inner().to_owned();
    for kept in ["entries", "buckets"] {
        let text = format!("SELECT JSON table_id FROM {inner}.history_{kept}");
        assert_eq!(table.connection.select(&text, &[]).await.unwrap(), [] as [serde_json::Value; 0]);
    }
    enable(&mut table.client).await;
    table.client.active("ks", "t").await;
    assert!(table.history().earliest(&table_id, now()).is_some_and(|earliest| earliest > moment));
}

#[tokio::test]
async fn a_dropped_table_has_a_history_until_another_has_its_name_or_35_days_have_passed() {
    for forgotten_by_another in [true, false] {
        let time = Time::new();
        let instance = crate::random::hex_32();
        let start = || async {
            another().await.instance(&instance).ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap()
        };
        let mut table = RecoverableTable::with_local(start().await, COLUMNS, "").await;
        let now = || super::millis(time.clock()());
        table.run("INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'x')").await;
        let (table_id, rows) = (table.table_id(), table.rows("t").await);
        let moment = now();
        time.pass(1);
        assert!(matches!(table.client.query("DROP TABLE ks.t").await, ClientAnswer::Changed(_)));
        table.client.rows("SELECT * FROM ks.back").await;
        let shared = table.local.listeners().shared();
        assert!(!shared.history().is_recorded(&table_id.table));
        shared.history().restore(&table_id, moment, &SchemaObject::table("ks", "back")).await.unwrap();
        assert_eq!(table.rows("back").await, rows);
        drop(shared);
        if forgotten_by_another {
            table.client.table("ks", "t", "(p int PRIMARY KEY)").await;
            assert_eq!(table.history().earliest(&table_id, now()), None);
            table.local.close().await.unwrap();
            continue;
        }
        let restarted = async |days: u64| {
            time.pass(days * 24 * 3600);
            let local = start().await;
            let earliest = local.listeners().shared().history().earliest(&table_id, now());
            local.close().await.unwrap();
            earliest
        };
        table.local.close().await.unwrap();
        assert!(restarted(34).await.is_some());
        assert_eq!(restarted(2).await, None);
    }
}

#[tokio::test]
async fn an_added_column_does_not_exist_before() {
    let mut table = RecoverableTable::new(COLUMNS, "").await;
    table.run("INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'x')").await;
    let before = table.snapshot().await;
    for name in ["t", "back"] {
        assert!(matches!(
            table.client.query(&format!("ALTER TABLE ks.{name} ADD q text")).await,
            ClientAnswer::Changed(_)
        ));
        table.client.active("ks", name).await;
    }
    table.run("UPDATE ks.t SET q = 'new' WHERE p = 1 AND c = 1").await;
    let after = table.snapshot().await;
    let back = table.restored_rows(before.0).await;
    assert_eq!((back.texts("r"), back.texts("q")), (vec!["x"], vec![""]));
    assert_eq!(table.restored_rows(after.0).await, after.1);
}

#[tokio::test]
async fn the_next_gateway_resumes_the_history() {
    let instance = crate::random::hex_32();
    let start = || async { another().await.instance(&instance).ddl_delay(Duration::ZERO).start().await.unwrap() };
    let mut table = RecoverableTable::with_local(start().await, COLUMNS, "").await;
    table.run("INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'x')").await;
    let first = table.snapshot().await;
    table.run("DELETE FROM ks.t WHERE p = 1 AND c = 1").await;
    table.run("INSERT INTO ks.t (p, c, r) VALUES (2, 2, 'y')").await;
    let second = table.snapshot().await;
    table.local.restart(Duration::ZERO).await.unwrap();
    table.client = Client::connect(&table.local).await;
    table.run("INSERT INTO ks.t (p, c, r, s) VALUES (3, 3, 'z', 's')").await;
    let third = table.snapshot().await;
    table.assert_restores(&[first.clone(), second.clone(), third.clone()]).await;
    // A killed gateway has written this to Cassandra, and not to the history.
    let RecoverableTable { local, client, connection } = table;
    let upstream = local.listeners().shared().schema().names().quoted_keyspace("ks");
    drop(client);
    local.close().await.unwrap();
    connection.run(&format!("INSERT INTO {upstream}.t (p, c, r) VALUES (4, 4, 'cut off')"), &[]).await.unwrap();
    connection.run(&format!("DELETE FROM {upstream}.t WHERE p = 2"), &[]).await.unwrap();
    let local: Local = start().await;
    let client = Client::connect(&local).await;
    let mut table = RecoverableTable { local, client, connection };
    let fourth = table.snapshot().await;
    assert_eq!(fourth.1.ints("p").len(), 2);
    table.assert_restores(&[first, second, third]).await;
    let baseline = table.snapshot().await;
    assert_eq!(table.restored_rows(baseline.0).await, fourth.1);
    table.local.close().await.unwrap();
}

#[tokio::test]
async fn a_history_beyond_its_size_limit_removes_its_oldest_entries() {
    const MAX_BYTES: u64 = 1 << 20;
    let local = another().await.ddl_delay(Duration::ZERO).history_bytes(MAX_BYTES).start().await.unwrap();
    let mut table = RecoverableTable::with_local(local, COLUMNS, "").await;
    let begun = table.history().earliest(&table.table_id(), now()).unwrap();
    let first = table.snapshot().await;
    let large = "x".repeat(50_000);
    let mut last = first.clone();
    for round in 0..100 {
        table.run(&format!("INSERT INTO ks.t (p, c, r) VALUES (1, {}, '{round}{large}')", round % 3)).await;
        last = table.snapshot().await;
    }
    let (history, table_id) = (table.history(), table.table_id());
    let inner = table.local.listeners().shared().schema().names().inner().to_owned();
    let bytes = async |connection: &crate::upstream::InternalConnection| {
        let text = format!("SELECT JSON bytes FROM {inner}.history_buckets");
        connection.select(&text, &[]).await.unwrap().iter().filter_map(|row| row["bytes"].as_u64()).sum::<u64>()
    };
    assert!(history.earliest(&table_id, now()).unwrap() > begun);
    assert!(history.restore(&table_id, first.0, &SchemaObject::table("ks", "back")).await.is_err());
    assert_eq!(table.restored_rows(last.0).await, last.1);
    // Five times the documented limit; baselines of 150 KB are added to it.
    let stored_bytes = bytes(&table.connection).await;
    assert!(stored_bytes < 5 * MAX_BYTES, "{stored_bytes}");
}

#[tokio::test]
async fn the_next_gateway_knows_the_size_of_a_history() {
    let local = another().await.ddl_delay(Duration::ZERO).history_bytes(1 << 20).start().await.unwrap();
    let mut table = RecoverableTable::with_local(local, COLUMNS, "").await;
    let begun = table.history().earliest(&table.table_id(), now()).unwrap();
    let large = "x".repeat(50_000);
    // Each time less than a bucket, and in total twice the limit.
    for _ in 0..7 {
        for row in 0..6 {
            table.run(&format!("INSERT INTO ks.t (p, c, r) VALUES (1, {}, '{large}')", row % 2)).await;
        }
        table.local.restart(Duration::ZERO).await.unwrap();
        table.client = Client::connect(&table.local).await;
    }
    table.history().wait_until_idle().await;
    assert!(table.history().earliest(&table.table_id(), now()).unwrap() > begun);
    let last = table.snapshot().await;
    assert_eq!(table.restored_rows(last.0).await, last.1);
}
