//! The part of CQL v4 that a handshake needs. Every length from the server is bounded before it is used.

use std::collections::BTreeMap;
use std::io;

use crate::saturated::saturated;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The maximum length of a body. The length that the server announces is compared with it before memory is allocated.
/// Answers in a handshake are shorter: the two system tables have at most a few dozen short rows.
const MAX_FRAME_BYTES: usize = 1 << 20;
/// The maximum number of frames read for an answer, including the events that are skipped before it. A server may send
/// events after REGISTER, but not without end.
const MAX_EVENTS: usize = 32;
/// The maximum depth of a column's type, so that a server cannot exhaust the stack.
const MAX_TYPE_DEPTH: usize = 8;
const VERSION: u8 = 4;
const LOCAL_QUORUM: u16 = 0x0006;

/// A request. It has no `Debug`, because an AUTH_RESPONSE contains a password or a session token.
pub(super) enum WireRequest<'a> {
    Options,
    Startup(BTreeMap<&'a str, &'a str>),
    AuthResponse(&'a [u8]),
    Register(&'a [&'a str]),
    Query(&'a str),
}

/// A response.
#[derive(Debug)]
pub(super) enum Response {
    Error { code: i32, text: String },
    Ready,
    Authenticate(String),
    Supported,
    Challenge(Option<Vec<u8>>),
    Success,
    Rows(WireRows),
    Other,
}

/// The undecoded rows of a result.
#[derive(Debug)]
pub(super) struct WireRows {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Option<Vec<u8>>>>,
}

/// Why no answer could be read.
#[derive(Debug)]
pub(super) enum WireError {
    Io(io::Error),
    /// The first bytes of something that is not a CQL frame.
    NotCql(Vec<u8>),
    TooLong(usize),
    Malformed,
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Sends a request on a connection with nothing else in flight, and reads the answer.
pub(super) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &WireRequest<'_>,
) -> Result<Response, WireError> {
    stream.write_all(&request.frame()).await?;
    stream.flush().await?;
    for _ in 0..MAX_EVENTS {
        let (flags, opcode, body) = read_frame(stream).await?;
        if opcode != opcode::EVENT {
            return Response::read(flags, opcode, &body).ok_or(WireError::Malformed);
        }
    }
    Err(WireError::Malformed)
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Result<(u8, u8, Vec<u8>), WireError> {
    let mut header = [0; 9];
    let mut filled = 0;
    while filled < header.len() {
        let read = stream.read(&mut header[filled..]).await?;
        if read == 0 {
            return Err(if filled == 0 {
                io::Error::from(io::ErrorKind::UnexpectedEof).into()
            } else {
                WireError::NotCql(header[..filled].to_vec())
            });
        }
        filled += read;
        // A server that does not support v4 answers with an ERROR in its own version, 3 to 6. The error is read for its
        // text.
        if !(0x83..=0x86).contains(&header[0]) {
            return Err(WireError::NotCql(header[..filled].to_vec()));
        }
    }
    let [_, flags, .., opcode, l0, l1, l2, l3] = header;
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(WireError::TooLong(length));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((flags, opcode, body))
}

mod flag {
    pub(super) const COMPRESSED: u8 = 0x01;
    pub(super) const TRACED: u8 = 0x02;
    pub(super) const PAYLOAD: u8 = 0x04;
    pub(super) const WARNINGS: u8 = 0x08;
}

mod opcode {
    pub(super) const ERROR: u8 = 0x00;
    pub(super) const STARTUP: u8 = 0x01;
    pub(super) const READY: u8 = 0x02;
    pub(super) const AUTHENTICATE: u8 = 0x03;
    pub(super) const OPTIONS: u8 = 0x05;
    pub(super) const SUPPORTED: u8 = 0x06;
    pub(super) const QUERY: u8 = 0x07;
    pub(super) const RESULT: u8 = 0x08;
    pub(super) const REGISTER: u8 = 0x0B;
    pub(super) const EVENT: u8 = 0x0C;
    pub(super) const AUTH_CHALLENGE: u8 = 0x0E;
    pub(super) const AUTH_RESPONSE: u8 = 0x0F;
    pub(super) const AUTH_SUCCESS: u8 = 0x10;
}

impl WireRequest<'_> {
    fn frame(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let opcode = match self {
            Self::Options => opcode::OPTIONS,
            Self::Startup(options) => {
                put_short(&mut body, options.len());
                for (name, value) in options {
                    put_string(&mut body, name);
                    put_string(&mut body, value);
                }
                opcode::STARTUP
            }
            Self::AuthResponse(bytes) => {
                put_bytes(&mut body, bytes);
                opcode::AUTH_RESPONSE
            }
            Self::Register(events) => {
                put_short(&mut body, events.len());
                for event in *events {
                    put_string(&mut body, event);
                }
                opcode::REGISTER
            }
            Self::Query(text) => {
                put_bytes(&mut body, text.as_bytes());
                body.extend(LOCAL_QUORUM.to_be_bytes());
                body.push(0); // no flags: no values, no page size
                opcode::QUERY
            }
        };
        let mut frame = vec![VERSION, 0, 0, 0, opcode];
        put_length(&mut frame, body.len());
        frame.extend(body);
        frame
    }
}

