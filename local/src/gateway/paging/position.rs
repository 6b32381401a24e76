//! Where a page begins: what the paging state says that clients get.

use bytes::{BufMut, Bytes, BytesMut};

use crate::protocol::Reader;
use crate::saturated::saturated;

/// Where a page begins. All of it is in the paging state, so that this serves any connection, and another gateway after
/// this one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Position {
    /// How many bytes the largest row of the pages before had; 0 at the beginning.
    pub(super) largest: usize,
    /// How many rows the LIMIT leaves, where the gateway has to count them itself.
    pub(super) left: Option<u32>,
    /// Cassandra's own paging state; none at the beginning.
    pub(super) state: Option<Bytes>,
}

/// What a paging state of this version begins with.
const MARK: &[u8; 4] = b"KLP1";

/// The paging state of the beginning, which a client only gets after a page that was left empty on purpose.
pub(super) const BEGINNING: &[u8; 4] = b"KLP0";

impl Position {
    /// Reads a paging state, if it is one of the gateway's.
    pub(super) fn read(state: Option<&Bytes>) -> Option<Self> {
        let Some(state) = state.filter(|state| *state != &BEGINNING[..]) else { return Some(Self::default()) };
        let mut reader = Reader::new(state);
        let mark = reader.take(MARK.len()).ok()?;
        let largest = usize::try_from(reader.int().ok()?).ok()?;
        let left = u32::try_from(reader.int().ok()?).ok();
        let known = mark == MARK && !reader.rest().is_empty();
        known.then(|| Self { largest, left, state: Some(state.slice_ref(reader.rest())) })
    }

    /// The paging state of a position that is not the beginning.
    pub(super) fn write(&self) -> Option<Bytes> {
        let state = self.state.as_ref()?;
        let mut out = BytesMut::with_capacity(state.len() + 12);
        out.put_slice(MARK);
        out.put_i32(saturated::<i32>(self.largest));
        out.put_i32(self.left.map_or(-1, saturated::<i32>));
        out.put_slice(state);
        Some(out.freeze())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_is_read_as_it_was_written(
            largest in 0..i32::MAX as usize,
            left in proptest::option::of(0..i32::MAX as u32),
            state in proptest::collection::vec(any::<u8>(), 1..100),
        ) {
            let position = Position { largest, left, state: Some(state.into()) };
            prop_assert_eq!(Position::read(position.write().as_ref()), Some(position));
        }

        #[test]
        fn any_bytes_are_a_position_or_none(state: Vec<u8>) {
            if let Some(position) = Position::read(Some(&state.clone().into())) {
                prop_assert!(position.state.is_some() && state.starts_with(MARK));
            }
        }
    }

    #[test]
    fn the_beginning_has_no_paging_state() {
        assert_eq!(Position::read(None), Some(Position::default()));
        assert_eq!(Position::default().write(), None);
    }
}
