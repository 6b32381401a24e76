//! PutMetricAlarm: validates its input as CloudWatch does, and creates the alarm.
//!
//! A metric, a dimension or a statistic that does not exist is accepted, as in CloudWatch.

use serde::Deserialize;

use super::alarm::{Alarm, AlarmDefinition, Comparison};
use super::constraints;
use super::evaluation::{AlarmState, MissingData};
use super::invalid;
use super::query::{MetricDataQuery, Queries};
use super::watched_metric::Dimensions;
use crate::control_plane::constraint::Constraints;
use crate::control_plane::error::ApiError;
use crate::control_plane::protocol::{Input, Number};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutMetricAlarm {
    alarm_name: Option<String>,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[serde(rename = "OKActions")]
    ok_actions: Option<Vec<String>>,
    alarm_actions: Option<Vec<String>>,
    insufficient_data_actions: Option<Vec<String>>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Option<Dimensions>,
    period: Option<i64>,
    evaluation_periods: Option<i64>,
    datapoints_to_alarm: Option<i64>,
    threshold: Option<Number>,
    threshold_metric_id: Option<String>,
    comparison_operator: Option<String>,
    treat_missing_data: Option<String>,
    metrics: Option<Vec<MetricDataQuery>>,
}

/// The maximum size of an alarm in bytes, because alarms are kept in memory.
const MAX_ALARM_BYTES: usize = 64 << 10;

/// The maximum number of metrics in the expression of an alarm (CloudWatch User Guide, "CloudWatch service quotas").
const MAX_METRICS: usize = 10;

pub(super) fn read(input: Input<'_>) -> Result<Alarm, ApiError> {
    if input.len() > MAX_ALARM_BYTES {
        return Err(invalid(format_args!(
            "an alarm has at most {MAX_ALARM_BYTES} bytes here, and this one has {}",
            input.len()
        )));
    }
    let input: PutMetricAlarm = input.decode()?;
    input.check()?;
    let queries = input.queries()?;
    let evaluation_periods = positive(input.evaluation_periods).unwrap_or(1);
    let datapoints_to_alarm = positive(input.datapoints_to_alarm);
    if datapoints_to_alarm.is_some_and(|datapoints| datapoints > evaluation_periods) {
        return Err(invalid("DatapointsToAlarm is more than EvaluationPeriods"));
    }
    let longest = if queries.period < 3600 { 86_400 } else { 7 * 86_400 };
    if evaluation_periods.saturating_mul(queries.period) > longest {
        return Err(invalid(format_args!(
            "{evaluation_periods} periods of {} seconds are longer than {longest} seconds",
            queries.period
        )));
    }
    let comparison = input.comparison_operator.as_deref().and_then(Comparison::from_name);
    let comparison = comparison.ok_or_else(|| invalid("no such ComparisonOperator"))?;
    let missing_data = match input.treat_missing_data.as_deref() {
        Some("breaching") => MissingData::Breaching,
        Some("ignore") => MissingData::Ignore,
        Some("notBreaching") => MissingData::NotBreaching,
        _ => MissingData::Missing,
    };
    let threshold = input.threshold.ok_or_else(|| invalid("there is no Threshold"))?.0;
    if !threshold.is_finite() {
        return Err(invalid("the Threshold is not a finite number"));
    }
    let is_alone = input.metrics.is_none();
    let definition = AlarmDefinition {
        alarm_name: input.alarm_name.unwrap_or_default(),
        alarm_description: input.alarm_description,
        actions_enabled: input.actions_enabled.unwrap_or(true),
        ok_actions: input.ok_actions.unwrap_or_default(),
        alarm_actions: input.alarm_actions.unwrap_or_default(),
        insufficient_data_actions: input.insufficient_data_actions.unwrap_or_default(),
        metric_name: input.metric_name,
        namespace: input.namespace,
        statistic: input.statistic,
        dimensions: input.dimensions.unwrap_or_default(),
        period: is_alone.then_some(queries.period),
        evaluation_periods,
        datapoints_to_alarm,
        threshold,
        comparison_operator: comparison.name(),
        treat_missing_data: input.treat_missing_data,
        metrics: input.metrics,
    };
    Ok(Alarm {
        definition,
        queries,
        comparison,
        missing_data,
        state: AlarmState::InsufficientData,
        reason: "Unchecked: Initial alarm creation".to_owned(),
        configured: 0,
        state_updated: 0,
        evaluated_to: 0,
    })
}

