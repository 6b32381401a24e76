//! The sources of data points: the gateway's counts by the minute, the provisioned capacity of tables, and the quotas.

use std::collections::{BTreeMap, BTreeSet};

use keyspaces_cql::CapacityMode;
use keyspaces_cql::metrics;

use super::expression::SeriesPoints;
use super::watched_metric::{Subject, WatchedMetric};
use crate::metering::{Counter, Metering, StatisticSet};
use crate::names::ObjectKind;
use crate::schema::Schema;

/// The source of all data points.
pub(super) struct MetricSource<'a> {
    metering: &'a Metering,
    schema: &'a Schema,
}

/// A range of whole periods, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    start: u64,
    period: u64,
    count: u64,
}

/// A metric that has data points, as ListMetrics shows it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct MetricWithData {
    pub(super) metric_name: &'static str,
    pub(super) dimensions: Vec<(&'static str, String)>,
}

/// The interval in minutes at which capacity and quotas are reported (DG:metrics-dimensions).
const REPORT_INTERVAL_MINUTES: u64 = 5;

/// The default quota for reads and for writes of one table (DG:quotas).
const MAX_TABLE_UNITS: f64 = 40_000.0;

impl<'a> MetricSource<'a> {
    pub(super) fn new(metering: &'a Metering, schema: &'a Schema) -> Self {
        Self { metering, schema }
    }

    /// The values of a statistic by period; none for a metric, a dimension or a statistic that does not exist.
    pub(super) fn points(&self, watched: &WatchedMetric, range: Range) -> SeriesPoints {
        let sets = self.statistic_sets(watched, range);
        sets.into_iter().map(|(period, set)| (period, set.get(watched.statistic))).collect()
    }

    /// The statistic sets by period.
    pub(super) fn statistic_sets(&self, watched: &WatchedMetric, range: Range) -> BTreeMap<u64, StatisticSet> {
        let mut by_period = BTreeMap::<u64, StatisticSet>::new();
        if watched.description().is_none_or(|metric| !metric.has(watched.statistic)) {
            return by_period;
        }
        for (minute, set) in self.minutes(watched, range) {
            let period = range.start + (minute * 60 - range.start) / range.period * range.period;
            let all = by_period.entry(period).or_default();
            *all = all.merge(set);
        }
        by_period
    }

    fn minutes(&self, watched: &WatchedMetric, range: Range) -> BTreeMap<u64, StatisticSet> {
        let minutes = range.start.div_ceil(60)..range.end().div_ceil(60);
        let Some(subject) = watched.subject() else { return BTreeMap::new() };
        let counter = Counter::ALL.into_iter().find(|counter| counter.metric().name == watched.metric_name);
        if let Some(counter) = counter {
            return match subject {
                Subject::Table(table) => self.metering.points(&table, None, counter, minutes),
                Subject::Operation(table, operation) => self.metering.points(&table, Some(operation), counter, minutes),
                Subject::Account => BTreeMap::new(),
            };
        }
        let Some(value) = self.current_value(watched, &subject) else { return BTreeMap::new() };
        let minutes =
            minutes.start.next_multiple_of(REPORT_INTERVAL_MINUTES)..minutes.end.min(self.metering.now() / 60_000 + 1);
        let step = usize::try_from(REPORT_INTERVAL_MINUTES).unwrap_or(1);
        minutes.step_by(step).map(|minute| (minute, StatisticSet::from_value(value))).collect()
    }

    /// The current value of a metric that is reported every five minutes; earlier values are not stored.
    fn current_value(&self, watched: &WatchedMetric, subject: &Subject) -> Option<f64> {
        let name = watched.metric_name.as_str();
        match subject {
            Subject::Account => [metrics::ACCOUNT_MAX_TABLE_LEVEL_READS, metrics::ACCOUNT_MAX_TABLE_LEVEL_WRITES]
                .iter()
                .any(|metric| metric.name() == name)
                .then_some(MAX_TABLE_UNITS),
            Subject::Table(table) => {
                let CapacityMode::Provisioned { read, write } = self.schema.options(table)?.capacity_mode? else {
                    return None;
                };
                [(metrics::PROVISIONED_READ_CAPACITY_UNITS, read), (metrics::PROVISIONED_WRITE_CAPACITY_UNITS, write)]
                    .into_iter()
                    .find(|(metric, _)| metric.name() == name)
                    .map(|(_, units)| f64::from(units))
            }
            Subject::Operation(..) => None,
        }
    }

    /// All metrics that have data points.
    pub(super) fn metrics_with_data(&self) -> BTreeSet<MetricWithData> {
        let mut listed = BTreeSet::new();
        for (table, operation, counter) in self.metering.counters_with_data() {
            let metric = counter.metric();
            let mut dimensions = vec![("Keyspace", table.keyspace), ("TableName", table.name)];
            if metric.dimensions.contains(&metrics::Dimension::Operation) {
                dimensions.push(("Operation", operation.name().to_owned()));
            }
            listed.insert(MetricWithData { metric_name: metric.name, dimensions });
        }
        for metric in [metrics::ACCOUNT_MAX_TABLE_LEVEL_READS, metrics::ACCOUNT_MAX_TABLE_LEVEL_WRITES] {
            listed.insert(MetricWithData { metric_name: metric.name(), dimensions: Vec::new() });
        }
        for (keyspace, _) in self.schema.visible_keyspaces() {
            for table in self.schema.visible_objects(&keyspace.keyspace, ObjectKind::Table) {
                let options = self.schema.options(&table);
                if !options
                    .is_some_and(|options| matches!(options.capacity_mode, Some(CapacityMode::Provisioned { .. })))
                {
                    continue;
                }
                for metric in [metrics::PROVISIONED_READ_CAPACITY_UNITS, metrics::PROVISIONED_WRITE_CAPACITY_UNITS] {
                    let dimensions = vec![("Keyspace", table.keyspace.clone()), ("TableName", table.name.clone())];
                    listed.insert(MetricWithData { metric_name: metric.name(), dimensions });
                }
            }
        }
        listed
    }
}

impl Range {
    /// The `count` periods before `end`.
    pub(super) fn before(end: u64, period: u64, count: u64) -> Self {
        let count = count.min(end / period);
        Self { start: end - count * period, period, count }
    }

    /// The periods that begin before `end`, starting at `start` rounded down to a whole period.
    pub(super) fn between(start: u64, end: u64, period: u64) -> Self {
        let start = start / period * period;
        Self { start, period, count: end.saturating_sub(start).div_ceil(period) }
    }

    pub(super) fn count(self) -> u64 {
        self.count
    }

    /// The beginning of each period.
    pub(super) fn periods(self) -> impl Iterator<Item = u64> {
        (0..self.count).map(move |number| self.start + number * self.period)
    }

    fn end(self) -> u64 {
        self.start + self.count * self.period
    }
}
