use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use crate::saturated::saturated;
use crate::statement::StatementInfo;
use crate::stream::{Fingerprint, SealedBytes};
use crate::{Error, ErrorKind};

/// The progress of a [`Scan`](super::Scan). A program can store it, and resume the scan from it after a restart.
///
/// Progress is stored as bytes ([`to_bytes`](Self::to_bytes), [`from_bytes`](Self::from_bytes)) or as text (its
/// `Display` and `FromStr`). The bytes contain one byte for each range, the server's paging state of each partly read
/// range, and a small fixed overhead.
#[derive(Clone, Eq, PartialEq)]
pub struct ScanProgress {
    fingerprint: Fingerprint,
    ranges: Vec<RangeState>,
}

/// The progress of one range.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum RangeState {
    NotStarted,
    At(Vec<u8>),
    Done,
}

const NOT_STARTED: u8 = 0;
const AT: u8 = 1;
const DONE: u8 = 2;

impl ScanProgress {
    /// The fraction of the ranges that have been read to the end, from 0 to 1.
    pub fn fraction(&self) -> f64 {
        let done = self.ranges.iter().filter(|state| **state == RangeState::Done).count();
        done as f64 / self.ranges.len().max(1) as f64
    }

    /// Whether all ranges have been read.
    pub fn is_complete(&self) -> bool {
        self.ranges.iter().all(|state| *state == RangeState::Done)
    }

    /// Returns the progress as bytes to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut inner = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            match range {
                RangeState::NotStarted => inner.push(NOT_STARTED),
                RangeState::Done => inner.push(DONE),
                RangeState::At(state) => {
                    inner.push(AT);
                    // The protocol counts the bytes of a paging state with an i32.
                    inner.extend_from_slice(&saturated::<u32>(state.len()).to_be_bytes());
                    inner.extend_from_slice(state);
                }
            }
        }
        SealedBytes::new(&self.fingerprint, &inner).into_bytes()
    }

    /// Reads progress from stored bytes.
    ///
    /// # Errors
    ///
    /// [`Cursor`](ErrorKind::Cursor) if the bytes are not the progress of a scan of this crate, or were truncated or
    /// changed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        const READING: &str = "reading the progress of a scan";
        let sealed = SealedBytes::open(READING, bytes)?;
        let mut ranges = Vec::new();
        let mut rest = sealed.inner();
        while let Some((kind, after)) = rest.split_first() {
            let (state, after) = match (*kind, after.split_first_chunk::<4>()) {
                (NOT_STARTED, _) => (Some(RangeState::NotStarted), after),
                (DONE, _) => (Some(RangeState::Done), after),
                (AT, Some((length, after))) => match after.split_at_checked(u32::from_be_bytes(*length) as usize) {
                    Some((state, after)) => (Some(RangeState::At(state.to_vec())), after),
                    None => (None, after),
                },
                _ => (None, after),
            };
            ranges
                .push(state.ok_or_else(|| Error::new(ErrorKind::Cursor, READING, "it is not the progress of a scan"))?);
            rest = after;
        }
        Ok(Self { fingerprint: sealed.fingerprint(), ranges })
    }

    pub(super) fn new(fingerprint: Fingerprint, ranges: NonZeroU16) -> Self {
        Self { fingerprint, ranges: vec![RangeState::NotStarted; ranges.get().into()] }
    }

    pub(super) fn check(&self, fingerprint: Fingerprint, info: &StatementInfo) -> Result<(), Error> {
        if self.fingerprint == fingerprint {
            return Ok(());
        }
        let problem = "the progress belongs to a scan of another statement";
        Err(Error::new(ErrorKind::Cursor, info.attempted.clone(), problem)
            .with_advice("Use the statement that it was made with, or start over"))
    }

    pub(super) fn is_unread(&self) -> bool {
        self.ranges.iter().all(|state| *state == RangeState::NotStarted)
    }

    pub(super) fn unfinished(&self) -> impl Iterator<Item = usize> {
        let unfinished = self.ranges.iter().enumerate().filter(|(_, state)| **state != RangeState::Done);
        unfinished.map(|(range, _)| range)
    }

    pub(super) fn state(&self, range: usize) -> &RangeState {
        self.ranges.get(range).unwrap_or(&RangeState::Done)
    }

    pub(super) fn set(&mut self, range: usize, state: RangeState) {
        if let Some(range) = self.ranges.get_mut(range) {
            *range = state;
        }
    }

    /// Returns the bounds of a range: its tokens are greater than the first bound, and at most the second. Murmur3
    /// never yields `i64::MIN`, so every token is in one range.
    pub(super) fn bounds(&self, range: usize) -> (i64, i64) {
        let count = self.ranges.len().max(1) as i128;
        let bound = |range: usize| {
            let bound = i128::from(i64::MIN) + (range as i128) * i128::from(u64::MAX) / count;
            saturated::<i64>(bound)
        };
        (bound(range), bound(range + 1))
    }
}

impl fmt::Display for ScanProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl FromStr for ScanProgress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = hex::decode(text).map_err(|error| {
            Error::new(ErrorKind::Cursor, "reading the progress of a scan", "it is not hexadecimal").with_source(error)
        })?;
        Self::from_bytes(&bytes)
    }
}

// The bytes are left out, because they may contain a key.
impl fmt::Debug for ScanProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanProgress").field("ranges", &self.ranges.len()).field("fraction", &self.fraction()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::SerializedView;
    use crate::stream::TextHash;

    fn begun(ranges: u16) -> ScanProgress {
        let fingerprint = Fingerprint::new(TextHash::new("SELECT id FROM ks.t"), SerializedView::new(&[], 0));
        ScanProgress::new(fingerprint, NonZeroU16::new(ranges).expect("some"))
    }

    #[test]
    fn each_token_is_in_exactly_one_range() {
        for count in [1, 2, 3, 7, 256, 10_007] {
            let scan = begun(count);
            let bounds: Vec<_> = (0..count.into()).map(|range| scan.bounds(range)).collect();
            assert_eq!((bounds[0].0, bounds[bounds.len() - 1].1), (i64::MIN, i64::MAX));
            assert!(bounds.windows(2).all(|two| two[0].1 == two[1].0 && two[0].0 < two[0].1), "{count}");
        }
    }

    #[test]
    fn scan_progress_round_trips_as_bytes_and_as_text() {
        let mut scan = begun(4);
        scan.set(1, RangeState::At(b"here".to_vec()));
        scan.set(2, RangeState::Done);
        assert_eq!(ScanProgress::from_bytes(&scan.to_bytes()).expect("whole"), scan);
        assert_eq!(scan.to_string().parse::<ScanProgress>().expect("whole"), scan);
        assert_eq!((scan.fraction(), scan.is_complete()), (0.25, false));
        assert_eq!(scan.unfinished().collect::<Vec<_>>(), [0, 1, 3]);
    }

    #[test]
    fn truncated_progress_is_refused() {
        let bytes = begun(4).to_bytes();
        let error = ScanProgress::from_bytes(&bytes[..bytes.len() - 1]).expect_err("it was cut");
        assert_eq!(error.to_string(), "reading the progress of a scan failed: it was truncated or changed. Start over");
    }
}
