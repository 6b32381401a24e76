//! The history of one table in memory: the sequence of its entries, and the buckets that they are in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use tokio::sync::{OnceCell, watch};

use crate::lock::Mutex;
use crate::names::TableId;
use crate::recovery::RECOVERY_WINDOW;
use crate::saturated::saturated;

/// A bucket of this size is closed for new entries.
const BUCKET_BYTES: u64 = 512 << 10;

/// The history of one table.
#[derive(Debug)]
pub(super) struct TableHistory {
    pub(super) table_id: TableId,
    state: Mutex<HistoryState>,
    /// Whether a baseline is being taken.
    pub(super) baseline: watch::Sender<bool>,
    /// Whether a task waits to take a baseline again.
    pub(super) is_retry_scheduled: AtomicBool,
}

#[derive(Debug)]
struct HistoryState {
    /// The last sequence number that was reserved.
    last: u64,
    /// When it was reserved, by the service's clock.
    at: u64,
    buckets: VecDeque<EntryBucket>,
    /// When the table was dropped.
    ended: Option<u64>,
    /// Whether the history was forgotten, so that no more entries are stored.
    forgotten: bool,
    /// The sequence number at which the last baseline was complete.
    complete_at: u64,
    /// Whether a change of the table is missing in the entries.
    is_incomplete: bool,
    /// Cloned by each reader of the entries, so that no bucket is forgotten while it is read.
    readers: Arc<()>,
}

/// Buckets that are not forgotten until this is dropped.
#[derive(Debug)]
pub(super) struct PinnedBuckets {
    pub(super) buckets: Vec<EntryBucket>,
    _reader: Arc<()>,
}

/// A part of the entries, which is one partition in Cassandra.
#[derive(Clone, Debug)]
pub(super) struct EntryBucket {
    /// All sequence numbers in it are greater than this, and than all those of the buckets before.
    pub(super) number: u64,
    /// When the baseline that begins with this bucket was complete.
    pub(super) complete: Option<u64>,
    pub(super) bytes: Arc<AtomicU64>,
    /// Set once the bucket is stored in Cassandra.
    pub(super) registered: Arc<OnceCell<()>>,
}

/// Consecutive sequence numbers for entries, greater than all that were reserved before.
#[derive(Clone, Debug)]
pub(super) struct ReservedNumbers {
    /// In microseconds since 1970 by the machine's clock, or later if numbers are reserved faster than the clock
    /// advances. Each number is two greater than the one before.
    pub(super) first: u64,
    /// In milliseconds since 1970, by the service's clock.
    pub(super) at: u64,
    pub(super) bucket: EntryBucket,
}

impl ReservedNumbers {
    pub(super) fn nth(&self, entry: usize) -> u64 {
        self.first + 2 * saturated::<u64>(entry)
    }
}