impl Response {
    fn read(flags: u8, opcode: u8, body: &[u8]) -> Option<Self> {
        let mut body = BodyReader(body);
        body.skip_extensions(flags)?;
        Some(match opcode {
            opcode::ERROR => Self::Error { code: body.int()?, text: body.string()? },
            opcode::READY => Self::Ready,
            opcode::AUTHENTICATE => Self::Authenticate(body.string()?),
            opcode::SUPPORTED => Self::Supported,
            opcode::AUTH_CHALLENGE => Self::Challenge(body.value()?),
            opcode::AUTH_SUCCESS => Self::Success,
            opcode::RESULT if body.int()? == 2 => Self::Rows(body.rows()?),
            _ => Self::Other,
        })
    }
}

/// Reads a body from its start. Every read returns `None` if the body is too short.
struct BodyReader<'a>(&'a [u8]);

impl<'a> BodyReader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<String> {
        let length = self.short()?;
        Some(String::from_utf8_lossy(self.take(usize::from(length))?).into_owned())
    }

    /// Reads a value. The outer `None` means that the body is too short, the inner one a null.
    fn value(&mut self) -> Option<Option<Vec<u8>>> {
        match usize::try_from(self.int()?) {
            Err(_) => Some(None),
            Ok(length) => Some(Some(self.take(length)?.to_vec())),
        }
    }

    /// Skips the parts that the header's flags announce before the body: tracing id, warnings, custom payload. The
    /// requests here ask for none of them, but a proxy may add them. Compression was not negotiated, so a compressed
    /// body is malformed.
    fn skip_extensions(&mut self, flags: u8) -> Option<()> {
        if flags & flag::COMPRESSED != 0 {
            return None;
        }
        if flags & flag::TRACED != 0 {
            self.take(16)?;
        }
        if flags & flag::WARNINGS != 0 {
            for _ in 0..self.short()? {
                self.string()?;
            }
        }
        if flags & flag::PAYLOAD != 0 {
            for _ in 0..self.short()? {
                self.string()?;
                self.value()?;
            }
        }
        Some(())
    }

    fn rows(&mut self) -> Option<WireRows> {
        const GLOBAL_TABLE: i32 = 0x0001;
        const MORE_PAGES: i32 = 0x0002;
        const NO_METADATA: i32 = 0x0004;
        let flags = self.int()?;
        let count = usize::try_from(self.int()?).ok()?;
        if flags & MORE_PAGES != 0 {
            self.value()?;
        }
        if flags & NO_METADATA != 0 || count == 0 {
            return None;
        }
        if flags & GLOBAL_TABLE != 0 {
            self.string()?;
            self.string()?;
        }
        let mut columns = Vec::new();
        for _ in 0..count {
            if flags & GLOBAL_TABLE == 0 {
                self.string()?;
                self.string()?;
            }
            columns.push(self.string()?);
            self.skip_type(MAX_TYPE_DEPTH)?;
        }
        let mut rows = Vec::new();
        for _ in 0..self.int()? {
            rows.push((0..count).map(|_| self.value()).collect::<Option<Vec<_>>>()?);
        }
        Some(WireRows { columns, rows })
    }

    fn skip_type(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.short()? {
            0x0000 => drop(self.string()?),
            0x0020 | 0x0022 => self.skip_type(depth)?,
            0x0021 => {
                self.skip_type(depth)?;
                self.skip_type(depth)?;
            }
            0x0030 => {
                self.string()?;
                self.string()?;
                for _ in 0..self.short()? {
                    self.string()?;
                    self.skip_type(depth)?;
                }
            }
            0x0031 => {
                for _ in 0..self.short()? {
                    self.skip_type(depth)?;
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// Writes a number in two bytes. The options and the names of events are short; the length of a longer text would be
/// clamped, and the server would refuse the frame.
fn put_short(body: &mut Vec<u8>, number: usize) {
    body.extend(saturated::<u16>(number).to_be_bytes());
}

fn put_length(body: &mut Vec<u8>, number: usize) {
    body.extend(saturated::<i32>(number).to_be_bytes());
}

fn put_string(body: &mut Vec<u8>, text: &str) {
    put_short(body, text.len());
    body.extend(text.as_bytes());
}

fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    put_length(body, bytes.len());
    body.extend(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn answer(bytes: &[u8]) -> Result<Response, WireError> {
        let (mut ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(bytes).await.unwrap();
        drop(theirs.shutdown().await);
        exchange(&mut ours, &WireRequest::Options).await
    }

    #[tokio::test]
    async fn a_frame_that_announces_too_many_bytes_is_refused_unread() {
        let error = answer(&[0x84, 0, 0, 0, 6, 0x7F, 0xFF, 0xFF, 0xFF]).await.unwrap_err();
        assert!(matches!(error, WireError::TooLong(0x7FFF_FFFF)), "{error:?}");
    }

    #[tokio::test]
    async fn other_protocols_are_recognized_by_their_first_byte() {
        let error = answer(b"HTTP/1.1 400").await.unwrap_err();
        assert!(matches!(&error, WireError::NotCql(bytes) if bytes.starts_with(b"H")), "{error:?}");
    }

    #[tokio::test]
    async fn error_frame_of_another_protocol_version_is_read() {
        let mut frame = vec![0x85, 0, 0, 0, 0, 0, 0, 0, 9];
        frame.extend([0, 0, 0, 0x0A, 0, 3]);
        frame.extend(b"no!");
        let response = answer(&frame).await.unwrap();
        assert!(matches!(&response, Response::Error { code: 0x0A, text } if text == "no!"), "{response:?}");
    }

    #[tokio::test]
    async fn events_before_the_answer_are_skipped_up_to_the_maximum() {
        let event = [0x84, 0, 0xFF, 0xFF, 0x0C, 0, 0, 0, 0];
        let ready = [0x84, 0, 0, 0, 2, 0, 0, 0, 0];
        assert!(matches!(answer(&[event, event, ready].concat()).await.unwrap(), Response::Ready));
        assert!(matches!(answer(&event.repeat(MAX_EVENTS)).await.unwrap_err(), WireError::Malformed));
    }

    #[tokio::test]
    async fn the_parts_that_flags_announce_before_the_answer_are_skipped() {
        let mut body = vec![7; 16]; // the id of a trace
        body.extend([0, 1, 0, 2]);
        body.extend(b"hm"); // one warning
        body.extend([0, 1, 0, 1, b'k', 0, 0, 0, 1, b'v']); // one entry of a payload
        body.extend([0, 0, 0x22, 0, 0, 3]);
        body.extend(b"no!");
        let frame = |flags| [&[0x84, flags, 0, 0, 0, 0, 0, 0, body.len() as u8], &body[..]].concat();
        let response = answer(&frame(0x0E)).await.unwrap();
        assert!(matches!(&response, Response::Error { code: 0x2200, text } if text == "no!"), "{response:?}");
        assert!(matches!(answer(&frame(0x0F)).await.unwrap_err(), WireError::Malformed), "compressed");
    }

    proptest! {
        #[test]
        fn response_reader_never_panics_on_arbitrary_bodies(
            flags in 0u8..0x10, opcode in 0u8..0x12, body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = Response::read(flags, opcode, &body);
        }

        #[test]
        fn response_reader_never_panics_on_arbitrary_rows(body in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0x22), any::<u8>()], 0..200)) {
            let _ = Response::read(0, opcode::RESULT, &[&[0, 0, 0, 2], &body[..]].concat());
        }
    }
}
