//! The effects of faults.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::protocol::{Writer, error_code};
use crate::random::mix;

/// The effect of a [`Fault`](super::Fault) on a request that it strikes.
///
/// As JSON: `{"delay": ["before", 500]}` (milliseconds), `{"drop": "after"}`, `{"close": "before"}`, `{"silence":
/// "after"}`, `{"error": {"moment": "before", "code": 4352, "text": "…"}}`, `"garbage"`, `"truncated"`,
/// `"byte_by_byte"`, `"empty_page"`, `"close_all"`, `{"restart": 1000}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Delays the execution or the answer by this time.
    Delay(Moment, #[serde(with = "millis")] Duration),
    /// The request is never answered. The connection stays usable.
    Drop(Moment),
    /// The connection is closed instead of answering. All requests in flight on it are lost.
    Close(Moment),
    /// The request is answered with an ERROR. The fields after the text are filled in as the code requires: for the
    /// codes of timeouts, 0 of 2 received at LOCAL_QUORUM.
    Error {
        /// Whether the request is executed first.
        moment: Moment,
        /// The protocol's error code.
        code: i32,
        /// Its text.
        text: String,
    },
    /// Nothing more is read from or written to the connection, which stays open (a half-open connection) for
    /// ten minutes, or until all connections are closed.
    Silence(Moment),
    /// The request is executed, and answered with bytes that are not a frame. The length that they announce is that of
    /// the bytes that follow, at most 23.
    Garbage,
    /// The request is executed; half of its answer is written, and the connection is closed.
    Truncated,
    /// The request is executed, and its answer is sent byte by byte.
    ByteByByte,
    /// A SELECT is answered with a page without rows, whose paging state leads to the page that it replaces. Other
    /// requests, and SELECTs of system tables, are answered as usual.
    EmptyPage,
    /// All connections to all peers are closed instead of answering. The request is not executed; others in flight may
    /// have been.
    CloseAll,
    /// The gateway stops, and restarts after this time at the same addresses, with the same certificate and the same
    /// Cassandra, without the prepared statements. The request is not executed; others in flight may have been.
    Restart(#[serde(with = "millis")] Duration),
}

/// When a fault takes effect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the request is executed. Except after a delay, it is then not executed.
    Before,
    /// After the request was executed or refused, and before its answer is sent.
    After,
}

/// The text of a throttled read or write (DG:troubleshooting.serverless).
pub(crate) const TIMED_OUT: &str = "Operation timed out - received only 0 responses.";

impl Effect {
    /// The service's answer to a throttled write: a WriteTimeout with 0 of 2 responses
    /// (`DG:troubleshooting.serverless`). The write is not executed.
    pub fn throttled_write() -> Self {
        Self::Error { moment: Moment::Before, code: error_code::WRITE_TIMEOUT, text: TIMED_OUT.to_owned() }
    }

    /// The service's answer to a throttled read: a ReadTimeout with 0 of 2 responses. The read is not executed.
    pub fn throttled_read() -> Self {
        Self::Error { moment: Moment::Before, code: error_code::READ_TIMEOUT, text: TIMED_OUT.to_owned() }
    }

    /// Whether the fault prevents the execution of a request that it strikes.
    pub fn prevents_execution(&self) -> bool {
        match self {
            Self::Delay(..) | Self::Garbage | Self::Truncated | Self::ByteByByte | Self::EmptyPage => false,
            Self::Drop(moment) | Self::Close(moment) | Self::Silence(moment) | Self::Error { moment, .. } => {
                *moment == Moment::Before
            }
            Self::CloseAll | Self::Restart(_) => true,
        }
    }

    /// Whether a request that the fault strikes still gets its answer, perhaps late.
    pub fn delivers_answer(&self) -> bool {
        matches!(self, Self::Delay(..) | Self::ByteByByte)
    }
}

/// The body of an ERROR with the fields that its code needs.
pub(crate) fn error_body(code: i32, text: &str) -> Bytes {
    const LOCAL_QUORUM: u16 = 6;
    let mut body = BytesMut::with_capacity(text.len() + 32);
    body.put_i32(code);
    body.string(text);
    match code {
        error_code::UNAVAILABLE => {
            body.put_u16(LOCAL_QUORUM);
            body.put_i32(2);
            body.put_i32(0);
        }
        error_code::WRITE_TIMEOUT => {
            body.put_u16(LOCAL_QUORUM);
            body.put_i32(0);
            body.put_i32(2);
            body.string("SIMPLE");
        }
        error_code::READ_TIMEOUT => {
            body.put_u16(LOCAL_QUORUM);
            body.put_i32(0);
            body.put_i32(2);
            body.put_u8(0);
        }
        error_code::READ_FAILURE => {
            body.put_u16(LOCAL_QUORUM);
            body.put_i32(0);
            body.put_i32(2);
            body.put_i32(1);
            body.put_u8(0);
        }
        error_code::WRITE_FAILURE => {
            body.put_u16(LOCAL_QUORUM);
            body.put_i32(0);
            body.put_i32(2);
            body.put_i32(1);
            body.string("SIMPLE");
        }
        error_code::FUNCTION_FAILURE => {
            body.string("");
            body.string("");
            body.put_u16(0);
        }
        error_code::ALREADY_EXISTS => {
            body.string("");
            body.string("");
        }
        error_code::UNPREPARED => body.short_bytes(&[]),
        _ => {}
    }
    body.freeze()
}

/// Bytes that are not a frame: the version is invalid, and the length that they announce is that of the bytes that
/// follow.
pub(crate) fn garbage(seed: u64) -> Vec<u8> {
    const HEADER: usize = 9;
    let mut number = seed;
    let mut next = || {
        number = mix(number);
        number.to_le_bytes()[0]
    };
    let length = next() % 24;
    let mut bytes: Vec<u8> = (0..HEADER + usize::from(length)).map(|_| next()).collect();
    // From 0x40 to 0x7f: neither a request nor a response of any version.
    bytes[0] = 0x40 | (bytes[0] & 0x3f);
    bytes[5..HEADER].copy_from_slice(&u32::from(length).to_be_bytes());
    bytes
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::saturated::saturated;

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(saturated::<u64>(duration.as_millis()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn garbage_is_not_a_frame_and_announces_its_own_length(seed: u64) {
            let bytes = garbage(seed);
            prop_assert!(bytes[0] & 0x80 == 0 && bytes[0] >= 0x40);
            let length = u32::from_be_bytes(bytes[5..9].try_into().unwrap());
            prop_assert_eq!(bytes.len(), 9 + length as usize);
            prop_assert_eq!(garbage(seed), bytes);
        }
    }
}
