//! GetMetricData.

use serde::{Deserialize, Serialize};

use super::invalid;
use super::metric_source::{MetricSource, Range};
use super::query::{MetricDataQuery, Queries};
use super::watched_metric::WatchedMetric;
use crate::control_plane::constraint::Constraints;
use crate::control_plane::error::ApiError;
use crate::control_plane::protocol::Timestamp;
use crate::saturated::saturated;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricData {
    metric_data_queries: Option<Vec<MetricDataQuery>>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    next_token: Option<String>,
    scan_by: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Data {
    metric_data_results: Vec<Series>,
    messages: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Series {
    id: String,
    label: String,
    timestamps: Vec<Timestamp>,
    values: Vec<f64>,
    status_code: &'static str,
}

/// The maximum number of data points of an answer (API:GetMetricData); all are on one page here.
const MAX_DATAPOINTS: u64 = 100_800;

/// The data points, the newest first unless the request says otherwise.
pub(super) fn get(source: &MetricSource<'_>, request: GetMetricData) -> Result<Data, ApiError> {
    let mut constraints = Constraints::default();
    constraints.member("metricDataQueries", request.metric_data_queries.as_deref()).required();
    constraints.member("startTime", request.start_time.as_ref()).required();
    constraints.member("endTime", request.end_time.as_ref()).required();
    let orders = ["TimestampDescending", "TimestampAscending"];
    constraints.member("scanBy", request.scan_by.as_deref()).one_of(&orders);
    constraints.check()?;
    if request.next_token.is_some() {
        let error = invalid("the token was not returned by this operation");
        return Err(ApiError::new("InvalidNextToken", error.message));
    }
    let requested = request.metric_data_queries.unwrap_or_default();
    let queries = Queries::read(&requested)?;
    for watched in queries.metrics() {
        check_statistic(watched)?;
    }
    let range = between(request.start_time, request.end_time, queries.period)?;
    let number = saturated::<u64>(requested.len());
    if range.count().saturating_mul(number) > MAX_DATAPOINTS {
        return Err(ApiError::not_emulated(format_args!("more than {MAX_DATAPOINTS} data points in one request")));
    }
    let is_ascending = request.scan_by.as_deref() == Some("TimestampAscending");
    let results = queries.evaluate(source, range)?.into_iter().map(|returned| {
        let mut points: Vec<(u64, f64)> = returned.points.into_iter().collect();
        if !is_ascending {
            points.reverse();
        }
        Series {
            id: returned.id,
            label: returned.label,
            timestamps: points.iter().map(|(period, _)| Timestamp::from_millis(period * 1000)).collect(),
            values: points.into_iter().map(|(_, value)| value).collect(),
            status_code: "Complete",
        }
    });
    Ok(Data { metric_data_results: results.collect(), messages: [] })
}

/// Refuses a statistic that is not valid for the metric: CloudWatch returns meaningless numbers for it.
pub(super) fn check_statistic(watched: &WatchedMetric) -> Result<(), ApiError> {
    let Some(metric) = watched.lacks_statistic(watched.statistic) else { return Ok(()) };
    let valid: Vec<&str> = metric.statistics.iter().map(|statistic| statistic.name()).collect();
    Err(ApiError::validation(format!(
        "keyspaces-local: {} is not a valid statistic of {}; {} (DG:metrics-dimensions)",
        watched.statistic,
        metric.name,
        match valid.as_slice() {
            [one] => format!("{one} is"),
            several => format!("{} are", several.join(", ")),
        }
    )))
}

/// The periods that begin before `end`, starting at `start` rounded down to a whole period.
pub(super) fn between(start: Option<Timestamp>, end: Option<Timestamp>, period: u64) -> Result<Range, ApiError> {
    let seconds = |at: Option<Timestamp>| {
        let millis = at.map(Timestamp::millis).unwrap_or_default();
        u64::try_from(millis).map(|millis| millis / 1000).map_err(|_| invalid("the time is before 1970"))
    };
    let (start, end) = (seconds(start)?, seconds(end)?);
    if start >= end {
        return Err(invalid("StartTime is not before EndTime"));
    }
    Ok(Range::between(start, end, period))
}
