use std::fmt;
use std::str::FromStr;

use scylla::response::PagingState as DriverState;

use super::sealed::{Fingerprint, SealedBytes};
use crate::statement::StatementInfo;
use crate::{Error, ErrorKind};

/// Where the next page of a read begins. It is opaque, has a fixed format, and stays valid after a restart of the
/// program.
///
/// A paging state belongs to one statement text and its bound values, and is refused with any other. It is stored as
/// bytes ([`to_bytes`](Self::to_bytes), [`from_bytes`](Self::from_bytes)) or as text (its `Display` and `FromStr` are
/// hexadecimal), and can be handed to a web client and back. It contains the server's own paging state, which may show
/// parts of a primary key. It is protected against damage and mistakes, not against forgery.
///
/// How long Keyspaces accepts a paging state is not documented.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct PagingState {
    sealed: SealedBytes,
}

const READING: &str = "reading a paging state";

impl PagingState {
    /// Returns the paging state as bytes to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.sealed.as_bytes().to_vec()
    }

    /// Reads a paging state from stored bytes.
    ///
    /// # Errors
    ///
    /// [`Cursor`](ErrorKind::Cursor) if the bytes are not a paging state of this crate, or were truncated or changed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self { sealed: SealedBytes::open(READING, bytes)? })
    }

    pub(super) fn seal(fingerprint: &Fingerprint, state: &DriverState) -> Self {
        let state = state.as_bytes_slice().map(|bytes| &**bytes).unwrap_or_default();
        Self { sealed: SealedBytes::new(fingerprint, state) }
    }

    pub(super) fn open(&self, fingerprint: &Fingerprint, info: &StatementInfo) -> Result<DriverState, Error> {
        if self.sealed.fingerprint() == *fingerprint {
            return Ok(DriverState::new_from_raw_bytes(self.sealed.inner()));
        }
        let problem = "the paging state belongs to another statement or to other values";
        Err(Error::new(ErrorKind::Cursor, info.attempted.clone(), problem)
            .with_advice("Use the statement and the values that it was made with, or start over"))
    }
}

impl fmt::Display for PagingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.sealed.as_bytes()))
    }
}

impl FromStr for PagingState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = hex::decode(text)
            .map_err(|error| Error::new(ErrorKind::Cursor, READING, "it is not hexadecimal").with_source(error))?;
        Self::from_bytes(&bytes)
    }
}

// The bytes are left out, because they may contain a key.
impl fmt::Debug for PagingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagingState").field("bytes", &self.sealed.as_bytes().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::SerializedView;
    use crate::stream::TextHash;

    const TEXT: &str = "SELECT name FROM shop.names WHERE id = ?";

    fn fingerprint(text: &str, values: &[u8]) -> Fingerprint {
        Fingerprint::new(TextHash::new(text), SerializedView::new(values, 1))
    }

    fn sealed() -> PagingState {
        PagingState::seal(&fingerprint(TEXT, b"7"), &DriverState::new_from_raw_bytes(&b"there"[..]))
    }

    fn opened(state: &PagingState, text: &str, values: &[u8]) -> Result<DriverState, Error> {
        state.open(&fingerprint(text, values), &StatementInfo::unparsed("SELECT FROM shop.names"))
    }

    #[test]
    fn paging_state_round_trips_through_bytes_and_text() {
        for again in [
            PagingState::from_bytes(&sealed().to_bytes()).expect("it is whole"),
            sealed().to_string().parse().expect("it is whole"),
        ] {
            let state = opened(&again, TEXT, b"7").expect("it is of this statement");
            assert_eq!(state, DriverState::new_from_raw_bytes(&b"there"[..]));
        }
    }

    #[test]
    fn a_paging_state_of_another_statement_or_other_values_is_refused() {
        for (text, values) in [("SELECT name FROM shop.owners WHERE id = ?", &b"7"[..]), (TEXT, b"8")] {
            assert_eq!(
                opened(&sealed(), text, values).expect_err("it is of another").to_string(),
                "SELECT FROM shop.names failed: the paging state belongs to another statement or to other values. Use \
                 the statement and the values that it was made with, or start over"
            );
        }
    }

    #[test]
    fn a_paging_state_that_is_truncated_changed_or_of_another_format_is_refused() {
        let whole = sealed().to_bytes();
        let refusal = |bytes: &[u8]| PagingState::from_bytes(bytes).expect_err("it is damaged").to_string();
        for length in 1..whole.len() {
            assert!(refusal(&whole[..length]).contains("it was truncated"), "{length} bytes");
        }
        for index in 1..whole.len() {
            let mut changed = whole.clone();
            changed[index] ^= 1;
            assert_eq!(refusal(&changed), "reading a paging state failed: it was truncated or changed. Start over");
        }
        assert_eq!(
            refusal(b"\x03of a later version, and long enough to be one"),
            "reading a paging state failed: its format version is not supported. Start over"
        );
        assert_eq!(
            "here it is".parse::<PagingState>().expect_err("it is not hexadecimal").to_string(),
            "reading a paging state failed: it is not hexadecimal"
        );
    }
}
