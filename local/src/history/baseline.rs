//! Baselines: all rows of a table, read while clients go on writing.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::History;
use super::entry::HistoryEntry;
use super::image::{RowSelect, TablePart, found};
use super::record::{PAGE, ReadBack};
use super::shared_connection::InternalRequest;
use super::table_history::TableHistory;
use crate::upstream::{Channel, InternalRequestError};

/// The pauses between attempts grow from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Tries to take a baseline again, with pauses, as long as one is wanted and the history exists.
async fn again(history: Weak<History>, table_history: Arc<TableHistory>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
        let Some(history) = history.upgrade() else { return };
        // In this order, so that a baseline that fails from here on either starts this task again or is seen by the check.
        table_history.again.store(false, Ordering::SeqCst);
        let is_wanted = table_history.wants_baseline(history.most_bytes, history.now());
        if !is_wanted || table_history.again.swap(true, Ordering::SeqCst) {
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
            table_history.tear();
        }
        if let Err(failed) = forget_rest(&history, &table_history).await {
            tracing::warn!(table = %table_history.table_id.table, %failed, "what is left of its history could not be forgotten");
        }
        table_history.baseline.send_replace(false);
        let is_wanted = table_history.wants_baseline(history.most_bytes, history.now());
        if is_wanted && !table_history.again.swap(true, Ordering::SeqCst) {
            tokio::spawn(again(Arc::downgrade(&history), table_history));
        }
    });
}

/// Reads all rows of a table and keeps them.
async fn read_all(history: &History, table_history: &TableHistory) -> Result<(), InternalRequestError> {
    // Writes that were sent before the table was recorded must be in the baseline.
    history.writes.ended().await;
    let table = &table_history.table_id.table;
    let layout = history.layout(table).await?;
    let first = table_history.begin_baseline();
    let image = RowSelect { layout: &layout, ttl: true, part: TablePart::All };
    let text = format!("SELECT {} FROM {}", image.selectors(), history.names.qualified(table));
    let (mut state, mut partition) = (None, Vec::new());
    loop {
        let page = Some((PAGE, state));
        let request = InternalRequest { text: &text, page, ..InternalRequest::default() };
        let (upstream, stream) = history.connection.lend().await?;
        let channel = Channel { upstream: &upstream, stream: stream.number };
        let read_back = ReadBack { history, table_history, channel };
        let (places, taken, page) = read_back.read(&request, true, 2 * PAGE).await?;
        let mut entries = Vec::with_capacity(page.count);
        for row in page.each() {
            let shown =
                image.read(&page.content, row, taken).map_err(|_| InternalRequestError::Unreadable(text.clone()))?;
            if let Some((key, cells)) = shown.statics
                && key != partition
            {
                partition.clone_from(&key);
                entries.push(HistoryEntry::Statics { key, cells });
            }
            entries.extend(shown.row.map(|(key, cells)| found(key, cells)));
        }
        read_back.keep(&places, &entries).await?;
        state = page.state.clone();
        if state.is_none() || table_history.is_forgotten() {
            break;
        }
    }
    let since = table_history.complete(&first, history.now());
    history.store().complete(table_history, &first, since).await?;
    for bucket in table_history.outgrown(history.most_bytes, history.now()) {
        history.store().forget_bucket(&table_history.table_id, &bucket).await?;
    }
    Ok(())
}

/// Forgets the entries that were kept after their history had been forgotten. They are found by their buckets: another
/// history of the same table may have begun.
async fn forget_rest(history: &History, table_history: &TableHistory) -> Result<(), InternalRequestError> {
    if table_history.is_forgotten() {
        for bucket in table_history.buckets() {
            history.store().forget_bucket(&table_history.table_id, &bucket).await?;
        }
    }
    Ok(())
}
