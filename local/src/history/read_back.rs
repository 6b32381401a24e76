//! Reading back the rows that a write may have changed.

use std::sync::Arc;
use std::time::SystemTime;

use super::History;
use super::entry::{ColumnValue, Expiry, HistoryEntry, Marker, WhereClause};
use super::row_select::{ReadTimes, RowSelect, TablePart};
use super::shared_connection::{InternalRequest, rows};
use super::table_history::{ReservedNumbers, TableHistory};
use crate::clock::millis;
use crate::names::SchemaObject;
use crate::protocol::{Reader, Rows};
use crate::saturated::saturated;
use crate::upstream::{Channel, InternalRequestError, Layout};

/// The rows of one table that a write may have changed.
#[derive(Clone, Debug)]
pub(crate) struct WrittenRows {
    pub(crate) table: SchemaObject,
    pub(crate) layout: Arc<Layout>,
    /// Whether values may expire.
    pub(crate) ttl: bool,
    /// Whether the rows are not known, so that the whole table has to be read again.
    pub(crate) is_unknown: bool,
    /// The rows that it may have changed.
    pub(crate) rows: Option<WhereClause>,
    /// Whether this is at most one row, because the whole primary key is given.
    pub(crate) is_single_row: bool,
    /// The partition whose static columns it may have changed.
    pub(crate) statics: Option<WhereClause>,
    /// For an INSERT, after how many seconds the row expires, if it does.
    pub(crate) insert_ttl: Option<Option<u32>>,
}

/// When a write was sent to Cassandra and answered, by the machine's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteTimes {
    pub(super) sent: SystemTime,
    pub(super) answered: SystemTime,
}

/// Reads rows of one table back, over one connection, and stores the results as entries of the table's history.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadBack<'a> {
    pub(super) history: &'a History,
    pub(super) table_history: &'a TableHistory,
    pub(super) channel: Channel<'a>,
}

/// The number of rows of a range that are read at once.
pub(super) const PAGE: usize = 32;

