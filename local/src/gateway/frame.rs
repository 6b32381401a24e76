//! Frames of the native protocol, version 4: read with bounds, written in batches.

use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::notation::{Malformed, Notation, Reader};

/// The longest request: more is refused before its body is read.
pub(crate) const LONGEST_REQUEST: usize = 16 << 20;

/// The longest response taken from Cassandra: a longer one is read past, and its request gets an error.
pub(crate) const LONGEST_RESPONSE: usize = 64 << 20;

/// The length of a header of every version from 3 on.
pub(crate) const HEADER_LENGTH: usize = 9;

const VERSION: u8 = 4;
const RESPONSE: u8 = 0x80;

/// What a frame is.
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

    fn of(code: u8) -> Option<Self> {
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

/// One frame, and its share of the memory that its connection may use.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) flags: u8,
    pub(crate) stream: i16,
    pub(crate) opcode: Opcode,
    pub(crate) body: Bytes,
    /// How it is written, where it is not written as it should be.
    pub(crate) damage: Option<Damage>,
    _share: Option<OwnedSemaphorePermit>,
}

/// What is done to a frame when it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Damage {
    /// These bytes come in its place.
    Garbage(Vec<u8>),
    /// Half of it is written, and then the connection ends.
    Truncated,
    /// Each of its bytes is written by itself.
    ByteByByte,
}

impl Frame {
    pub(crate) const fn new(stream: i16, opcode: Opcode, body: Bytes) -> Self {
        Self { flags: 0, stream, opcode, body, damage: None, _share: None }
    }

    /// The same frame's share of memory with another body.
    pub(crate) fn with_body(self, body: Bytes) -> Self {
        Self { flags: 0, body, ..self }
    }

    /// The same, holding a share of some memory until it is written.
    pub(crate) fn holding(self, share: OwnedSemaphorePermit) -> Self {
        Self { _share: Some(share), ..self }
    }

    /// The same, written in another way.
    pub(crate) fn damaged(self, damage: Damage) -> Self {
        Self { damage: Some(damage), ..self }
    }

    /// An ERROR frame without further fields.
    pub(crate) fn error(stream: i16, code: i32, text: &str) -> Self {
        let mut body = BytesMut::with_capacity(text.len() + 6);
        body.put_i32(code);
        body.string(text);
        Self::new(stream, Opcode::Error, body.freeze())
    }

    /// Takes from the body what the header's flags put before it: tracing id, warnings, custom payload.
    pub(crate) fn without_extras(self, from_cassandra: bool) -> Result<Self, Malformed> {
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

    fn write(&self, direction: u8, out: &mut BytesMut) {
        out.reserve(HEADER_LENGTH + self.body.len());
        out.put_u8(VERSION | direction);
        out.put_u8(self.flags);
        out.put_i16(self.stream);
        out.put_u8(self.opcode.code());
        out.put_u32(u32::try_from(self.body.len()).unwrap_or(u32::MAX));
        out.put_slice(&self.body);
    }
}

/// Why no frame could be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The other side closed the connection between two frames.
    Closed,
    /// The connection broke.
    Broken,
    /// What came is no frame that is served: a protocol error with this text on this stream, and the end.
    Refused { stream: i16, text: String },
}

/// Which side's frames are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum From {
    Client,
    Cassandra,
}

/// A header that may be believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    pub(crate) stream: i16,
    pub(crate) opcode: Opcode,
    pub(crate) length: usize,
}

