//! Baselines: everything that is in a table, read while clients go on writing.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::History;
use super::chronicle::Chronicle;
use super::entry::Entry;
use super::image::{Image, Part, found};
use super::line::Request;
use super::record::{PAGE, Written};
use crate::names::SchemaObject;
use crate::upstream::{Channel, Failed, Layout};

/// The pauses between attempts grow from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Takes baselines as long as the table wants one, the gateway is there, and it is not dropped.
async fn again(history: Weak<History>, chronicle: Arc<Chronicle>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
        let Some(history) = history.upgrade() else { return };
        // In this order: who fails from here on finds that nobody waits, or is seen.
        chronicle.again.store(false, Ordering::SeqCst);
        let is_wanted = chronicle.wants_baseline(history.most_bytes, history.now());
        if !is_wanted || chronicle.again.swap(true, Ordering::SeqCst) {
            return;
        }
        history.take_baseline(&chronicle);
    }
}

impl History {
    /// Takes a baseline in the background, unless one is being taken.
    pub(super) fn take_baseline(self: &Arc<Self>, chronicle: &Arc<Chronicle>) {
        let is_first = chronicle.baseline.send_if_modified(|is_taken| !std::mem::replace(is_taken, true));
        if !is_first {
            return;
        }
        let (history, chronicle) = (Arc::clone(self), Arc::clone(chronicle));
        tokio::spawn(async move {
            if let Err(failed) = history.baseline(&chronicle).await {
                tracing::warn!(table = %chronicle.life.table, %failed, "the table could not be read for its history");
                chronicle.tear();
            }
            if let Err(failed) = history.forget_rest(&chronicle).await {
                tracing::warn!(table = %chronicle.life.table, %failed, "what is left of its history could not be forgotten");
            }
            chronicle.baseline.send_replace(false);
            let is_wanted = chronicle.wants_baseline(history.most_bytes, history.now());
            if is_wanted && !chronicle.again.swap(true, Ordering::SeqCst) {
                tokio::spawn(again(Arc::downgrade(&history), chronicle));
            }
        });
    }

    /// Reads anew the tables of a write whose outcome is not known: it may come after what was read back.
    pub(crate) fn doubt(self: &Arc<Self>, written: &[Written]) {
        for chronicle in written.iter().filter_map(|of| self.recorded(&of.table)) {
            chronicle.tear();
            if chronicle.wants_baseline(self.most_bytes, self.now()) {
                self.take_baseline(&chronicle);
            }
        }
    }

    async fn baseline(&self, chronicle: &Chronicle) -> Result<(), Failed> {
        // What was sent before the table was recorded must be in it.
        self.flights.ended().await;
        let table = &chronicle.life.table;
        let layout = self.layout(table).await?;
        let first = chronicle.begin_baseline();
        let image = Image { layout: &layout, ttl: true, part: Part::All };
        let text = format!("SELECT {} FROM {}", image.selectors(), self.names.qualified(table));
        let (mut state, mut partition) = (None, Vec::new());
        loop {
            let page = Some((PAGE, state));
            let request = Request { text: &text, page, ..Request::default() };
            let (upstream, stream) = self.line.lend().await?;
            let channel = Channel { upstream: &upstream, stream: stream.number };
            let (places, taken, page) = self.read(chronicle, channel, &request, true, 2 * PAGE).await?;
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
            self.store().keep(channel.upstream, channel.stream, chronicle, &places, &entries).await?;
            state = page.state.clone();
            if state.is_none() || chronicle.is_forgotten() {
                break;
            }
        }
        let since = chronicle.complete(&first, self.now());
        self.store().complete(chronicle, &first, since).await?;
        for bucket in chronicle.outgrown(self.most_bytes, self.now()) {
            self.store().forget_bucket(&chronicle.life, &bucket).await?;
        }
        Ok(())
    }

    /// Of a history that was forgotten meanwhile: what was written down after that. Not by its life, which another history
    /// may have by now.
    async fn forget_rest(&self, chronicle: &Chronicle) -> Result<(), Failed> {
        if chronicle.is_forgotten() {
            for bucket in chronicle.buckets() {
                self.store().forget_bucket(&chronicle.life, &bucket).await?;
            }
        }
        Ok(())
    }

    /// What a table looks like in Cassandra now.
    pub(super) async fn layout(&self, table: &SchemaObject) -> Result<Layout, Failed> {
        let text = Layout::SELECT;
        let keyspace = self.names.keyspace(&table.keyspace);
        let values = crate::protocol::Binding::placed([Some(keyspace.as_bytes()), Some(table.name.as_bytes())]);
        let rows = self.line.page(&Request { text, values, ..Request::default() }).await?;
        Layout::read(&rows).map_err(|_| Failed::Unreadable(text.to_owned()))
    }
}
