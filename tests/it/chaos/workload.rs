//! Many tasks that write, increment, compare and set, and read until they are stopped.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use keyspaces::value::Counter;
use keyspaces::{Conditional, DeserializeRow, Error, Increment, Outcome, Pages, Select, Session, Write};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::history::{CallResult, Counted, History, Overwritten, Streamed, Swapped, Tables, Written, value_of};

pub(super) const WRITERS: i32 = 6;
/// The partitions of the tasks that overwrite one row repeatedly.
pub(super) const OVERWRITTEN: std::ops::Range<i32> = 2000..2002;
const COUNTERS: u64 = 4;
const SWAPPERS: u64 = 4;
const READERS: u64 = 3;
/// The number of tasks of each kind that hold a stream without polling it, and drop some streams.
const PAUSING: u64 = 3;
/// The partition of the writes that do not wait for earlier writes.
pub(super) const ARRIVING: i32 = 3_000;
/// The maximum time for which a stream is not polled: longer than the deadline of a call.
const LONGEST_PAUSE: Duration = Duration::from_secs(6);
/// The rows in each partition before the first fault.
const ROWS: i32 = 60;
const PAGE: NonZeroU32 = NonZeroU32::new(20).unwrap();
pub(super) const REGISTERS: i32 = 3;
/// The number of digits of a counter, of three bits each.
pub(super) const DIGITS: i64 = 20;
/// The number of counters that are in use at a time.
const CONCURRENT_COUNTERS: i64 = 3;
/// The deadline of a stream that is to fail in the middle: shorter than many faults.
const SHORT_DEADLINE: Duration = Duration::from_millis(250);
/// The maximum pause of most streams.
const SHORT_PAUSE: Duration = Duration::from_millis(300);
/// The maximum time to read a partition, including all errors.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, DeserializeRow)]
#[scylla(crate = keyspaces)]
pub(super) struct Register {
    v: Option<i64>,
}

/// All prepared statements of the workload.
#[derive(Clone, Debug)]
pub(super) struct Statements {
    store: Write<(i32, i32, i32)>,
    store_at: Write<(i32, i32, i32)>,
    store_large: Write<(i32, i32, i32, Vec<u8>)>,
    read: Select<(i32,), (i32, i32)>,
    count: Increment<(Counter, i32)>,
    claim: Conditional<(i32, i64), Register>,
    swap: Conditional<(i64, i32, i64), Register>,
    read_register: Select<(i32,), (Option<i64>,)>,
    scan: Select<(i64, i64), (i32, i32)>,
}

impl Statements {
    pub(super) async fn prepare(session: &Session, tables: &Tables) -> Self {
        let prepare = async {
            let (readings, counters, registers) = (tables.readings(), tables.counters(), tables.registers());
            let read: Select<_, _> = session.prepare(&format!("SELECT c, v FROM {readings} WHERE k = ?")).await?;
            Ok::<_, Error>(Self {
                store: session.prepare(&format!("INSERT INTO {readings} (k, c, v) VALUES (?, ?, ?)")).await?,
                store_at: session
                    .prepare(&format!("INSERT INTO {readings} (k, c, v) VALUES (?, ?, ?) USING TIMESTAMP ?"))
                    .await?,
                store_large: session
                    .prepare(&format!("INSERT INTO {readings} (k, c, v, b) VALUES (?, ?, ?, ?)"))
                    .await?,
                read: read.with_page_size(PAGE),
                count: session.prepare(&format!("UPDATE {counters} SET n = n + ? WHERE k = ?")).await?,
                claim: session.prepare(&format!("INSERT INTO {registers} (k, v) VALUES (?, ?) IF NOT EXISTS")).await?,
                swap: session.prepare(&format!("UPDATE {registers} SET v = ? WHERE k = ? IF v = ?")).await?,
                scan: session
                    .prepare(&format!("SELECT k, c FROM {readings} WHERE token(k) > ? AND token(k) <= ?"))
                    .await?,
                read_register: session.prepare(&format!("SELECT v FROM {registers} WHERE k = ?")).await?,
            })
        };
        prepare.await.expect("they are prepared")
    }
}

/// The running tasks.
#[derive(Debug)]
pub(super) struct Load {
    stopped: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start(seed: u64, statements: &Statements, history: &History) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let (next_digit, next_value) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(1)));
        let mut random = fastrand::Rng::with_seed(seed);
        let mut worker = || Worker {
            statements: statements.clone(),
            history: history.clone(),
            random: random.fork(),
            stopped: Arc::clone(&stopped),
        };
        let mut tasks = Vec::new();
        for k in 0..WRITERS {
            tasks.push(tokio::spawn(worker().write(k)));
        }
        for k in OVERWRITTEN {
            tasks.push(tokio::spawn(worker().overwrite(k)));
        }
        for _ in 0..COUNTERS {
            tasks.push(tokio::spawn(worker().count(Arc::clone(&next_digit))));
        }
        for _ in 0..SWAPPERS {
            tasks.push(tokio::spawn(worker().swap(Arc::clone(&next_value))));
        }
        for _ in 0..READERS {
            tasks.push(tokio::spawn(worker().read()));
        }
        for _ in 0..PAUSING {
            tasks.push(tokio::spawn(worker().read_and_pause()));
            tasks.push(tokio::spawn(worker().fan_out_and_pause()));
            tasks.push(tokio::spawn(worker().scan_and_pause()));
        }
        tasks.push(tokio::spawn(worker().arrive()));
        Self { stopped, tasks }
    }

    /// Stops the tasks after their current calls.
    pub(super) async fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        for task in join_all(self.tasks).await {
            task.expect("a task that did not panic");
        }
    }
}