impl Header {
    /// Reads a header; for a client's, the body's `longest` is a condition.
    pub(crate) fn read(bytes: [u8; HEADER_LENGTH], from: From, longest: usize) -> Result<Self, Unreadable> {
        let [version, flags, s0, s1, opcode, l0, l1, l2, l3] = bytes;
        let stream = i16::from_be_bytes([s0, s1]);
        let refuse = |text: String| Err(Unreadable::Refused { stream, text });
        let direction = if from == From::Cassandra { RESPONSE } else { 0 };
        if version & !RESPONSE != VERSION {
            // Cassandra's own sentence, and its stream: drivers look for the first to try another version, and gocql 2
            // takes the answer from no other stream than 0, whatever that of its request.
            let text = format!(
                "Invalid or unsupported protocol version ({}); the lowest supported version is {VERSION} and the \
                 greatest is {VERSION}",
                version & !RESPONSE
            );
            return Err(Unreadable::Refused { stream: 0, text });
        }
        if version & RESPONSE != direction {
            return refuse("Wrong direction: a response where a request was expected".into());
        }
        let Some(opcode) = Opcode::of(opcode) else {
            return refuse(format!("Unknown opcode {opcode}"));
        };
        if flags & flag::COMPRESSION != 0 {
            return refuse("A compressed frame, and no compression was agreed upon".into());
        }
        if from == From::Client && stream < 0 {
            return refuse(format!("Stream {stream}: negative stream ids are the server's"));
        }
        // The header's length is four bytes; `usize` has at least as many wherever this compiles.
        let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        if from == From::Client && length > longest {
            return refuse(format!("A frame of {length} bytes is longer than the {longest} that are taken"));
        }
        Ok(Self { flags, stream, opcode, length })
    }
}

/// Reads one frame. The body's memory is taken from `budget` before the body is read, and grows as the bytes come.
pub(crate) async fn read<R: AsyncRead + Unpin>(
    reader: &mut R,
    from: From,
    longest: usize,
    budget: &Arc<Semaphore>,
) -> Result<Frame, Unreadable> {
    let mut header = [0; HEADER_LENGTH];
    if reader.read(&mut header[..1]).await.map_err(|_| Unreadable::Broken)? == 0 {
        return Err(Unreadable::Closed);
    }
    reader.read_exact(&mut header[1..]).await.map_err(|_| Unreadable::Broken)?;
    let header = Header::read(header, from, longest)?;
    if header.length > longest {
        return read_past(reader, header, longest).await;
    }
    let wanted = u32::try_from(header.length).unwrap_or(u32::MAX);
    let share = Arc::clone(budget).acquire_many_owned(wanted).await.map_err(|_| Unreadable::Closed)?;
    let mut body = BytesMut::with_capacity(header.length.min(64 << 10));
    let mut limited = reader.take(header.length as u64);
    while body.len() < header.length {
        if limited.read_buf(&mut body).await.map_err(|_| Unreadable::Broken)? == 0 {
            return Err(Unreadable::Broken);
        }
    }
    let Header { flags, stream, opcode, .. } = header;
    Ok(Frame { flags, stream, opcode, body: body.freeze(), damage: None, _share: Some(share) })
}

/// A response that is too long: nothing of it is kept, and an error takes its place.
async fn read_past<R: AsyncRead + Unpin>(reader: &mut R, header: Header, longest: usize) -> Result<Frame, Unreadable> {
    let past = tokio::io::copy(&mut reader.take(header.length as u64), &mut tokio::io::sink()).await;
    past.map_err(|_| Unreadable::Broken)?;
    let text = format!(
        "keyspaces-local: the page is {} bytes long, more than the {longest} that fit: ask for smaller pages",
        header.length
    );
    Ok(Frame::error(header.stream, super::error_code::SERVER_ERROR, &text))
}

/// Whether anything can come after what was written.
#[derive(Debug, Eq, PartialEq)]
enum Writing {
    GoesOn,
    Ends,
}

async fn write_damaged<W: AsyncWrite + Unpin>(writer: &mut W, frame: Bytes, damage: &Damage) -> io::Result<Writing> {
    match damage {
        Damage::Garbage(bytes) => writer.write_all(bytes).await?,
        Damage::Truncated => {
            writer.write_all(&frame[..frame.len() / 2]).await?;
            writer.flush().await?;
            return Ok(Writing::Ends);
        }
        Damage::ByteByByte => {
            for byte in frame.chunks(1) {
                writer.write_all(byte).await?;
                writer.flush().await?;
            }
        }
    }
    writer.flush().await?;
    Ok(Writing::GoesOn)
}

