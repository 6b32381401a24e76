//! Metrics with ids and expressions over them, for alarms and GetMetricData.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::constraints;
use super::expression::{Expression, ExpressionValue, SeriesPoints, SeriesScope};
use super::invalid;
use super::metric_source::{MetricSource, Range};
use super::watched_metric::{Dimensions, WatchedMetric};
use crate::control_plane::constraint::Constraints;
use crate::control_plane::error::ApiError;

/// A `MetricDataQuery`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricDataQuery {
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_stat: Option<MetricStat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_data: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<i64>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricStat {
    metric: Option<QueriedMetric>,
    period: Option<i64>,
    stat: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueriedMetric {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Dimensions>,
}

/// Validated queries: metrics, and expressions ordered so that each one names only earlier queries.
#[derive(Clone, Debug)]
pub(super) struct Queries {
    pub(super) period: u64,
    metrics: Vec<(String, WatchedMetric)>,
    expressions: Vec<(String, Expression)>,
    returned: Vec<(String, String)>,
}

/// The time series of a query that is returned.
#[derive(Clone, Debug)]
pub(super) struct ReturnedSeries {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) points: SeriesPoints,
}

/// The maximum number of queries of a request (API:GetMetricData).
const MAX_QUERIES: usize = 500;

impl Queries {
    /// A query of a single metric.
    pub(super) fn single(watched: WatchedMetric, period: u64) -> Self {
        let (id, label) = ("m1".to_owned(), watched.metric_name.clone());
        Self { period, metrics: vec![(id.clone(), watched)], expressions: Vec::new(), returned: vec![(id, label)] }
    }

    /// # Errors
    ///
    /// A ValidationException: a query has both a metric and an expression or neither, an id is missing, malformed or
    /// used twice, an expression is invalid or names no query, or the periods differ.
    pub(super) fn read(queries: &[MetricDataQuery]) -> Result<Self, ApiError> {
        let mut constraints = Constraints::default();
        constraints.member("metricDataQueries", Some(queries)).count(1..=MAX_QUERIES);
        constraints.check()?;
        let (mut metrics, mut parsed_expressions, mut returned, mut period) =
            (Vec::new(), Vec::new(), Vec::new(), None);
        for query in queries {
            let id = query.id()?;
            if metrics.iter().any(|(other, _)| *other == id) || parsed_expressions.iter().any(|(other, _)| *other == id)
            {
                return Err(invalid(format_args!("the id {id} is used twice")));
            }
            let label = match (&query.metric_stat, &query.expression) {
                (Some(metric), None) => {
                    let (watched, metric_period) = metric.read()?;
                    if *period.get_or_insert(metric_period) != metric_period {
                        return Err(ApiError::not_emulated("metrics of several periods in one request"));
                    }
                    let label = watched.metric_name.clone();
                    metrics.push((id.clone(), watched));
                    label
                }
                (None, Some(text)) => {
                    constraints::expression(text)?;
                    let parsed = Expression::parse(text)
                        .map_err(|problem| invalid(format_args!("the expression of {id} is not valid: {problem}")))?;
                    parsed_expressions.push((id.clone(), parsed));
                    id.clone()
                }
                _ => return Err(invalid(format_args!("{id} has one of MetricStat and Expression"))),
            };
            if query.return_data.unwrap_or(true) {
                returned.push((id, query.label.clone().unwrap_or(label)));
            }
        }
        let period = period.ok_or_else(|| invalid("there is no metric"))?;
        let expressions = in_order(&metrics, parsed_expressions)?;
        Ok(Self { period, metrics, expressions, returned })
    }

    /// Whether exactly one time series is returned. An alarm needs that, because it compares one series.
    pub(super) fn returns_single_series(&self) -> bool {
        self.returned.len() == 1
    }

    pub(super) fn metrics(&self) -> impl Iterator<Item = &WatchedMetric> {
        self.metrics.iter().map(|(_, watched)| watched)
    }

