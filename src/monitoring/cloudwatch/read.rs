use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::MetricDataQuery;
use keyspaces_cql::metrics::{
    CONDITIONAL_CHECK_FAILED_REQUESTS, CONSUMED_READ_CAPACITY_UNITS, CONSUMED_WRITE_CAPACITY_UNITS, Operation,
    PER_CONNECTION_REQUEST_RATE_EXCEEDED, READ_THROTTLE_EVENTS, STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED,
    SUCCESSFUL_REQUEST_COUNT, SUCCESSFUL_REQUEST_LATENCY, SYSTEM_ERRORS, Series, USER_ERRORS, WRITE_THROTTLE_EVENTS,
};

use super::failure::request_error;
use super::query;
use crate::counted::Counted;
use crate::monitoring::{Period, Table};
use crate::{Error, ErrorKind};

/// The metrics of a table in a range of time. Its `Display` is a table with a line for each kind of statement.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TableMetrics {
    /// The metrics of each kind of statement, in the order of [`Operation::ALL`].
    pub operations: Vec<OperationMetrics>,
    /// The consumed read units (`ConsumedReadCapacityUnits`).
    pub consumed_read_units: f64,
    /// The consumed write units (`ConsumedWriteCapacityUnits`).
    pub consumed_write_units: f64,
    /// Conditional writes whose condition was false (`ConditionalCheckFailedRequests`).
    pub failed_conditions: f64,
}

/// The metrics of one kind of statement on a table; 0 without data points.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OperationMetrics {
    /// The kind of statement.
    pub operation: Operation,
    /// `SuccessfulRequestCount`.
    pub successful_requests: f64,
    /// `ReadThrottleEvents` and `WriteThrottleEvents`.
    pub throttled: f64,
    /// Throttled requests over the capacity of a partition (`StoragePartitionThroughputCapacityExceeded`).
    pub over_partition_capacity: f64,
    /// Throttled requests over the rate of a connection (`PerConnectionRequestRateExceeded`).
    pub over_connection_rate: f64,
    /// `SystemErrors`.
    pub system_errors: f64,
    /// `UserErrors`.
    pub user_errors: f64,
    /// `SuccessfulRequestLatency`; `None` if nothing succeeded.
    pub latency: Option<Latency>,
}

/// The latency of successful requests inside the service: without the network and without retries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Latency {
    /// The average over all requests.
    pub average: Duration,
    /// The slowest request.
    pub maximum: Duration,
}

/// Reads the key metrics of a table: successful requests, throttles, errors, consumed units and latency.
///
/// The period is one minute; five minutes if the range is longer than a day, and one hour if it is longer than 15 days,
/// because CloudWatch keeps one-minute data points for 15 days. Metrics appear a minute or two after the requests.
///
/// ```no_run
/// # async fn run(client: keyspaces::monitoring::aws_sdk_cloudwatch::Client) -> Result<(), keyspaces::Error> {
/// use std::time::{Duration, SystemTime};
/// use keyspaces::monitoring::{self, Table};
///
/// let now = SystemTime::now();
/// let metrics = monitoring::read_metrics(&client, &Table::new("shop", "orders")?, now - Duration::from_secs(3600)..now).await?;
/// println!("{metrics}");
/// assert_eq!(metrics.throttled(), 0.0);
/// # Ok(()) }
/// ```
///
/// The future may be dropped at any time.
///
/// # Errors
///
/// `Value`: the range ends before it begins, or is empty. `Unauthorized` (the principal needs
/// `cloudwatch:GetMetricData`), `Throttled`, `Refused`, `Timeout`, `Server` and `ConnectionLost`, as reported by
/// CloudWatch or the SDK.
pub async fn read_metrics(client: &Client, table: &Table, time: Range<SystemTime>) -> Result<TableMetrics, Error> {
    let attempted = || format!("reading the metrics of {table}");
    let Some(length) = time.end.duration_since(time.start).ok().filter(|length| !length.is_zero()) else {
        let problem = "the range of time ends before it begins, or is empty";
        return Err(Error::new(ErrorKind::Value, attempted(), problem).with_advice("Pass the earlier time first"));
    };
    let queried = QueriedSeries::of(table, period(length));
    let mut pages = client
        .get_metric_data()
        .set_metric_data_queries(Some(queried.queries))
        .start_time(DateTime::from(time.start))
        .end_time(DateTime::from(time.end))
        .into_paginator()
        .send();
    let mut values = HashMap::<String, Vec<f64>>::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| request_error(attempted(), error))?;
        for result in page.metric_data_results.unwrap_or_default() {
            let id = result.id.unwrap_or_default();
            values.entry(id).or_default().extend(result.values.unwrap_or_default());
        }
    }
    Ok(TableMetrics::of(table, &SeriesValues { ids: queried.ids, values }))
}

fn period(length: Duration) -> Period {
    const DAY: Duration = Duration::from_secs(86_400);
    if length <= DAY {
        Period::MINUTE
    } else if length <= 15 * DAY {
        Period::FIVE_MINUTES
    } else {
        Period::HOUR
    }
}

/// The queries of one request, and the id of each series.
struct QueriedSeries {
    queries: Vec<MetricDataQuery>,
    ids: HashMap<String, String>,
}

struct SeriesValues {
    ids: HashMap<String, String>,
    values: HashMap<String, Vec<f64>>,
}

impl QueriedSeries {
    fn of(table: &Table, period: Period) -> Self {
        let mut all = TableSeries(table).all();
        for operation in Operation::ALL {
            all.extend(OperationSeries(table, operation).all());
        }
        let (mut queries, mut ids) = (Vec::with_capacity(all.len()), HashMap::with_capacity(all.len()));
        for (number, series) in all.iter().enumerate() {
            let id = format!("m{number}");
            queries.push(query(&id, series, period, true));
            ids.insert(series.to_string(), id);
        }
        Self { queries, ids }
    }
}

