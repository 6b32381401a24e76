//! The histories of the tables with point-in-time recovery. Writes are recorded in tables of the backing Cassandra,
//! from which the rows can be restored as they were at a moment.
//!
//! A history is a sequence of *entries*. After a write was sent to Cassandra, and before the client is answered, the
//! rows that it may have changed are read back. An entry stores the result: a row with all its values and the times at
//! which they expire, or that there is no row. The *sequence number* of an entry, and its time, are reserved when the
//! read begins. So of two entries of a row the later one was read later, and the last entry of a row is at least as new
//! as the last write that was answered before the read began, however many clients write at once. At a moment at which
//! no write is in progress, the last entries are exactly the table.
//!
//! A SELECT does not return the *marker* of a row, which an INSERT writes so that the row exists without values. So an
//! entry has the marker that its own write wrote, and the last entry has the row's marker only if the entries are in the
//! order of the writes. Therefore writes to the same partition take *turns*: each is sent to Cassandra after the one
//! before it was recorded.
//!
//! A deleted range is read back like a row: an entry says that the range is empty, and later entries have the rows that
//! other clients wrote into it meanwhile.
//!
//! Entries contain the state of a row, not the operation. So the same row may have several, and a table that had rows
//! before its history began is treated in the same way: a *baseline* reads the whole table, page by page, while clients
//! continue to write. Once it is complete, it and the entries after it determine the table at every moment since.
//!
//! To restore the rows, the entries since the last baseline are written to Cassandra, each with its sequence number as
//! the timestamp. They can be written in any order, because in Cassandra the highest timestamp wins. A value that
//! expires gets the remaining time to live that it had at the moment.
//!
//! Entries are in *buckets*, which are partitions of some 512 KiB. A baseline begins a new bucket. Another baseline is
//! taken when half of the allowed bytes were written after the last one, when the last one is more than 35 days old,
//! and when a write could not be read back. Entries that are no longer needed because of a later baseline are removed.
//! A gateway also takes a baseline when it starts, because the previous gateway may have been killed between a write
//! and its entry.

mod baseline;
mod entry;
mod partition_turns;
mod read_back;
mod replay;
mod replay_statements;
mod row_select;
mod shared_connection;
mod store;
mod table_history;
mod write_analysis;
mod writes_in_progress;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::clock::{Clock, millis};
use crate::lock::RwLock;
use crate::names::{Names, SchemaObject, TableId};
use crate::protocol::metadata::is_applied;
use crate::protocol::{Binding, Frame, Opcode, is_outcome_unknown};
use crate::recovery::{HistoryChange, RowHistory};
use crate::upstream::{Channel, ConnectionLost, InternalRequestError, Layout, Upstream};
use partition_turns::PartitionTurns;
use read_back::{ReadBack, WriteTimes};
use replay::Replay;
use shared_connection::{InternalRequest, SharedConnection};
use store::EntryStore;
use table_history::TableHistory;
use writes_in_progress::WritesInProgress;

pub(crate) use read_back::WrittenRows;
pub(crate) use write_analysis::{RecordedTable, written_rows};
pub(crate) use writes_in_progress::WriteInProgress;

/// The histories of one instance.
pub(crate) struct History {
    names: Arc<Names>,
    clock: Clock,
    /// The maximum bytes of the entries of one table.
    max_bytes: u64,
    connection: SharedConnection,
    writes: WritesInProgress,
    turns: PartitionTurns,
    histories: RwLock<TableHistories>,
}

#[derive(Debug, Default)]
struct TableHistories {
    all: HashMap<TableId, Arc<TableHistory>>,
    /// The histories of tables that exist and have recovery enabled.
    recorded: HashMap<SchemaObject, Arc<TableHistory>>,
}

