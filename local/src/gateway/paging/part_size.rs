//! How many rows Cassandra is asked for at once.

/// How many bytes of rows a page is cut at: the service's 1 MB, whatever page size was asked for
/// (DG:paginating-results). That this is 2^20 is assumed.
pub(super) const MAX_PAGE_BYTES: usize = 1 << 20;

/// The most bytes of a part with several rows: a longer part is thrown away, and fewer rows are asked for.
pub(super) const MAX_PART_BYTES: usize = 256 << 10;

/// The rows of the first part, before the size of a row is known.
const FIRST_ROWS: usize = 4;

/// The most rows of a part, even if rows were small so far: Cassandra holds them all at once, and each may have 1 MB.
pub(super) const MAX_ROWS: usize = 32;

/// How many rows to ask for next: few at first, then by the size of the largest row so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartSize {
    /// Bytes of the largest row; 0 before the first row.
    largest: usize,
    most: usize,
}

impl PartSize {
    /// `largest` is the size of the largest row of the pages before, 0 for the first page.
    pub(super) fn new(largest: usize) -> Self {
        Self { largest, most: if largest == 0 { FIRST_ROWS } else { MAX_ROWS } }
    }

    /// `wanted` is how many rows the page may still take, `bytes` how many bytes it has.
    pub(super) fn next(self, wanted: usize, bytes: usize) -> usize {
        let by_size = match self.largest {
            0 => FIRST_ROWS,
            largest => (MAX_PART_BYTES / largest).min(MAX_PAGE_BYTES.saturating_sub(bytes) / largest + 1),
        };
        by_size.min(self.most).min(wanted).max(1)
    }

    /// Notes a part whose largest row has this many bytes.
    pub(super) fn came(&mut self, largest: usize) {
        self.largest = self.largest.max(largest);
        self.most = MAX_ROWS.min(self.most * 4);
    }

    /// Notes a part that was too long to be read.
    pub(super) fn was_unreadable(&mut self) {
        self.most = 1;
    }

    pub(super) fn largest(self) -> usize {
        self.largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_small_at_first_and_grow_as_long_as_rows_are_small() {
        let mut sizes = PartSize::new(0);
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.push(sizes.next(5000, 0));
            sizes.came(100);
        }
        assert_eq!(asked, [4, 16, 32, 32]);
    }

    #[test]
    fn large_rows_are_asked_for_one_by_one() {
        let mut sizes = PartSize::new(0);
        sizes.came(900_000);
        assert_eq!(sizes.next(5000, 0), 1);
        sizes.came(10);
        assert_eq!(sizes.next(5000, 0), 1);
        assert_eq!(PartSize::new(50_000).next(5000, 0), 5);
        assert_eq!(PartSize::new(50_000).next(5000, MAX_PAGE_BYTES - 60_000), 2);
    }

    #[test]
    fn no_more_rows_are_asked_for_than_the_page_may_have() {
        assert_eq!(PartSize::new(0).next(1, 0), 1);
        assert_eq!(PartSize::new(100).next(7, 0), 7);
    }

    #[test]
    fn after_a_part_that_could_not_be_read_one_row_is_asked_for() {
        let mut sizes = PartSize::new(100);
        sizes.was_unreadable();
        assert_eq!(sizes.next(5000, 0), 1);
    }
}
