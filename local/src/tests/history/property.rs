//! Random tables and writes: a table is restored to exactly the rows that it had.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use keyspaces_cql::RestorePoint;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::super::another;
use super::super::client::{ClientAnswer, RequestOptions, ResultSet, opcode, query_body};
use super::{RECOVERY, RecoverableTable, now};

/// Statements that run concurrently, on many streams, and whether a snapshot of the table is taken afterwards.
#[derive(Clone, Debug)]
struct Round {
    statements: Vec<String>,
    takes_snapshot: bool,
}

const COLUMNS: &str = "p int, c int, d int, s text STATIC, a int, b text, l list<int>, m map<int, int>, \
                       PRIMARY KEY (p, c, d)";
/// Times to live in seconds: one ends before the rows are read, the other long after.
const SHORT: &str = "USING TTL 1";
const LONG: &str = "USING TTL 1000";

fn row() -> impl Strategy<Value = (i32, i32, i32)> {
    (0..2_i32, 0..3_i32, 0..2_i32)
}

fn ttl() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just(""), 1 => Just(SHORT), 2 => Just(LONG)]
}

fn inserted() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        Just((String::new(), String::new())),
        (0..9).prop_map(|a| (", a".to_owned(), format!(", {a}"))),
        (0..9, 0..9).prop_map(|(a, b)| (", a, b".to_owned(), format!(", {a}, 'b{b}'"))),
        (0..9, 0..9).prop_map(|(b, l)| (", b, l, m".to_owned(), format!(", 'b{b}', [{l}, {b}], {{{l}: {b}}}"))),
        (0..9).prop_map(|s| (", s, b".to_owned(), format!(", 's{s}', null"))),
    ]
}

fn assigned() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        (0..9).prop_map(|a| format!("a = {a}")),
        Just("a = null".to_owned()),
        (0..9).prop_map(|b| format!("b = 'b{b}'")),
        (0..9).prop_map(|l| format!("l = l + [{l}]")),
        (0..9).prop_map(|l| format!("l = [{l}]")),
        (0..4, 0..9).prop_map(|(key, value)| format!("m[{key}] = {value}")),
        (0..4).prop_map(|key| format!("m = m - {{{key}}}")),
        (0..9).prop_map(|s| format!("s = 's{s}'")),
    ];
    prop::collection::vec(one, 1..3).prop_map(|mut all| {
        all.sort();
        all.dedup_by_key(|of| of.chars().next());
        all.join(", ")
    })
}

fn modification() -> impl Strategy<Value = String> {
    let holds = |(p, c, d): (i32, i32, i32)| format!("p = {p} AND c = {c} AND d = {d}");
    prop_oneof![
        4 => (row(), inserted(), ttl()).prop_map(|((p, c, d), (columns, values), ttl)| {
            format!("INSERT INTO ks.t (p, c, d{columns}) VALUES ({p}, {c}, {d}{values}) {ttl}")
        }),
        1 => (row(), 0..9, any::<bool>()).prop_map(|((p, c, d), a, unset)| {
            let unset = if unset { "DEFAULT UNSET" } else { "" };
            format!("INSERT INTO ks.t JSON '{{\"p\": {p}, \"c\": {c}, \"d\": {d}, \"a\": {a}}}' {unset}")
        }),
        4 => (row(), assigned(), ttl())
            .prop_map(move |(row, set, ttl)| format!("UPDATE ks.t {ttl} SET {set} WHERE {}", holds(row))),
        1 => (0..2, 0..9, ttl()).prop_map(|(p, s, ttl)| format!("UPDATE ks.t {ttl} SET s = 's{s}' WHERE p = {p}")),
        2 => row().prop_map(move |row| format!("DELETE FROM ks.t WHERE {}", holds(row))),
        1 => (row(), prop::sample::select(vec!["a", "b, l", "m[1]", "s, a"]))
            .prop_map(move |(row, columns)| format!("DELETE {columns} FROM ks.t WHERE {}", holds(row))),
        1 => (0..2, 0..3).prop_map(|(p, c)| format!("DELETE FROM ks.t WHERE p = {p} AND c = {c}")),
        1 => (0..2, 0..3).prop_map(|(p, c)| format!("DELETE FROM ks.t WHERE p = {p} AND c >= {c} AND c < 2")),
        1 => (0..2).prop_map(|p| format!("DELETE FROM ks.t WHERE p = {p}")),
    ]
}

