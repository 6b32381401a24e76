//! Batches of rows of one partition, each sent as one request.

use std::sync::Arc;

use super::row::RowValues;
use super::row_sender::RowOutcome;

/// The service's limit for a batch (DG:quotas).
const MAX_ROWS: usize = 30;
/// Below 50 KiB: a Cassandra with default settings refuses larger batches.
const MAX_BYTES: usize = 32 * 1024;

/// A row that waits for its batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WaitingRow {
    pub(super) ordinal: u64,
    pub(super) values: RowValues,
    pub(super) units: u32,
}

/// Rows that are sent in one request: a single row, or several of one partition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowGroup {
    pub(super) first: WaitingRow,
    pub(super) others: Vec<WaitingRow>,
}

/// The outcome of the rows of one request.
pub(super) enum GroupOutcome {
    Row(u64, u32, RowOutcome),
    Rows(Vec<(u64, u32, RowOutcome)>),
}

impl From<WaitingRow> for RowGroup {
    fn from(first: WaitingRow) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl RowGroup {
    pub(super) fn bytes(&self) -> usize {
        self.first.values.0.len() + self.others.iter().map(|row| row.values.0.len()).sum::<usize>()
    }

    pub(super) fn units(&self) -> f64 {
        f64::from(self.first.units) + self.others.iter().map(|row| f64::from(row.units)).sum::<f64>()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &WaitingRow> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn into_rows(self) -> impl Iterator<Item = WaitingRow> {
        std::iter::once(self.first).chain(self.others)
    }
}

/// Collects consecutive rows of one partition.
#[derive(Debug)]
pub(super) struct Batches {
    /// The indexes of the partition key columns.
    key_columns: Arc<[usize]>,
    key: RowValues,
    group: Option<RowGroup>,
}

impl Batches {
    pub(super) fn new(key_columns: Arc<[usize]>) -> Self {
        Self { key_columns, key: RowValues::default(), group: None }
    }

    /// Adds a row. If it begins a new group, returns the group before.
    pub(super) fn add(&mut self, row: WaitingRow) -> Option<RowGroup> {
        let key = row.values.in_order(&self.key_columns);
        if let Some(group) = &mut self.group
            && key == self.key
            && group.others.len() + 1 < MAX_ROWS
            && group.bytes() + row.values.0.len() <= MAX_BYTES
        {
            group.others.push(row);
            return None;
        }
        self.key = key;
        self.group.replace(row.into())
    }

    /// Returns the last group.
    pub(super) fn end(&mut self) -> Option<RowGroup> {
        self.group.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ordinal: u64, partition: u8, bytes: usize) -> WaitingRow {
        let cells = [&[0, 0, 0, 1, partition][..], &i32::try_from(bytes).unwrap().to_be_bytes(), &vec![0; bytes]];
        WaitingRow { ordinal, values: RowValues(cells.concat()), units: 1 }
    }

    #[test]
    fn rows_of_a_partition_are_grouped_up_to_the_batch_limits() {
        let mut batches = Batches::new([0].into());
        let rows = [(1, 10), (1, 10), (2, 10), (1, 20_000), (1, 20_000)];
        let few = rows.into_iter().enumerate().map(|(index, (partition, bytes))| row(index as u64, partition, bytes));
        let many = (5..40).map(|ordinal| row(ordinal, 3, 1));
        let mut groups: Vec<RowGroup> = few.chain(many).filter_map(|row| batches.add(row)).collect();
        groups.extend(batches.end());
        let ordinals = |group: &RowGroup| group.rows().map(|row| row.ordinal).collect::<Vec<_>>();
        let expected = [vec![0, 1], vec![2], vec![3], vec![4], (5..35).collect(), (35..40).collect()];
        assert_eq!(groups.iter().map(ordinals).collect::<Vec<_>>(), expected);
        assert_eq!((groups[0].units(), groups[4].units(), batches.end()), (2.0, 30.0, None));
    }
}
