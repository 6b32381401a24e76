//! An alarm, and its state minute by minute.

use serde::Serialize;

use super::evaluation::{ADDITIONAL_PERIODS, AlarmState, Datapoints, MissingData};
use super::metric_source::{MetricSource, Range};
use super::query::{MetricDataQuery, Queries};
use super::watched_metric::Dimensions;
use crate::saturated::saturated;

/// The settings of an alarm, as PutMetricAlarm set them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AlarmDefinition {
    pub(super) alarm_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alarm_description: Option<String>,
    pub(super) actions_enabled: bool,
    #[serde(rename = "OKActions")]
    pub(super) ok_actions: Vec<String>,
    pub(super) alarm_actions: Vec<String>,
    pub(super) insufficient_data_actions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metric_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) statistic: Option<String>,
    pub(super) dimensions: Dimensions,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) period: Option<u64>,
    pub(super) evaluation_periods: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) datapoints_to_alarm: Option<u64>,
    pub(super) threshold: f64,
    pub(super) comparison_operator: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) treat_missing_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metrics: Option<Vec<MetricDataQuery>>,
}

/// An alarm with its state.
#[derive(Clone, Debug)]
pub(super) struct Alarm {
    pub(super) definition: AlarmDefinition,
    pub(super) queries: Queries,
    pub(super) comparison: Comparison,
    pub(super) missing_data: MissingData,
    pub(super) state: AlarmState,
    pub(super) reason: String,
    /// The time of the last PutMetricAlarm, in milliseconds since 1970.
    pub(super) configured: u64,
    pub(super) state_updated: u64,
    /// The last minute since 1970 for which the alarm was evaluated.
    pub(super) evaluated_to: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Comparison {
    GreaterThanOrEqual,
    GreaterThan,
    LessThan,
    LessThanOrEqual,
}

impl Alarm {
    /// The state at the beginning of `minute` and its reason, from the periods that ended before; `None` if the state
    /// does not change.
    pub(super) fn evaluate(&self, source: &MetricSource<'_>, minute: u64) -> Option<(AlarmState, String)> {
        let datapoints = self.datapoints();
        let range = Range::before(minute * 60, self.queries.period, datapoints.periods + ADDITIONAL_PERIODS);
        let evaluated = match self.queries.evaluate(source, range) {
            Ok(evaluated) => evaluated,
            Err(error) => {
                let state = AlarmState::InsufficientData;
                return (state != self.state).then_some((state, error.message));
            }
        };
        let points = evaluated.into_iter().next().map(|returned| returned.points).unwrap_or_default();
        let points: Vec<Option<f64>> = range.periods().map(|period| points.get(&period).copied()).collect();
        let threshold = self.definition.threshold;
        let breaches = |value| self.comparison.holds(value, threshold);
        let state = datapoints.state(&points, breaches, self.missing_data, self.state);
        if state == self.state {
            return None;
        }
        let values: Vec<f64> = points.iter().copied().flatten().collect();
        let recent: Vec<String> =
            values.iter().rev().take(count(datapoints.periods)).map(|value| format!("{value:?}")).collect();
        let reason = if recent.is_empty() {
            let periods = datapoints.periods;
            format!("Unchecked: Initial alarm creation or no datapoints were received for {periods} periods")
        } else {
            let breaching =
                values.iter().rev().take(count(datapoints.periods)).filter(|value| breaches(**value)).count();
            format!(
                "Threshold Crossed: {breaching} out of the last {} datapoints [{}] were {} the threshold ({threshold:?})",
                recent.len(),
                recent.join(", "),
                self.comparison.words(),
            )
        };
        Some((state, reason))
    }

    pub(super) fn datapoints(&self) -> Datapoints {
        let periods = self.definition.evaluation_periods;
        Datapoints { to_alarm: self.definition.datapoints_to_alarm.unwrap_or(periods), periods }
    }

    /// The actions for a change to this state.
    pub(super) fn actions(&self, state: AlarmState) -> &[String] {
        match state {
            _ if !self.definition.actions_enabled => &[],
            AlarmState::Alarm => &self.definition.alarm_actions,
            AlarmState::InsufficientData => &self.definition.insufficient_data_actions,
            AlarmState::Ok => &self.definition.ok_actions,
        }
    }
}

fn count(periods: u64) -> usize {
    saturated::<usize>(periods)
}

impl Comparison {
    const ALL: [Self; 4] = [Self::GreaterThanOrEqual, Self::GreaterThan, Self::LessThan, Self::LessThanOrEqual];

    pub(super) fn names() -> [&'static str; 4] {
        Self::ALL.map(Self::name)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|comparison| comparison.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqual => "GreaterThanOrEqualToThreshold",
            Self::GreaterThan => "GreaterThanThreshold",
            Self::LessThan => "LessThanThreshold",
            Self::LessThanOrEqual => "LessThanOrEqualToThreshold",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqual => "greater than or equal to",
            Self::GreaterThan => "greater than",
            Self::LessThan => "less than",
            Self::LessThanOrEqual => "less than or equal to",
        }
    }

    fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqual => value >= threshold,
            Self::GreaterThan => value > threshold,
            Self::LessThan => value < threshold,
            Self::LessThanOrEqual => value <= threshold,
        }
    }
}
