//! DescribeAlarms.

use serde::{Deserialize, Serialize};

use super::alarm::{Alarm, AlarmDefinition};
use super::evaluation::AlarmState;
use super::history::page;
use super::invalid;
use super::store::Alarms;
use crate::control_plane::constraint::Constraints;
use crate::control_plane::error::ApiError;
use crate::control_plane::protocol::Timestamp;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeAlarms {
    alarm_names: Option<Vec<String>>,
    alarm_name_prefix: Option<String>,
    alarm_types: Option<Vec<String>>,
    children_of_alarm_name: Option<String>,
    parents_of_alarm_name: Option<String>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AlarmPage {
    composite_alarms: [(); 0],
    metric_alarms: Vec<MetricAlarm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricAlarm {
    #[serde(flatten)]
    definition: AlarmDefinition,
    alarm_arn: String,
    alarm_configuration_updated_timestamp: Timestamp,
    state_value: AlarmState,
    state_reason: String,
    state_updated_timestamp: Timestamp,
    state_transitioned_timestamp: Timestamp,
}

pub(super) fn alarms(alarms: &Alarms, request: DescribeAlarms, arn_prefix: &str) -> Result<AlarmPage, ApiError> {
    request.check()?;
    let all: Vec<&Alarm> = alarms.all().filter(|alarm| request.matches(alarm)).collect();
    let (page, next_token) = page(all, request.next_token.as_deref(), request.max_records)?;
    let describe = |alarm: &Alarm| MetricAlarm {
        definition: alarm.definition.clone(),
        alarm_arn: format!("{arn_prefix}{}", alarm.definition.alarm_name),
        alarm_configuration_updated_timestamp: Timestamp::from_millis(alarm.configured),
        state_value: alarm.state,
        state_reason: alarm.reason.clone(),
        state_updated_timestamp: Timestamp::from_millis(alarm.state_updated),
        state_transitioned_timestamp: Timestamp::from_millis(alarm.state_updated),
    };
    Ok(AlarmPage { composite_alarms: [], metric_alarms: page.into_iter().map(describe).collect(), next_token })
}

impl DescribeAlarms {
    fn check(&self) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        constraints.member("alarmNames", self.alarm_names.as_deref()).count(0..=100);
        constraints.member("alarmNamePrefix", self.alarm_name_prefix.as_deref()).length(1..=255);
        let states = [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData].map(AlarmState::name);
        constraints.member("stateValue", self.state_value.as_deref()).one_of(&states);
        constraints.member("actionPrefix", self.action_prefix.as_deref()).length(1..=1024);
        constraints.member("maxRecords", self.max_records.as_ref()).range(1..=100);
        constraints.check()?;
        if self.alarm_names.is_some() && self.alarm_name_prefix.is_some() {
            return Err(invalid("AlarmNames and AlarmNamePrefix exclude each other"));
        }
        if self.children_of_alarm_name.is_some() || self.parents_of_alarm_name.is_some() {
            return Err(ApiError::not_emulated("composite alarms"));
        }
        Ok(())
    }

    fn matches(&self, alarm: &Alarm) -> bool {
        let definition = &alarm.definition;
        let name = &definition.alarm_name;
        let mut actions = [&definition.alarm_actions, &definition.ok_actions, &definition.insufficient_data_actions]
            .into_iter()
            .flatten();
        self.alarm_names.as_ref().is_none_or(|names| names.is_empty() || names.contains(name))
            && self.alarm_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
            && self
                .alarm_types
                .as_ref()
                .is_none_or(|types| types.is_empty() || types.iter().any(|alarm_type| alarm_type == "MetricAlarm"))
            && self.state_value.as_ref().is_none_or(|state| alarm.state.name() == state)
            && self.action_prefix.as_ref().is_none_or(|prefix| actions.any(|action| action.starts_with(prefix)))
    }
}