impl ReadBack<'_> {
    /// Reads back the rows that a write may have changed, and stores them.
    pub(super) async fn record(&self, written: &WrittenRows, times: WriteTimes) -> Result<(), InternalRequestError> {
        if let Some(rows) = &written.rows {
            self.record_rows(written, rows, times).await?;
        }
        if let Some(partition) = &written.statics {
            self.record_statics(written, partition).await?;
        }
        Ok(())
    }

    async fn record_rows(
        &self,
        written: &WrittenRows,
        range: &WhereClause,
        times: WriteTimes,
    ) -> Result<(), InternalRequestError> {
        let select = RowSelect { layout: &written.layout, ttl: written.ttl, part: TablePart::Rows };
        let text = format!(
            "SELECT {} FROM {} WHERE {}",
            select.selectors(),
            self.history.names.qualified(&written.table),
            range.text
        );
        let (mut state, mut first) = (None, true);
        loop {
            let page = (!written.is_single_row).then(|| (PAGE, state.take()));
            let request =
                InternalRequest { text: &text, values: range.values.clone(), page, ..InternalRequest::default() };
            let most = if written.is_single_row { 1 } else { PAGE + 1 };
            let (numbers, read_times, page) = self.read(&request, written.ttl, most).await?;
            let mut entries = Vec::with_capacity(page.count + 1);
            if first && (!written.is_single_row || page.count == 0) {
                entries.push(HistoryEntry::Deleted { columns: Vec::new(), range: range.clone() });
            }
            for row in page.iter() {
                let found = select
                    .read(&page.content, row, read_times)
                    .map_err(|_| InternalRequestError::MalformedAnswer(text.clone()))?;
                let Some((key, cells)) = found.row else { continue };
                entries.push(match written.insert_ttl {
                    _ if !written.is_single_row => super::row_select::found_row(key, cells),
                    None => HistoryEntry::Row { marker: Marker::Kept, key, cells },
                    Some(ttl) => {
                        let at = |time, seconds| {
                            ReadTimes { second: millis(time) / 1000, ..read_times }.at(u64::from(seconds))
                        };
                        let expires = ttl.map(|seconds| {
                            marker_expires(&cells, at(times.sent, seconds), at(times.answered, seconds))
                        });
                        HistoryEntry::Row { marker: Marker::Written { expires }, key, cells }
                    }
                });
            }
            self.append(&numbers, &entries).await?;
            state = page.state.clone();
            first = false;
            if written.is_single_row || state.is_none() {
                return Ok(());
            }
        }
    }

    async fn record_statics(&self, written: &WrittenRows, partition: &WhereClause) -> Result<(), InternalRequestError> {
        let select = RowSelect { layout: &written.layout, ttl: written.ttl, part: TablePart::Statics };
        let text = format!(
            "SELECT DISTINCT {} FROM {} WHERE {}",
            select.selectors(),
            self.history.names.qualified(&written.table),
            partition.text
        );
        let request = InternalRequest { text: &text, values: partition.values.clone(), ..InternalRequest::default() };
        let (numbers, read_times, page) = self.read(&request, written.ttl, 1).await?;
        let found = match page.iter().next() {
            Some(row) => {
                select
                    .read(&page.content, row, read_times)
                    .map_err(|_| InternalRequestError::MalformedAnswer(text.clone()))?
                    .statics
            }
            None => None,
        };
        let entry = match found {
            Some((key, cells)) => HistoryEntry::Statics { key, cells },
            None => HistoryEntry::Deleted {
                columns: written.layout.statics.iter().map(|column| column.name.clone()).collect(),
                range: partition.clone(),
            },
        };
        self.append(&numbers, &[entry]).await
    }

    /// Reads rows, after `entries` sequence numbers were reserved for the results. Where values expire, the read begins
    /// and ends within one second, because TTL counts from the second of the read.
    pub(super) async fn read(
        &self,
        request: &InternalRequest<'_>,
        ttl: bool,
        entries: usize,
    ) -> Result<(ReservedNumbers, ReadTimes, Rows), InternalRequestError> {
        let Self { history, table_history, channel } = self;
        loop {
            let numbers = table_history.reserve(entries, history.now());
            let before = SystemTime::now();
            let offset_millis = millis_between(before, (history.clock)());
            let answer = history.connection.prepared.run(channel.upstream, channel.stream, request).await?;
            let second = millis(before) / 1000;
            if !ttl || millis(SystemTime::now()) / 1000 == second {
                return Ok((numbers, ReadTimes { second, offset_millis }, rows(request.text, &answer)?));
            }
        }
    }

    /// Writes entries with the sequence numbers that were reserved for them.
    pub(super) async fn append(
        &self,
        numbers: &ReservedNumbers,
        entries: &[HistoryEntry],
    ) -> Result<(), InternalRequestError> {
        let Channel { upstream, stream } = self.channel;
        self.history.store().append(upstream, stream, self.table_history, numbers, entries).await
    }
}

/// The time at which the marker of an inserted row expires: that of the values of the same INSERT, if it has any,
/// because only Cassandra knows the second in which it wrote them.
fn marker_expires(cells: &[ColumnValue], earliest: u64, latest: u64) -> u64 {
    let times = cells.iter().flat_map(|cell| match &cell.expires {
        Expiry::Never => Vec::new(),
        Expiry::At(at) => vec![*at],
        Expiry::Each(times) => times.iter().flatten().copied().collect(),
    });
    times.filter(|at| (earliest..=latest).contains(at)).min().unwrap_or(latest)
}

fn millis_between(earlier: SystemTime, later: SystemTime) -> i64 {
    let signed = |time| saturated::<i64>(millis(time));
    signed(later).saturating_sub(signed(earlier))
}

/// The values of a row of a result, one after the other.
pub(super) fn values(row: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut reader = Reader::new(row);
    std::iter::from_fn(move || if reader.rest().is_empty() { None } else { reader.bytes().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_marker_expires_with_the_values_of_its_insert() {
        let cell = |expires| ColumnValue { column: "a".into(), value: None, expires };
        let each = |times: &[u64]| cell(Expiry::Each(times.iter().copied().map(Some).collect()));
        for (cells, expires) in [
            (vec![], 12_000),
            (vec![cell(Expiry::Never)], 12_000),
            (vec![cell(Expiry::At(11_000))], 11_000),
            (vec![cell(Expiry::At(10_000)), cell(Expiry::At(11_000))], 10_000),
            // Values of other writes.
            (vec![cell(Expiry::At(9_000)), cell(Expiry::At(13_000))], 12_000),
            (vec![each(&[9_000, 11_000, 12_000])], 11_000),
        ] {
            assert_eq!(marker_expires(&cells, 10_000, 12_000), expires, "{cells:?}");
        }
    }
}
