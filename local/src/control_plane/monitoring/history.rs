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
pub(super) fn describe(alarms: &Alarms, request: DescribeAlarmHistory) -> Result<AlarmHistoryPage, ApiError> {
    let mut constraints = Constraints::default();
    constraints.member("alarmName", request.alarm_name.as_deref()).length(1..=255);
    let kinds = ["ConfigurationUpdate", "StateUpdate", "Action"];
    constraints.member("historyItemType", request.history_item_type.as_deref()).one_of(&kinds);
    constraints.member("maxRecords", request.max_records.as_ref()).range(1..=100);
    let orders = ["TimestampDescending", "TimestampAscending"];
    constraints.member("scanBy", request.scan_by.as_deref()).one_of(&orders);
    constraints.check()?;
    let matches = |item: &&AlarmEvent| {
        let at = saturated::<i64>(item.at);
        request.alarm_name.as_ref().is_none_or(|name| *name == item.alarm_name)
            && request.history_item_type.as_ref().is_none_or(|kind| *kind == format!("{:?}", item.kind))
            && request.start_date.is_none_or(|start| start.millis() <= at)
            && request.end_date.is_none_or(|end| at <= end.millis())
    };
    let mut items: Vec<&AlarmEvent> = alarms.history().filter(matches).collect();
    if request.scan_by.as_deref() != Some("TimestampAscending") {
        items.reverse();
    }
    let (page, next_token) = page(items, request.next_token.as_deref(), request.max_records)?;
    let describe = |item: &AlarmEvent| AlarmHistoryItem {
        alarm_name: item.alarm_name.clone(),
        alarm_type: "MetricAlarm",
        timestamp: Timestamp::from_millis(item.at),
        history_item_type: item.kind,
        history_summary: item.summary.clone(),
    };
    Ok(AlarmHistoryPage { alarm_history_items: page.into_iter().map(describe).collect(), next_token })
}

/// A page of at most `limit` items, by default 100, and the token of the next page, which is the number of its first
/// item.
pub(super) fn page<T>(
    mut all: Vec<T>,
    token: Option<&str>,
    limit: Option<i64>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let from = match token {
        None => 0,
        Some(token) => token.parse::<usize>().ok().filter(|from| *from <= all.len()).ok_or_else(|| {
            let error = invalid("the token was not returned by this operation");
            ApiError::new("InvalidNextToken", error.message)
        })?,
    };
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
    let next = (all.len() - from > limit).then(|| (from + limit).to_string());
    Ok((all.drain(from..).take(limit).collect(), next))
}
