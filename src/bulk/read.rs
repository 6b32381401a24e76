//! Reads the rows of a table, page by page, from the position of an earlier run.

use std::num::NonZeroU32;
use std::time::Duration;

use keyspaces_cql::units::ReadCost;
use tokio::time::{Instant, sleep, sleep_until};

use super::rate::Pacer;
use super::retry::{RetryDelays, is_retried};
use super::row::RowValues;
use super::table::{Column, DescribedTable};
use crate::{Error, Pages, PagingState, ReadConsistency, Scan, ScanProgress, Select, Session};

/// The deadline of one page, including the wait for a throttled table.
const PAGE_DEADLINE: Duration = Duration::from_secs(60);

/// What to read of a table, and how.
#[derive(Clone, Debug)]
pub(super) struct ReadSettings {
    /// The relations after WHERE; `None` reads the whole table.
    pub(super) filter: Option<String>,
    pub(super) consistency: Option<ReadConsistency>,
    pub(super) limit: Option<NonZeroU32>,
    pub(super) stall_timeout: Duration,
}

/// The rows of a table.
pub(super) struct TableReader {
    source: PageSource,
    cost: ReadCost,
    pacer: Pacer,
    began: Instant,
    stall_timeout: Duration,
    last_page: Instant,
    /// The time of the next attempt after an error.
    paused_until: Option<Instant>,
    delays: RetryDelays,
    pub(super) units: f64,
    pub(super) bytes: u64,
}

/// A running stream of pages, and the statement to start another one after an error.
enum PageSource {
    Scan(Box<Select<(i64, i64), RowValues>>, Box<Scan<RowValues>>),
    Pages(Box<Select<(), RowValues>>, Box<Pages<RowValues>>, Option<PagingState>, bool),
}

impl TableReader {
    /// Starts at the beginning, or at an earlier [`position`](Self::position).
    pub(super) async fn open(
        session: &Session,
        table: &DescribedTable,
        columns: &[Column],
        settings: ReadSettings,
        position: Option<&str>,
    ) -> Result<Self, Error> {
        let names = columns.iter().map(Column::quoted).collect::<Vec<_>>().join(", ");
        let source = match &settings.filter {
            None => {
                let key = table.partition_key().map(Column::quoted).collect::<Vec<_>>().join(", ");
                let text = format!("SELECT {names} FROM {} WHERE token({key}) > ? AND token({key}) <= ?", table.name);
                let mut select =
                    session.prepare::<Select<(i64, i64), RowValues>>(&text).await?.with_deadline(PAGE_DEADLINE);
                if let Some(consistency) = settings.consistency {
                    select = select.with_consistency(consistency);
                }
                let scan = match position {
                    Some(position) => select.scan_from(&position.parse()?)?,
                    None => select.scan()?,
                };
                PageSource::Scan(Box::new(select), Box::new(scan))
            }
            Some(filter) => {
                let text = format!("SELECT {names} FROM {} WHERE {filter}", table.name);
                let mut select = session.prepare::<Select<(), RowValues>>(&text).await?.with_deadline(PAGE_DEADLINE);
                if let Some(consistency) = settings.consistency {
                    select = select.with_consistency(consistency);
                }
                let state: Option<PagingState> = position.map(str::parse).transpose()?;
                let pages = state.as_ref().map_or_else(|| select.pages(()), |state| select.pages_from((), state));
                PageSource::Pages(Box::new(select), Box::new(pages), state, false)
            }
        };
        let is_quorum = !matches!(
            settings.consistency.unwrap_or_else(|| session.read_consistency()),
            ReadConsistency::One | ReadConsistency::LocalOne
        );
        let now = Instant::now();
        Ok(Self {
            source,
            cost: if is_quorum { ReadCost::Quorum } else { ReadCost::One },
            pacer: Pacer::new(settings.limit),
            began: now,
            stall_timeout: settings.stall_timeout,
            last_page: now,
            paused_until: None,
            delays: RetryDelays::default(),
            units: 0.0,
            bytes: 0,
        })
    }

    /// The next page; `None` after the last. A failed page is requested again until the service has returned no page for as
    /// long as the stall timeout. Dropping the future loses no page.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RowValues>>, Error> {
        loop {
            if let Some(until) = self.paused_until {
                sleep_until(until).await;
                self.paused_until = None;
            }
            if let Some(wait) = self.pacer.wait_time(self.began.elapsed()) {
                sleep(wait).await;
                continue;
            }
            match self.page().await {
                Ok(Some(rows)) => {
                    let bytes: usize = rows.iter().map(|row| row.0.len()).sum();
                    let units = self.cost.units(bytes);
                    self.pacer.charge(units);
                    self.units += units;
                    self.bytes += bytes as u64;
                    self.last_page = Instant::now();
                    self.delays = RetryDelays::default();
                    return Ok(Some(rows));
                }
                Ok(None) => return Ok(None),
                Err(error) if is_retried(error.kind()) => {
                    if self.last_page.elapsed() > self.stall_timeout {
                        return Err(error);
                    }
                    // Restarts before the pause, in which this future may be dropped: a failed stream returns nothing more.
                    self.restart()?;
                    self.paused_until = Some(Instant::now() + self.delays.next());
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn page(&mut self) -> Result<Option<Vec<RowValues>>, Error> {
        match &mut self.source {
            PageSource::Scan(_, scan) => scan.try_next().await,
            PageSource::Pages(_, pages, next, is_complete) => match pages.try_next().await? {
                Some(page) => {
                    *is_complete = page.next.is_none();
                    *next = page.next;
                    Ok(Some(page.rows))
                }
                None => {
                    *is_complete = true;
                    Ok(None)
                }
            },
        }
    }

    /// Starts a new stream at the position of the failed one, because a stream ends after an error.
    fn restart(&mut self) -> Result<(), Error> {
        match &mut self.source {
            PageSource::Scan(select, scan) => **scan = select.scan_from(scan.progress())?,
            PageSource::Pages(select, pages, next, _) => {
                **pages = next.as_ref().map_or_else(|| select.pages(()), |state| select.pages_from((), state));
            }
        }
        Ok(())
    }

    /// The position after the returned pages, as text. A filtered read has none before its first page and after its
    /// last.
    pub(super) fn position(&self) -> Option<String> {
        match &self.source {
            PageSource::Scan(_, scan) => Some(scan.progress().to_string()),
            PageSource::Pages(_, _, next, _) => next.as_ref().map(PagingState::to_string),
        }
    }

    /// The token range of the last page. Within a range, pages come in the order of their partitions.
    pub(super) fn range(&self) -> usize {
        match &self.source {
            PageSource::Scan(_, scan) => scan.last_range(),
            PageSource::Pages(..) => 0,
        }
    }

    /// The fraction of the table that is read, if it is known.
    pub(super) fn fraction(&self) -> Option<f64> {
        match &self.source {
            PageSource::Scan(_, scan) => Some(ScanProgress::fraction(scan.progress())),
            PageSource::Pages(_, _, _, is_complete) => is_complete.then_some(1.0),
        }
    }
}
