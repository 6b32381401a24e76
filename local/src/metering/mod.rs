//! Counts consumed capacity and throttled requests, under the names of the service's metrics.

mod minutes;
mod statistics;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::clock::{self, Clock};
use crate::lock::Mutex;
use crate::names::SchemaObject;
use crate::protocol::error_code;
use crate::saturated::saturated;
use crate::throttle::{Direction, Exceeded};
pub(crate) use minutes::Counter;
use minutes::Minutes;
pub(crate) use statistics::StatisticSet;

/// The consumption and the throttling of each table's statements. A clone is cheap and shares the counts. Counting
/// begins at the start, and continues after a restart of the gateway.
///
/// The size of a written row is estimated as in the guide ([`keyspaces_cql::units`]), from the values in the statement.
/// The consumption of a read depends on the bytes of its answer. A failed statement consumes nothing.
///
/// The control plane shows the same counts by the minute, as CloudWatch metrics.
#[derive(Clone)]
pub struct Metering(Arc<MeteringInner>);

struct MeteringInner {
    clock: Clock,
    /// The offset of CloudWatch's time from the clock, in milliseconds.
    offset_millis: AtomicU64,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    totals: BTreeMap<SchemaObject, [OperationMetrics; Operation::ALL.len()]>,
    minutes: Minutes,
}

/// The counts of one kind of statement on one table, under CloudWatch's names (`DG:metrics-dimensions`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct OperationMetrics {
    /// The keyspace of the table.
    pub keyspace: String,
    /// The name of the table.
    pub table_name: String,
    /// The kind of the statements.
    pub operation: Operation,
    /// Read units; reads at ONE and LOCAL_ONE count halves.
    pub consumed_read_capacity_units: f64,
    /// Write units.
    pub consumed_write_capacity_units: f64,
    /// Statements that succeeded; a batch counts once for each of its tables.
    pub successful_request_count: u64,
    /// Reads that were throttled, for any reason.
    pub read_throttle_events: u64,
    /// Writes that were throttled, for any reason.
    pub write_throttle_events: u64,
    /// Throttled statements that exceeded the limit of a partition.
    pub storage_partition_throughput_capacity_exceeded: u64,
    /// Throttled statements that exceeded the limit of a connection.
    pub per_connection_request_rate_exceeded: u64,
    /// Conditional writes whose condition was false; they count as successful requests too.
    pub conditional_check_failed_requests: u64,
    /// Statements that failed with ServerError.
    pub system_errors: u64,
    /// Statements that were refused as invalid because of their values, or by the backing Cassandra.
    pub user_errors: u64,
}

/// The kind of a statement.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "CQL's own names")]
pub enum Operation {
    #[default]
    Select,
    Insert,
    Update,
    Delete,
    Batch,
}

impl Operation {
    pub(crate) const ALL: [Self; 5] = [Self::Select, Self::Insert, Self::Update, Self::Delete, Self::Batch];

    /// The value of CloudWatch's dimension `Operation`.
    pub(crate) fn name(self) -> &'static str {
        use keyspaces_cql::metrics::Operation;
        match self {
            Self::Select => Operation::Select.name(),
            Self::Insert => Operation::Insert.name(),
            Self::Update => Operation::Update.name(),
            Self::Delete => Operation::Delete.name(),
            Self::Batch => Operation::Batch.name(),
        }
    }
}

