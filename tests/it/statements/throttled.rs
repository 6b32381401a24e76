//! A table that takes less than is asked of it, by the units of its capacity mode.

use std::time::Duration;

use futures::StreamExt;
use keyspaces::{Select, TableLimit, Write};
use keyspaces_local::{CapacityMode, Local, Operation};

use crate::local::signed;
use crate::server::keyspace;

const UNITS: u32 = 50;
const WRITES: u32 = 300;

#[tokio::test]
async fn a_throttled_table_is_written_at_its_capacity_with_few_attempts_and_no_error() {
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
    let metered = local.metering().of("throttled", "t", Operation::Insert);
    assert_eq!(metered.successful_request_count, u64::from(WRITES));
    // The first attempts are all made at once: before anything is throttled, nobody knows.
    let in_flight = 256 + 32;
    assert!(metered.write_throttle_events < in_flight + u64::from(WRITES) / 5, "{metered:?}");
    let count: Select<(), (i32,)> = session.prepare("SELECT id FROM throttled.t").await.unwrap();
    let there: Vec<_> = count.rows(()).try_collect().await.unwrap();
    assert_eq!(there.len(), WRITES as usize);
}

#[tokio::test]
async fn a_session_with_a_limit_is_not_throttled_at_all() {
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
    let metered = local.metering().of("limited", "t", Operation::Insert);
    assert_eq!((metered.successful_request_count, metered.write_throttle_events), (150, 0));
}
