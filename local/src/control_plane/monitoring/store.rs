//! All alarms, and their history.

use std::collections::{BTreeMap, VecDeque};
use std::sync::MutexGuard;

use serde::Deserialize;

use super::alarm::Alarm;
use super::alarm_event::{AlarmEvent, AlarmEventKind};
use super::evaluation::AlarmState;
use super::invalid;
use super::metric_source::MetricSource;
use crate::control_plane::constraint::Constraints;
use crate::control_plane::error::ApiError;
use crate::journal::LOG;
use crate::lock::Mutex;

/// The alarms of the account, which are kept as long as the service runs.
#[derive(Debug, Default)]
pub(crate) struct AlarmStore(Mutex<Alarms>);

#[derive(Debug, Default)]
pub(super) struct Alarms {
    all: BTreeMap<String, Alarm>,
    history: VecDeque<AlarmEvent>,
}

/// The maximum number of alarms. CloudWatch has no such quota; here each alarm is kept in memory, and one request may
/// evaluate it for all minutes of a day.
const MAX_ALARMS: usize = 500;

/// The maximum number of entries of history.
const MAX_HISTORY_ENTRIES: usize = 10_000;

/// The maximum number of minutes for which alarms are evaluated after a time without requests: a day.
const MAX_MINUTES: u64 = 24 * 60;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteAlarms {
    alarm_names: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAlarmState {
    alarm_name: Option<String>,
    state_value: Option<String>,
    state_reason: Option<String>,
}

impl AlarmStore {
    pub(super) fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.0.lock()
    }
}

impl Alarms {
    pub(super) fn all(&self) -> impl Iterator<Item = &Alarm> {
        self.all.values()
    }

    /// The history, the oldest entry first.
    pub(super) fn history(&self) -> impl DoubleEndedIterator<Item = &AlarmEvent> {
        self.history.iter()
    }

    /// Evaluates every alarm for each minute that has begun since its last evaluation. A `now` before the last
    /// evaluation has no effect.
    pub(super) fn evaluate(&mut self, source: &MetricSource<'_>, now: u64) {
        let minute = now / 60_000;
        let Self { all, history } = self;
        let mut changes = Vec::new();
        for alarm in all.values_mut() {
            let from = (alarm.evaluated_to + 1).max((minute + 1).saturating_sub(MAX_MINUTES));
            for minute in from..=minute {
                if let Some((state, reason)) = alarm.evaluate(source, minute) {
                    changes.push(change_state(alarm, state, reason, minute * 60_000));
                }
                alarm.evaluated_to = minute;
            }
        }
        changes.sort_by_key(|items| items.first().map(|item| item.at));
        changes.into_iter().flatten().for_each(|item| push_event(history, item));
    }

    /// Adds an alarm, or replaces the alarm of the same name and keeps its state.
    pub(super) fn put(&mut self, mut alarm: Alarm, now: u64) -> Result<(), ApiError> {
        let name = alarm.definition.alarm_name.clone();
        let (is_new, is_full) = (!self.all.contains_key(&name), self.all.len() >= MAX_ALARMS);
        if is_new && is_full {
            let problem = format!("keyspaces-local: {MAX_ALARMS} alarms are kept, and no more");
            return Err(ApiError::new("LimitExceeded", problem));
        }
        (alarm.configured, alarm.state_updated, alarm.evaluated_to) = (now, now, now / 60_000);
        if let Some(before) = self.all.get(&name) {
            (alarm.state, alarm.state_updated) = (before.state, before.state_updated);
            alarm.reason.clone_from(&before.reason);
        }
        let summary = format!("Alarm \"{name}\" {}", if is_new { "created" } else { "updated" });
        push_event(&mut self.history, AlarmEvent::new(&name, now, AlarmEventKind::ConfigurationUpdate, summary));
        self.all.insert(name, alarm);
        Ok(())
    }

    /// Deletes all named alarms, or none if one does not exist (API:DeleteAlarms).
    pub(super) fn delete(&mut self, input: DeleteAlarms, now: u64) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        constraints.member("alarmNames", input.alarm_names.as_deref()).required().count(0..=100);
        constraints.check()?;
        let names = input.alarm_names.unwrap_or_default();
        if let Some(missing) = names.iter().find(|name| !self.all.contains_key(*name)) {
            return Err(unknown(missing));
        }
        for name in names {
            self.all.remove(&name);
            let summary = format!("Alarm \"{name}\" deleted");
            push_event(&mut self.history, AlarmEvent::new(&name, now, AlarmEventKind::ConfigurationUpdate, summary));
        }
        Ok(())
    }

    /// Sets the state of an alarm until the next evaluation.
    pub(super) fn set_state(&mut self, input: SetAlarmState, now: u64) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        constraints.member("alarmName", input.alarm_name.as_deref()).required().length(1..=255);
        let names = [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData].map(AlarmState::name);
        constraints.member("stateValue", input.state_value.as_deref()).required().one_of(&names);
        constraints.member("stateReason", input.state_reason.as_deref()).required().length(0..=1023);
        constraints.check()?;
        let name = input.alarm_name.unwrap_or_default();
        let state =
            input.state_value.as_deref().and_then(AlarmState::from_name).ok_or_else(|| invalid("no such state"))?;
        let alarm = self.all.get_mut(&name).ok_or_else(|| unknown(&name))?;
        let items = change_state(alarm, state, input.state_reason.unwrap_or_default(), now);
        items.into_iter().for_each(|item| push_event(&mut self.history, item));
        Ok(())
    }
}

fn push_event(history: &mut VecDeque<AlarmEvent>, item: AlarmEvent) {
    if history.len() >= MAX_HISTORY_ENTRIES {
        history.pop_front();
    }
    history.push_back(item);
}

fn unknown(name: &str) -> ApiError {
    let name: String = name.chars().take(255).collect();
    ApiError::new(
        "ResourceNotFound",
        format!("keyspaces-local: there is no alarm {name:?} (the service's message is not known)"),
    )
}

/// Changes the state of an alarm. Returns the entries for its history: the change, and the actions that CloudWatch
/// would execute.
fn change_state(alarm: &mut Alarm, state: AlarmState, reason: String, at: u64) -> Vec<AlarmEvent> {
    let name = alarm.definition.alarm_name.as_str();
    let summary = format!("Alarm updated from {} to {}", alarm.state.name(), state.name());
    tracing::info!(target: LOG, alarm = name, state = state.name(), reason, "{summary}");
    let mut items = vec![AlarmEvent::new(name, at, AlarmEventKind::StateUpdate, summary)];
    if alarm.state != state {
        let action = |action: &String| format!("keyspaces-local: not carried out: action {action}");
        let summaries = alarm.actions(state).iter().map(action);
        items.extend(summaries.map(|summary| AlarmEvent::new(name, at, AlarmEventKind::Action, summary)));
    }
    (alarm.state, alarm.reason, alarm.state_updated) = (state, reason, at);
    items
}
