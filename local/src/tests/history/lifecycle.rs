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
async fn rows_that_were_there_before_are_in_the_history_once_the_table_is_active() {
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
    // Another client goes on writing, and deletes what may have been read already.
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
    let (moment, rows) = table.noted().await;
    // Of one partition the static column alone is left.
    assert_eq!(rows.values.len(), 40 + 1 + 40 + 40 + 2);
    assert_eq!(table.brought_back(moment).await, rows);
    let failed =
        table.history().bring_back(&table.table_id(), before, &SchemaObject::table("ks", "back")).await.unwrap_err();
    assert_eq!(failed.to_string(), format!("the history of table ks.t tells nothing of {before} ms since 1970"));
}

#[tokio::test]
async fn without_recovery_everything_is_forgotten() {
    let mut table = RecoverableTable::new(COLUMNS, "").await;
    table.run("INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'x')").await;
    let table_id = table.table_id();
    let (moment, _) = table.noted().await;
    assert!(table.history().earliest(&table_id, now()).is_some());
    disable(&mut table.client).await;
    assert_eq!(table.history().earliest(&table_id, now()), None);
    let inner = table.local.listeners().shared().schema().names().inner().to_owned();
    for kept in ["entries", "buckets"] {
        let text = format!("SELECT JSON table_id FROM {inner}.history_{kept}");
        assert_eq!(table.own.select(&text, &[]).await.unwrap(), [] as [serde_json::Value; 0]);
    }
    enable(&mut table.client).await;
    table.client.active("ks", "t").await;
    assert!(table.history().earliest(&table_id, now()).is_some_and(|earliest| earliest > moment));
}

