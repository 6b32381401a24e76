//! Frames of the native protocol, version 4.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::OwnedSemaphorePermit;

use super::{Malformed, Reader, Writer};
use crate::saturated::saturated;

/// The maximum length of a request; a longer one is refused before its body is read.
pub(crate) const MAX_REQUEST_BYTES: usize = 16 << 20;

/// The maximum length of a response from Cassandra; the body of a longer one is skipped, and its request gets an error.
pub(crate) const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// The length of a header, the same in every version from 3 on.
pub(crate) const HEADER_LENGTH: usize = 9;

const VERSION: u8 = 4;
/// The bit of a header's first byte that marks a response.
pub(crate) const RESPONSE: u8 = 0x80;

/// The kind of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opcode {
    Error,
    Startup,
    Ready,
    Authenticate,
    Options,
    Supported,
    Query,
    Result,
    Prepare,
    Execute,
    Register,
    Event,
    Batch,
    AuthChallenge,
    AuthResponse,
    AuthSuccess,
}

impl Opcode {
    const ALL: [(u8, Self); 16] = [
        (0x00, Self::Error),
        (0x01, Self::Startup),
        (0x02, Self::Ready),
        (0x03, Self::Authenticate),
        (0x05, Self::Options),
        (0x06, Self::Supported),
        (0x07, Self::Query),
        (0x08, Self::Result),
        (0x09, Self::Prepare),
        (0x0A, Self::Execute),
        (0x0B, Self::Register),
        (0x0C, Self::Event),
        (0x0D, Self::Batch),
        (0x0E, Self::AuthChallenge),
        (0x0F, Self::AuthResponse),
        (0x10, Self::AuthSuccess),
    ];

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == code).map(|(_, opcode)| *opcode)
    }

    fn code(self) -> u8 {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or(0, |(code, _)| *code)
    }
}

/// The flags of a frame's header.
pub(crate) mod flag {
    pub(crate) const COMPRESSION: u8 = 0x01;
    pub(crate) const TRACING: u8 = 0x02;
    pub(crate) const CUSTOM_PAYLOAD: u8 = 0x04;
    pub(crate) const WARNING: u8 = 0x08;
}

/// A frame, and its share of the memory for requests or for answers.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) flags: u8,
    pub(crate) stream: i16,
    pub(crate) opcode: Opcode,
    pub(crate) body: Bytes,
    /// How the frame is damaged when it is written, if it is.
    pub(crate) fault: Option<FrameFault>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// A fault that is injected when a frame is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum FrameFault {
    /// Writes these bytes instead of the frame.
    Garbage(Vec<u8>),
    /// Writes half of the frame and closes the connection.
    Truncated,
    /// Writes each byte of the frame separately.
    ByteByByte,
}

impl Frame {
    pub(crate) const fn new(stream: i16, opcode: Opcode, body: Bytes) -> Self {
        Self { flags: 0, stream, opcode, body, fault: None, _permit: None }
    }

    /// Replaces the body and clears the flags, and keeps the frame's share of memory.
    pub(crate) fn with_body(self, body: Bytes) -> Self {
        Self { flags: 0, body, ..self }
    }

    /// Attaches a share of some memory, which is held until the frame is written.
    pub(crate) fn holding_permit(self, share: OwnedSemaphorePermit) -> Self {
        Self { _permit: Some(share), ..self }
    }

