//! The history of the tables with point-in-time recovery: what is written to them is kept in tables of the Cassandra
//! behind, and from there the rows can be brought back as they were at a moment.
//!
//! A history is a row of *entries*. After a write was sent to Cassandra, and before the client is answered, the rows that
//! it may have changed are read back, and what is found is kept: a row with all its values and the times at which they
//! expire, or that there is none. The *place* of an entry among the others, and its time, are taken when the read begins.
//! So of two entries of a row the later one was read later, and the last entry of a row is always as new as the last write
//! that was answered before the read began, however many clients write at once. At a moment at which no write is under way
//! the last entries are the table, exactly.
//!
//! A range that is deleted is read back like a row: that there is nothing in it, and behind that what was found in it all
//! the same, because another client wrote it meanwhile.
//!
//! Entries say how a row was, not what was done to it. So they may be there more than once, and a table that had rows
//! before its history began is treated in the same way: a *baseline* reads all of it, page by page, while clients go on
//! writing. Once it is complete, it and what came after it tell the table at every moment since.
//!
//! To bring the rows back, Cassandra is given the entries since the last baseline, each with its place as the timestamp.
//! In which order it gets them is then of no importance, and its own rules make of them what the table was. A value that
//! expires gets what it had left at the moment.
//!
//! Entries are in *buckets*, which are partitions of some 512 KiB. A baseline begins with a bucket. When half of the bytes
//! that a history may have came after the last baseline, or that is more than 35 days old, or something was written that
//! could not be read back, another is taken, and what was before one that is no longer needed is forgotten. As a gateway may
//! have ended between a write and its entry, it takes one when it begins, too.

mod baseline;
mod chronicle;
mod entry;
mod flights;
mod image;
mod line;
mod record;
mod replay;
mod steps;
mod store;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use crate::clock::{Clock, millis};
use crate::names::{Names, SchemaObject, TableId};
use crate::recovery::{Change, RowHistory};
use crate::upstream::Failed;
use chronicle::Chronicle;
use flights::Flights;
use line::Line;
use store::Store;

pub(crate) use entry::Relation;
pub(crate) use flights::Flight;
pub(crate) use record::Written;

/// The histories of one instance.
pub(crate) struct History {
    names: Arc<Names>,
    clock: Clock,
    /// How many bytes the entries of one table may have.
    most_bytes: u64,
    line: Line,
    flights: Flights,
    lives: RwLock<Lives>,
}

#[derive(Debug, Default)]
struct Lives {
    all: HashMap<TableId, Arc<Chronicle>>,
    /// Those whose tables are there and have recovery enabled.
    recorded: HashMap<SchemaObject, Arc<Chronicle>>,
}

impl History {
    /// Finds what this instance has in Cassandra, or makes what it needs there.
    pub(crate) async fn open(
        address: SocketAddr,
        names: Arc<Names>,
        clock: Clock,
        most_bytes: u64,
    ) -> Result<Arc<Self>, Failed> {
        let line = Line::new(address);
        let history = Self { names, clock, most_bytes, line, flights: Flights::new(), lives: RwLock::default() };
        let store = history.store();
        store.prepare().await?;
        let now = history.now();
        for chronicle in store.load().await? {
            if chronicle.is_over(now) {
                store.forget(&chronicle.life).await?;
            } else {
                history.lives_mut().all.insert(chronicle.life.clone(), Arc::new(chronicle));
            }
        }
        Ok(Arc::new(history))
    }

    /// Records what is written to a table from now on, and takes a baseline of it in the background; [`is_begun`](
    /// Self::is_begun) tells when it is complete. Goes on with a history that is there already. A table of the same name
    /// that was dropped can no longer be brought back (DG:PointInTimeRecovery_HowItWorks).
    pub(crate) async fn begin(self: &Arc<Self>, life: &TableId) -> Result<(), Failed> {
        let chronicle = {
            let mut lives = self.lives_mut();
            if lives.recorded.get(&life.table).is_some_and(|recorded| recorded.life == *life) {
                return Ok(());
            }
            let all = &mut lives.all;
            let chronicle = all
                .entry(life.clone())
                .or_insert_with(|| Arc::new(Chronicle::new(life.clone(), Default::default(), None)));
            let chronicle = Arc::clone(chronicle);
            lives.recorded.insert(life.table.clone(), Arc::clone(&chronicle));
            chronicle
        };
        self.take_baseline(&chronicle);
        self.forget_others(life).await
    }

    /// Whether the moment has come from which on a table can be brought back.
    pub(crate) fn is_begun(&self, life: &TableId) -> bool {
        self.chronicle(life).is_some_and(|chronicle| chronicle.is_begun())
    }

    /// Takes a baseline of a table that is recorded if it has none and none is being taken: the last attempt failed.
    pub(crate) fn try_again(self: &Arc<Self>, life: &TableId) {
        if let Some(chronicle) = self.chronicle(life).filter(|chronicle| !chronicle.is_begun()) {
            self.take_baseline(&chronicle);
        }
    }