fn statement() -> impl Strategy<Value = String> {
    let condition = prop::sample::select(vec!["IF EXISTS", "IF a = 3", "IF b = 'b1'"]);
    prop_oneof![
        8 => modification(),
        1 => (row(), 0..9).prop_map(|((p, c, d), a)| {
            format!("INSERT INTO ks.t (p, c, d, a) VALUES ({p}, {c}, {d}, {a}) IF NOT EXISTS")
        }),
        1 => (row(), condition, 0..9).prop_map(|((p, c, d), condition, a)| {
            format!("UPDATE ks.t SET a = {a} WHERE p = {p} AND c = {c} AND d = {d} {condition}")
        }),
        1 => row().prop_map(|(p, c, d)| format!("DELETE FROM ks.t WHERE p = {p} AND c = {c} AND d = {d} IF EXISTS")),
        2 => (prop::collection::vec(modification(), 2..5), any::<bool>()).prop_map(|(all, logged)| {
            let kind = if logged { "" } else { "UNLOGGED" };
            format!("BEGIN {kind} BATCH {}; APPLY BATCH", all.join("; "))
        }),
    ]
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let round = (prop::collection::vec(statement(), 1..5), prop::bool::weighted(0.25));
    prop::collection::vec(round.prop_map(|(statements, takes_snapshot)| Round { statements, takes_snapshot }), 1..20)
}

/// The environment variable `HISTORY_CASES` sets the number of cases, 6 by default.
#[test]
fn a_table_is_restored_exactly_after_any_writes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = std::env::var("HISTORY_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(6);
    let config = Config { cases, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let table = runtime.block_on(async {
        let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
        tokio::sync::Mutex::new(RecoverableTable::with_local(local, COLUMNS, " AND default_time_to_live = 5000").await)
    });
    let snapshot_count = AtomicUsize::new(0);
    let result = TestRunner::new(config).run(&rounds(), |rounds| {
        runtime.block_on(async {
            let mut table = table.lock().await;
            recreate_table(&mut table).await;
            check(&mut table, &rounds, &snapshot_count).await
        })
    });
    result.unwrap();
    assert!(snapshot_count.into_inner() > 0);
}

/// Drops the table, and creates another one of the same name.
async fn recreate_table(table: &mut RecoverableTable) {
    assert!(matches!(table.client.query("DROP TABLE ks.t").await, ClientAnswer::Changed(_)));
    let rest = format!("({COLUMNS}) WITH {RECOVERY} AND default_time_to_live = 5000");
    table.client.table("ks", "t", &rest).await;
}

async fn check(
    table: &mut RecoverableTable,
    rounds: &[Round],
    snapshot_count: &AtomicUsize,
) -> Result<(), TestCaseError> {
    let (mut snapshots, mut last_short) = (Vec::new(), 0);
    for Round { statements, takes_snapshot } in rounds {
        for (stream, statement) in (0..).zip(statements) {
            table.client.send(stream, opcode::QUERY, &query_body(statement, RequestOptions::default())).await;
        }
        for _ in statements {
            let answer = ClientAnswer::read(&table.client.receive().await.unwrap());
            // A logged batch may have two statements on one row.
            let fine = matches!(answer, ClientAnswer::Void | ClientAnswer::Rows(_) | ClientAnswer::Refused(0x2200, ..));
            prop_assert!(fine, "{statements:?}: {answer:?}");
        }
        if statements.iter().any(|statement| statement.contains(SHORT)) {
            last_short = now();
        }
        if *takes_snapshot {
            // Values that expire near the moment may expire before or after it.
            snapshots.push(table.snapshot_after(last_short + 2500).await);
        }
    }
    snapshots.push(table.snapshot_after(last_short + 2500).await);
    snapshot_count.fetch_add(snapshots.len(), Ordering::Relaxed);
    for (moment, rows) in snapshots {
        prop_assert_eq!(restored(table, moment).await, rows);
    }
    Ok(())
}

/// The rows after a RESTORE TABLE by a client.
async fn restored(table: &mut RecoverableTable, moment: u64) -> ResultSet {
    let moment = RestorePoint::from(UNIX_EPOCH + Duration::from_millis(moment));
    let restore = format!("RESTORE TABLE ks.restored FROM TABLE ks.t WITH restore_timestamp = '{moment}'");
    let answer = table.client.query(&restore).await;
    assert!(matches!(answer, ClientAnswer::Changed(_)), "{answer:?}");
    table.client.active("ks", "restored").await;
    let rows = table.rows("restored").await;
    assert!(matches!(table.client.query("DROP TABLE ks.restored").await, ClientAnswer::Changed(_)));
    rows
}
