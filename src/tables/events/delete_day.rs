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

/// Keyspaces deletes at most 1,000 rows at once (DG:functional-differences). The rest is for events that are written into
/// the slice between reading and deleting it.
const SLICE: NonZeroU32 = NonZeroU32::MIN.saturating_add(899);

const DEADLINE: Duration = Duration::from_secs(300);

/// Between two looks at whether a partition is empty, growing by half from the first to the last.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(5);

/// A day about to be deleted, from [`Events::delete_day`](super::Events::delete_day): `.await` it.
///
/// Dropped before it is done, it may have been sent: it is carried out or not.
#[must_use = "nothing is deleted before it is awaited"]
pub struct DeleteDay {
    table: Arc<EventTable>,
    device: Result<Arc<str>, Error>,
    date: NaiveDate,
    deadline: Duration,
}

impl DeleteDay {
    pub(super) fn new(table: Arc<EventTable>, device: Result<Arc<str>, Error>, date: NaiveDate) -> Self {
        Self { table, device, date, deadline: DEADLINE }
    }

    /// How long to wait until the day is empty, a year at most. Default: 5 minutes.
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
                    "Keyspaces deletes after it has answered; look again later, and see that nobody writes events of that day",
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

/// Goes over the partition until nothing is there: what was deleted may still be read for a while.
async fn empty(table: &EventTable, partition: Partition) -> Result<(), Error> {
    let mut pause = FIRST_LOOK;
    loop {
        let mut slices = table.statements.times(&partition, SLICE);
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
        pause = LAST_LOOK.min(pause * 3 / 2);
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