    /// Injects a fault into the writing of the frame.
    pub(crate) fn with_fault(self, fault: FrameFault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// An ERROR frame without further fields.
    pub(crate) fn error(stream: i16, code: i32, text: &str) -> Self {
        let mut body = BytesMut::with_capacity(text.len() + 6);
        body.put_i32(code);
        body.string(text);
        Self::new(stream, Opcode::Error, body.freeze())
    }

    /// Strips the parts that the header's flags put before the body: tracing id, warnings, custom payload.
    pub(crate) fn strip_extensions(self, from_cassandra: bool) -> Result<Self, Malformed> {
        if self.flags == 0 {
            return Ok(self);
        }
        let mut reader = Reader::new(&self.body);
        if from_cassandra && self.flags & flag::TRACING != 0 {
            reader.take(16)?;
        }
        if from_cassandra && self.flags & flag::WARNING != 0 {
            reader.string_list()?;
        }
        if self.flags & flag::CUSTOM_PAYLOAD != 0 {
            reader.skip_bytes_map()?;
        }
        let body = self.body.slice_ref(reader.rest());
        Ok(self.with_body(body))
    }

    /// Appends the frame; `direction` is 0 or [`RESPONSE`].
    pub(crate) fn write(&self, direction: u8, out: &mut BytesMut) {
        out.reserve(HEADER_LENGTH + self.body.len());
        self.write_header(direction, out);
        out.put_slice(&self.body);
    }

    /// Appends the header alone.
    pub(crate) fn write_header(&self, direction: u8, out: &mut BytesMut) {
        out.put_u8(VERSION | direction);
        out.put_u8(self.flags);
        out.put_i16(self.stream);
        out.put_u8(self.opcode.code());
        out.put_u32(saturated::<u32>(self.body.len()));
    }
}

/// Why no frame could be read.
#[derive(Debug)]
pub(crate) enum FrameReadError {
    /// The other side closed the connection between two frames.
    Closed,
    /// The connection broke.
    ConnectionBroken,
    /// The input is not an acceptable frame. The client gets a protocol error with this text on this stream, and the
    /// connection ends.
    Refused { stream: i16, text: String },
}

/// The side that sends a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sender {
    Client,
    Cassandra,
}

/// A validated header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    pub(crate) stream: i16,
    pub(crate) opcode: Opcode,
    pub(crate) length: usize,
}

impl Header {
    /// Reads and validates a header; only a client's body is limited to `max_bytes` bytes.
    pub(crate) fn read(bytes: [u8; HEADER_LENGTH], from: Sender, max_bytes: usize) -> Result<Self, FrameReadError> {
        let [version, flags, s0, s1, opcode, l0, l1, l2, l3] = bytes;
        let stream = i16::from_be_bytes([s0, s1]);
        let refuse = |text: String| Err(FrameReadError::Refused { stream, text });
        let direction = if from == Sender::Cassandra { RESPONSE } else { 0 };
        if version & !RESPONSE != VERSION {
            // The sentence is Cassandra's own, and so is the stream: drivers search for the sentence to try another
            // version, and gocql 2 accepts this answer on stream 0 only, whatever the stream of its request.
            let text = format!(
                "Invalid or unsupported protocol version ({}); the lowest supported version is {VERSION} and the \
                 greatest is {VERSION}",
                version & !RESPONSE
            );
            return Err(FrameReadError::Refused { stream: 0, text });
        }
        if version & RESPONSE != direction {
            return refuse("Wrong direction: a response where a request was expected".into());
        }
        let Some(opcode) = Opcode::from_code(opcode) else {
            return refuse(format!("Unknown opcode {opcode}"));
        };
        if flags & flag::COMPRESSION != 0 {
            return refuse("The frame is compressed, but compression was not negotiated".into());
        }
        if from == Sender::Client && stream < 0 {
            return refuse(format!("Stream {stream}: negative stream ids belong to the server"));
        }
        // The length has four bytes, and `usize` has at least as many on every platform for which this compiles.
        let length = saturated::<usize>(u32::from_be_bytes([l0, l1, l2, l3]));
        if from == Sender::Client && length > max_bytes {
            return refuse(format!("A frame of {length} bytes is longer than the maximum of {max_bytes}"));
        }
        Ok(Self { flags, stream, opcode, length })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn warnings_tracing_and_payload_are_stripped_from_a_response() {
        let mut body = BytesMut::new();
        body.put_slice(&[9; 16]);
        body.put_u16(1);
        body.string("Read 5000 tombstones");
        body.put_u16(1);
        body.string("key");
        body.bytes(Some(b"value"));
        body.put_slice(b"the rest");
        let mut frame = Frame::new(0, Opcode::Result, body.freeze());
        frame.flags = flag::TRACING | flag::WARNING | flag::CUSTOM_PAYLOAD;
        let frame = frame.strip_extensions(true).unwrap();
        assert_eq!((frame.flags, &frame.body[..]), (0, &b"the rest"[..]));
    }

    proptest! {
        #[test]
        fn any_header_is_checked_against_the_limits(bytes: [u8; HEADER_LENGTH]) {
            if let Ok(header) = Header::read(bytes, Sender::Client, 1000) {
                prop_assert!(header.length <= 1000 && header.stream >= 0);
            }
        }

        #[test]
        fn arbitrary_frame_extras_are_stripped_or_refused(flags: u8, body: Vec<u8>) {
            let mut frame = Frame::new(0, Opcode::Result, body.into());
            frame.flags = flags;
            let _ = frame.strip_extensions(true);
        }
    }
}