/// Whether a call succeeds.
pub(super) async fn is_served(statements: &Statements) -> bool {
    statements.read_register.one((0,)).await.is_ok()
}

/// Writes large rows into one partition at once, with more than the 1,000 units that a partition takes in a second.
pub(super) async fn write_large(statements: &Statements, history: &History, k: i32) {
    let writes = (0..5).map(|c| async move {
        let row = (k, c, value_of(k, c), vec![7; 500_000]);
        let answer = history.in_time("a large write", statements.store_large.execute(row)).await;
        let result = answer.map_or_else(|error| CallResult::of_error(&error), |()| CallResult::Applied);
        history.record(|records| records.written.push(Written { k, c, result }));
    });
    join_all(writes).await;
}

struct Worker {
    statements: Statements,
    history: History,
    random: fastrand::Rng,
    stopped: Arc<AtomicBool>,
}

impl Worker {
    fn is_running(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    /// Pauses for a random time, so that other tasks run.
    async fn rest(&mut self) {
        sleep(Duration::from_millis(self.random.u64(0..15))).await;
    }

    /// Waits for a call, or sometimes drops it before it ends.
    async fn call<T>(&mut self, what: &str, call: impl Future<Output = T>) -> Option<T> {
        let call = self.history.in_time(what, call);
        if self.random.u8(0..20) > 0 {
            return Some(call.await);
        }
        timeout(Duration::from_micros(self.random.u64(0..8_000)), call).await.ok()
    }

    async fn write(mut self, k: i32) {
        let store = self.statements.store.clone();
        for c in 0.. {
            // The first rows are written without pauses, so that readers have several pages from the start.
            if c >= ROWS {
                self.rest().await;
                if !self.is_running() {
                    break;
                }
            }
            let answer = self.call("a write", store.execute((k, c, value_of(k, c)))).await;
            let result = match answer {
                None => CallResult::Unknown,
                Some(Ok(())) => CallResult::Applied,
                Some(Err(error)) => CallResult::of_error(&error),
            };
            self.history.record(|records| records.written.push(Written { k, c, result }));
        }
    }

    async fn overwrite(mut self, k: i32) {
        let mut timestamp = DateTime::<Utc>::from(SystemTime::now());
        for v in 0.. {
            timestamp = DateTime::from(SystemTime::now()).max(timestamp + Duration::from_micros(1));
            let store = self.statements.store_at.with_timestamp(timestamp);
            let answer = self.call("a write over another", store.execute((k, 0, v))).await;
            let result = match answer {
                None => CallResult::Unknown,
                Some(Ok(())) => CallResult::Applied,
                Some(Err(error)) => CallResult::of_error(&error),
            };
            self.history.record(|records| records.overwritten.push(Overwritten { k, v, result }));
            self.rest().await;
            if !self.is_running() {
                break;
            }
        }
    }

    async fn count(mut self, next: Arc<AtomicI64>) {
        let count = self.statements.count.clone();
        while self.is_running() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (group, within) = (number / (CONCURRENT_COUNTERS * DIGITS), number % (CONCURRENT_COUNTERS * DIGITS));
            let row = i32::try_from(group * CONCURRENT_COUNTERS + within % CONCURRENT_COUNTERS).unwrap();
            let digit = u32::try_from(within / CONCURRENT_COUNTERS).unwrap();
            let answer = self.call("an increment", count.execute((Counter(1 << (3 * digit)), row))).await;
            let result = match answer {
                None => CallResult::Unknown,
                Some(Ok(())) => CallResult::Applied,
                Some(Err(error)) => CallResult::of_error(&error),
            };
            self.history.record(|records| records.counted.push(Counted { row, digit, result }));
            self.rest().await;
        }
    }

    async fn swap(mut self, next: Arc<AtomicI64>) {
        let Statements { claim, swap, read_register, .. } = self.statements.clone();
        while self.is_running() {
            let row = self.random.i32(0..REGISTERS);
            let Some(Ok(seen)) = self.call("a read", read_register.one((row,))).await else {
                self.rest().await;
                continue;
            };
            let mut expected = seen.and_then(|(value,)| value);
            for _ in 0..self.random.u8(1..4) {
                let new = next.fetch_add(1, Ordering::Relaxed);
                let invoked = self.history.now();
                let answer = match expected {
                    None => self.call("a conditional insert", claim.execute((row, new))).await,
                    Some(old) => self.call("a conditional update", swap.execute((new, row, old))).await,
                };
                let ended = self.history.now();
                let result = match answer {
                    None | Some(Ok(Outcome::Unknown(_))) => CallResult::Unknown,
                    Some(Ok(Outcome::Applied)) => CallResult::Applied,
                    Some(Ok(Outcome::NotApplied(there))) => CallResult::NotApplied(there.and_then(|there| there.v)),
                    Some(Err(error)) => {
                        if error.may_have_been_applied() {
                            self.history.violation(format!("an error in place of an unknown outcome: {error}"));
                        }
                        CallResult::Failed
                    }
                };
                self.history
                    .record(|records| records.swapped.push(Swapped { row, expected, new, invoked, ended, result }));
                expected = match result {
                    CallResult::Applied => Some(new),
                    CallResult::NotApplied(there) => there,
                    CallResult::Unknown | CallResult::Failed => break,
                };
            }
            self.rest().await;
        }
    }