impl History {
    /// Loads the histories of this instance from Cassandra, and creates their tables if they do not exist.
    pub(crate) async fn open(
        address: SocketAddr,
        names: Arc<Names>,
        clock: Clock,
        max_bytes: u64,
    ) -> Result<Arc<Self>, InternalRequestError> {
        let connection = SharedConnection::new(address);
        let history = Self {
            names,
            clock,
            max_bytes,
            connection,
            writes: WritesInProgress::new(),
            turns: PartitionTurns::new(),
            histories: RwLock::default(),
        };
        let store = history.store();
        store.prepare().await?;
        let now = history.now();
        for table_history in store.load().await? {
            if table_history.is_expired(now) {
                store.forget(&table_history.table_id).await?;
            } else {
                history.histories_mut().all.insert(table_history.table_id.clone(), Arc::new(table_history));
            }
        }
        Ok(Arc::new(history))
    }

    /// Records the writes to a table from now on, and takes a baseline of it in the background;
    /// [`has_baseline`](Self::has_baseline) is true once it is complete. Resumes a history that exists already. A
    /// dropped table of the same name can no longer be restored (DG:PointInTimeRecovery_HowItWorks).
    pub(crate) async fn begin(self: &Arc<Self>, table_id: &TableId) -> Result<(), InternalRequestError> {
        let table_history = {
            let mut histories = self.histories_mut();
            if histories.recorded.get(&table_id.table).is_some_and(|recorded| recorded.table_id == *table_id) {
                return Ok(());
            }
            let all = &mut histories.all;
            let table_history = all
                .entry(table_id.clone())
                .or_insert_with(|| Arc::new(TableHistory::new(table_id.clone(), Default::default(), None)));
            let table_history = Arc::clone(table_history);
            histories.recorded.insert(table_id.table.clone(), Arc::clone(&table_history));
            table_history
        };
        baseline::take(self, &table_history);
        self.forget_others(table_id).await
    }

    /// Whether a table can be restored from now on.
    pub(crate) fn has_baseline(&self, table_id: &TableId) -> bool {
        self.table_history(table_id).is_some_and(|table_history| table_history.has_baseline())
    }

    /// Takes a baseline of a recorded table that has none, because the last attempt failed.
    pub(crate) fn retry_baseline(self: &Arc<Self>, table_id: &TableId) {
        if let Some(table_history) = self.table_history(table_id).filter(|table_history| !table_history.has_baseline())
        {
            baseline::take(self, &table_history);
        }
    }

    /// Ends the history of a dropped table, which is kept for 35 days.
    pub(crate) async fn end(&self, table_id: &TableId) -> Result<(), InternalRequestError> {
        let Some(table_history) = self.table_history(table_id) else { return Ok(()) };
        self.histories_mut().recorded.retain(|_, recorded| recorded.table_id != *table_id);
        let now = self.now();
        table_history.end(now);
        self.store().end(&table_history, now).await
    }

    /// Forgets the history of a table, whose recovery was disabled.
    pub(crate) async fn forget(&self, table_id: &TableId) -> Result<(), InternalRequestError> {
        {
            let mut histories = self.histories_mut();
            histories.recorded.retain(|_, recorded| recorded.table_id != *table_id);
            if let Some(table_history) = histories.all.remove(table_id) {
                table_history.forget();
            }
        }
        self.store().forget(table_id).await
    }

    /// Forgets the histories of all tables of the same name but this one.
    async fn forget_others(&self, current: &TableId) -> Result<(), InternalRequestError> {
        let others: Vec<TableId> = {
            let histories = self.histories();
            histories
                .all
                .keys()
                .filter(|table_id| table_id.table == current.table && *table_id != current)
                .cloned()
                .collect()
        };
        for table_id in others {
            self.forget(&table_id).await?;
        }
        Ok(())
    }

    /// The earliest moment to which a table can be restored, in milliseconds since 1970, if there is one.
    pub(crate) fn earliest(&self, table_id: &TableId, now: u64) -> Option<u64> {
        self.table_history(table_id)?.earliest(now)
    }

