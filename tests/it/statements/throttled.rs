//! Tables whose capacity is less than the load.

use std::time::Duration;

use futures::TryStreamExt;
use keyspaces::{Select, TableLimit, Write};
use keyspaces_local::{CapacityMode, Local, Operation};

use crate::local::signed;
use crate::server::keyspace;

const UNITS: u32 = 50;
const WRITES: u32 = 300;

#[tokio::test]
async fn throttled_table_reaches_its_capacity_with_few_attempts_and_no_error() {
    let local = Local::builder().start().await.expect("a local Keyspaces");
    let session = signed(&local).call_timeout(Duration::from_secs(60)).connect().await.unwrap();
    keyspace(&session, "throttled").await;
    session.define("CREATE TABLE throttled.t (id int PRIMARY KEY)").await.unwrap();
    let store: Write<(i32,)> = session.prepare("INSERT INTO throttled.t (id) VALUES (?)").await.unwrap();
    let mode = CapacityMode::Provisioned { read: 1_000, write: UNITS };
    local.throttling().set_capacity("throttled", "t", Some(mode));

    let mut written = store.execute_each((0..).take(WRITES as usize).map(|id| (id,)));
    while let Some((_, result)) = written.next().await {
        result.expect("it waits for its turn");
    }
    let metrics = local.metering().get("throttled", "t", Operation::Insert);
    assert_eq!(metrics.successful_request_count, u64::from(WRITES));
    // The first attempts are all made at once, because the capacity is not known before the first throttle.
    let in_flight = 256 + 32;
    assert!(metrics.write_throttle_events < in_flight + u64::from(WRITES) / 5, "{metrics:?}");
    let count: Select<(), (i32,)> = session.prepare("SELECT id FROM throttled.t").await.unwrap();
    let there: Vec<_> = count.rows(()).try_collect().await.unwrap();
    assert_eq!(there.len(), WRITES as usize);
}

#[tokio::test]
async fn session_with_a_table_limit_is_never_throttled() {
    let local = Local::builder().start().await.expect("a local Keyspaces");
    let limit = TableLimit::none().write_units(std::num::NonZeroU32::new(40).unwrap());
    let builder = signed(&local).call_timeout(Duration::from_secs(60)).table_limit("limited.t", limit).unwrap();
    let session = builder.connect().await.unwrap();
    keyspace(&session, "limited").await;
    session.define("CREATE TABLE limited.t (id int PRIMARY KEY)").await.unwrap();
    let store: Write<(i32,)> = session.prepare("INSERT INTO limited.t (id) VALUES (?)").await.unwrap();
    local.throttling().set_capacity("limited", "t", Some(CapacityMode::Provisioned { read: 1_000, write: UNITS }));
    let mut written = store.execute_each((0..150).map(|id| (id,)));
    while let Some((_, result)) = written.next().await {
        result.unwrap();
    }
    let metrics = local.metering().get("limited", "t", Operation::Insert);
    assert_eq!((metrics.successful_request_count, metrics.write_throttle_events), (150, 0));
}

fn capacity(write: u32) -> String {
    let units = format!("'read_capacity_units': 1000, 'write_capacity_units': {write}");
    format!("WITH CUSTOM_PROPERTIES = {{'capacity_mode': {{'throughput_mode': 'PROVISIONED', {units}}}}}")
}

#[tokio::test]
async fn capacity_increase_is_applied_and_used_while_writers_wait() {
    let local = Local::builder().ddl_delay(Duration::ZERO).start().await.expect("a local Keyspaces");
    let session = signed(&local).call_timeout(Duration::from_secs(600)).connect().await.unwrap();
    keyspace(&session, "altered").await;
    session.define(&format!("CREATE TABLE altered.t (id int PRIMARY KEY) {}", capacity(20))).await.unwrap();
    let store: Write<(i32,)> = session.prepare("INSERT INTO altered.t (id) VALUES (?)").await.unwrap();
    let writers: Vec<_> = (0..400)
        .map(|id| {
            let store = store.clone();
            tokio::spawn(async move { store.execute((id,)).await })
        })
        .collect();
    let metrics = || local.metering().get("altered", "t", Operation::Insert);
    while metrics().write_throttle_events == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    session.define(&format!("ALTER TABLE altered.t {}", capacity(2_000))).await.unwrap();
    let served = metrics().successful_request_count;
    assert!(served < 100, "the definition waited for {served} writes, of which 20 are served in a second");
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    // With the initial capacity, these would take a minute.
    let more = store.execute_each((1_000..2_200).map(|id| (id,))).into_try_stream();
    let written = tokio::time::timeout(Duration::from_secs(40), more.try_collect::<Vec<_>>());
    assert_eq!(written.await.expect("the capacity is used").unwrap().len(), 1_200);
}
