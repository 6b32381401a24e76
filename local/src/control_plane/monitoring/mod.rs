//! CloudWatch (API version 2010-08-01) for the metrics of `AWS/Cassandra`: the metrics that the gateway counts, and
//! alarms on them.

mod alarm;
mod alarm_event;
mod constraints;
mod describe;
mod evaluation;
mod expression;
mod history;
mod metric_data;
mod metric_source;
mod metric_statistics;
mod put_metric_alarm;
mod query;
mod store;
mod watched_metric;

use super::error::ApiError;
use super::protocol::{EmptyOutput, Input, Output};
use crate::gateway::Shared;
use metric_source::MetricSource;
pub(crate) use store::AlarmStore;

const OPERATIONS: [&str; 8] = [
    "DeleteAlarms",
    "DescribeAlarmHistory",
    "DescribeAlarms",
    "GetMetricData",
    "GetMetricStatistics",
    "ListMetrics",
    "PutMetricAlarm",
    "SetAlarmState",
];

const NOT_EMULATED: [&str; 36] = [
    "DeleteAlarmMuteRule",
    "DeleteAnomalyDetector",
    "DeleteDashboards",
    "DeleteInsightRules",
    "DeleteMetricStream",
    "DescribeAlarmContributors",
    "DescribeAlarmsForMetric",
    "DescribeAnomalyDetectors",
    "DescribeInsightRules",
    "DisableAlarmActions",
    "DisableInsightRules",
    "EnableAlarmActions",
    "EnableInsightRules",
    "GetAlarmMuteRule",
    "GetDashboard",
    "GetInsightRuleReport",
    "GetMetricStream",
    "GetMetricWidgetImage",
    "GetOTelEnrichment",
    "ListAlarmMuteRules",
    "ListDashboards",
    "ListManagedInsightRules",
    "ListMetricStreams",
    "ListTagsForResource",
    "PutAlarmMuteRule",
    "PutAnomalyDetector",
    "PutCompositeAlarm",
    "PutDashboard",
    "PutInsightRule",
    "PutManagedInsightRules",
    "PutMetricData",
    "PutMetricStream",
    "StartMetricStreams",
    "StopMetricStreams",
    "TagResource",
    "UntagResource",
];

/// Whether the service has this operation.
pub(crate) fn has_operation(operation: &str) -> bool {
    OPERATIONS.contains(&operation) || NOT_EMULATED.contains(&operation)
}

/// Executes an operation that [`has_operation`] knows, on the alarms of this account and Region.
pub(crate) async fn answer(
    gateway: &Shared,
    alarms: &AlarmStore,
    region: &str,
    account: &str,
    operation: &str,
    input: Input<'_>,
) -> Result<Output, ApiError> {
    if !OPERATIONS.contains(&operation) {
        return Err(ApiError::not_emulated(format_args!("{operation} of CloudWatch")));
    }
    gateway.apply_due_changes().await.map_err(|failed| ApiError::internal(format!("keyspaces-local: {failed}")))?;
    let metering = gateway.metering();
    let source = MetricSource::new(metering, gateway.schema());
    let arn_prefix = format!("arn:aws:cloudwatch:{}:{account}:alarm:", region);
    let now = metering.now();
    let mut alarms = alarms.lock();
    alarms.evaluate(&source, now);
    Ok(match operation {
        "PutMetricAlarm" => {
            alarms.put(put_metric_alarm::read(input)?, now)?;
            Output::new(EmptyOutput {})
        }
        "DescribeAlarms" => Output::new(describe::alarms(&alarms, input.decode()?, &arn_prefix)?),
        "DescribeAlarmHistory" => Output::new(history::describe(&alarms, input.decode()?)?),
        "DeleteAlarms" => {
            alarms.delete(input.decode()?, now)?;
            Output::new(EmptyOutput {})
        }
        "SetAlarmState" => {
            alarms.set_state(input.decode()?, now)?;
            Output::new(EmptyOutput {})
        }
        "GetMetricData" => Output::new(metric_data::get(&source, input.decode()?)?),
        "GetMetricStatistics" => Output::new(metric_statistics::get(&source, input.decode()?)?),
        _ => Output::new(metric_statistics::list(&source, input.decode()?)?),
    })
}

/// The error for invalid input, if the service's own text is not known.
fn invalid(problem: impl std::fmt::Display) -> ApiError {
    ApiError::validation(format!("keyspaces-local: {problem} (the service's message is not known)"))
}