    /// Writes the rows of a table as they were at a moment, in milliseconds since 1970, to another table, which exists
    /// in Cassandra with the same columns and without rows.
    ///
    /// The WRITETIME of a value is the time at which it was read back after its last write. A value that expires gets
    /// the time to live that remained at the moment. Writes in the millisecond of the moment are included.
    ///
    /// It continues if the future is dropped.
    pub(crate) async fn restore(
        self: &Arc<Self>,
        table_id: &TableId,
        moment: u64,
        target: &SchemaObject,
    ) -> Result<(), InternalRequestError> {
        let replay = Arc::new(Replay { history: Arc::clone(self), moment });
        let (table_id, target) = (table_id.clone(), target.clone());
        let work = tokio::spawn(async move { replay.run(&table_id, &target).await });
        work.await.unwrap_or_else(|_| Err(ConnectionLost::Ended.into()))
    }

    /// Sends a write to Cassandra, and records the rows that it may have changed before its answer is returned.
    /// `partitions` are the hashes of the partitions that it writes; `None` if they are not known.
    ///
    /// It runs in a task of its own, so that a client that disconnects leaves no write that is not recorded.
    pub(crate) async fn write(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        request: Frame,
        mut written: Vec<WrittenRows>,
        partitions: Option<Vec<u64>>,
    ) -> Result<Frame, ConnectionLost> {
        // Of the INSERTs of a batch, which have one timestamp, Cassandra keeps the marker that expires last, and one that
        // expires rather than one that does not.
        written.sort_by_key(|rows| rows.insert_ttl);
        let (history, upstream) = (Arc::clone(self), Arc::clone(upstream));
        let write = self.write_in_progress();
        let writing = tokio::spawn(async move {
            let stream = request.stream;
            let turn = history.turns.take(partitions.as_deref()).await;
            let sent = SystemTime::now();
            let answer = upstream.call(request).await;
            let times = WriteTimes { sent, answered: SystemTime::now() };
            if answer.as_ref().map_or(true, may_have_changed_rows) {
                history.record(Channel { upstream: &upstream, stream }, &written, times).await;
            }
            drop(turn);
            if answer.as_ref().map_or(true, is_outcome_unknown) {
                history.reread_tables(&written);
            }
            drop(write);
            answer
        });
        writing.await.unwrap_or(Err(ConnectionLost::Ended))
    }

    /// Reads back the rows that a write may have changed, over the write's own connection. If they cannot be read back,
    /// a baseline is taken.
    async fn record(self: &Arc<Self>, channel: Channel<'_>, written: &[WrittenRows], times: WriteTimes) {
        for rows in written {
            let Some(table_history) = self.recorded(&rows.table) else { continue };
            if rows.is_unknown {
                table_history.mark_incomplete();
            }
            let read_back = ReadBack { history: self, table_history: &table_history, channel };
            let recorded = match read_back.record(rows, times).await {
                Err(InternalRequestError::Lost(_)) => {
                    self.record_over_shared_connection(&table_history, rows, times).await
                }
                recorded => recorded,
            };
            if let Err(failed) = recorded {
                let table = &rows.table;
                tracing::warn!(%table, %failed, "a write is not in the table's history: the table is read again");
                table_history.mark_incomplete();
            }
            self.take_due_baseline(&table_history);
        }
    }

    /// Reads back over the connection of the histories, because the connection of the write was lost.
    async fn record_over_shared_connection(
        &self,
        table_history: &TableHistory,
        written: &WrittenRows,
        times: WriteTimes,
    ) -> Result<(), InternalRequestError> {
        let (upstream, stream) = self.connection.acquire().await?;
        let channel = Channel { upstream: &upstream, stream: stream.number };
        ReadBack { history: self, table_history, channel }.record(written, times).await
    }

    /// Reads the tables of a write with an unknown outcome again: Cassandra may apply the write after its rows were
    /// read back.
    fn reread_tables(self: &Arc<Self>, written: &[WrittenRows]) {
        for table_history in written.iter().filter_map(|rows| self.recorded(&rows.table)) {
            table_history.mark_incomplete();
            self.take_due_baseline(&table_history);
        }
    }

