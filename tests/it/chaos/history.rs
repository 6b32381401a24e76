//! The three tables, and the calls to them with their results.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyspaces::Error;
use keyspaces_local::Local;
use tokio::time::Instant;

use super::{DEADLINE, MARGIN};
use crate::local::signed;

/// The tables of one run.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) keyspace: &'static str,
    /// Idempotent writes and streams.
    pub(super) readings: String,
    /// Increments.
    pub(super) counters: String,
    /// Conditional writes.
    pub(super) registers: String,
}

impl Tables {
    pub(super) async fn create(local: &Local, seed: u64) -> Self {
        let session = signed(local).connect().await.expect("a session");
        let keyspace = "chaos";
        crate::server::keyspace(&session, keyspace).await;
        let [readings, counters, registers] =
            ["readings", "counters", "registers"].map(|table| format!("{table}_{seed}_{:x}", fastrand::u32(..)));
        let timestamps = "WITH CUSTOM_PROPERTIES = {'client_side_timestamps': {'status': 'enabled'}}";
        for (table, columns, options) in [
            (&readings, "k int, c int, v int, b blob, PRIMARY KEY (k, c)", timestamps),
            (&counters, "k int PRIMARY KEY, n counter", ""),
            (&registers, "k int PRIMARY KEY, v bigint", ""),
        ] {
            session.define(&format!("CREATE TABLE {keyspace}.{table} ({columns}) {options}")).await.expect("a table");
        }
        Self { keyspace, readings, counters, registers }
    }

    pub(super) fn readings(&self) -> String {
        format!("{}.{}", self.keyspace, self.readings)
    }

    pub(super) fn counters(&self) -> String {
        format!("{}.{}", self.keyspace, self.counters)
    }

    pub(super) fn registers(&self) -> String {
        format!("{}.{}", self.keyspace, self.registers)
    }
}

/// The result of a call, as its caller received it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CallResult<T = ()> {
    Applied,
    /// The condition was not met; with the existing value.
    NotApplied(T),
    /// It may have been applied. Calls that were dropped have this result too.
    Unknown,
    /// It was certainly not applied.
    Failed,
}

impl<T> CallResult<T> {
    pub(super) fn of_error(error: &Error) -> Self {
        if error.may_have_been_applied() { Self::Unknown } else { Self::Failed }
    }
}

/// A row that was written only once: each `c` is used once in its partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) k: i32,
    pub(super) c: i32,
    pub(super) result: CallResult,
}

/// A write to a row that one task overwrites repeatedly, each time with a later timestamp and the next number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overwritten {
    pub(super) k: i32,
    pub(super) v: i32,
    pub(super) result: CallResult,
}

/// An increment of one digit of a counter, which no other call increments. The digit shows how many times it was applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) row: i32,
    pub(super) digit: u32,
    pub(super) result: CallResult,
}

/// A conditional write of a value that no other call writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swapped {
    pub(super) row: i32,
    /// `None` if the write expects that the row does not exist.
    pub(super) expected: Option<i64>,
    pub(super) new: i64,
    pub(super) invoked: Duration,
    pub(super) ended: Duration,
    pub(super) result: CallResult<Option<i64>>,
}

/// A partition that was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Streamed {
    pub(super) k: i32,
    /// The rows that were acknowledged before the read began.
    pub(super) before: BTreeSet<i32>,
    pub(super) rows: Vec<(i32, i32)>,
    /// How many times the read resumed from the paging state of an error.
    pub(super) resumes: u32,
}

/// The history of one run. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct History(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    pub(super) records: Mutex<Records>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) written: Vec<Written>,
    pub(super) overwritten: Vec<Overwritten>,
    pub(super) counted: Vec<Counted>,
    pub(super) swapped: Vec<Swapped>,
    pub(super) streamed: Vec<Streamed>,
    pub(super) longest: Duration,
    violations: Vec<String>,
}

impl Default for History {
    fn default() -> Self {
        Self(Arc::new(Inner { began: Instant::now(), records: Mutex::default() }))
    }
}

impl History {
    pub(super) fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    pub(super) fn record(&self, with: impl FnOnce(&mut Records)) {
        with(&mut self.0.records.lock().unwrap());
    }

    pub(super) fn records(&self) -> Records {
        self.0.records.lock().unwrap().clone()
    }

    pub(super) fn violation(&self, what: String) {
        self.record(|records| records.violations.push(what));
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.records().violations
    }

    /// Waits for a call. A call that ends too late is a violation.
    pub(super) async fn in_time<T>(&self, what: &str, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let answer = call.await;
        let took = began.elapsed();
        self.record(|records| records.longest = records.longest.max(took));
        if took > DEADLINE + MARGIN {
            self.violation(format!("{what} took {took:.1?}, with a deadline of {DEADLINE:?}"));
        }
        answer
    }

    /// The rows of a partition that have been acknowledged so far.
    pub(super) fn acknowledged(&self, k: i32) -> BTreeSet<i32> {
        let records = self.0.records.lock().unwrap();
        let there = records.written.iter().filter(|written| written.k == k && written.result == CallResult::Applied);
        there.map(|written| written.c).collect()
    }
}

/// The value that every write of this row stores.
pub(super) fn value_of(k: i32, c: i32) -> i32 {
    k.wrapping_mul(1_000_003).wrapping_add(c)
}