impl EntryBucket {
    pub(super) fn new(number: u64, bytes: u64, complete: Option<u64>, is_registered: bool) -> Self {
        let registered = if is_registered { OnceCell::new_with(Some(())) } else { OnceCell::new() };
        Self { number, complete, bytes: Arc::new(AtomicU64::new(bytes)), registered: Arc::new(registered) }
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl TableHistory {
    /// A history that begins, or is resumed with these buckets.
    pub(super) fn new(table_id: TableId, buckets: VecDeque<EntryBucket>, ended: Option<u64>) -> Self {
        // The entries of the last bucket were written before now, so that their sequence numbers lie between its number
        // and now.
        let last = buckets.back().map_or(0, |bucket| bucket.number);
        let state = HistoryState {
            last,
            at: 0,
            complete_at: 0,
            buckets,
            ended,
            forgotten: false,
            is_incomplete: false,
            readers: Arc::default(),
        };
        Self {
            table_id,
            state: Mutex::new(state),
            baseline: watch::Sender::new(false),
            is_retry_scheduled: AtomicBool::new(false),
        }
    }

    /// Reserves sequence numbers for `entries` entries.
    pub(super) fn reserve(&self, entries: usize, at: u64) -> ReservedNumbers {
        let mut state = self.state();
        let bucket = match state.buckets.back() {
            Some(bucket) if bucket.bytes() < BUCKET_BYTES => bucket.clone(),
            _ => state.begin_bucket(),
        };
        let first = state.reserve_numbers(entries);
        state.at = state.at.max(at);
        ReservedNumbers { first, at: state.at, bucket }
    }

    /// Begins the first bucket of a baseline.
    pub(super) fn begin_baseline(&self) -> EntryBucket {
        let mut state = self.state();
        state.is_incomplete = false;
        state.begin_bucket()
    }

    /// Completes the baseline that began with this bucket. Returns the first moment to which it allows a restore.
    pub(super) fn complete(&self, bucket: &EntryBucket, now: u64) -> u64 {
        let mut state = self.state();
        let complete = state.at.max(now);
        state.complete_at = state.last;
        if let Some(first) = state.buckets.iter_mut().find(|first| first.number == bucket.number) {
            first.complete = Some(complete);
        }
        complete
    }

    /// The earliest moment to which the entries allow a restore.
    pub(super) fn earliest(&self, now: u64) -> Option<u64> {
        let first = self.state().buckets.iter().find_map(|bucket| bucket.complete)?;
        Some(first.max(now.saturating_sub(RECOVERY_WINDOW)))
    }

    /// The buckets whose entries are needed for a restore to a moment.
    pub(super) fn buckets_for(&self, moment: u64) -> Option<PinnedBuckets> {
        let state = self.state();
        let from =
            state.buckets.iter().rposition(|bucket| bucket.complete.is_some_and(|complete| complete <= moment))?;
        let buckets = state.buckets.iter().skip(from).cloned().collect();
        Some(PinnedBuckets { buckets, _reader: Arc::clone(&state.readers) })
    }

    /// Whether another baseline is due: half of the allowed bytes were written after the last one, or the last one is
    /// older than the time for which a table can be restored, or a change of the table is missing in the entries.
    pub(super) fn is_baseline_due(&self, max_bytes: u64, now: u64) -> bool {
        let state = self.state();
        if state.ended.is_some() || state.forgotten {
            return false;
        }
        let Some(last) = state.buckets.iter().rposition(|bucket| bucket.complete.is_some()) else {
            return state.is_incomplete;
        };
        let later = state.buckets.iter().skip(last + 1).filter(|bucket| bucket.number > state.complete_at);
        let since: u64 = later.map(EntryBucket::bytes).sum();
        let complete = state.buckets[last].complete.unwrap_or_default();
        state.is_incomplete || since > max_bytes / 2 || complete + RECOVERY_WINDOW < now
    }

    /// Removes the buckets before a later baseline that exceed the allowed bytes or time. Removes none while entries
    /// are being read; those buckets are removed after the next baseline.
    pub(super) fn remove_obsolete_buckets(&self, max_bytes: u64, now: u64) -> Vec<EntryBucket> {
        let mut state = self.state();
        let mut obsolete = Vec::new();
        if Arc::strong_count(&state.readers) > 1 {
            return obsolete;
        }
        loop {
            let total: u64 = state.buckets.iter().map(EntryBucket::bytes).sum();
            let mut later = state.buckets.iter().enumerate().skip(1).filter(|(_, bucket)| bucket.complete.is_some());
            let Some((next, bucket)) = later.next() else { return obsolete };
            let is_old = bucket.complete.is_some_and(|complete| complete + RECOVERY_WINDOW <= now);
            if total <= max_bytes && !is_old && state.buckets[0].complete.is_some() {
                return obsolete;
            }
            obsolete.extend(state.buckets.drain(..next));
        }
    }

    pub(super) fn has_baseline(&self) -> bool {
        self.state().buckets.iter().any(|bucket| bucket.complete.is_some())
    }

    pub(super) fn mark_incomplete(&self) {
        self.state().is_incomplete = true;
    }

    pub(super) fn end(&self, now: u64) {
        self.state().ended.get_or_insert(now);
    }

    /// Ends the history because the recovery of the table was disabled.
    pub(super) fn forget(&self) {
        self.state().forgotten = true;
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.state().forgotten
    }

    /// Whether the time in which a dropped table can be restored has passed.
    pub(super) fn is_expired(&self, now: u64) -> bool {
        self.state().ended.is_some_and(|ended| ended + RECOVERY_WINDOW < now)
    }

    pub(super) fn buckets(&self) -> Vec<EntryBucket> {
        self.state().buckets.iter().cloned().collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, HistoryState> {
        self.state.lock()
    }
}

impl HistoryState {
    fn reserve_numbers(&mut self, entries: usize) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
        let first = (self.last + 2).max(u64::try_from(now).unwrap_or_default());
        self.last = first + 2 * saturated::<u64>(entries);
        first
    }

    fn begin_bucket(&mut self) -> EntryBucket {
        let bucket = EntryBucket::new(self.reserve_numbers(0), 0, None, false);
        self.buckets.push_back(bucket.clone());
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::SchemaObject;

    const DAY: u64 = 24 * 3_600_000;

    fn table_history() -> TableHistory {
        TableHistory::new(TableId::new(SchemaObject::table("ks", "t"), 0), VecDeque::new(), None)
    }

    fn baseline(table_history: &TableHistory, at: u64) -> EntryBucket {
        let bucket = table_history.begin_baseline();
        table_history.complete(&bucket, at);
        bucket
    }

    fn numbers(buckets: &[EntryBucket]) -> Vec<u64> {
        buckets.iter().map(|bucket| bucket.number).collect()
    }

    #[test]
    fn positions_and_their_times_only_increase() {
        let table_history = table_history();
        let bucket = table_history.begin_baseline();
        let one = table_history.reserve(3, 1000);
        let two = table_history.reserve(1, 900);
        assert!(bucket.number < one.first && one.nth(2) < two.first);
        assert_eq!((one.at, two.at), (1000, 1000));
        assert_eq!(two.bucket.number, bucket.number);
        two.bucket.bytes.store(BUCKET_BYTES, Ordering::Relaxed);
        let three = table_history.reserve(1, 1001);
        assert!(three.bucket.number > two.first && three.first > three.bucket.number);
    }

    #[test]
    fn a_moment_is_restored_from_the_last_baseline_before_it_and_later_entries() {
        let table_history = table_history();
        assert_eq!((table_history.earliest(5), table_history.has_baseline()), (None, false));
        let one = baseline(&table_history, 1000);
        let two = baseline(&table_history, 2000);
        let unfinished = table_history.begin_baseline();
        let restored_from = |moment| table_history.buckets_for(moment).map(|pinned| numbers(&pinned.buckets));
        assert_eq!(restored_from(999), None);
        assert_eq!(restored_from(1000), Some(vec![one.number, two.number, unfinished.number]));
        assert_eq!(restored_from(5000), Some(vec![two.number, unfinished.number]));
        assert_eq!(table_history.earliest(5000), Some(1000));
        assert_eq!(table_history.earliest(1500 + 35 * DAY), Some(1500));
    }

    #[test]
    fn a_baseline_is_complete_no_earlier_than_the_writes_it_has_read() {
        let table_history = table_history();
        let bucket = table_history.begin_baseline();
        table_history.reserve(1, 700);
        assert_eq!(table_history.complete(&bucket, 600), 700);
    }

    #[test]
    fn beyond_the_size_limit_a_new_baseline_makes_older_entries_obsolete() {
        let (table_history, most) = (table_history(), 1000);
        let one = baseline(&table_history, 1);
        one.bytes.store(BUCKET_BYTES, Ordering::Relaxed);
        let after = table_history.reserve(1, 2).bucket;
        after.bytes.store(500, Ordering::Relaxed);
        // The bytes of the baseline itself do not count.
        assert!(!table_history.is_baseline_due(most, 3));
        after.bytes.store(501, Ordering::Relaxed);
        assert!(table_history.is_baseline_due(most, 3));
        assert!(table_history.remove_obsolete_buckets(most, 3).is_empty());
        let two = baseline(&table_history, 4);
        assert!(!table_history.is_baseline_due(most, 5));
        assert_eq!(numbers(&table_history.remove_obsolete_buckets(most, 5)), [one.number, after.number]);
        assert_eq!((numbers(&table_history.buckets()), table_history.earliest(5)), (vec![two.number], Some(4)));
    }

    #[test]
    fn no_entry_is_removed_while_a_restore_reads_it() {
        let table_history = table_history();
        let one = baseline(&table_history, 1);
        let read = table_history.buckets_for(2).unwrap();
        let two = baseline(&table_history, 3);
        one.bytes.store(2000, Ordering::Relaxed);
        assert!(table_history.remove_obsolete_buckets(1000, 4).is_empty());
        assert_eq!(numbers(&read.buckets), [one.number]);
        drop(read);
        assert_eq!(numbers(&table_history.remove_obsolete_buckets(1000, 4)), [one.number]);
        assert_eq!(numbers(&table_history.buckets()), [two.number]);
    }

    #[test]
    fn entries_outside_the_window_are_obsolete_once_a_later_baseline_is_outside_it() {
        let table_history = table_history();
        let one = baseline(&table_history, DAY);
        assert!(!table_history.is_baseline_due(1000, 36 * DAY));
        assert!(table_history.is_baseline_due(1000, 36 * DAY + 1));
        let two = baseline(&table_history, 37 * DAY);
        assert!(table_history.remove_obsolete_buckets(1000, 72 * DAY - 1).is_empty());
        assert_eq!(numbers(&table_history.remove_obsolete_buckets(1000, 72 * DAY)), [one.number]);
        assert_eq!(numbers(&table_history.buckets()), [two.number]);
    }

    #[test]
    fn a_dropped_table_gets_no_baseline_and_is_removed_after_the_window() {
        let table_history = table_history();
        baseline(&table_history, 1);
        table_history.mark_incomplete();
        assert!(table_history.is_baseline_due(1000, 2));
        table_history.end(DAY);
        assert!(!table_history.is_baseline_due(1000, 2));
        assert!(!table_history.is_expired(36 * DAY) && table_history.is_expired(36 * DAY + 1));
    }
}