    /// A table was dropped: its history stays for 35 days.
    pub(crate) async fn end(&self, life: &TableId) -> Result<(), Failed> {
        let Some(chronicle) = self.chronicle(life) else { return Ok(()) };
        self.lives_mut().recorded.retain(|_, recorded| recorded.life != *life);
        let now = self.now();
        chronicle.end(now);
        self.store().end(&chronicle, now).await
    }

    /// Forgets the history of a table, whose recovery was disabled.
    pub(crate) async fn forget(&self, life: &TableId) -> Result<(), Failed> {
        {
            let mut lives = self.lives_mut();
            lives.recorded.retain(|_, recorded| recorded.life != *life);
            if let Some(chronicle) = lives.all.remove(life) {
                chronicle.forget();
            }
        }
        self.store().forget(life).await
    }

    /// Forgets the histories of all tables of the same name but this one.
    async fn forget_others(&self, there: &TableId) -> Result<(), Failed> {
        let others: Vec<TableId> = {
            let lives = self.lives();
            lives.all.keys().filter(|life| life.table == there.table && *life != there).cloned().collect()
        };
        for life in others {
            self.forget(&life).await?;
        }
        Ok(())
    }

    /// The first moment to which a table can be brought back, in milliseconds since 1970; nothing if there is none.
    pub(crate) fn earliest(&self, life: &TableId, now: u64) -> Option<u64> {
        self.chronicle(life)?.earliest(now)
    }

    /// Writes the rows of a table as they were at a moment, in milliseconds since 1970, to another, which has no rows, is
    /// there in Cassandra, and has its columns.
    ///
    /// Values get as their time of writing (WRITETIME) when they were read back after their last write. Those that expire
    /// get what they had left at the moment. What came in the millisecond of the moment is in it.
    ///
    /// The work goes on where the future is dropped.
    pub(crate) async fn bring_back(
        self: &Arc<Self>,
        life: &TableId,
        moment: u64,
        target: &SchemaObject,
    ) -> Result<(), Failed> {
        let (history, life, target) = (Arc::clone(self), life.clone(), target.clone());
        let work = tokio::spawn(async move { history.replay(&life, moment, &target).await });
        work.await.unwrap_or_else(|_| Err(crate::upstream::Lost::Ended.into()))
    }

    /// Something is under way as long as what this gives is not dropped. To be called before
    /// [`is_recorded`](Self::is_recorded): what was not recorded then is in the baseline that is taken after its end.
    pub(crate) fn flight(&self) -> Flight {
        self.flights.begin()
    }

    /// Waits until all writes that are under way have ended, and all baselines that are being taken.
    pub(crate) async fn landed(&self) {
        self.flights.ended().await;
        let all: Vec<_> = self.lives().all.values().map(Arc::clone).collect();
        for chronicle in all {
            let _ = chronicle.baseline.subscribe().wait_for(|is_taken| !*is_taken).await;
        }
    }

    /// Whether what is written to a table is recorded.
    pub(crate) fn is_recorded(&self, table: &SchemaObject) -> bool {
        self.lives().recorded.contains_key(table)
    }

    fn recorded(&self, table: &SchemaObject) -> Option<Arc<Chronicle>> {
        self.lives().recorded.get(table).map(Arc::clone)
    }

    fn chronicle(&self, life: &TableId) -> Option<Arc<Chronicle>> {
        self.lives().all.get(life).map(Arc::clone)
    }

    fn lives(&self) -> std::sync::RwLockReadGuard<'_, Lives> {
        self.lives.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lives_mut(&self) -> std::sync::RwLockWriteGuard<'_, Lives> {
        self.lives.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> Store<'_> {
        Store { line: &self.line, inner: self.names.inner() }
    }

    /// In milliseconds since 1970.
    fn now(&self) -> u64 {
        millis((self.clock)())
    }
}

impl RowHistory for Arc<History> {
    fn begin<'a>(&'a self, table: &'a TableId) -> Change<'a> {
        Box::pin(History::begin(self, table))
    }

    fn try_again(&self, table: &TableId) {
        History::try_again(self, table);
    }

    fn is_begun(&self, table: &TableId) -> bool {
        History::is_begun(self, table)
    }

    fn is_recorded(&self, table: &SchemaObject) -> bool {
        History::is_recorded(self, table)
    }

    fn earliest(&self, table: &TableId, now: u64) -> Option<u64> {
        History::earliest(self, table, now)
    }

    fn bring_back<'a>(&'a self, table: &'a TableId, moment: u64, target: &'a SchemaObject) -> Change<'a> {
        Box::pin(History::bring_back(self, table, moment, target))
    }

    fn end<'a>(&'a self, table: &'a TableId) -> Change<'a> {
        Box::pin(History::end(self, table))
    }

    fn forget<'a>(&'a self, table: &'a TableId) -> Change<'a> {
        Box::pin(History::forget(self, table))
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("most_bytes", &self.most_bytes).finish_non_exhaustive()
    }
}
