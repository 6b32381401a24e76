//! The number of rows that are requested from Cassandra at once.

/// The bytes of rows at which a page ends: the service's 1 MB, whatever page size was requested
/// (DG:paginating-results). It is assumed that this is 2^20.
pub(super) const MAX_PAGE_BYTES: usize = 1 << 20;

/// The maximum bytes of a part with several rows: a longer part is discarded, and fewer rows are requested.
pub(super) const MAX_PART_BYTES: usize = 256 << 10;

/// The rows of the first part, before the size of a row is known.
const FIRST_ROWS: usize = 4;

/// The maximum rows of a part, even if rows were small so far: Cassandra holds them all at once, and each may have 1
/// MB.
pub(super) const MAX_ROWS: usize = 32;

/// The number of rows to request next: few at first, then by the size of the largest row so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartSize {
    /// Bytes of the largest row; 0 before the first row.
    largest: usize,
    limit: usize,
}

impl PartSize {
    /// `largest` is the size of the largest row of the pages before, 0 for the first page.
    pub(super) fn new(largest: usize) -> Self {
        Self { largest, limit: if largest == 0 { FIRST_ROWS } else { MAX_ROWS } }
    }

    /// `requested` is the number of rows that the page may still take, `bytes` the bytes that it has.
    pub(super) fn next(self, requested: usize, bytes: usize) -> usize {
        let by_size = match self.largest {
            0 => FIRST_ROWS,
            largest => (MAX_PART_BYTES / largest).min(MAX_PAGE_BYTES.saturating_sub(bytes) / largest + 1),
        };
        by_size.min(self.limit).min(requested).max(1)
    }

    /// Records a part whose largest row has this many bytes.
    pub(super) fn record_part(&mut self, largest: usize) {
        self.largest = self.largest.max(largest);
        self.limit = MAX_ROWS.min(self.limit * 4);
    }

    /// Records a part that was too long to be read.
    pub(super) fn record_oversized_part(&mut self) {
        self.limit = 1;
    }

    pub(super) fn largest(self) -> usize {
        self.largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_size_starts_small_and_grows_while_rows_are_small() {
        let mut sizes = PartSize::new(0);
        let mut requested_rows = Vec::new();
        for _ in 0..4 {
            requested_rows.push(sizes.next(5000, 0));
            sizes.record_part(100);
        }
        assert_eq!(requested_rows, [4, 16, 32, 32]);
    }

    #[test]
    fn large_rows_are_requested_one_by_one() {
        let mut sizes = PartSize::new(0);
        sizes.record_part(900_000);
        assert_eq!(sizes.next(5000, 0), 1);
        sizes.record_part(10);
        assert_eq!(sizes.next(5000, 0), 1);
        assert_eq!(PartSize::new(50_000).next(5000, 0), 5);
        assert_eq!(PartSize::new(50_000).next(5000, MAX_PAGE_BYTES - 60_000), 2);
    }

    #[test]
    fn no_more_rows_are_requested_than_the_page_may_have() {
        assert_eq!(PartSize::new(0).next(1, 0), 1);
        assert_eq!(PartSize::new(100).next(7, 0), 7);
    }

    #[test]
    fn after_a_part_that_was_too_long_one_row_is_requested() {
        let mut sizes = PartSize::new(100);
        sizes.record_oversized_part();
        assert_eq!(sizes.next(5000, 0), 1);
    }
}
