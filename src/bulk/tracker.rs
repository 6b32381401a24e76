//! Tracks which rows of an input are done: all rows before a certain one, and some after it.

use std::collections::VecDeque;

use super::checkpoint::ResumePoint;
use super::chunk::RowPosition;
use crate::saturated::saturated;

/// The rows from the first one that is not done to the last one that was read.
#[derive(Debug)]
pub(super) struct Tracker {
    /// The ordinal of the first row in the window.
    first: u64,
    /// Never empty once a row was read: reading resumes at the position of its first row.
    window: VecDeque<(RowPosition, bool)>,
    max_rows: usize,
}

/// The maximum number of rows in the window, of 40 bytes each, so that one row that stays unacknowledged does not fill the
/// memory.
const MAX_ROWS: usize = 1_000_000;

impl Tracker {
    /// A tracker for rows that are taken at random from a buffer of `shuffled` rows. The window is at least 32 times as
    /// large as the buffer: one row in 10¹³ stays in the buffer longer than that.
    pub(super) fn new(shuffled: usize) -> Self {
        Self { first: 0, window: VecDeque::new(), max_rows: MAX_ROWS.max(32 * shuffled) }
    }

    /// Whether reading has to pause until the first row is done.
    pub(super) fn is_full(&self) -> bool {
        self.window.len() >= self.max_rows
    }

    /// Records a row that was read; rows come in order.
    pub(super) fn push(&mut self, ordinal: u64, at: RowPosition) {
        if self.window.is_empty() {
            self.first = ordinal;
        }
        debug_assert_eq!(ordinal, self.first + self.window.len() as u64);
        self.window.push_back((at, false));
        self.advance();
    }

    /// Records that a row is done, and returns its size.
    pub(super) fn mark_done(&mut self, ordinal: u64) -> u32 {
        let index = saturated::<usize>(ordinal.saturating_sub(self.first));
        let Some((at, is_done)) = self.window.get_mut(index) else { return 0 };
        *is_done = true;
        let bytes = at.bytes;
        self.advance();
        bytes
    }

    fn advance(&mut self) {
        while self.window.len() > 1 && self.window.front().is_some_and(|(_, is_done)| *is_done) {
            self.window.pop_front();
            self.first += 1;
        }
    }

    /// The position of a row that is not done.
    pub(super) fn position(&self, ordinal: u64) -> RowPosition {
        let index = saturated::<usize>(ordinal.saturating_sub(self.first));
        self.window.get(index).map(|(at, _)| *at).unwrap_or_default()
    }

    /// All rows before this one are done.
    pub(super) fn all_done_before(&self) -> u64 {
        self.first + u64::from(self.window.front().is_some_and(|(_, is_done)| *is_done))
    }

    /// The ordinal of the next row to be read.
    pub(super) fn end(&self) -> u64 {
        self.first + self.window.len() as u64
    }

    /// The position at which to resume, once a row was read.
    pub(super) fn resume(&self) -> Option<ResumePoint> {
        let (position, _) = *self.window.front()?;
        let rows = self.first..;
        let unsent = rows.zip(&self.window).filter(|(_, (_, is_done))| !is_done).map(|(ordinal, _)| ordinal);
        Some(ResumePoint { ordinal: self.first, position, read_to: self.end(), unsent: unsent.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::Position;
    use super::*;

    fn at(ordinal: u64) -> RowPosition {
        RowPosition { file: 0, at: Position { offset: 10 * ordinal, line: ordinal, crc: 0 }, bytes: 10 }
    }

    #[test]
    fn resume_starts_at_the_first_unfinished_row() {
        let mut tracker = Tracker::new(1);
        assert_eq!(tracker.resume(), None);
        (0..6).for_each(|ordinal| tracker.push(ordinal, at(ordinal)));
        for ordinal in [1, 4, 0] {
            assert_eq!(tracker.mark_done(ordinal), 10);
        }
        let expected = ResumePoint { ordinal: 2, position: at(2), read_to: 6, unsent: vec![2, 3, 5] };
        assert_eq!(tracker.resume(), Some(expected));
        assert_eq!((tracker.all_done_before(), tracker.position(3)), (2, at(3)));
    }

    #[test]
    fn resume_after_the_last_row_rereads_but_does_not_resend_it() {
        let mut tracker = Tracker::new(1);
        (7..9).for_each(|ordinal| tracker.push(ordinal, at(ordinal)));
        (7..9).for_each(|ordinal| {
            tracker.mark_done(ordinal);
        });
        assert_eq!(tracker.resume(), Some(ResumePoint { ordinal: 8, position: at(8), read_to: 9, unsent: vec![] }));
        assert_eq!((tracker.all_done_before(), tracker.end()), (9, 9));
        tracker.push(9, at(9));
        assert_eq!(tracker.resume(), Some(ResumePoint { ordinal: 9, position: at(9), read_to: 10, unsent: vec![9] }));
    }

    #[test]
    fn long_unfinished_row_pauses_reading() {
        let mut tracker = Tracker::new(100_000);
        let mut ordinals = 0..;
        while !tracker.is_full() {
            let ordinal = ordinals.next().unwrap();
            tracker.push(ordinal, at(ordinal));
            if ordinal > 0 {
                tracker.mark_done(ordinal);
            }
        }
        assert_eq!(tracker.end(), 3_200_000);
        tracker.mark_done(0);
        assert!(!tracker.is_full());
        assert_eq!(tracker.all_done_before(), 3_200_000);
    }
}
