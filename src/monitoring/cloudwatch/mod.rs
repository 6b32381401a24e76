//! Sends alarms to CloudWatch, and reads metrics from it.

mod failure;
mod plan;
mod read;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use keyspaces_cql::metrics::{NAMESPACE, Series};

pub use plan::{AlarmChange, AlarmPlan, plan_alarms};
pub use read::{Latency, OperationMetrics, TableMetrics, read_metrics};

use super::Period;
use crate::saturated::saturated;

fn dimensions(series: &Series) -> Vec<Dimension> {
    let dimension = |(name, value): &(keyspaces_cql::metrics::Dimension, String)| {
        Dimension::builder().name(name.name()).value(value).build()
    };
    series.dimensions().iter().map(dimension).collect()
}

fn query(id: &str, series: &Series, period: Period, return_data: bool) -> MetricDataQuery {
    let metric = Metric::builder().namespace(NAMESPACE).metric_name(series.name());
    let metric = metric.set_dimensions(Some(dimensions(series))).build();
    let stat = MetricStat::builder().metric(metric).period(seconds(period)).stat(series.statistic().name()).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).return_data(return_data).build()
}

/// A period is at most a week, so it fits.
fn seconds(period: Period) -> i32 {
    saturated::<i32>(period.seconds())
}
