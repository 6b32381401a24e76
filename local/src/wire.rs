//! Frames on a socket: read with bounds, written in batches.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::budget::Budget;
use crate::protocol::{Frame, FrameFault, FrameReadError, HEADER_LENGTH, Header, RESPONSE, Sender, error_code};

/// The time limit of a pause in the middle of a body: an unfinished request holds memory that other clients may need.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The bytes that are written to a socket at once.
const CHUNK: usize = 64 << 10;

/// Reads a client's frame. The memory for its body is taken from `budget` before the body is read, and allocated as the
/// bytes arrive.
pub(crate) async fn read_request<R: AsyncRead + Unpin>(
    reader: &mut R,
    max_bytes: usize,
    budget: &Budget,
) -> Result<Frame, FrameReadError> {
    let header = read_header(reader, Sender::Client, max_bytes).await?;
    let share = budget.take(header.length).await;
    let mut body = BytesMut::with_capacity(header.length.min(CHUNK));
    while body.len() < header.length {
        if body.len() == body.capacity() {
            body.reserve(body.len().min(header.length - body.len()));
        }
        let mut rest = (&mut *reader).take((header.length - body.len()) as u64);
        let read = tokio::time::timeout(BODY_IDLE_TIMEOUT, rest.read_buf(&mut body)).await;
        if read.map_err(|_| body_timed_out(header, body.len()))?.map_err(|_| FrameReadError::ConnectionBroken)? == 0 {
            return Err(FrameReadError::ConnectionBroken);
        }
    }
    Ok(frame(header, body.freeze()).holding_permit(share))
}

/// Reads a frame of Cassandra's, at most one at a time for each connection.
pub(crate) async fn read_response<R: AsyncRead + Unpin>(
    reader: &mut R,
    max_bytes: usize,
) -> Result<Frame, FrameReadError> {
    let header = read_header(reader, Sender::Cassandra, max_bytes).await?;
    if header.length > max_bytes {
        return skip_response(reader, header, max_bytes).await;
    }
    let mut body = BytesMut::zeroed(header.length);
    reader.read_exact(&mut body).await.map_err(|_| FrameReadError::ConnectionBroken)?;
    Ok(frame(header, body.freeze()))
}

async fn read_header<R: AsyncRead + Unpin>(
    reader: &mut R,
    from: Sender,
    max_bytes: usize,
) -> Result<Header, FrameReadError> {
    let mut header = [0; HEADER_LENGTH];
    if reader.read(&mut header[..1]).await.map_err(|_| FrameReadError::ConnectionBroken)? == 0 {
        return Err(FrameReadError::Closed);
    }
    reader.read_exact(&mut header[1..]).await.map_err(|_| FrameReadError::ConnectionBroken)?;
    Header::read(header, from, max_bytes)
}

fn frame(header: Header, body: Bytes) -> Frame {
    let mut frame = Frame::new(header.stream, header.opcode, body);
    frame.flags = header.flags;
    frame
}

fn body_timed_out(header: Header, read: usize) -> FrameReadError {
    let (length, seconds) = (header.length, BODY_IDLE_TIMEOUT.as_secs());
    let text = format!("A frame of {length} bytes stopped after {read}: nothing more came for {seconds} s");
    FrameReadError::Refused { stream: header.stream, text }
}

/// Skips a response that is too long, and returns an error in its place.
async fn skip_response<R: AsyncRead + Unpin>(
    reader: &mut R,
    header: Header,
    max_bytes: usize,
) -> Result<Frame, FrameReadError> {
    let skipped = tokio::io::copy(&mut reader.take(header.length as u64), &mut tokio::io::sink()).await;
    skipped.map_err(|_| FrameReadError::ConnectionBroken)?;
    let text = format!(
        "keyspaces-local: the page is {} bytes long, more than the maximum of {max_bytes}: request smaller pages",
        header.length
    );
    Ok(Frame::error(header.stream, error_code::SERVER_ERROR, &text))
}

/// Whether the connection stays open after a frame with a fault.
#[derive(Debug, Eq, PartialEq)]
enum AfterFault {
    Continue,
    Close,
}

async fn write_with_fault<W: AsyncWrite + Unpin>(
    writer: &mut W,
    frame: Bytes,
    fault: &FrameFault,
) -> io::Result<AfterFault> {
    match fault {
        FrameFault::Garbage(bytes) => writer.write_all(bytes).await?,
        FrameFault::Truncated => {
            writer.write_all(&frame[..frame.len() / 2]).await?;
            writer.flush().await?;
            return Ok(AfterFault::Close);
        }
        FrameFault::ByteByByte => {
            for byte in frame.chunks(1) {
                writer.write_all(byte).await?;
                writer.flush().await?;
            }
        }
    }
    writer.flush().await?;
    Ok(AfterFault::Continue)
}

