//! Bytes that are handed to the program and read back later, tied to a statement and its values and checked when read.

use sha2::{Digest, Sha256};

use crate::statement::SerializedView;
use crate::{Error, ErrorKind};

/// The first byte: the version of the layout. A changed layout gets a new number.
const VERSION: u8 = 2;

/// The lengths of the truncated hashes, in bytes.
const TEXT_HASH: usize = 8;
const VALUES_HASH: usize = 8;
const FINGERPRINT: usize = TEXT_HASH + VALUES_HASH;
const CHECKSUM: usize = 8;

/// The hash of a statement's text. It is computed once, when the statement is prepared, because SHA-256 can cost a
/// tenth of a small read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextHash([u8; TEXT_HASH]);

impl TextHash {
    pub(crate) fn new(text: &str) -> Self {
        Self(first(Sha256::new_with_prefix(text)))
    }
}

/// Identifies the statement and the values that sealed bytes belong to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Fingerprint([u8; FINGERPRINT]);

impl Fingerprint {
    pub(crate) fn new(TextHash(text): TextHash, values: SerializedView<'_>) -> Self {
        let mut bytes = [0; FINGERPRINT];
        let values = fnv(values.as_bytes()).to_be_bytes();
        for (byte, hashed) in bytes.iter_mut().zip(text.into_iter().chain(values)) {
            *byte = hashed;
        }
        Self(bytes)
    }
}

/// FNV-1a. A fingerprint only has to detect mistakes, and FNV-1a is the same in every version of Rust.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// A version, a [`Fingerprint`], the inner bytes, and a checksum over all of them.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct SealedBytes {
    bytes: Vec<u8>,
}

impl SealedBytes {
    pub(crate) fn new(fingerprint: &Fingerprint, inner: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(1 + FINGERPRINT + inner.len() + CHECKSUM);
        bytes.push(VERSION);
        bytes.extend_from_slice(&fingerprint.0);
        bytes.extend_from_slice(inner);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Self { bytes }
    }

    /// Reads sealed bytes and checks that they are intact. `attempted` names the operation in the error.
    pub(crate) fn open(attempted: &'static str, bytes: &[u8]) -> Result<Self, Error> {
        let refused = |problem| Err(Error::new(ErrorKind::Cursor, attempted, problem).with_advice("Start over"));
        let [VERSION, rest @ ..] = bytes else {
            return refused("its format version is not supported");
        };
        let Some((_, sum)) =
            rest.split_at_checked(FINGERPRINT).and_then(|(_, rest)| rest.split_last_chunk::<CHECKSUM>())
        else {
            return refused("it was truncated");
        };
        if checksum(bytes.get(..bytes.len() - CHECKSUM).unwrap_or_default()) != *sum {
            return refused("it was truncated or changed");
        }
        Ok(Self { bytes: bytes.to_vec() })
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = [0; FINGERPRINT];
        for (byte, own) in fingerprint.iter_mut().zip(self.bytes.iter().skip(1)) {
            *byte = *own;
        }
        Fingerprint(fingerprint)
    }

    pub(crate) fn inner(&self) -> &[u8] {
        self.bytes.get(1 + FINGERPRINT..self.bytes.len() - CHECKSUM).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    first(Sha256::new_with_prefix(bytes))
}

fn first<const N: usize>(hash: Sha256) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = hashed;
    }
    bytes
}