impl Metering {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(MeteringInner { clock, offset_millis: AtomicU64::new(0), counts: Mutex::default() }))
    }

    /// The counts of all tables and kinds of statements, sorted by keyspace, table and kind.
    pub fn snapshot(&self) -> Vec<OperationMetrics> {
        let mut all = Vec::new();
        for (table, operations) in &self.counts().totals {
            for (operation, metrics) in Operation::ALL.into_iter().zip(operations) {
                if *metrics != OperationMetrics::default() {
                    let (keyspace, table_name) = (table.keyspace.clone(), table.name.clone());
                    all.push(OperationMetrics { keyspace, table_name, operation, ..metrics.clone() });
                }
            }
        }
        all
    }

    /// The counts of one kind of statement on one table; all zero if there was none.
    pub fn get(&self, keyspace: &str, table: &str, operation: Operation) -> OperationMetrics {
        let counts = self.counts();
        let operations = counts.totals.get(&SchemaObject::table(keyspace, table));
        let metrics = operations.map(|operations| operations[operation as usize].clone()).unwrap_or_default();
        OperationMetrics { keyspace: keyspace.to_owned(), table_name: table.to_owned(), operation, ..metrics }
    }

    /// Resets the counts to zero. CloudWatch's data points stay.
    pub fn clear(&self) {
        self.counts().totals.clear();
    }

    /// Moves CloudWatch's time ahead: later counts belong to a later minute. The next request for an alarm evaluates
    /// all alarms for the minutes in between, up to a day. Nothing else is affected.
    pub fn advance(&self, by: Duration) {
        let millis = saturated::<u64>(by.as_millis());
        let later = |offset_millis: u64| Some(offset_millis.saturating_add(millis).min(MAX_OFFSET_MILLIS));
        // `later` always returns `Some`, so the update cannot fail.
        let _ = self.0.offset_millis.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    /// CloudWatch's time, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        clock::millis((self.0.clock)()).saturating_add(self.0.offset_millis.load(Ordering::SeqCst))
    }

    /// The data points of some minutes since 1970, for one kind of statement or for all.
    pub(crate) fn points(
        &self,
        table: &SchemaObject,
        operation: Option<Operation>,
        counter: Counter,
        minutes: Range<u64>,
    ) -> BTreeMap<u64, StatisticSet> {
        self.counts().minutes.points(table, operation, counter, minutes)
    }

    /// The tables, operations and counters that have data points.
    pub(crate) fn counters_with_data(&self) -> Vec<(SchemaObject, Operation, Counter)> {
        self.counts().minutes.counters_with_data()
    }

    /// Counts a statement that succeeded, and the units that it consumed of a table. Its latency counts once for each
    /// table.
    pub(crate) fn record_success(
        &self,
        table: &SchemaObject,
        operation: Operation,
        direction: Direction,
        units: f64,
        latency: Duration,
    ) {
        self.count(table, operation, |count| {
            match direction {
                Direction::Read => {
                    count.total.consumed_read_capacity_units += units;
                    count.record(Counter::ConsumedReadCapacityUnits, units);
                }
                Direction::Write => {
                    count.total.consumed_write_capacity_units += units;
                    count.record(Counter::ConsumedWriteCapacityUnits, units);
                }
            }
            count.total.successful_request_count += 1;
            count.record(Counter::SuccessfulRequestCount, 1.0);
            count.record(Counter::SuccessfulRequestLatency, latency.as_secs_f64() * 1000.0);
        });
    }

    pub(crate) fn record_throttled(
        &self,
        table: &SchemaObject,
        operation: Operation,
        direction: Direction,
        exceeded: Exceeded,
    ) {
        self.count(table, operation, |count| {
            match direction {
                Direction::Read => {
                    count.total.read_throttle_events += 1;
                    count.record(Counter::ReadThrottleEvents, 1.0);
                }
                Direction::Write => {
                    count.total.write_throttle_events += 1;
                    count.record(Counter::WriteThrottleEvents, 1.0);
                }
            }
            match exceeded {
                Exceeded::Table => {}
                Exceeded::Partition => {
                    count.total.storage_partition_throughput_capacity_exceeded += 1;
                    count.record(Counter::StoragePartitionThroughputCapacityExceeded, 1.0);
                }
                Exceeded::Connection => {
                    count.total.per_connection_request_rate_exceeded += 1;
                    count.record(Counter::PerConnectionRequestRateExceeded, 1.0);
                }
            }
        });
    }

    /// Counts a conditional write whose condition was false.
    pub(crate) fn record_failed_condition(&self, table: &SchemaObject, operation: Operation) {
        self.count(table, operation, |count| {
            count.total.conditional_check_failed_requests += 1;
            count.record(Counter::ConditionalCheckFailedRequests, 1.0);
        });
    }

    /// Counts a statement that failed with this error code of the protocol. Only two codes have a metric.
    pub(crate) fn record_failure(&self, table: &SchemaObject, operation: Operation, code: i32) {
        match code {
            error_code::SERVER_ERROR => self.count(table, operation, |count| {
                count.total.system_errors += 1;
                count.record(Counter::SystemErrors, 1.0);
            }),
            error_code::INVALID => self.count(table, operation, |count| {
                count.total.user_errors += 1;
                count.record(Counter::UserErrors, 1.0);
            }),
            _ => {}
        }
    }

    fn count(&self, table: &SchemaObject, operation: Operation, count: impl FnOnce(&mut Count<'_>)) {
        let minute = self.now() / 60_000;
        let mut counts = self.counts();
        let Counts { totals, minutes } = &mut *counts;
        if !totals.contains_key(table) {
            totals.insert(table.clone(), Default::default());
        }
        if let Some(operations) = totals.get_mut(table) {
            count(&mut Count { total: &mut operations[operation as usize], minutes, table, operation, minute });
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock()
    }
}

/// The furthest that CloudWatch's time can be moved ahead: a thousand years.
const MAX_OFFSET_MILLIS: u64 = 1000 * 365 * 24 * 3_600_000;

/// The counters that one event increments.
struct Count<'a> {
    total: &'a mut OperationMetrics,
    minutes: &'a mut Minutes,
    table: &'a SchemaObject,
    operation: Operation,
    minute: u64,
}