impl SeriesValues {
    fn of(&self, series: &Series) -> &[f64] {
        let id = self.ids.get(&series.to_string());
        id.and_then(|id| self.values.get(id)).map_or(&[], Vec::as_slice)
    }

    /// The sum of the data points. `Iterator::sum` is not used, because it is -0 for an empty iterator of `f64`.
    fn sum(&self, series: &Series) -> f64 {
        self.of(series).iter().fold(0.0, |sum, value| sum + value)
    }
}

struct TableSeries<'a>(&'a Table);

impl TableSeries<'_> {
    fn all(&self) -> Vec<Series> {
        let Table { keyspace, name, .. } = self.0;
        [CONSUMED_READ_CAPACITY_UNITS, CONSUMED_WRITE_CAPACITY_UNITS, CONDITIONAL_CHECK_FAILED_REQUESTS]
            .map(|metric| metric.sum().series(keyspace, name))
            .into()
    }
}

struct OperationSeries<'a>(&'a Table, Operation);

impl OperationSeries<'_> {
    fn requests(&self) -> Series {
        SUCCESSFUL_REQUEST_COUNT.sample_count().series(&self.0.keyspace, &self.0.name, self.1)
    }

    /// In the order of the fields: read and write throttles, partition, connection, system errors, user errors.
    fn events(&self) -> [Series; 6] {
        [
            READ_THROTTLE_EVENTS,
            WRITE_THROTTLE_EVENTS,
            STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED,
            PER_CONNECTION_REQUEST_RATE_EXCEEDED,
            SYSTEM_ERRORS,
            USER_ERRORS,
        ]
        .map(|metric| metric.sum().series(&self.0.keyspace, &self.0.name, self.1))
    }

    /// Average, number of requests, maximum.
    fn latencies(&self) -> [Series; 3] {
        let latency = SUCCESSFUL_REQUEST_LATENCY;
        [latency.average(), latency.sample_count(), latency.maximum()]
            .map(|measure| measure.series(&self.0.keyspace, &self.0.name, self.1))
    }

    fn all(&self) -> Vec<Series> {
        let mut all = vec![self.requests()];
        all.extend(self.events());
        all.extend(self.latencies());
        all
    }

    fn read(&self, values: &SeriesValues) -> OperationMetrics {
        let [reads, writes, over_partition_capacity, over_connection_rate, system_errors, user_errors] =
            self.events().map(|series| values.sum(&series));
        let [averages, counts, maxima] = self.latencies();
        let counted: f64 = values.sum(&counts);
        let total: f64 =
            values.of(&averages).iter().zip(values.of(&counts)).map(|(average, count)| average * count).sum();
        let maximum = values.of(&maxima).iter().copied().fold(0.0, f64::max);
        let latency = (counted > 0.0).then(|| Latency { average: millis(total / counted), maximum: millis(maximum) });
        OperationMetrics {
            operation: self.1,
            successful_requests: values.sum(&self.requests()),
            throttled: reads + writes,
            over_partition_capacity,
            over_connection_rate,
            system_errors,
            user_errors,
            latency,
        }
    }
}

/// A duration from milliseconds; zero for an invalid number from the network.
fn millis(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
}

impl TableMetrics {
    fn of(table: &Table, values: &SeriesValues) -> Self {
        let mut values_of_table = TableSeries(table).all().into_iter().map(|series| values.sum(&series));
        let mut next = || values_of_table.next().unwrap_or_default();
        Self {
            consumed_read_units: next(),
            consumed_write_units: next(),
            failed_conditions: next(),
            operations: Operation::ALL.map(|operation| OperationSeries(table, operation).read(values)).into(),
        }
    }

    /// Successful requests of all kinds.
    #[must_use]
    pub fn successful_requests(&self) -> f64 {
        self.operations.iter().map(|operation| operation.successful_requests).sum()
    }

    /// Throttled requests of all kinds.
    #[must_use]
    pub fn throttled(&self) -> f64 {
        self.operations.iter().map(|operation| operation.throttled).sum()
    }

    /// Requests of all kinds that failed with a system error.
    #[must_use]
    pub fn system_errors(&self) -> f64 {
        self.operations.iter().map(|operation| operation.system_errors).sum()
    }
}

impl fmt::Display for TableMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "          succeeded  throttled  system errors  user errors  average  slowest")?;
        for operation in &self.operations {
            let OperationMetrics { successful_requests, throttled, system_errors, user_errors, latency, .. } =
                operation;
            write!(
                f,
                "{:<8}  {successful_requests:>9}  {throttled:>9}  {system_errors:>13}  {user_errors:>11}",
                operation.operation.name()
            )?;
            match latency {
                Some(Latency { average, maximum }) => writeln!(f, "  {average:>7.1?}  {maximum:>7.1?}")?,
                None => writeln!(f)?,
            }
        }
        write!(
            f,
            "{}, {}, {}",
            Counted(self.consumed_read_units, "read unit"),
            Counted(self.consumed_write_units, "write unit"),
            Counted(self.failed_conditions, "false condition"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_without_data_points_are_zero() {
        let table = Table::new("shop", "orders").unwrap();
        let metrics = TableMetrics::of(&table, &SeriesValues { ids: HashMap::new(), values: HashMap::new() });
        let text = metrics.to_string();
        assert!(text.contains("\nUPDATE            0          0              0            0\n"), "{text}");
        assert!(text.ends_with("\n0 read units, 0 write units, 0 false conditions"), "{text}");
    }
}
