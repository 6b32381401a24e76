//! DescribeAlarmHistory.

use serde::{Deserialize, Serialize};

use super::alarm_event::{AlarmEvent, AlarmEventKind};
use super::invalid;
use super::store::Alarms;
use crate::control_plane::constraint::Constraints;
use crate::control_plane::error::ApiError;
use crate::control_plane::protocol::Timestamp;
use crate::saturated::saturated;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeAlarmHistory {
    alarm_name: Option<String>,
    history_item_type: Option<String>,
    start_date: Option<Timestamp>,
    end_date: Option<Timestamp>,
    max_records: Option<i64>,
    next_token: Option<String>,
    scan_by: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AlarmHistoryPage {
    alarm_history_items: Vec<AlarmHistoryItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AlarmHistoryItem {
    alarm_name: String,
    alarm_type: &'static str,
    timestamp: Timestamp,
    history_item_type: AlarmEventKind,
    history_summary: String,
}

/// The history entries, the newest first unless the request says otherwise.
pub(super) fn describe(alarms: &Alarms, wanted: DescribeAlarmHistory) -> Result<AlarmHistoryPage, ApiError> {
    let mut constraints = Constraints::default();
    constraints.member("alarmName", wanted.alarm_name.as_deref()).length(1..=255);
    let kinds = ["ConfigurationUpdate", "StateUpdate", "Action"];
    constraints.member("historyItemType", wanted.history_item_type.as_deref()).one_of(&kinds);
    constraints.member("maxRecords", wanted.max_records.as_ref()).range(1..=100);
    let orders = ["TimestampDescending", "TimestampAscending"];
    constraints.member("scanBy", wanted.scan_by.as_deref()).one_of(&orders);
    constraints.check()?;
    let is_wanted = |item: &&AlarmEvent| {
        let at = saturated::<i64>(item.at);
        wanted.alarm_name.as_ref().is_none_or(|name| *name == item.alarm_name)
            && wanted.history_item_type.as_ref().is_none_or(|kind| *kind == format!("{:?}", item.kind))
            && wanted.start_date.is_none_or(|start| start.millis() <= at)
            && wanted.end_date.is_none_or(|end| at <= end.millis())
    };
    let mut items: Vec<&AlarmEvent> = alarms.history().filter(is_wanted).collect();
    if wanted.scan_by.as_deref() != Some("TimestampAscending") {
        items.reverse();
    }
    let (page, next_token) = page(items, wanted.next_token.as_deref(), wanted.max_records)?;
    let shown = |item: &AlarmEvent| AlarmHistoryItem {
        alarm_name: item.alarm_name.clone(),
        alarm_type: "MetricAlarm",
        timestamp: Timestamp::from_millis(item.at),
        history_item_type: item.kind,
        history_summary: item.summary.clone(),
    };
    Ok(AlarmHistoryPage { alarm_history_items: page.into_iter().map(shown).collect(), next_token })
}

/// A page of at most `most` items, by default 100, and the token of the next page, which is the number of its first item.
pub(super) fn page<T>(
    mut all: Vec<T>,
    token: Option<&str>,
    most: Option<i64>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let from = match token {
        None => 0,
        Some(token) => token.parse::<usize>().ok().filter(|from| *from <= all.len()).ok_or_else(|| {
            let error = invalid("the token is of no listing");
            ApiError::new("InvalidNextToken", error.message)
        })?,
    };
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(100);
    let next = (all.len() - from > most).then(|| (from + most).to_string());
    Ok((all.drain(from..).take(most).collect(), next))
}