/// Writes frames from the queue, those that wait in one batch, until the queue or the connection ends.
pub(crate) async fn write_all<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut queue: mpsc::Receiver<Frame>,
    to: Sender,
) -> io::Result<()> {
    const BATCH: usize = 64;
    let direction = if to == Sender::Client { RESPONSE } else { 0 };
    let mut frames = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut frames, BATCH).await > 0 {
        // A new buffer for each batch, so that an idle connection holds none.
        let mut out = BytesMut::new();
        for frame in frames.drain(..) {
            if let Some(fault) = &frame.fault {
                writer.write_all_buf(&mut out).await?;
                frame.write(direction, &mut out);
                let whole = std::mem::take(&mut out).freeze();
                if write_with_fault(&mut writer, whole, fault).await? == AfterFault::Close {
                    return writer.shutdown().await;
                }
                continue;
            }
            frame.write_header(direction, &mut out);
            let mut rest = &frame.body[..];
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(CHUNK.saturating_sub(out.len())));
                out.extend_from_slice(chunk);
                rest = after;
                if out.len() >= CHUNK {
                    writer.write_all(&out).await?;
                    out.clear();
                }
            }
        }
        writer.write_all(&out).await?;
        writer.flush().await?;
    }
    writer.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::protocol::{MAX_REQUEST_BYTES, Opcode};

    async fn read_bytes(mut bytes: &[u8], max_bytes: usize) -> Result<Frame, FrameReadError> {
        let shared = Arc::new(Semaphore::new(MAX_REQUEST_BYTES));
        read_request(&mut bytes, max_bytes, &Budget::new(MAX_REQUEST_BYTES, &shared)).await
    }

    fn text_of(refused: Result<Frame, FrameReadError>) -> String {
        match refused {
            Err(FrameReadError::Refused { text, .. }) => text,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn frames_round_trip() {
        let mut out = BytesMut::new();
        Frame::new(7, Opcode::Query, Bytes::from_static(b"abc")).write(0, &mut out);
        let frame = read_bytes(&out, 1024).await.unwrap();
        assert_eq!((frame.stream, frame.opcode, &frame.body[..]), (7, Opcode::Query, &b"abc"[..]));
    }

    #[tokio::test]
    async fn every_other_version_is_refused_with_the_sentence_that_drivers_expect() {
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
    async fn oversized_frame_is_refused_before_its_body_is_read() {
        let refused = read_bytes(&[4, 0, 0, 3, 7, 0x7f, 0xff, 0xff, 0xff], MAX_REQUEST_BYTES).await;
        assert_eq!(text_of(refused), "A frame of 2147483647 bytes is longer than the maximum of 16777216");
    }

    #[tokio::test]
    async fn oversized_response_becomes_an_error_and_the_next_is_read() {
        let mut out = BytesMut::new();
        Frame::new(1, Opcode::Result, Bytes::from(vec![0; 100])).write(RESPONSE, &mut out);
        Frame::new(2, Opcode::Result, Bytes::from_static(b"x")).write(RESPONSE, &mut out);
        let mut bytes = &out[..];
        let first = read_response(&mut bytes, 50).await.unwrap();
        assert_eq!((first.stream, first.opcode), (1, Opcode::Error));
        let second = read_response(&mut bytes, 50).await.unwrap();
        assert_eq!((second.stream, &second.body[..]), (2, &b"x"[..]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unfinished_request_times_out_and_frees_its_memory() {
        let (mut client, mut reader) = tokio::io::duplex(1024);
        let shared = Arc::new(Semaphore::new(100));
        client.write_all(&[4, 0, 0, 3, 7, 0, 0, 0, 50, 1, 2, 3]).await.unwrap();
        let refused = read_request(&mut reader, 100, &Budget::new(0, &shared)).await;
        assert_eq!(text_of(refused), "A frame of 50 bytes stopped after 3: nothing more came for 60 s");
        assert_eq!(shared.available_permits(), 100);
    }

    #[tokio::test]
    async fn frames_of_any_length_are_written_completely_and_in_order() {
        let lengths = [0, 5, CHUNK - HEADER_LENGTH - 1, CHUNK, CHUNK + 1, 3, 5 * CHUNK, 0];
        let (queue, frames) = mpsc::channel(lengths.len());
        for (stream, length) in (0..).zip(lengths) {
            queue.send(Frame::new(stream, Opcode::Result, vec![stream as u8; length].into())).await.unwrap();
        }
        drop(queue);
        let mut written = io::Cursor::new(Vec::new());
        write_all(&mut written, frames, Sender::Client).await.unwrap();
        let (written, mut expected) = (written.into_inner(), Vec::new());
        for (stream, length) in (0..).zip(lengths) {
            let mut out = BytesMut::new();
            Frame::new(stream, Opcode::Result, vec![stream as u8; length].into()).write(RESPONSE, &mut out);
            expected.extend_from_slice(&out);
        }
        assert!(written == expected);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_a_frame_or_refused(bytes: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(frame) = runtime.block_on(read_bytes(&bytes, 64)) {
                prop_assert!(frame.body.len() <= 64);
            }
        }
    }
}
