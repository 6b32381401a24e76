//! Baselines: all rows of a table, read while clients go on writing.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::History;
use super::chronicle::Chronicle;
use super::entry::Entry;
use super::image::{Image, Part, found};
use super::line::Request;
use super::record::{PAGE, ReadBack};
use crate::upstream::{Channel, Failed};

/// The pauses between attempts grow from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Tries to take a baseline again, with pauses, as long as one is wanted and the history exists.
async fn again(history: Weak<History>, chronicle: Arc<Chronicle>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
        let Some(history) = history.upgrade() else { return };
        // In this order, so that a baseline that fails from here on either starts this task again or is seen by the check.
        chronicle.again.store(false, Ordering::SeqCst);
        let is_wanted = chronicle.wants_baseline(history.most_bytes, history.now());
        if !is_wanted || chronicle.again.swap(true, Ordering::SeqCst) {
            return;
        }
        take(&history, &chronicle);
    }
}

/// Takes a baseline in the background, unless one is being taken.
pub(super) fn take(history: &Arc<History>, chronicle: &Arc<Chronicle>) {
    let is_first = chronicle.baseline.send_if_modified(|is_taken| !std::mem::replace(is_taken, true));
    if !is_first {
        return;
    }
    let (history, chronicle) = (Arc::clone(history), Arc::clone(chronicle));
    tokio::spawn(async move {
        if let Err(failed) = read_all(&history, &chronicle).await {
            tracing::warn!(table = %chronicle.table_id.table, %failed, "the table could not be read for its history");
            chronicle.tear();
        }
        if let Err(failed) = forget_rest(&history, &chronicle).await {
            tracing::warn!(table = %chronicle.table_id.table, %failed, "what is left of its history could not be forgotten");
        }
        chronicle.baseline.send_replace(false);
        let is_wanted = chronicle.wants_baseline(history.most_bytes, history.now());
        if is_wanted && !chronicle.again.swap(true, Ordering::SeqCst) {
            tokio::spawn(again(Arc::downgrade(&history), chronicle));
        }
    });
}

/// Reads all rows of a table and keeps them.
async fn read_all(history: &History, chronicle: &Chronicle) -> Result<(), Failed> {
    // Writes that were sent before the table was recorded must be in the baseline.
    history.flights.ended().await;
    let table = &chronicle.table_id.table;
    let layout = history.layout(table).await?;
    let first = chronicle.begin_baseline();
    let image = Image { layout: &layout, ttl: true, part: Part::All };
    let text = format!("SELECT {} FROM {}", image.selectors(), history.names.qualified(table));
    let (mut state, mut partition) = (None, Vec::new());
    loop {
        let page = Some((PAGE, state));
        let request = Request { text: &text, page, ..Request::default() };
        let (upstream, stream) = history.line.lend().await?;
        let channel = Channel { upstream: &upstream, stream: stream.number };
        let read_back = ReadBack { history, chronicle, channel };
        let (places, taken, page) = read_back.read(&request, true, 2 * PAGE).await?;
        let mut entries = Vec::with_capacity(page.count);
        for row in page.each() {
            let shown = image.read(&page.content, row, taken).map_err(|_| Failed::Unreadable(text.clone()))?;
            if let Some((key, cells)) = shown.statics
                && key != partition
            {
                partition.clone_from(&key);
                entries.push(Entry::Statics { key, cells });
            }
            entries.extend(shown.row.map(|(key, cells)| found(key, cells)));
        }
        read_back.keep(&places, &entries).await?;
        state = page.state.clone();
        if state.is_none() || chronicle.is_forgotten() {
            break;
        }
    }
    let since = chronicle.complete(&first, history.now());
    history.store().complete(chronicle, &first, since).await?;
    for bucket in chronicle.outgrown(history.most_bytes, history.now()) {
        history.store().forget_bucket(&chronicle.table_id, &bucket).await?;
    }
    Ok(())
}

/// Forgets the entries that were kept after their history had been forgotten. They are found by their buckets: another
/// history of the same table may have begun.
async fn forget_rest(history: &History, chronicle: &Chronicle) -> Result<(), Failed> {
    if chronicle.is_forgotten() {
        for bucket in chronicle.buckets() {
            history.store().forget_bucket(&chronicle.table_id, &bucket).await?;
        }
    }
    Ok(())
}
