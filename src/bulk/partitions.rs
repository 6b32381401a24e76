//! Counts rows by partition.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::num::NonZeroUsize;

use super::row::RowValues;

/// Counts rows that come page by page; the rows of a partition are consecutive within one range of tokens.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// The last partition of each range, which may have more rows: its key, and its rows so far.
    open: HashMap<usize, (Vec<u8>, u64)>,
    largest: Option<Largest>,
}

/// The partitions with the most rows so far.
#[derive(Debug)]
struct Largest {
    max: usize,
    /// A heap with the smallest partition on top, which is the next to drop.
    found: BinaryHeap<Reverse<(u64, Vec<u8>)>>,
}

impl Partitions {
    /// Keeps only the `max` partitions with the most rows.
    pub(super) fn largest(self, max: NonZeroUsize) -> Self {
        Self { largest: Some(Largest { max: max.get(), found: BinaryHeap::new() }), ..self }
    }

    /// Counts the rows of a page, each of which is a partition key. Returns the partitions that are complete.
    pub(super) fn count(&mut self, range: usize, page: &[RowValues]) -> Vec<RowValues> {
        let mut whole = Vec::new();
        for RowValues(key) in page {
            match self.open.get_mut(&range) {
                Some((open, rows)) if open == key => *rows += 1,
                _ => {
                    let before = self.open.insert(range, (key.clone(), 1));
                    whole.extend(before.and_then(|(key, rows)| self.whole(key, rows)));
                }
            }
        }
        whole
    }

    /// The complete partition as a row; `None` if only the largest partitions are kept.
    fn whole(&mut self, key: Vec<u8>, rows: u64) -> Option<RowValues> {
        let Some(Largest { max, found }) = &mut self.largest else { return Some(row(key, rows)) };
        found.push(Reverse((rows, key)));
        if found.len() > *max {
            found.pop();
        }
        None
    }

    /// Returns the remaining partitions after the last page; with [`largest`](Self::largest), the largest first.
    pub(super) fn finish(mut self) -> Vec<RowValues> {
        let open: Vec<_> = self.open.drain().map(|(_, partition)| partition).collect();
        let mut rest: Vec<_> = open.into_iter().filter_map(|(key, rows)| self.whole(key, rows)).collect();
        if let Some(largest) = self.largest {
            rest.extend(largest.found.into_sorted_vec().into_iter().map(|Reverse((rows, key))| row(key, rows)));
        }
        rest
    }
}

/// A row of a partition key and its count as a bigint.
fn row(key: Vec<u8>, rows: u64) -> RowValues {
    let mut bytes = key;
    bytes.extend_from_slice(&8_i32.to_be_bytes());
    bytes.extend_from_slice(&rows.to_be_bytes());
    RowValues(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Partitions that are cut into pages, which arrive in any order of the ranges, get their true counts.
        #[test]
        fn partition_row_counts_are_independent_of_page_boundaries(
            sizes in proptest::collection::vec(proptest::collection::vec(1..9_u64, 0..6), 1..5),
            page in 1..5_usize,
            picks in proptest::collection::vec(any::<proptest::sample::Index>(), 256),
            max in 1..8_usize,
        ) {
            let key = |range: usize, partition: usize| vec![u8::try_from(range).unwrap(), u8::try_from(partition).unwrap()];
            let mut ranges: Vec<Vec<RowValues>> = sizes.iter().enumerate().map(|(range, sizes)| {
                let rows = |(partition, size): (usize, &u64)| vec![RowValues(key(range, partition)); usize::try_from(*size).unwrap()];
                sizes.iter().enumerate().flat_map(rows).collect()
            }).collect();
            let mut expected: Vec<_> = sizes.iter().enumerate().flat_map(|(range, sizes)| {
                sizes.iter().enumerate().map(move |(partition, size)| (*size, key(range, partition)))
            }).collect();
            expected.sort();
            let mut all = Partitions::default();
            let mut largest = Partitions::default().largest(NonZeroUsize::new(max).unwrap());
            let mut counted = Vec::new();
            for pick in picks {
                let range = pick.index(ranges.len());
                let cut = page.min(ranges[range].len());
                let taken: Vec<_> = ranges[range].drain(..cut).collect();
                counted.extend(all.count(range, &taken));
                prop_assert_eq!(largest.count(range, &taken), []);
            }
            prop_assume!(ranges.iter().all(Vec::is_empty));
            counted.extend(all.finish());
            counted.sort_by(|RowValues(one), RowValues(other)| one.cmp(other));
            let mut rows: Vec<_> = expected.iter().cloned().map(|(size, key)| row(key, size)).collect();
            rows.sort_by(|RowValues(one), RowValues(other)| one.cmp(other));
            prop_assert_eq!(counted, rows);
            let rows: Vec<_> = expected.into_iter().rev().take(max).map(|(size, key)| row(key, size)).collect();
            prop_assert_eq!(largest.finish(), rows);
        }
    }
}