impl Count<'_> {
    fn record(&mut self, counter: Counter, value: f64) {
        self.minutes.count(self.table, self.operation, counter, self.minute, value);
    }
}

/// Uses the system's time.
impl Default for Metering {
    fn default() -> Self {
        Self::new(Arc::new(SystemTime::now))
    }
}

impl std::fmt::Debug for Metering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metering").field("counts", &self.0.counts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttled_statement_counts_in_every_metric_it_affects() {
        let (metering, table) = (Metering::default(), SchemaObject::table("ks", "t"));
        metering.record_throttled(&table, Operation::Insert, Direction::Write, Exceeded::Partition);
        metering.record_throttled(&table, Operation::Insert, Direction::Write, Exceeded::Table);
        metering.record_throttled(&table, Operation::Select, Direction::Read, Exceeded::Connection);
        metering.record_success(&table, Operation::Select, Direction::Read, 0.5, Duration::from_millis(3));
        let json = serde_json::to_value(metering.snapshot()).unwrap();
        let expected = serde_json::json!([
            {
                "Keyspace": "ks", "TableName": "t", "Operation": "SELECT",
                "ConsumedReadCapacityUnits": 0.5, "ConsumedWriteCapacityUnits": 0.0, "SuccessfulRequestCount": 1,
                "ReadThrottleEvents": 1, "WriteThrottleEvents": 0,
                "StoragePartitionThroughputCapacityExceeded": 0, "PerConnectionRequestRateExceeded": 1,
                "ConditionalCheckFailedRequests": 0, "SystemErrors": 0, "UserErrors": 0,
            },
            {
                "Keyspace": "ks", "TableName": "t", "Operation": "INSERT",
                "ConsumedReadCapacityUnits": 0.0, "ConsumedWriteCapacityUnits": 0.0, "SuccessfulRequestCount": 0,
                "ReadThrottleEvents": 0, "WriteThrottleEvents": 2,
                "StoragePartitionThroughputCapacityExceeded": 1, "PerConnectionRequestRateExceeded": 0,
                "ConditionalCheckFailedRequests": 0, "SystemErrors": 0, "UserErrors": 0,
            },
        ]);
        assert_eq!(json, expected);
        assert_eq!(metering.get("ks", "t", Operation::Insert).write_throttle_events, 2);
        assert_eq!(metering.get("ks", "other", Operation::Insert).write_throttle_events, 0);
        metering.clear();
        assert!(metering.snapshot().is_empty());
    }
}
