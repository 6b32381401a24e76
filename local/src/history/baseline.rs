//! Baselines: all rows of a table, read while clients continue to write.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::History;
use super::entry::HistoryEntry;
use super::read_back::{PAGE, ReadBack};
use super::row_select::{RowSelect, TablePart, found_row};
use super::shared_connection::InternalRequest;
use super::table_history::TableHistory;
use crate::upstream::{Channel, InternalRequestError};

/// The pauses between attempts grow from the first to the longest.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Retries a baseline, with pauses, as long as one is due and the history exists.
async fn retry(history: Weak<History>, table_history: Arc<TableHistory>) {
    let mut pause = MIN_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(MAX_PAUSE);
        let Some(history) = history.upgrade() else { return };
        // In this order, so that a baseline that fails from here on either starts this task again or makes the check
        // succeed.
        table_history.is_retry_scheduled.store(false, Ordering::SeqCst);
        let is_due = table_history.is_baseline_due(history.max_bytes, history.now());
        if !is_due || table_history.is_retry_scheduled.swap(true, Ordering::SeqCst) {
            return;
        }
        take(&history, &table_history);
    }
}

/// Takes a baseline in the background, unless one is being taken.
pub(super) fn take(history: &Arc<History>, table_history: &Arc<TableHistory>) {
    let is_first = table_history.baseline.send_if_modified(|is_taken| !std::mem::replace(is_taken, true));
    if !is_first {
        return;
    }
    let (history, table_history) = (Arc::clone(history), Arc::clone(table_history));
    tokio::spawn(async move {
        if let Err(failed) = read_all(&history, &table_history).await {
            tracing::warn!(table = %table_history.table_id.table, %failed, "the table could not be read for its history");
            table_history.mark_incomplete();
        }
        if let Err(failed) = forget_late_entries(&history, &table_history).await {
            tracing::warn!(table = %table_history.table_id.table, %failed, "what is left of its history could not be forgotten");
        }
        table_history.baseline.send_replace(false);
        let is_due = table_history.is_baseline_due(history.max_bytes, history.now());
        if is_due && !table_history.is_retry_scheduled.swap(true, Ordering::SeqCst) {
            tokio::spawn(retry(Arc::downgrade(&history), table_history));
        }
    });
}

/// Reads all rows of a table and records them.
async fn read_all(history: &History, table_history: &TableHistory) -> Result<(), InternalRequestError> {
    // Writes that were sent before the table was recorded must be in the baseline.
    history.writes.wait_for_end().await;
    let table = &table_history.table_id.table;
    let layout = history.layout(table).await?;
    let first = table_history.begin_baseline();
    let select = RowSelect { layout: &layout, ttl: true, part: TablePart::All };
    let text = format!("SELECT {} FROM {}", select.selectors(), history.names.qualified(table));
    let (mut state, mut partition) = (None, Vec::new());
    loop {
        let page = Some((PAGE, state));
        let request = InternalRequest { text: &text, page, ..InternalRequest::default() };
        let (upstream, stream) = history.connection.acquire().await?;
        let channel = Channel { upstream: &upstream, stream: stream.number };
        let read_back = ReadBack { history, table_history, channel };
        let (numbers, read_times, page) = read_back.read(&request, true, 2 * PAGE).await?;
        let mut entries = Vec::with_capacity(page.count);
        for row in page.iter() {
            let found = select
                .read(&page.content, row, read_times)
                .map_err(|_| InternalRequestError::MalformedAnswer(text.clone()))?;
            if let Some((key, cells)) = found.statics
                && key != partition
            {
                partition.clone_from(&key);
                entries.push(HistoryEntry::Statics { key, cells });
            }
            entries.extend(found.row.map(|(key, cells)| found_row(key, cells)));
        }
        read_back.append(&numbers, &entries).await?;
        state = page.state.clone();
        if state.is_none() || table_history.is_forgotten() {
            break;
        }
    }
    let since = table_history.complete(&first, history.now());
    history.store().complete(table_history, &first, since).await?;
    for bucket in table_history.remove_obsolete_buckets(history.max_bytes, history.now()) {
        history.store().forget_bucket(&table_history.table_id, &bucket).await?;
    }
    Ok(())
}

/// Removes the entries that were stored after their history was forgotten. They are found by their buckets: another
/// history of the same table may have begun.
async fn forget_late_entries(history: &History, table_history: &TableHistory) -> Result<(), InternalRequestError> {
    if table_history.is_forgotten() {
        for bucket in table_history.buckets() {
            history.store().forget_bucket(&table_history.table_id, &bucket).await?;
        }
    }
    Ok(())
}
