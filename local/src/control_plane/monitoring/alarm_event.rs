//! The history entries of alarms.

use serde::Serialize;

/// An entry of an alarm's history.
#[derive(Clone, Debug)]
pub(super) struct AlarmEvent {
    pub(super) alarm_name: String,
    /// The time, in milliseconds since 1970.
    pub(super) at: u64,
    pub(super) kind: AlarmEventKind,
    pub(super) summary: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) enum AlarmEventKind {
    Action,
    ConfigurationUpdate,
    StateUpdate,
}

impl AlarmEvent {
    pub(super) fn new(alarm_name: &str, at: u64, kind: AlarmEventKind, summary: String) -> Self {
        Self { alarm_name: alarm_name.to_owned(), at, kind, summary }
    }
}
