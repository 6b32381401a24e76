//! Input constraints that several operations share.

use keyspaces_cql::metrics::Statistic;

use super::invalid;
use super::watched_metric::{Dimensions, WatchedMetric};
use crate::control_plane::constraint::Constraints;
use crate::control_plane::error::ApiError;

/// Checks that a period is 10, 20, 30 or a multiple of 60 seconds (API:PutMetricAlarm).
pub(super) fn period(seconds: Option<i64>) -> Result<u64, ApiError> {
    let mut constraints = Constraints::default();
    constraints.member("period", seconds.as_ref()).required().range(1..=MAX_PERIOD_SECONDS);
    constraints.check()?;
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
    if [10, 20, 30].contains(&seconds) || seconds.is_multiple_of(60) {
        return Ok(seconds);
    }
    Err(invalid(format_args!("the period {seconds} is not 10, 20, 30 or a multiple of 60 seconds")))
}

/// A week, the retention of data points here.
const MAX_PERIOD_SECONDS: i64 = 7 * 24 * 3600;

/// Checks a metric. The metric need not exist, but its members have to satisfy the API model.
pub(super) fn watched_metric(
    namespace: Option<&str>,
    name: Option<&str>,
    dimensions: Dimensions,
    statistic: Option<&str>,
) -> Result<WatchedMetric, ApiError> {
    let mut constraints = Constraints::default();
    constraints
        .member("namespace", namespace)
        .required()
        .length(1..=255)
        .pattern("[^:].*", |namespace| !namespace.starts_with(':'));
    constraints.member("metricName", name).required().length(1..=255);
    constraints.member("dimensions", Some(dimensions.as_slice())).count(0..=30);
    for dimension in dimensions.iter().take(30) {
        constraints.member("dimensions.member.name", dimension.name.as_deref()).required().length(1..=255);
        constraints.member("dimensions.member.value", dimension.value.as_deref()).required().length(1..=1024);
    }
    constraints.member("statistic", statistic).required();
    constraints.check()?;
    let statistic = statistic.unwrap_or_default();
    let statistic = Statistic::from_name(statistic).ok_or_else(|| {
        let statistic: String = statistic.chars().take(40).collect();
        let statistics = Statistic::ALL.map(Statistic::name).join(", ");
        ApiError::not_emulated(format_args!("the statistic {statistic}; {statistics} are"))
    })?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(WatchedMetric { namespace: text(namespace), metric_name: text(name), dimensions, statistic })
}

/// Checks that an expression has at most 2,048 characters (API:PutMetricAlarm).
pub(super) fn expression(text: &str) -> Result<(), ApiError> {
    let mut constraints = Constraints::default();
    constraints.member("metricDataQueries.member.expression", Some(text)).length(1..=2048);
    constraints.check()
}
