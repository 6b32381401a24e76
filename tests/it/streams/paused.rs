//! Streams of a throttled table that are not polled for a while: no other call waits for them, and they yield every
//! row.

use std::num::NonZeroU32;
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::join_all;
use keyspaces::{Select, Session, Write};
use keyspaces_local::fault::{Effect, Fault};
use keyspaces_local::journal::Kind;
use keyspaces_local::{CapacityMode, Local};

use crate::local::signed;
use crate::server::keyspace;

const PAGE: NonZeroU32 = NonZeroU32::new(10).unwrap();
const ROWS: i32 = 100;
/// The deadline of a call.
const DEADLINE: Duration = Duration::from_secs(4);

/// Creates a table with a partition of a hundred rows, whose next `reads` reads are throttled.
async fn throttled(local: &Local, name: &str, reads: u32) -> (Session, String) {
    let session = signed(local).call_timeout(DEADLINE).connect().await.unwrap();
    keyspace(&session, "paused").await;
    let table = format!("paused.{name}");
    session.define(&format!("CREATE TABLE {table} (k int, c int, PRIMARY KEY (k, c))")).await.unwrap();
    let store: Write<(i32, i32)> = session.prepare(&format!("INSERT INTO {table} (k, c) VALUES (?, ?)")).await.unwrap();
    let written: Vec<_> = store.execute_each((0..ROWS).map(|c| (0, c))).into_try_stream().try_collect().await.unwrap();
    assert_eq!(written.len(), ROWS as usize);
    if reads > 0 {
        local.faults().inject(throttled_reads(&table).times(reads.into()));
    }
    (session, table)
}

fn throttled_reads(table: &str) -> Fault {
    Fault::new(Effect::throttled_read()).kind(Kind::Execute).containing(format!("FROM {table}"))
}

#[tokio::test]
async fn streams_that_are_not_polled_block_no_other_read() {
    let local = Local::builder().start().await.expect("a local Keyspaces");
    let (session, table) = throttled(&local, "held", 1).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let paged = select.with_page_size(PAGE);
    let scan: Select<(i64, i64), (i32,)> =
        session.prepare(&format!("SELECT c FROM {table} WHERE token(k) > ? AND token(k) <= ?")).await.unwrap();

    let mut rows = paged.rows((0,));
    assert_eq!(rows.try_next().await.unwrap(), Some((0,)));
    let mut fan_out = paged.one_for_each((0..50).map(|k| (k + 1,)));
    fan_out.next().await.unwrap().1.unwrap();
    let mut scanned = scan.with_page_size(PAGE).scan().unwrap();
    let first = scanned.try_next().await.unwrap().unwrap().len();

    let others = (0..10).map(|_| {
        let select = select.clone();
        tokio::spawn(async move { select.first((0,)).await })
    });
    for other in join_all(others).await {
        assert_eq!(other.unwrap().unwrap(), Some((0,)));
    }
    // After more than a deadline, each stream yields all rows that are left.
    tokio::time::sleep(DEADLINE + Duration::from_millis(500)).await;
    assert_eq!(rows.try_collect::<Vec<_>>().await.unwrap().len(), ROWS as usize - 1);
    assert_eq!(fan_out.into_try_stream().try_collect::<Vec<_>>().await.unwrap().len(), 49);
    let pages: Vec<_> = scanned.try_collect().await.unwrap();
    assert_eq!(first + pages.iter().map(Vec::len).sum::<usize>(), ROWS as usize);
}

#[tokio::test]
async fn a_slow_reader_of_a_throttled_table_reads_every_row() {
    let local = Local::builder().start().await.expect("a local Keyspaces");
    let (session, table) = throttled(&local, "slow", 0).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let mut rows = select.with_page_size(PAGE).with_deadline(Duration::from_secs(1)).rows((0,));
    let mut read = vec![rows.try_next().await.unwrap().unwrap()];
    // Every attempt at the prefetched page is throttled, until after its deadline.
    local.faults().inject(throttled_reads(&table));
    for _ in 1..PAGE.get() {
        read.push(rows.try_next().await.unwrap().unwrap());
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    local.faults().clear();
    read.extend(rows.try_collect::<Vec<_>>().await.unwrap());
    assert_eq!(read, (0..ROWS).map(|c| (c,)).collect::<Vec<_>>());
}

#[tokio::test]
async fn writes_inside_a_throttled_fan_out_loop_are_served() {
    let local = Local::builder().start().await.expect("a local Keyspaces");
    let session = signed(&local).call_timeout(Duration::from_secs(30)).connect().await.unwrap();
    keyspace(&session, "paused").await;
    session.define("CREATE TABLE paused.looped (k int PRIMARY KEY)").await.unwrap();
    let store: Write<(i32,)> = session.prepare("INSERT INTO paused.looped (k) VALUES (?)").await.unwrap();
    let mode = CapacityMode::Provisioned { read: 1_000, write: 50 };
    local.throttling().set_capacity("paused", "looped", Some(mode));
    let mut written = store.execute_each((0..100).map(|k| (k,)));
    while let Some(((k,), result)) = written.next().await {
        result.unwrap();
        store.execute((1_000 + k,)).await.unwrap();
    }
    let keys: Select<(), (i32,)> = session.prepare("SELECT k FROM paused.looped").await.unwrap();
    assert_eq!(keys.rows(()).try_collect::<Vec<_>>().await.unwrap().len(), 200);
}
