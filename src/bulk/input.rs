//! The sources of rows: files, standard input, a reader; compressed or not.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use crate::{Error, ErrorKind};

/// An input: one file, several files in order, standard input, or any reader.
///
/// ```
/// use keyspaces::bulk::Input;
///
/// # fn main() -> Result<(), keyspaces::Error> {
/// let one = Input::file("sales.csv.gz");
/// let several = Input::files(["2025.csv", "2026.csv"]);
/// let error = Input::glob("no-such-folder/*.csv").unwrap_err();
/// assert_eq!(error.to_string(), "reading no-such-folder/*.csv failed: no file matches this pattern");
/// # drop((one, several));
/// # Ok(()) }
/// ```
pub struct Input {
    sources: Vec<InputSource>,
    compression: Option<Compression>,
}

enum InputSource {
    File(PathBuf),
    Stdin,
    Reader(String, Box<dyn Read + Send>),
}

/// The compression of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Compression {
    /// No compression.
    None,
    /// gzip, one member or several.
    Gzip,
    /// Zstandard, one frame or several.
    Zstd,
}

impl Compression {
    /// The compression for the end of a file name: `.gz`, `.zst`, or none.
    pub fn from_path(path: impl AsRef<Path>) -> Self {
        let extension = path.as_ref().extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }

    fn decompress(self, input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::None => input,
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(input)),
            Self::Zstd => Box::new(zstd::Decoder::new(input)?),
        })
    }
}

impl Input {
    /// One file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::files([path])
    }

    /// Several files, in order. If the first line names the columns, all files have to name the same ones.
    pub fn files(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        let sources = paths.into_iter().map(|path| InputSource::File(path.into())).collect();
        Self { sources, compression: None }
    }

    /// The files whose names match a pattern, in the order of their names: `sales/2026-*.csv`.
    ///
    /// # Errors
    ///
    /// [`File`](ErrorKind::File) if no file matches, or if a folder cannot be read; [`Value`](ErrorKind::Value) if the
    /// pattern is invalid.
    pub fn glob(pattern: &str) -> Result<Self, Error> {
        let attempted = || format!("reading {pattern}");
        let found = glob::glob(pattern)
            .map_err(|error| Error::new(ErrorKind::Value, attempted(), error.to_string()).with_source(error))?;
        let paths = found
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Error::new(ErrorKind::File, attempted(), error.to_string()).with_source(error))?;
        if paths.is_empty() {
            return Err(Error::new(ErrorKind::File, attempted(), "no file matches this pattern"));
        }
        Ok(Self::files(paths))
    }

    /// Standard input. To resume from a checkpoint, the program has to receive the same bytes again.
    pub fn stdin() -> Self {
        Self { sources: vec![InputSource::Stdin], compression: None }
    }

    /// Any reader, with a name for errors and for the checkpoint.
    pub fn reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self { sources: vec![InputSource::Reader(name.into(), Box::new(reader))], compression: None }
    }

    /// The compression. Default: by the ends of the file names; none for standard input and readers.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression: Some(compression), ..self }
    }

    /// The sources in order, each with its identity.
    pub(super) fn into_files(self, attempted: &str) -> Result<Vec<InputFile>, Error> {
        if self.sources.is_empty() {
            return Err(Error::new(ErrorKind::Value, attempted.to_owned(), "the input names no file"));
        }
        let compression = self.compression;
        let file = |source: InputSource| {
            let (compression_of_name, identity) = match &source {
                InputSource::File(path) => (Compression::from_path(path), FileIdentity::of(path)?),
                InputSource::Stdin => (Compression::None, FileIdentity::named("standard input")),
                InputSource::Reader(name, _) => (Compression::None, FileIdentity::named(name)),
            };
            Ok(InputFile { source, compression: compression.unwrap_or(compression_of_name), identity })
        };
        self.sources.into_iter().map(file).collect()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.sources.iter().map(InputSource::name).collect();
        f.debug_struct("Input").field("sources", &names).field("compression", &self.compression).finish()
    }
}

impl InputSource {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
            Self::Reader(name, _) => name.clone(),
        }
    }
}

/// One source of the input.
pub(super) struct InputFile {
    source: InputSource,
    compression: Compression,
    pub(super) identity: FileIdentity,
}

