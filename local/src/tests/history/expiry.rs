use std::time::Duration;

use super::super::Time;
use super::{ClientAnswer, RecoverableTable, another, millis};

const COLUMNS: &str = "p int, c int, s text STATIC, a text, b text, l list<int>, m map<text, int>, PRIMARY KEY (p, c)";
const TTL: &str = " AND default_time_to_live = 1000";

/// Values of all types; some expire after two seconds, some later.
const WRITES: [&str; 16] = [
    "INSERT INTO ks.t (p, c, a) VALUES (1, 1, 'goes with its row') USING TTL 2",
    "INSERT INTO ks.t (p, c) VALUES (1, 2) USING TTL 2",
    "INSERT INTO ks.t (p, c, a, b) VALUES (1, 3, 'stays', 'b')",
    "UPDATE ks.t USING TTL 2 SET b = 'goes' WHERE p = 1 AND c = 3",
    "UPDATE ks.t USING TTL 2 SET a = 'goes, and has no row' WHERE p = 1 AND c = 4",
    "UPDATE ks.t USING TTL 2 SET s = 'goes' WHERE p = 1",
    "INSERT INTO ks.t (p, c, l, m) VALUES (1, 5, [1, 2], {'stays': 1})",
    "UPDATE ks.t USING TTL 2 SET l = l + [3], m['goes'] = 2 WHERE p = 1 AND c = 5",
    "UPDATE ks.t USING TTL 0 SET l = [0] + l, m['stays for ever'] = 2 WHERE p = 1 AND c = 5",
    "INSERT INTO ks.t (p, c, a) VALUES (1, 6, 'for ever') USING TTL 0",
    "INSERT INTO ks.t (p, c, a) VALUES (1, 6, 'no longer for ever') USING TTL 2",
    "INSERT INTO ks.t (p, c, a) VALUES (1, 7, 'its row stays') USING TTL 100",
    "UPDATE ks.t USING TTL 2 SET a = 'goes' WHERE p = 1 AND c = 7",
    "INSERT INTO ks.t JSON '{\"p\": 1, \"c\": 8, \"a\": \"goes\"}' DEFAULT UNSET USING TTL 2",
    "BEGIN UNLOGGED BATCH INSERT INTO ks.t (p, c) VALUES (1, 9) USING TTL 2; \
     INSERT INTO ks.t (p, c) VALUES (1, 9) USING TTL 0; APPLY BATCH",
    "BEGIN UNLOGGED BATCH INSERT INTO ks.t (p, c) VALUES (1, 10) USING TTL 100; \
     INSERT INTO ks.t (p, c) VALUES (1, 10) USING TTL 2; APPLY BATCH",
];

#[tokio::test]
async fn values_that_had_expired_at_the_moment_are_not_restored() {
    let mut table = RecoverableTable::new(COLUMNS, TTL).await;
    for statement in WRITES {
        table.run(statement).await;
    }
    let all = table.rows("t").await;
    let rows = table.client.query_until("SELECT c, a FROM ks.t", |rows| rows.ints("c") == [3, 5, 7, 10]).await;
    assert_eq!(rows.texts("a"), ["stays", "", "", ""]);
    let (moment, gone) = table.snapshot().await;
    assert_ne!(gone, all);
    assert_eq!(table.restored_rows(moment).await, gone);
}