fn positive(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

impl PutMetricAlarm {
    fn check(&self) -> Result<(), ApiError> {
        const MISSING_DATA: [&str; 4] = ["breaching", "notBreaching", "ignore", "missing"];
        let mut constraints = Constraints::default();
        constraints.member("alarmName", self.alarm_name.as_deref()).required().length(1..=255);
        constraints.member("alarmDescription", self.alarm_description.as_deref()).length(0..=1024);
        constraints.member("evaluationPeriods", self.evaluation_periods.as_ref()).required().range(1..=i64::MAX);
        constraints.member("datapointsToAlarm", self.datapoints_to_alarm.as_ref()).range(1..=i64::MAX);
        let operator = constraints.member("comparisonOperator", self.comparison_operator.as_deref()).required();
        operator.one_of(&Comparison::names());
        constraints.member("treatMissingData", self.treat_missing_data.as_deref()).one_of(&MISSING_DATA);
        for (path, actions) in [
            ("alarmActions", &self.alarm_actions),
            ("OKActions", &self.ok_actions),
            ("insufficientDataActions", &self.insufficient_data_actions),
        ] {
            constraints.member(path, actions.as_deref()).count(0..=5);
        }
        constraints.check()?;
        if self.extended_statistic.is_some() {
            return Err(ApiError::not_emulated("ExtendedStatistic: no metric of Keyspaces lists percentiles"));
        }
        if self.threshold_metric_id.is_some() {
            return Err(ApiError::not_emulated("anomaly detection"));
        }
        let actions = [&self.alarm_actions, &self.ok_actions, &self.insufficient_data_actions];
        actions.into_iter().flatten().flatten().try_for_each(|action| check_action(action))
    }

    fn queries(&self) -> Result<Queries, ApiError> {
        let Some(metrics) = &self.metrics else {
            let period = constraints::period(self.period)?;
            let (namespace, name) = (self.namespace.as_deref(), self.metric_name.as_deref());
            let dimensions = self.dimensions.clone().unwrap_or_default();
            let watched = constraints::watched_metric(namespace, name, dimensions, self.statistic.as_deref())?;
            return Ok(Queries::single(watched, period));
        };
        if self.metric_name.is_some() || self.namespace.is_some() || self.statistic.is_some() || self.period.is_some() {
            return Err(invalid("an alarm has MetricName with its members, or Metrics"));
        }
        let queries = Queries::read(metrics)?;
        let number = queries.metrics().count();
        if number > MAX_METRICS {
            return Err(invalid(format_args!("an alarm has at most {MAX_METRICS} metrics, and this one has {number}")));
        }
        if !queries.returns_single_series() {
            return Err(invalid("one of Metrics has ReturnData true, and the others have it false"));
        }
        Ok(queries)
    }
}

/// The services that an alarm's actions may address (API:PutMetricAlarm).
const ACTION_SERVICES: [&str; 8] = ["aiops", "autoscaling", "automate", "lambda", "sns", "ssm", "ssm-incidents", "swf"];

fn check_action(arn: &str) -> Result<(), ApiError> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_known = match parts[..] {
        ["arn", partition, service, _, _, name] => {
            partition.starts_with("aws") && ACTION_SERVICES.contains(&service) && !name.is_empty()
        }
        _ => false,
    };
    if is_known && arn.len() <= 1024 {
        return Ok(());
    }
    let arn: String = arn.chars().take(256).collect();
    Err(invalid(format_args!(
        "an alarm has no action {arn}; the services with actions are {}",
        ACTION_SERVICES.join(", ")
    )))
}
