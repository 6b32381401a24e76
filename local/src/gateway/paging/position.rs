//! The position at which a page begins, which is the content of the paging state for clients.

use bytes::{BufMut, Bytes, BytesMut};

use crate::protocol::Reader;
use crate::saturated::saturated;

/// The position at which a page begins. All of it is in the paging state, so that it is valid on any connection, and
/// for the next gateway.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Position {
    /// The bytes of the largest row of the pages before; 0 at the beginning.
    pub(super) largest: usize,
    /// The rows that the LIMIT leaves, if the gateway has to count them.
    pub(super) left: Option<u32>,
    /// Cassandra's own paging state; none at the beginning.
    pub(super) state: Option<Bytes>,
}

/// The first bytes of a paging state of this version.
const MAGIC: &[u8; 4] = b"KLP1";

/// The paging state of the beginning, which a client gets only after the fault `EmptyPage`.
pub(super) const BEGINNING: &[u8; 4] = b"KLP0";

impl Position {
    /// Reads a paging state, if it is one of the gateway's.
    pub(super) fn read(state: Option<&Bytes>) -> Option<Self> {
        let Some(state) = state.filter(|state| *state != &BEGINNING[..]) else { return Some(Self::default()) };
        let mut reader = Reader::new(state);
        let magic = reader.take(MAGIC.len()).ok()?;
        let largest = usize::try_from(reader.int().ok()?).ok()?;
        let left = u32::try_from(reader.int().ok()?).ok();
        let is_valid = magic == MAGIC && !reader.rest().is_empty();
        is_valid.then(|| Self { largest, left, state: Some(state.slice_ref(reader.rest())) })
    }

    /// The paging state of a position that is not the beginning.
    pub(super) fn write(&self) -> Option<Bytes> {
        let state = self.state.as_ref()?;
        let mut out = BytesMut::with_capacity(state.len() + 12);
        out.put_slice(MAGIC);
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
        fn positions_round_trip(
            largest in 0..i32::MAX as usize,
            left in proptest::option::of(0..i32::MAX as u32),
            state in proptest::collection::vec(any::<u8>(), 1..100),
        ) {
            let position = Position { largest, left, state: Some(state.into()) };
            prop_assert_eq!(Position::read(position.write().as_ref()), Some(position));
        }

        #[test]
        fn any_bytes_are_a_position_or_refused(state: Vec<u8>) {
            if let Some(position) = Position::read(Some(&state.clone().into())) {
                prop_assert!(position.state.is_some() && state.starts_with(MAGIC));
            }
        }
    }

    #[test]
    fn first_position_has_no_paging_state() {
        assert_eq!(Position::read(None), Some(Position::default()));
        assert_eq!(Position::default().write(), None);
    }
}
