//! The pages of a table that is being copied, and the positions at which the scan can resume.

use std::collections::VecDeque;

use super::checkpoint::Counts;

/// The pages whose rows are not all done, or whose position is not in the checkpoint.
#[derive(Debug, Default)]
pub(super) struct UnfinishedPages(VecDeque<CopiedPage>);

/// A page, or several pages merged into one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CopiedPage {
    /// The ordinal after its last row.
    end: u64,
    /// The position at which the scan resumes after the page.
    pub(super) scan: String,
    /// The counts of the page's rows that are done.
    pub(super) counts: Counts,
}

impl UnfinishedPages {
    /// Adds a page, with the rows from the end of the page before up to `end`.
    pub(super) fn push(&mut self, end: u64, scan: String) {
        self.0.push_back(CopiedPage { end, scan, counts: Counts::default() });
    }

    /// Counts a row that is done.
    pub(super) fn count(&mut self, ordinal: u64, counts: Counts) {
        let page = self.0.partition_point(|page| page.end <= ordinal);
        if let Some(page) = self.0.get_mut(page) {
            page.counts += counts;
        }
    }

    /// Removes the first pages whose rows are all before `done_before`, and returns them merged. All rows before
    /// `done_before` are done. Returns `None` while the file of rejected rows has rows of a later page: a copy that
    /// resumed before that page would reject them again.
    pub(super) fn take_done(&mut self, done_before: u64) -> Option<CopiedPage> {
        let done = self.0.partition_point(|page| page.end <= done_before);
        if self.0.range(done..).any(|page| page.counts.rejected > 0) {
            return None;
        }
        self.0.drain(..done).reduce(|mut before, page| {
            before.counts += page.counts;
            CopiedPage { counts: before.counts, ..page }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_taken_once_done_unless_a_later_page_has_rejected_rows() {
        let one = Counts { rows: 1, bytes: 10, ..Counts::default() };
        let rejected = Counts { rejected: 1, ..Counts::default() };
        let mut pages = UnfinishedPages::default();
        [(2, "a"), (4, "b"), (6, "c")].into_iter().for_each(|(end, scan)| pages.push(end, scan.to_owned()));
        [0, 2, 3].into_iter().for_each(|ordinal| pages.count(ordinal, one));
        assert_eq!(pages.take_done(1), None);
        pages.count(1, one);
        pages.count(4, rejected);
        // Row 4 is in the file of rejected rows, row 5 is not done.
        assert_eq!(pages.take_done(4), None);
        pages.count(5, one);
        let counts = Counts { rows: 5, rejected: 1, bytes: 50, units: 0.0 };
        assert_eq!(pages.take_done(6), Some(CopiedPage { end: 6, scan: "c".to_owned(), counts }));
        assert_eq!(pages.take_done(6), None);
    }
}