/// Writes the frames that come, many at once where many are there, until the queue or the connection ends.
pub(crate) async fn write_all<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut queue: mpsc::Receiver<Frame>,
    to: From,
) -> io::Result<()> {
    const BATCH: usize = 64;
    let direction = if to == From::Client { RESPONSE } else { 0 };
    let mut frames = Vec::with_capacity(BATCH);
    let mut out = BytesMut::new();
    while queue.recv_many(&mut frames, BATCH).await > 0 {
        for frame in frames.drain(..) {
            if let Some(damage) = &frame.damage {
                writer.write_all_buf(&mut out).await?;
                frame.write(direction, &mut out);
                let whole = std::mem::take(&mut out).freeze();
                if write_damaged(&mut writer, whole, damage).await? == Writing::Ends {
                    return writer.shutdown().await;
                }
                continue;
            }
            frame.write(direction, &mut out);
            if out.len() >= 64 << 10 {
                writer.write_all_buf(&mut out).await?;
                out = BytesMut::new();
            }
        }
        writer.write_all_buf(&mut out).await?;
        writer.flush().await?;
    }
    writer.shutdown().await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read_bytes(mut bytes: &[u8], longest: usize) -> Result<Frame, Unreadable> {
        read(&mut bytes, From::Client, longest, &Arc::new(Semaphore::new(longest))).await
    }

    fn text_of(refused: Result<Frame, Unreadable>) -> String {
        match refused {
            Err(Unreadable::Refused { text, .. }) => text,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_frame_is_read_as_it_was_written() {
        let mut out = BytesMut::new();
        Frame::new(7, Opcode::Query, Bytes::from_static(b"abc")).write(0, &mut out);
        let frame = read_bytes(&out, 1024).await.unwrap();
        assert_eq!((frame.stream, frame.opcode, &frame.body[..]), (7, Opcode::Query, &b"abc"[..]));
    }

    #[tokio::test]
    async fn every_other_version_is_refused_with_the_sentence_that_drivers_look_for() {
        for version in [1, 2, 3, 5, 6, 65, 66] {
            assert_eq!(
                text_of(read_bytes(&[version, 0, 0, 3, 5, 0, 0, 0, 0], 1024).await),
                format!(
                    "Invalid or unsupported protocol version ({version}); \
                     the lowest supported version is 4 and the greatest is 4"
                )
            );
        }
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_is_refused_before_its_body() {
        let refused = read_bytes(&[4, 0, 0, 3, 7, 0x7f, 0xff, 0xff, 0xff], LONGEST_REQUEST).await;
        assert_eq!(text_of(refused), "A frame of 2147483647 bytes is longer than the 16777216 that are taken");
    }

    #[tokio::test]
    async fn a_response_that_is_too_long_becomes_an_error_and_the_next_is_read() {
        let mut out = BytesMut::new();
        Frame::new(1, Opcode::Result, Bytes::from(vec![0; 100])).write(RESPONSE, &mut out);
        Frame::new(2, Opcode::Result, Bytes::from_static(b"x")).write(RESPONSE, &mut out);
        let (mut bytes, budget) = (&out[..], Arc::new(Semaphore::new(50)));
        let first = read(&mut bytes, From::Cassandra, 50, &budget).await.unwrap();
        assert_eq!((first.stream, first.opcode), (1, Opcode::Error));
        let second = read(&mut bytes, From::Cassandra, 50, &budget).await.unwrap();
        assert_eq!((second.stream, &second.body[..]), (2, &b"x"[..]));
    }

    #[test]
    fn warnings_tracing_and_payload_are_taken_from_a_response() {
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
        let frame = frame.without_extras(true).unwrap();
        assert_eq!((frame.flags, &frame.body[..]), (0, &b"the rest"[..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_refused(bytes: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(frame) = runtime.block_on(read_bytes(&bytes, 64)) {
                prop_assert!(frame.body.len() <= 64);
            }
        }

        #[test]
        fn any_header_is_believed_only_within_bounds(bytes: [u8; HEADER_LENGTH]) {
            if let Ok(header) = Header::read(bytes, From::Client, 1000) {
                prop_assert!(header.length <= 1000 && header.stream >= 0);
            }
        }

        #[test]
        fn any_extras_are_taken_or_refused(flags: u8, body: Vec<u8>) {
            let mut frame = Frame::new(0, Opcode::Result, body.into());
            frame.flags = flags;
            let _ = frame.without_extras(true);
        }
    }
}