    /// The returned time series, in the order of the request.
    ///
    /// # Errors
    ///
    /// A ValidationException: the value of an expression is not a single time series.
    pub(super) fn evaluate(&self, source: &MetricSource<'_>, range: Range) -> Result<Vec<ReturnedSeries>, ApiError> {
        let mut series: BTreeMap<String, SeriesPoints> =
            self.metrics.iter().map(|(id, watched)| (id.clone(), source.points(watched, range))).collect();
        let ids: Vec<String> = self.metrics.iter().map(|(id, _)| id.clone()).collect();
        let periods: Vec<u64> = range.periods().collect();
        for (id, expression) in &self.expressions {
            let scope = SeriesScope { series: &series, metrics: &ids, period: self.period, periods: &periods };
            let refused = |problem| invalid(format_args!("the expression of {id} cannot be evaluated: {problem}"));
            let points = match expression.evaluate(&scope).map_err(refused)? {
                ExpressionValue::Series(points) => points,
                ExpressionValue::Scalar(_) => {
                    return Err(refused("its result is a number, not a time series".to_owned()));
                }
                ExpressionValue::List(_) => return Err(refused("its result is several time series".to_owned())),
            };
            series.insert(id.clone(), points);
        }
        let result = |(id, label): &(String, String)| ReturnedSeries {
            id: id.clone(),
            label: label.clone(),
            points: series.get(id).cloned().unwrap_or_default(),
        };
        Ok(self.returned.iter().map(result).collect())
    }
}

/// Orders expressions after the ones that they name. Refuses an expression that names itself or a missing id.
fn in_order(
    metrics: &[(String, WatchedMetric)],
    mut parsed_expressions: Vec<(String, Expression)>,
) -> Result<Vec<(String, Expression)>, ApiError> {
    let mut ordered: Vec<(String, Expression)> = Vec::new();
    while !parsed_expressions.is_empty() {
        let is_known =
            |id: &str| metrics.iter().any(|(other, _)| other == id) || ordered.iter().any(|(other, _)| other == id);
        let missing = |expression: &Expression| {
            let mut ids = Vec::new();
            expression.ids(&mut ids);
            ids.into_iter().find(|id| !is_known(id)).map(str::to_owned)
        };
        let next = parsed_expressions.iter().position(|(_, expression)| missing(expression).is_none());
        let Some(next) = next else {
            let (id, missing) = parsed_expressions
                .first()
                .map(|(id, expression)| (id.clone(), missing(expression)))
                .unwrap_or_default();
            let missing = missing.unwrap_or_default();
            return Err(invalid(format_args!("the expression of {id} names {missing}, which is not another query")));
        };
        ordered.push(parsed_expressions.remove(next));
    }
    Ok(ordered)
}

impl MetricDataQuery {
    fn id(&self) -> Result<String, ApiError> {
        let is_id = |id: &str| {
            id.starts_with(|first: char| first.is_ascii_lowercase())
                && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let mut constraints = Constraints::default();
        let id = constraints.member("metricDataQueries.member.id", self.id.as_deref()).required();
        id.length(1..=255).pattern("^[a-z][a-zA-Z0-9_]*$", is_id);
        constraints.check()?;
        Ok(self.id.clone().unwrap_or_default())
    }
}

impl MetricStat {
    fn read(&self) -> Result<(WatchedMetric, u64), ApiError> {
        let mut constraints = Constraints::default();
        let path = "metricDataQueries.member.metricStat.metric";
        constraints.member(path, self.metric.as_ref()).required();
        constraints.member("metricDataQueries.member.metricStat.stat", self.stat.as_ref()).required();
        constraints.check()?;
        let period = constraints::period(self.period)?;
        let metric =
            self.metric.clone().unwrap_or(QueriedMetric { namespace: None, metric_name: None, dimensions: None });
        let (namespace, name) = (metric.namespace.as_deref(), metric.metric_name.as_deref());
        let watched =
            constraints::watched_metric(namespace, name, metric.dimensions.unwrap_or_default(), self.stat.as_deref())?;
        Ok((watched, period))
    }
}
