//! Counters by the minute.

use std::collections::BTreeMap;
use std::ops::Range;

use keyspaces_cql::metrics::{self, Description};

use super::Operation;
use super::statistics::StatisticSet;
use crate::names::SchemaObject;

/// A metric of the service that is counted here.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Counter {
    ConditionalCheckFailedRequests,
    ConsumedReadCapacityUnits,
    ConsumedWriteCapacityUnits,
    PerConnectionRequestRateExceeded,
    ReadThrottleEvents,
    StoragePartitionThroughputCapacityExceeded,
    SuccessfulRequestCount,
    SuccessfulRequestLatency,
    SystemErrors,
    UserErrors,
    WriteThrottleEvents,
}

/// The data points of each table and kind of statement, by minutes since 1970.
#[derive(Debug, Default)]
pub(super) struct Minutes(BTreeMap<SchemaObject, [MinutePoints; Operation::ALL.len()]>);

type MinutePoints = [BTreeMap<u64, StatisticSet>; Counter::ALL.len()];

/// The retention of data points: the longest range that an alarm may look at. CloudWatch keeps data points of a minute
/// for 15 days.
const RETENTION_MINUTES: u64 = 7 * 24 * 60;

impl Minutes {
    pub(super) fn count(
        &mut self,
        table: &SchemaObject,
        operation: Operation,
        counter: Counter,
        minute: u64,
        value: f64,
    ) {
        if !self.0.contains_key(table) {
            self.0.insert(table.clone(), Default::default());
        }
        let Some(operations) = self.0.get_mut(table) else { return };
        let points = &mut operations[operation as usize][counter as usize];
        let point = points.entry(minute).or_default();
        *point = point.merge(StatisticSet::from_value(value));
        while points.first_key_value().is_some_and(|(first, _)| first + RETENTION_MINUTES < minute) {
            points.pop_first();
        }
    }

    /// The data points of some minutes, for one kind of statement or for all.
    pub(super) fn points(
        &self,
        table: &SchemaObject,
        operation: Option<Operation>,
        counter: Counter,
        minutes: Range<u64>,
    ) -> BTreeMap<u64, StatisticSet> {
        let mut all = BTreeMap::<u64, StatisticSet>::new();
        let Some(operations) = self.0.get(table) else { return all };
        for counted in
            Operation::ALL.into_iter().filter(|counted| operation.is_none_or(|operation| operation == *counted))
        {
            for (minute, point) in operations[counted as usize][counter as usize].range(minutes.clone()) {
                let sum = all.entry(*minute).or_default();
                *sum = sum.merge(*point);
            }
        }
        all
    }

    /// The tables, operations and counters that have data points.
    pub(super) fn counters_with_data(&self) -> Vec<(SchemaObject, Operation, Counter)> {
        let mut counted = Vec::new();
        for (table, operations) in &self.0 {
            for (operation, points) in Operation::ALL.into_iter().zip(operations) {
                let counters = Counter::ALL.into_iter().zip(points).filter(|(_, points)| !points.is_empty());
                counted.extend(counters.map(|(counter, _)| (table.clone(), operation, counter)));
            }
        }
        counted
    }
}

impl Counter {
    pub(crate) const ALL: [Self; 11] = [
        Self::ConditionalCheckFailedRequests,
        Self::ConsumedReadCapacityUnits,
        Self::ConsumedWriteCapacityUnits,
        Self::PerConnectionRequestRateExceeded,
        Self::ReadThrottleEvents,
        Self::StoragePartitionThroughputCapacityExceeded,
        Self::SuccessfulRequestCount,
        Self::SuccessfulRequestLatency,
        Self::SystemErrors,
        Self::UserErrors,
        Self::WriteThrottleEvents,
    ];

    /// The metric of the counter.
    pub(crate) fn metric(self) -> Description {
        match self {
            Self::ConditionalCheckFailedRequests => metrics::CONDITIONAL_CHECK_FAILED_REQUESTS.description(),
            Self::ConsumedReadCapacityUnits => metrics::CONSUMED_READ_CAPACITY_UNITS.description(),
            Self::ConsumedWriteCapacityUnits => metrics::CONSUMED_WRITE_CAPACITY_UNITS.description(),
            Self::PerConnectionRequestRateExceeded => metrics::PER_CONNECTION_REQUEST_RATE_EXCEEDED.description(),
            Self::ReadThrottleEvents => metrics::READ_THROTTLE_EVENTS.description(),
            Self::StoragePartitionThroughputCapacityExceeded => {
                metrics::STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED.description()
            }
            Self::SuccessfulRequestCount => metrics::SUCCESSFUL_REQUEST_COUNT.description(),
            Self::SuccessfulRequestLatency => metrics::SUCCESSFUL_REQUEST_LATENCY.description(),
            Self::SystemErrors => metrics::SYSTEM_ERRORS.description(),
            Self::UserErrors => metrics::USER_ERRORS.description(),
            Self::WriteThrottleEvents => metrics::WRITE_THROTTLE_EVENTS.description(),
        }
    }
}

#[cfg(test)]
mod tests {
    use keyspaces_cql::metrics::Statistic;

    use super::*;

    #[test]
    fn data_points_exist_by_operation_and_in_total_for_a_week() {
        let (mut minutes, table) = (Minutes::default(), SchemaObject::table("ks", "t"));
        let units = Counter::ConsumedWriteCapacityUnits;
        for (operation, minute, value) in [
            (Operation::Insert, 10, 1.0),
            (Operation::Insert, 10, 2.0),
            (Operation::Update, 10, 4.0),
            (Operation::Update, 11, 8.0),
        ] {
            minutes.count(&table, operation, units, minute, value);
        }
        let sums = |minutes: &Minutes, operation, range| {
            let points = minutes.points(&table, operation, units, range);
            points.into_iter().map(|(minute, point)| (minute, point.get(Statistic::Sum))).collect::<Vec<_>>()
        };
        assert_eq!(sums(&minutes, None, 0..100), [(10, 7.0), (11, 8.0)]);
        assert_eq!(sums(&minutes, Some(Operation::Insert), 0..100), [(10, 3.0)]);
        assert_eq!(sums(&minutes, None, 11..12), [(11, 8.0)]);
        minutes.count(&table, Operation::Update, units, 11 + RETENTION_MINUTES, 1.0);
        assert_eq!(sums(&minutes, Some(Operation::Update), 0..u64::MAX), [(11, 8.0), (11 + RETENTION_MINUTES, 1.0)]);
        minutes.count(&table, Operation::Update, units, 12 + RETENTION_MINUTES, 1.0);
        assert_eq!(sums(&minutes, Some(Operation::Update), 0..12), []);
    }
}