#[tokio::test]
async fn restored_values_have_the_time_to_live_that_was_left_at_the_moment() {
    // Two seconds of the test above are twenty minutes here, and the test moves the clock.
    let time = Time::new();
    let clock = time.clock();
    let moment = || millis(clock());
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap();
    let mut table = RecoverableTable::with_local(local, COLUMNS, " AND default_time_to_live = 100000").await;
    for statement in WRITES {
        table.run(&statement.replace("TTL 2", "TTL 1200").replace("TTL 100", "TTL 100000")).await;
    }
    let all = table.rows("t").await;
    let at_once = moment();
    time.pass(1000);
    let left = moment();
    time.pass(300);
    let gone = moment();
    for (moment, from, to) in [(at_once, 1100, 1201), (left, 100, 201)] {
        assert_eq!(table.restored_rows(moment).await, all);
        let ttls = table.client.rows("SELECT c, ttl(a), ttl(s) FROM ks.back WHERE p = 1 AND c = 1").await;
        for ttl in ["ttl(a)", "ttl(s)"] {
            assert!((from..to).contains(&ttls.int(0, ttl)), "{ttls:?}");
        }
    }
    let rows = table.restored_rows(gone).await;
    assert_eq!((rows.ints("c"), rows.texts("a")), (vec![3, 5, 7, 10], vec!["stays", "", "", ""]));
    assert_eq!((rows.texts("b"), rows.texts("s")), (vec![""; 4], vec![""; 4]));
    let list = |elements: &[i32]| {
        let mut list = (elements.len() as i32).to_be_bytes().to_vec();
        elements.iter().for_each(|element| list.extend([[0, 0, 0, 4], element.to_be_bytes()].concat()));
        list
    };
    let column = |name| rows.columns.iter().position(|column| column == name).unwrap();
    assert_eq!(rows.values[1][column("l")].as_deref(), Some(&list(&[0, 1, 2])[..]));
    let map = rows.values[1][column("m")].clone().unwrap();
    assert_eq!(map[..4], [0, 0, 0, 2]);
}

#[tokio::test]
async fn a_row_updated_after_its_deletion_lasts_as_long_as_its_values() {
    let time = Time::new();
    let clock = time.clock();
    let moment = || millis(clock());
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap();
    let mut table =
        RecoverableTable::with_local(local, "p int PRIMARY KEY, a text", " AND default_time_to_live = 6000").await;
    let timestamps = "ALTER TABLE ks.t WITH CUSTOM_PROPERTIES = {'client_side_timestamps': {'status': 'enabled'}}";
    assert!(matches!(table.client.query(timestamps).await, ClientAnswer::Changed(_)));
    table
        .client
        .query_until("SELECT status FROM system_schema_mcs.tables", |rows| !rows.texts("status").contains(&"UPDATING"))
        .await;
    // Cassandra may execute concurrent writes in this order.
    let at = |nth| moment() * 1000 + nth;
    for statement in [
        format!("INSERT INTO ks.t (p, a) VALUES (1, 'x') USING TIMESTAMP {} AND TTL 0", at(1)),
        format!("UPDATE ks.t USING TIMESTAMP {} AND TTL 600 SET a = 'y' WHERE p = 1", at(3_000_000)),
        format!("DELETE FROM ks.t USING TIMESTAMP {} WHERE p = 1", at(2_000_000)),
    ] {
        table.run(&statement).await;
    }
    assert_eq!(table.restored_rows(moment()).await.texts("a"), ["y"]);
    time.pass(601);
    assert!(table.restored_rows(moment()).await.values.is_empty());
}

#[tokio::test]
async fn a_row_without_values_expires_as_its_insert_says() {
    let time = Time::new();
    let clock = time.clock();
    let moment = || millis(clock());
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap();
    let mut table =
        RecoverableTable::with_local(local, "p int PRIMARY KEY, a text", " AND default_time_to_live = 600").await;
    for statement in [
        "INSERT INTO ks.t (p) VALUES (1)",
        "INSERT INTO ks.t (p, a) VALUES (2, 'x') USING TTL 0",
        "UPDATE ks.t SET a = null WHERE p = 2",
        "INSERT INTO ks.t (p, a) VALUES (3, 'x') USING TTL 60",
        "UPDATE ks.t USING TTL 0 SET a = 'x' WHERE p = 3",
        "BEGIN UNLOGGED BATCH INSERT INTO ks.t (p) VALUES (4) USING TTL 60; APPLY BATCH",
    ] {
        table.run(statement).await;
    }
    let mut keys = async |moment| {
        let mut keys = table.restored_rows(moment).await.ints("p");
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(moment()).await, [1, 2, 3, 4]);
    time.pass(61);
    assert_eq!(keys(moment()).await, [1, 2, 3]);
    time.pass(600);
    assert_eq!(keys(moment()).await, [2, 3]);
}