#[tokio::test]
async fn a_table_that_was_dropped_is_told_of_until_another_has_its_name_or_35_days_are_over() {
    for forgotten_by_another in [true, false] {
        let time = Time::new();
        let instance = crate::random::hex_32();
        let start = || async {
            another().await.instance(&instance).ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap()
        };
        let mut table = RecoverableTable::of(start().await, COLUMNS, "").await;
        let now = || super::millis(time.clock()());
        table.run("INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'x')").await;
        let (table_id, rows) = (table.table_id(), table.rows("t").await);
        let moment = now();
        time.pass(1);
        assert!(matches!(table.client.query("DROP TABLE ks.t").await, ClientAnswer::Changed(_)));
        table.client.rows("SELECT * FROM ks.back").await;
        let shared = table.local.listeners().shared();
        assert!(!shared.history().is_recorded(&table_id.table));
        shared.history().bring_back(&table_id, moment, &SchemaObject::table("ks", "back")).await.unwrap();
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
async fn a_column_that_is_added_was_not_there_before() {
    let mut table = RecoverableTable::new(COLUMNS, "").await;
    table.run("INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'x')").await;
    let before = table.noted().await;
    for name in ["t", "back"] {
        assert!(matches!(
            table.client.query(&format!("ALTER TABLE ks.{name} ADD q text")).await,
            ClientAnswer::Changed(_)
        ));
        table.client.active("ks", name).await;
    }
    table.run("UPDATE ks.t SET q = 'new' WHERE p = 1 AND c = 1").await;
    let after = table.noted().await;
    let back = table.brought_back(before.0).await;
    assert_eq!((back.texts("r"), back.texts("q")), (vec!["x"], vec![""]));
    assert_eq!(table.brought_back(after.0).await, after.1);
}

#[tokio::test]
async fn a_gateway_that_begins_again_goes_on_with_the_history() {
    let instance = crate::random::hex_32();
    let start = || async { another().await.instance(&instance).ddl_delay(Duration::ZERO).start().await.unwrap() };
    let mut table = RecoverableTable::of(start().await, COLUMNS, "").await;
    table.run("INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'x')").await;
    let first = table.noted().await;
    table.run("DELETE FROM ks.t WHERE p = 1 AND c = 1").await;
    table.run("INSERT INTO ks.t (p, c, r) VALUES (2, 2, 'y')").await;
    let second = table.noted().await;
    table.local.restart(Duration::ZERO).await.unwrap();
    table.client = Client::connect(&table.local).await;
    table.run("INSERT INTO ks.t (p, c, r, s) VALUES (3, 3, 'z', 's')").await;
    let third = table.noted().await;
    table.tells_of(&[first.clone(), second.clone(), third.clone()]).await;
    // What a gateway that was killed had written to Cassandra and not to the history.
    let RecoverableTable { local, client, own } = table;
    let upstream = local.listeners().shared().schema().names().quoted_keyspace("ks");
    drop(client);
    local.close().await.unwrap();
    own.run(&format!("INSERT INTO {upstream}.t (p, c, r) VALUES (4, 4, 'cut off')"), &[]).await.unwrap();
    own.run(&format!("DELETE FROM {upstream}.t WHERE p = 2"), &[]).await.unwrap();
    let local: Local = start().await;
    let client = Client::connect(&local).await;
    let mut table = RecoverableTable { local, client, own };
    let fourth = table.noted().await;
    assert_eq!(fourth.1.ints("p").len(), 2);
    table.tells_of(&[first, second, third]).await;
    let baseline = table.noted().await;
    assert_eq!(table.brought_back(baseline.0).await, fourth.1);
    table.local.close().await.unwrap();
}

#[tokio::test]
async fn a_history_that_has_too_many_bytes_forgets_what_is_oldest() {
    const MOST: u64 = 1 << 20;
    let local = another().await.ddl_delay(Duration::ZERO).history_bytes(MOST).start().await.unwrap();
    let mut table = RecoverableTable::of(local, COLUMNS, "").await;
    let begun = table.history().earliest(&table.table_id(), now()).unwrap();
    let first = table.noted().await;
    let large = "x".repeat(50_000);
    let mut last = first.clone();
    for round in 0..100 {
        table.run(&format!("INSERT INTO ks.t (p, c, r) VALUES (1, {}, '{round}{large}')", round % 3)).await;
        last = table.noted().await;
    }
    let (history, table_id) = (table.history(), table.table_id());
    let inner = table.local.listeners().shared().schema().names().inner().to_owned();
    let bytes = async |own: &crate::upstream::InternalConnection| {
        let text = format!("SELECT JSON bytes FROM {inner}.history_buckets");
        own.select(&text, &[]).await.unwrap().iter().filter_map(|row| row["bytes"].as_u64()).sum::<u64>()
    };
    assert!(history.earliest(&table_id, now()).unwrap() > begun);
    assert!(history.bring_back(&table_id, first.0, &SchemaObject::table("ks", "back")).await.is_err());
    assert_eq!(table.brought_back(last.0).await, last.1);
    // Five times what is promised: baselines of 150 KB come on top.
    let there = bytes(&table.own).await;
    assert!(there < 5 * MOST, "{there}");
}

#[tokio::test]
async fn how_many_bytes_a_history_has_is_known_to_the_next_gateway() {
    let local = another().await.ddl_delay(Duration::ZERO).history_bytes(1 << 20).start().await.unwrap();
    let mut table = RecoverableTable::of(local, COLUMNS, "").await;
    let begun = table.history().earliest(&table.table_id(), now()).unwrap();
    let large = "x".repeat(50_000);
    // Less than a bucket each time, and twice in all of what there may be.
    for _ in 0..7 {
        for row in 0..6 {
            table.run(&format!("INSERT INTO ks.t (p, c, r) VALUES (1, {}, '{large}')", row % 2)).await;
        }
        table.local.restart(Duration::ZERO).await.unwrap();
        table.client = Client::connect(&table.local).await;
    }
    table.history().landed().await;
    assert!(table.history().earliest(&table.table_id(), now()).unwrap() > begun);
    let last = table.noted().await;
    assert_eq!(table.brought_back(last.0).await, last.1);
}