    fn take_due_baseline(self: &Arc<Self>, table_history: &Arc<TableHistory>) {
        if table_history.is_baseline_due(self.max_bytes, self.now()) {
            baseline::take(self, table_history);
        }
    }

    /// The columns that a table has in Cassandra now.
    async fn layout(&self, table: &SchemaObject) -> Result<Layout, InternalRequestError> {
        let text = Layout::SELECT;
        let keyspace = self.names.keyspace(&table.keyspace);
        let values = Binding::positional([Some(keyspace.as_bytes()), Some(table.name.as_bytes())]);
        let rows = self.connection.page(&InternalRequest { text, values, ..InternalRequest::default() }).await?;
        Layout::read(&rows).map_err(|_| InternalRequestError::MalformedAnswer(text.to_owned()))
    }

    /// Marks a write as in progress until the result is dropped. Call it before [`is_recorded`](Self::is_recorded): a
    /// baseline waits for the writes in progress, so that it contains those that were not recorded.
    pub(crate) fn write_in_progress(&self) -> WriteInProgress {
        self.writes.begin()
    }

    /// Waits for all writes in progress and all baselines that are being taken.
    pub(crate) async fn wait_until_idle(&self) {
        self.writes.wait_for_end().await;
        let all: Vec<_> = self.histories().all.values().map(Arc::clone).collect();
        for table_history in all {
            let _ = table_history.baseline.subscribe().wait_for(|is_taken| !*is_taken).await;
        }
    }

    /// Whether the writes to a table are recorded.
    pub(crate) fn is_recorded(&self, table: &SchemaObject) -> bool {
        self.histories().recorded.contains_key(table)
    }

    fn recorded(&self, table: &SchemaObject) -> Option<Arc<TableHistory>> {
        self.histories().recorded.get(table).map(Arc::clone)
    }

    fn table_history(&self, table_id: &TableId) -> Option<Arc<TableHistory>> {
        self.histories().all.get(table_id).map(Arc::clone)
    }

    fn histories(&self) -> std::sync::RwLockReadGuard<'_, TableHistories> {
        self.histories.read()
    }

    fn histories_mut(&self) -> std::sync::RwLockWriteGuard<'_, TableHistories> {
        self.histories.write()
    }

    fn store(&self) -> EntryStore<'_> {
        EntryStore { connection: &self.connection, inner: self.names.inner() }
    }

    /// The time, in milliseconds since 1970.
    fn now(&self) -> u64 {
        millis((self.clock)())
    }
}

impl RowHistory for Arc<History> {
    fn begin<'a>(&'a self, table: &'a TableId) -> HistoryChange<'a> {
        Box::pin(History::begin(self, table))
    }

    fn retry_baseline(&self, table: &TableId) {
        History::retry_baseline(self, table);
    }

    fn has_baseline(&self, table: &TableId) -> bool {
        History::has_baseline(self, table)
    }

    fn is_recorded(&self, table: &SchemaObject) -> bool {
        History::is_recorded(self, table)
    }

    fn earliest(&self, table: &TableId, now: u64) -> Option<u64> {
        History::earliest(self, table, now)
    }

    fn restore<'a>(&'a self, table: &'a TableId, moment: u64, target: &'a SchemaObject) -> HistoryChange<'a> {
        Box::pin(History::restore(self, table, moment, target))
    }

    fn end<'a>(&'a self, table: &'a TableId) -> HistoryChange<'a> {
        Box::pin(History::end(self, table))
    }

    fn forget<'a>(&'a self, table: &'a TableId) -> HistoryChange<'a> {
        Box::pin(History::forget(self, table))
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

/// Whether a write has changed something, or may have.
fn may_have_changed_rows(answer: &Frame) -> bool {
    match answer.opcode {
        Opcode::Error => is_outcome_unknown(answer),
        _ => is_applied(answer),
    }
}
