//! GetMetricStatistics and ListMetrics.

use keyspaces_cql::metrics::{NAMESPACE, Statistic};
use serde::{Deserialize, Serialize};

use super::constraints;
use super::history::page;
use super::metric_data::{between, check_statistic};
use super::metric_source::{MetricSource, MetricWithData};
use super::watched_metric::{Dimension, Dimensions};
use crate::control_plane::constraint::Constraints;
use crate::control_plane::error::ApiError;
use crate::control_plane::protocol::Timestamp;
use crate::metering::StatisticSet;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricStatistics {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Dimensions>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    period: Option<i64>,
    statistics: Option<Vec<String>>,
    extended_statistics: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statistics {
    label: String,
    datapoints: Vec<Datapoint>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Datapoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_count: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<f64>,
    unit: &'static str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Dimensions>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metrics {
    metrics: Vec<ListedMetric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedMetric {
    namespace: &'static str,
    metric_name: &'static str,
    dimensions: Dimensions,
}

/// The maximum number of data points of an answer (API:GetMetricStatistics).
const MAX_DATAPOINTS: u64 = 1_440;

/// The data points of one metric, ordered by time.
pub(super) fn get(source: &MetricSource<'_>, request: GetMetricStatistics) -> Result<Statistics, ApiError> {
    let mut constraints = Constraints::default();
    constraints.member("startTime", request.start_time.as_ref()).required();
    constraints.member("endTime", request.end_time.as_ref()).required();
    constraints.member("statistics", request.statistics.as_deref()).count(1..=5);
    constraints.check()?;
    if request.extended_statistics.is_some() {
        return Err(ApiError::not_emulated("ExtendedStatistics: no metric of Keyspaces lists percentiles"));
    }
    let period = constraints::period(request.period)?;
    let range = between(request.start_time, request.end_time, period)?;
    if range.count() > MAX_DATAPOINTS {
        let problem = format!(
            "You have requested up to {} datapoints, which exceeds the limit of {MAX_DATAPOINTS}.",
            range.count()
        );
        return Err(ApiError::new("InvalidParameterCombination", problem));
    }
    let names = request.statistics.unwrap_or_default();
    let (namespace, name) = (request.namespace.as_deref(), request.metric_name.as_deref());
    let dimensions = request.dimensions.unwrap_or_default();
    let mut statistics = Vec::with_capacity(names.len());
    let mut watched =
        constraints::watched_metric(namespace, name, dimensions.clone(), names.first().map(String::as_str))?;
    for name_of_statistic in &names {
        watched = constraints::watched_metric(namespace, name, dimensions.clone(), Some(name_of_statistic))?;
        check_statistic(&watched)?;
        statistics.push(watched.statistic);
    }
    let unit = watched.description().map_or("None", |metric| metric.unit.name());
    let datapoint = |(period, set): (u64, StatisticSet)| {
        let mut datapoint =
            Datapoint { timestamp: Some(Timestamp::from_millis(period * 1000)), unit, ..Datapoint::default() };
        for statistic in &statistics {
            let value = Some(set.get(*statistic));
            match statistic {
                Statistic::Average => datapoint.average = value,
                Statistic::Maximum => datapoint.maximum = value,
                Statistic::Minimum => datapoint.minimum = value,
                Statistic::SampleCount => datapoint.sample_count = value,
                Statistic::Sum => datapoint.sum = value,
            }
        }
        datapoint
    };
    let datapoints = source.statistic_sets(&watched, range).into_iter().map(datapoint).collect();
    Ok(Statistics { label: watched.metric_name, datapoints })
}

/// The metrics that have data points, 500 on a page.
pub(super) fn list(source: &MetricSource<'_>, request: ListMetrics) -> Result<Metrics, ApiError> {
    let mut constraints = Constraints::default();
    constraints.member("namespace", request.namespace.as_deref()).length(1..=255);
    constraints.member("metricName", request.metric_name.as_deref()).length(1..=255);
    constraints.member("dimensions", request.dimensions.as_deref()).count(0..=10);
    constraints.check()?;
    let filters = request.dimensions.unwrap_or_default();
    let has = |listed: &MetricWithData, filter: &Dimension| {
        listed.dimensions.iter().any(|(name, value)| {
            filter.name.as_deref() == Some(*name) && filter.value.as_ref().is_none_or(|request| request == value)
        })
    };
    let matches = |listed: &MetricWithData| {
        request.namespace.as_deref().is_none_or(|namespace| namespace == NAMESPACE)
            && request.metric_name.as_deref().is_none_or(|name| name == listed.metric_name)
            && filters.iter().all(|filter| has(listed, filter))
    };
    let all: Vec<MetricWithData> = source.metrics_with_data().into_iter().filter(matches).collect();
    let (page, next_token) = page(all, request.next_token.as_deref(), Some(500))?;
    let dimension = |(name, value): (&str, String)| Dimension { name: Some(name.to_owned()), value: Some(value) };
    let metrics = page.into_iter().map(|listed| ListedMetric {
        namespace: NAMESPACE,
        metric_name: listed.metric_name,
        dimensions: listed.dimensions.into_iter().map(dimension).collect(),
    });
    Ok(Metrics { metrics: metrics.collect(), next_token })
}