/// The identity of a file, which distinguishes it from another file of the same name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FileIdentity {
    pub(super) name: String,
    /// The size; only a file has one.
    pub(super) bytes: Option<u64>,
    /// The time of the last change, in nanoseconds since 1970.
    modified: Option<u64>,
}

impl FileIdentity {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), bytes: None, modified: None }
    }

    fn of(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let metadata = path.metadata().map_err(|error| read_error(&name, &error))?;
        if metadata.is_dir() {
            return Err(Error::new(ErrorKind::File, format!("reading {name}"), "it is a folder")
                .with_advice("Name the files in it, for instance with a pattern"));
        }
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified = modified.and_then(|since| u64::try_from(since.as_nanos()).ok());
        // A pipe has a name but no size.
        let (bytes, modified) = if metadata.is_file() { (Some(metadata.len()), modified) } else { (None, None) };
        Ok(Self { name, bytes, modified })
    }
}

impl InputFile {
    /// Opens the source; `read` counts its bytes, for compressed files the compressed bytes.
    pub(super) fn open(self, read: &Arc<AtomicU64>) -> Result<(FileWatch, Box<dyn Read + Send>), Error> {
        let name = self.identity.name.clone();
        let (path, input): (_, Box<dyn Read + Send>) = match self.source {
            InputSource::File(path) => {
                let file = File::open(&path).map_err(|error| read_error(&name, &error))?;
                (Some(path), Box::new(file))
            }
            InputSource::Stdin => (None, Box::new(io::stdin())),
            InputSource::Reader(_, reader) => (None, reader),
        };
        let counting = Box::new(CountingReader { input, read: Arc::clone(read) });
        let opened = self.compression.decompress(counting).map_err(|error| read_error(&name, &error))?;
        Ok((FileWatch { path, identity: self.identity }, opened))
    }

    /// Opens a file for random access, for formats that are read from the end.
    #[cfg(feature = "parquet")]
    pub(super) fn open_seekable(self) -> Result<(FileWatch, File), Error> {
        let name = &self.identity.name;
        let refused = |problem: &'static str, advice: &'static str| {
            Err(Error::new(ErrorKind::Configuration, format!("reading {name}"), problem).with_advice(advice))
        };
        let InputSource::File(path) = self.source else {
            return refused("a Parquet file is read from its end, so it cannot be read from a stream", WRITE_FIRST);
        };
        if self.identity.bytes.is_none() {
            return refused("a Parquet file is read from its end, and this is not a file on a disk", WRITE_FIRST);
        }
        if self.compression != Compression::None {
            return refused(
                "a Parquet file compresses its pages itself and is not read through another compression",
                "Decompress it first",
            );
        }
        let file = File::open(&path).map_err(|error| read_error(name, &error))?;
        Ok((FileWatch { path: Some(path), identity: self.identity }, file))
    }
}

#[cfg(feature = "parquet")]
const WRITE_FIRST: &str = "Write it to a file on a disk first";

/// Checks whether a file is still the one that was opened.
pub(super) struct FileWatch {
    path: Option<PathBuf>,
    identity: FileIdentity,
}

impl FileWatch {
    pub(super) fn check(&self) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        if FileIdentity::of(path)? == self.identity {
            return Ok(());
        }
        let problem = "the file was changed while it was read";
        Err(Error::new(ErrorKind::File, format!("reading {}", self.identity.name), problem).with_advice(
            "Some loaded rows may be of the old file and some of the new one: load it again without the checkpoint",
        ))
    }
}

pub(super) fn read_error(name: &str, error: &io::Error) -> Error {
    let source = io::Error::new(error.kind(), error.to_string());
    Error::new(ErrorKind::File, format!("reading {name}"), error.to_string()).with_source(source)
}

/// The error for a file that differs from the one that an earlier run read.
pub(super) fn changed_file_error(name: &str) -> Error {
    let problem = "the part that an earlier run has loaded is no longer the same";
    Error::new(ErrorKind::Cursor, format!("reading {name}"), problem)
        .with_advice("Restore the file as it was, or load it from the beginning with another checkpoint")
}

/// Counts the bytes that are read.
struct CountingReader {
    input: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for CountingReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
