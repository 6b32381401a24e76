//! Rows counted by their partition.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::num::NonZeroUsize;

use super::row::RowValues;

/// Counts rows that come page by page, those of a partition one after the other in one range of tokens.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// The last partition of each range, of which more rows may come: its key, and its rows so far.
    open: HashMap<usize, (Vec<u8>, u64)>,
    largest: Option<Largest>,
}

/// The partitions with the most rows.
#[derive(Debug)]
struct Largest {
    most: usize,
    /// The smallest of them on top.
    found: BinaryHeap<Reverse<(u64, Vec<u8>)>>,
}

impl Partitions {
    /// Only so many partitions, those with the most rows.
    pub(super) fn largest(self, most: NonZeroUsize) -> Self {
        Self { largest: Some(Largest { most: most.get(), found: BinaryHeap::new() }), ..self }
    }

    /// Counts the rows of a page, each of which is a partition key; gives the partitions that are whole now.
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

    /// The partition as a row, unless only the largest are asked for.
    fn whole(&mut self, key: Vec<u8>, rows: u64) -> Option<RowValues> {
        let Some(Largest { most, found }) = &mut self.largest else { return Some(row(key, rows)) };
        found.push(Reverse((rows, key)));
        if found.len() > *most {
            found.pop();
        }
        None
    }

    /// The partitions that were not given yet, once all pages were counted. The largest come first.
    pub(super) fn finish(mut self) -> Vec<RowValues> {
        let open: Vec<_> = self.open.drain().map(|(_, partition)| partition).collect();
        let mut rest: Vec<_> = open.into_iter().filter_map(|(key, rows)| self.whole(key, rows)).collect();
        if let Some(largest) = self.largest {
            rest.extend(largest.found.into_sorted_vec().into_iter().map(|Reverse((rows, key))| row(key, rows)));
        }
        rest
    }
}

/// The values of a partition key, and a bigint.
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
        /// Partitions of some ranges, cut into pages that come in any order of the ranges, have the rows that they have.
        #[test]
        fn each_partition_has_its_rows_wherever_pages_are_cut(
            sizes in proptest::collection::vec(proptest::collection::vec(1..9_u64, 0..6), 1..5),
            page in 1..5_usize,
            picks in proptest::collection::vec(any::<proptest::sample::Index>(), 256),
            most in 1..8_usize,
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
            let mut largest = Partitions::default().largest(NonZeroUsize::new(most).unwrap());
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
            let rows: Vec<_> = expected.into_iter().rev().take(most).map(|(size, key)| row(key, size)).collect();
            prop_assert_eq!(largest.finish(), rows);
        }
    }
}
