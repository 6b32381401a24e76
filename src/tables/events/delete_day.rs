use std::fmt;
use std::future::{Future, IntoFuture};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use futures::future::try_join_all;
use tokio::time::{sleep, timeout};

use super::EventTable;
use super::partition::{Partition, Slice};
use crate::{Error, ErrorKind};

/// Keyspaces deletes at most 1,000 rows at once (DG:functional-differences). The slice is smaller, because events may be
/// written into it between its read and its delete.
const SLICE_ROWS: NonZeroU32 = NonZeroU32::MIN.saturating_add(899);

const DEFAULT_DEADLINE: Duration = Duration::from_secs(300);

/// The shortest and the longest pause before a partition is read again. Each pause is 1.5 times the one before.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// A future that deletes the events of a day; created by [`Events::delete_day`](super::Events::delete_day).
///
/// If it is dropped before it completes, a part of the day may be deleted.
#[must_use = "nothing is deleted before it is awaited"]
pub struct DeleteDay {
    table: Arc<EventTable>,
    device: Result<Arc<str>, Error>,
    date: NaiveDate,
    deadline: Duration,
}

impl DeleteDay {
    pub(super) fn new(table: Arc<EventTable>, device: Result<Arc<str>, Error>, date: NaiveDate) -> Self {
        Self { table, device, date, deadline: DEFAULT_DEADLINE }
    }

    /// Sets how long to wait until the day is empty, at most a year. Default: 5 minutes.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(crate::session::MAX_TIMEOUT);
        self
    }

    async fn run(self) -> Result<(), Error> {
        let Self { table, device, date, deadline } = self;
        let device = device?;
        let partitions = table.shards.all().map(|shard| Partition { device: Arc::clone(&device), date, shard });
        let emptied = try_join_all(partitions.map(|partition| empty(&table, partition)));
        match timeout(deadline, emptied).await {
            Ok(emptied) => emptied.map(drop),
            Err(_) => {
                let attempted = format!("DELETE FROM {}", table.name);
                let problem = format!("the day {date} was not empty after {deadline:?}");
                Err(Error::new(ErrorKind::Timeout, attempted, problem).with_advice(
                    "Keyspaces deletes after it has answered: read the day again later, and make sure that nobody writes to it",
                ))
            }
        }
    }
}

impl IntoFuture for DeleteDay {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    #[inline] // compiled by the programs that use it, with all that it awaits
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Deletes the rows of a partition, and repeats this until a read finds none: deleted rows can still be read for a
/// while.
async fn empty(table: &EventTable, partition: Partition) -> Result<(), Error> {
    let mut pause = MIN_POLL_INTERVAL;
    loop {
        let mut slices = table.statements.times(&partition, SLICE_ROWS);
        let mut found = false;
        while let Some(page) = slices.try_next().await? {
            let (Some((last,)), Some((first,))) = (page.rows.first(), page.rows.last()) else { continue };
            found = true;
            table.statements.delete_slice(&partition, Slice { first: *first, last: *last }).await?;
        }
        if !found {
            return Ok(());
        }
        sleep(pause).await;
        pause = MAX_POLL_INTERVAL.min(pause * 3 / 2);
    }
}

impl fmt::Debug for DeleteDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeleteDay")
            .field("table", &self.table.name)
            .field("device", &self.device)
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}