    async fn read(mut self) {
        while self.is_running() {
            let k = self.random.i32(0..WRITERS);
            let before = self.history.acknowledged(k);
            match self.read_all(k).await {
                Some((rows, resumes)) => {
                    self.history.record(|records| records.streamed.push(Streamed { k, before, rows, resumes }));
                }
                None => {
                    self.history.violation(format!("partition {k} was not read to its end within {READ_TIMEOUT:?}"))
                }
            }
            self.rest().await;
        }
    }

    /// Sometimes pauses, so that a stream is not polled. Returns whether to continue with the stream.
    async fn pause(&mut self) -> bool {
        if self.random.u8(0..25) == 0 && self.is_running() {
            let longest = if self.random.u8(0..4) == 0 { LONGEST_PAUSE } else { SHORT_PAUSE };
            sleep(longest.mul_f64(self.random.f64())).await;
        }
        self.random.u8(0..100) > 0
    }

    async fn read_and_pause(mut self) {
        while self.is_running() {
            let k = self.random.i32(0..WRITERS);
            let before = self.history.acknowledged(k);
            let (mut rows, mut read) = (self.statements.read.rows((k,)), Vec::new());
            loop {
                match self.history.in_time("a row", rows.try_next()).await {
                    Ok(Some(row)) => read.push(row),
                    Ok(None) => {
                        self.history
                            .record(|records| records.streamed.push(Streamed { k, before, rows: read, resumes: 0 }));
                        break;
                    }
                    Err(_) => break,
                }
                if !self.pause().await {
                    break;
                }
            }
            drop(rows);
            self.rest().await;
        }
    }

    async fn fan_out_and_pause(mut self) {
        while self.is_running() {
            let keys = (0..60).map(|key| (key % REGISTERS,));
            let mut found = self.statements.read_register.one_for_each(keys);
            while self.history.in_time("a result of many", found.next()).await.is_some() && self.pause().await {}
            drop(found);
            self.rest().await;
        }
    }

    async fn scan_and_pause(mut self) {
        while self.is_running() {
            let ranges = std::num::NonZeroU16::MIN.saturating_add(15);
            let mut pages =
                self.statements.scan.with_page_size(PAGE).scan().expect("it selects by token").ranges(ranges);
            while let Ok(Some(_)) = pages.try_next().await
                && self.pause().await
            {}
            drop(pages);
            self.rest().await;
        }
    }

    /// Starts writes without waiting for earlier writes.
    async fn arrive(mut self) {
        let mut calls = JoinSet::new();
        for c in 0.. {
            if !self.is_running() {
                break;
            }
            let (store, history) = (self.statements.store.clone(), self.history.clone());
            calls.spawn(async move {
                let write = store.execute((ARRIVING, c, value_of(ARRIVING, c)));
                let answer = history.in_time("a write that arrived", write).await;
                let result = answer.map_or_else(|error| CallResult::of_error(&error), |()| CallResult::Applied);
                history.record(|records| records.written.push(Written { k: ARRIVING, c, result }));
            });
            while calls.try_join_next().is_some() {}
            self.rest().await;
        }
        calls.join_all().await;
    }

    /// The rows of a partition, and the number of errors after which the read resumed.
    async fn read_all(&mut self, k: i32) -> Option<(Vec<(i32, i32)>, u32)> {
        let mut read = self.statements.read.clone();
        if self.random.bool() {
            read = read.with_deadline(SHORT_DEADLINE);
        }
        let (mut rows, mut resumes) = (Vec::new(), 0);
        let mut pages: Pages<(i32, i32)> = read.pages((k,));
        let began = Instant::now();
        while began.elapsed() < READ_TIMEOUT {
            match self.history.in_time("a page", pages.try_next()).await {
                Ok(Some(page)) => rows.extend(page.rows),
                Ok(None) => return Some((rows, resumes)),
                Err(error) => {
                    pages = match error.paging_state() {
                        Some(state) => {
                            resumes += 1;
                            read.pages_from((k,), state)
                        }
                        None if rows.is_empty() => read.pages((k,)),
                        None => {
                            self.history.violation(format!("no paging state after {} rows: {error}", rows.len()));
                            rows.clear();
                            read.pages((k,))
                        }
                    };
                    self.rest().await;
                }
            }
        }
        None
    }
}
