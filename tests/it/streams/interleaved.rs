//! Streams of a throttled table that are polled, paused and dropped in any order block no other caller.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use futures::future::join_all;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use keyspaces::{Error, Pages, Select, Session, Write};
use keyspaces_local::fault::{Effect, Fault};
use keyspaces_local::journal::Kind;
use keyspaces_local::{CapacityMode, Local};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::local::signed;
use crate::server::keyspace;

const TABLE: &str = "interleaved.readings";
const PARTITIONS: i32 = 20;
/// The rows of each partition.
const ROWS: i32 = 20;
const PAGE: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// The provisioned read units per second.
const CAPACITY: u32 = 200;
/// The deadline of a call. Throttled reads in a row lower the rate to one read per second until a read is acknowledged, and
/// a call is refused at once if its turn would come too late at that rate. So the deadline is longer than all the reads of
/// a case would take at that rate.
const DEADLINE: Duration = Duration::from_secs(3_600);
/// How long a case may take: far longer than any takes. A stream that blocks other calls would block them for ever.
const CASE_TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug)]
enum Kinds {
    Rows,
    Pages,
    FanOut,
    Scan,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open(Kinds),
    /// Polls the stream once, whatever the result. It is paused until its next step.
    PollOnce(u8),
    Next(u8),
    Drop(u8),
    Pause(u8),
    /// The table throttles its next reads.
    Throttle(u8),
    /// Reads of other callers, each in a task of its own.
    OtherCallers,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec![Kinds::Rows, Kinds::Pages, Kinds::FanOut, Kinds::Scan]);
    prop_oneof![
        3 => kind.prop_map(Step::Open),
        4 => any::<u8>().prop_map(Step::PollOnce),
        4 => any::<u8>().prop_map(Step::Next),
        1 => any::<u8>().prop_map(Step::Drop),
        1 => (0..100_u8).prop_map(Step::Pause),
        2 => (1..4_u8).prop_map(Step::Throttle),
        1 => Just(Step::OtherCallers),
    ]
}

/// A stream of the number of rows in each item.
type Opened = BoxStream<'static, Result<usize, Error>>;

struct Readings {
    local: Local,
    rows: Select<(i32,), (i32,)>,
    scan: Select<(i64, i64), (i32,)>,
}

impl Readings {
    async fn new() -> Self {
        let local = Local::builder().start().await.expect("a local Keyspaces");
        let session: Session = signed(&local).call_timeout(DEADLINE).connect().await.unwrap();
        keyspace(&session, "interleaved").await;
        session.define(&format!("CREATE TABLE {TABLE} (k int, c int, PRIMARY KEY (k, c))")).await.unwrap();
        let store: Write<(i32, i32)> =
            session.prepare(&format!("INSERT INTO {TABLE} (k, c) VALUES (?, ?)")).await.unwrap();
        let all = (0..PARTITIONS).flat_map(|k| (0..ROWS).map(move |c| (k, c)));
        let written: Vec<_> = store.execute_each(all).into_try_stream().try_collect().await.unwrap();
        assert_eq!(written.len(), (PARTITIONS * ROWS) as usize);
        let capacity = CapacityMode::Provisioned { read: CAPACITY, write: 1_000 };
        local.throttling().set_capacity("interleaved", "readings", Some(capacity));
        let rows: Select<(i32,), (i32,)> =
            session.prepare(&format!("SELECT c FROM {TABLE} WHERE k = ?")).await.unwrap();
        let scan: Select<(i64, i64), (i32,)> =
            session.prepare(&format!("SELECT c FROM {TABLE} WHERE token(k) > ? AND token(k) <= ?")).await.unwrap();
        Self { local, rows: rows.with_page_size(PAGE), scan: scan.with_page_size(PAGE) }
    }

    /// Opens a stream. Returns it and the number of rows in it.
    fn open(&self, kind: Kinds) -> (Opened, usize) {
        let (partition, table) = (ROWS as usize, (PARTITIONS * ROWS) as usize);
        match kind {
            Kinds::Rows => (self.rows.rows((1,)).map_ok(|_| 1).boxed(), partition),
            Kinds::Pages => {
                let pages: Pages<(i32,)> = self.rows.pages((1,));
                (pages.map_ok(|page| page.rows.len()).boxed(), partition)
            }
            Kinds::FanOut => {
                let each = self.rows.all_for_each((0..PARTITIONS).map(|k| (k,)));
                (each.map(|(_, rows)| rows.map(|rows| rows.len())).boxed(), table)
            }
            Kinds::Scan => {
                let ranges = NonZeroU16::new(8).unwrap();
                let scan = self.scan.scan().unwrap().ranges(ranges);
                (scan.map_ok(|rows| rows.len()).boxed(), table)
            }
        }
    }

    fn throttle(&self, reads: u8) {
        let fault = Fault::new(Effect::throttled_read()).kind(Kind::Execute).containing(format!("FROM {TABLE}"));
        self.local.faults().inject(fault.times(reads.into()));
    }

    async fn others(&self) {
        let others = (0..5).map(|k| {
            let rows = self.rows.clone();
            tokio::spawn(async move { rows.first((k,)).await })
        });
        for other in join_all(others).await {
            assert_eq!(other.unwrap().expect("others are served before their deadline"), Some((0,)));
        }
    }

    /// Runs the steps in order. At the end the open streams are read to their ends: none has lost a row.
    async fn run(&self, steps: &[Step]) {
        self.throttle(1);
        let mut opened: Vec<(Opened, usize)> = Vec::new();
        for step in steps {
            let chosen = |which: u8| usize::from(which) % opened.len().max(1);
            match *step {
                Step::Open(kind) => opened.push(self.open(kind)),
                Step::PollOnce(which) | Step::Next(which) => {
                    let index = chosen(which);
                    let Some((stream, left)) = opened.get_mut(index) else { continue };
                    let next = match step {
                        Step::PollOnce(_) => stream.next().now_or_never().flatten(),
                        _ => stream.next().await,
                    };
                    *left -= next.map_or(0, |rows| rows.expect("a stream is served"));
                }
                Step::Drop(which) if !opened.is_empty() => drop(opened.swap_remove(chosen(which))),
                Step::Drop(_) => {}
                Step::Pause(millis) => tokio::time::sleep(Duration::from_millis(millis.into())).await,
                Step::Throttle(reads) => self.throttle(reads),
                Step::OtherCallers => self.others().await,
            }
        }
        self.others().await;
        for (stream, left) in opened {
            let rows: Vec<usize> = stream.try_collect().await.expect("a stream that was paused is read on");
            assert_eq!(rows.iter().sum::<usize>(), left);
        }
        self.local.faults().clear();
    }
}

#[test]
fn polled_paused_or_dropped_streams_do_not_starve_other_callers() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let readings = runtime.block_on(Readings::new());
    let config = Config { cases: 12, max_shrink_time: 60_000, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..40), |steps| {
            let case = async { tokio::time::timeout(CASE_TIMEOUT, readings.run(&steps)).await };
            runtime.block_on(case).map_err(|_| TestCaseError::fail("a stream blocks the reads of other callers"))
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
