use keyspaces_cql::metrics::{NAMESPACE, Series};
use serde_json::{Value, json};

use super::{Alarm, Topic};

/// Returns the alarm as JSON for `aws cloudwatch put-metric-alarm --cli-input-json`, and for PutMetricAlarm of any SDK.
///
/// Sending it replaces an alarm of the same name, so sending it twice has no further effect.
#[must_use]
pub fn put_metric_alarm_input(alarm: &Alarm) -> String {
    pretty(&properties(alarm))
}

pub(super) fn pretty(document: &Value) -> String {
    // Formatting a JSON value never fails.
    format!("{document:#}\n")
}

/// The members of PutMetricAlarm, which are also the properties of `AWS::CloudWatch::Alarm`.
pub(super) fn properties(alarm: &Alarm) -> Value {
    let arns = |topics: &[Topic]| topics.iter().map(|topic| Value::from(topic.arn())).collect::<Vec<_>>();
    let mut properties = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AlarmActions": arns(&alarm.alarm_actions),
        "OKActions": arns(&alarm.ok_actions),
        "ComparisonOperator": alarm.comparison.operator(),
        "Threshold": number(alarm.comparison.threshold()),
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "TreatMissingData": alarm.missing_data.name(),
    });
    let queries = alarm.expression.queries();
    match (&queries.text, queries.metrics.as_slice()) {
        (None, [(_, series)]) => {
            properties["Namespace"] = NAMESPACE.into();
            properties["MetricName"] = series.name().into();
            properties["Dimensions"] = dimensions(series);
            properties["Statistic"] = series.statistic().name().into();
            properties["Period"] = alarm.period.seconds().into();
        }
        (text, metrics) => {
            let result = json!({ "Id": "watched", "Expression": text, "Label": alarm.name, "ReturnData": true });
            let inputs = metrics.iter().map(|(id, series)| {
                json!({
                    "Id": id,
                    "MetricStat": {
                        "Metric": {
                            "Namespace": NAMESPACE,
                            "MetricName": series.name(),
                            "Dimensions": dimensions(series),
                        },
                        "Period": alarm.period.seconds(),
                        "Stat": series.statistic().name(),
                    },
                    "ReturnData": false,
                })
            });
            properties["Metrics"] = std::iter::once(result).chain(inputs).collect();
        }
    }
    properties
}

fn dimensions(series: &Series) -> Value {
    let dimension =
        |(name, value): &(keyspaces_cql::metrics::Dimension, String)| json!({ "Name": name.name(), "Value": value });
    series.dimensions().iter().map(dimension).collect()
}

/// Writes a whole number without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and has no more than 53 bits")]
pub(super) fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT { (value as i64).into() } else { value.into() }
}
