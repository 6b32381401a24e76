//! Writes bytes to a file or a writer, compressed or not.

use std::fs::File;
use std::io::{self, Seek, Write};

use super::input::Compression;

/// The destination of the bytes.
pub(super) enum Sink {
    File(File),
    Writer(Box<dyn Write + Send>),
}

impl Sink {
    /// Syncs the bytes to the disk, and returns the length of the file; 0 for a writer.
    pub(super) fn sync(&mut self) -> io::Result<u64> {
        match self {
            Self::File(file) => {
                file.sync_data()?;
                file.stream_position()
            }
            Self::Writer(writer) => writer.flush().map(|()| 0),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Writer(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Writer(writer) => writer.flush(),
        }
    }
}

/// Compresses the bytes, or passes them through.
pub(super) enum Encoder {
    None(Sink),
    Gzip(flate2::write::GzEncoder<Sink>),
    Zstd(zstd::Encoder<'static, Sink>),
}

impl Encoder {
    pub(super) fn new(compression: Compression, sink: Sink) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(sink),
            Compression::Gzip => Self::Gzip(flate2::write::GzEncoder::new(sink, flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(zstd::Encoder::new(sink, zstd::DEFAULT_COMPRESSION_LEVEL)?),
        })
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::None(sink) => sink.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    pub(super) fn finish(self) -> io::Result<Sink> {
        match self {
            Self::None(sink) => Ok(sink),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}
