//! Frames on a socket: read with bounds, written in batches.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};

use crate::protocol::{Damage, Frame, HEADER_LENGTH, Header, RESPONSE, Sender, Unreadable, error_code};

/// Reads one frame. The body's memory is taken from `budget` before the body is read, and grows as the bytes come.
pub(crate) async fn read<R: AsyncRead + Unpin>(
    reader: &mut R,
    from: Sender,
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
    let mut frame = Frame::new(stream, opcode, body.freeze()).holding(share);
    frame.flags = flags;
    Ok(frame)
}

/// A response that is too long: nothing of it is kept, and an error takes its place.
async fn read_past<R: AsyncRead + Unpin>(reader: &mut R, header: Header, longest: usize) -> Result<Frame, Unreadable> {
    let past = tokio::io::copy(&mut reader.take(header.length as u64), &mut tokio::io::sink()).await;
    past.map_err(|_| Unreadable::Broken)?;
    let text = format!(
        "keyspaces-local: the page is {} bytes long, more than the {longest} that fit: ask for smaller pages",
        header.length
    );
    Ok(Frame::error(header.stream, error_code::SERVER_ERROR, &text))
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
    to: Sender,
) -> io::Result<()> {
    const BATCH: usize = 64;
    let direction = if to == Sender::Client { RESPONSE } else { 0 };
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
    use crate::protocol::{LONGEST_REQUEST, Opcode};

    async fn read_bytes(mut bytes: &[u8], longest: usize) -> Result<Frame, Unreadable> {
        read(&mut bytes, Sender::Client, longest, &Arc::new(Semaphore::new(longest))).await
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
        let first = read(&mut bytes, Sender::Cassandra, 50, &budget).await.unwrap();
        assert_eq!((first.stream, first.opcode), (1, Opcode::Error));
        let second = read(&mut bytes, Sender::Cassandra, 50, &budget).await.unwrap();
        assert_eq!((second.stream, &second.body[..]), (2, &b"x"[..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_refused(bytes: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(frame) = runtime.block_on(read_bytes(&bytes, 64)) {
                prop_assert!(frame.body.len() <= 64);
            }
        }
    }
}
