//! Where rows are written to: files that have their names when they are whole, or any writer.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::checkpoint::{beside, rename};
use super::format::{Format, RowCells};
use super::input::Compression;
use super::row::RowValues;
use super::table::Column;
use crate::{Error, ErrorKind};

/// Formatted rows are written together.
const BUFFER_BYTES: usize = 256 * 1024;

/// What is written: one file, files of so many rows, or any writer.
///
/// A file is written under its name with `.partial` after it, and gets its name when it is whole and on the disk. It is
/// compressed as the end of its name says (`.gz`, `.zst`).
pub struct Output {
    target: Target,
    compression: Option<Compression>,
    rows_per_file: Option<u64>,
    overwrite: bool,
}

enum Target {
    File(PathBuf),
    Writer(String, Box<dyn Write + Send>),
}

impl Output {
    /// One file; with [`rows_per_file`](Self::rows_per_file) several.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { target: Target::File(path.into()), compression: None, rows_per_file: None, overwrite: false }
    }

    /// Standard output.
    pub fn stdout() -> Self {
        Self::writer("standard output", io::stdout())
    }

    /// Any writer, under a name for errors.
    pub fn writer(name: impl Into<String>, writer: impl Write + Send + 'static) -> Self {
        let target = Target::Writer(name.into(), Box::new(writer));
        Self { target, compression: None, rows_per_file: None, overwrite: false }
    }

    /// How it is compressed. Default: as the end of the name says, and a writer not at all.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression: Some(compression), ..self }
    }

    /// Several files, each with so many rows: `sales.csv.gz` becomes `sales-00001.csv.gz`, `sales-00002.csv.gz` and so on. Of
    /// a writer it changes nothing.
    #[must_use]
    pub fn rows_per_file(self, rows: std::num::NonZeroU64) -> Self {
        Self { rows_per_file: Some(rows.get()), ..self }
    }

    /// Replaces files that are there. Default: an error if there is one.
    #[must_use]
    pub fn overwrite(self) -> Self {
        Self { overwrite: true, ..self }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.target, Target::File(_))
    }

    pub(super) fn name(&self) -> String {
        match &self.target {
            Target::File(path) => path.display().to_string(),
            Target::Writer(name, _) => name.clone(),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("name", &self.name())
            .field("rows_per_file", &self.rows_per_file)
            .finish_non_exhaustive()
    }
}

/// What is on the disk: the number of the file that is being written, its bytes, and its rows.
pub(super) type OnDisk = (u32, u64, u64);

/// Writes rows to an output.
pub(super) struct RowWriter {
    output: Output,
    format: Format,
    columns: Vec<Column>,
    current: Option<Encoder>,
    number: u32,
    rows: u64,
    text: String,
    /// Of all files, before compression.
    pub(super) bytes: u64,
}

impl RowWriter {
    /// Begins, or goes on from what was on the disk.
    pub(super) fn open(
        output: Output,
        format: Format,
        columns: Vec<Column>,
        known: Option<OnDisk>,
    ) -> Result<Self, Error> {
        format.check()?;
        let (number, length, rows) = known.unwrap_or((1, 0, 0));
        let text = String::new();
        let mut writer = Self { output, format, columns, current: None, number, rows, text, bytes: 0 };
        if length > 0 {
            writer.go_on(length)?;
        } else {
            writer.begin()?;
        }
        Ok(writer)
    }

    fn path(&self) -> Option<PathBuf> {
        let Target::File(path) = &self.output.target else { return None };
        if self.output.rows_per_file.is_none() {
            return Some(path.clone());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (stem, extensions) =
            name.split_once('.').map_or((&*name, String::new()), |(stem, rest)| (stem, format!(".{rest}")));
        Some(path.with_file_name(format!("{stem}-{:05}{extensions}", self.number)))
    }

    fn compression(&self) -> Compression {
        self.output.compression.unwrap_or_else(|| self.path().map_or(Compression::None, Compression::of_path))
    }

    fn failed(&self, error: io::Error) -> Error {
        let name = self.path().map_or_else(|| self.output.name(), |path| path.display().to_string());
        Error::new(ErrorKind::File, format!("writing {name}"), error.to_string()).with_source(error)
    }

    fn begin(&mut self) -> Result<(), Error> {
        let compression = self.compression();
        let sink: Sink = match (&mut self.output.target, self.output.overwrite) {
            (Target::Writer(_, writer), _) => Sink::Writer(std::mem::replace(writer, Box::new(io::sink()))),
            (Target::File(_), overwrite) => {
                let path = self.path().unwrap_or_default();
                if path.exists() && !overwrite {
                    return Err(Error::new(
                        ErrorKind::File,
                        format!("writing {}", path.display()),
                        "there is such a file",
                    )
                    .with_advice("Move it away, or allow it to be overwritten"));
                }
                Sink::File(File::create(beside(&path, ".partial")).map_err(|error| self.failed(error))?)
            }
        };
        self.current = Some(Encoder::new(compression, sink).map_err(|error| self.failed(error))?);
        let names = self.columns.iter().map(|column| column.name.as_str());
        self.format.write_header(names, &mut self.text);
        Ok(())
    }

    /// Cuts the file to what was on the disk, and writes after it.
    fn go_on(&mut self, length: u64) -> Result<(), Error> {
        let path = self.path().unwrap_or_default();
        let partial = beside(&path, ".partial");
        let open = || {
            let mut file = File::options().write(true).open(&partial)?;
            let found = file.metadata()?.len();
            if found < length {
                return Err(io::Error::other(format!("it has {found} bytes, the checkpoint says {length}")));
            }
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Encoder::new(self.compression(), Sink::File(file))
        };
        self.current = Some(open().map_err(|error| self.failed(error))?);
        Ok(())
    }

    /// Writes rows.
    pub(super) fn write(&mut self, rows: &[RowValues]) -> Result<(), Error> {
        for row in rows {
            if self.output.rows_per_file.is_some_and(|most| self.rows >= most) && self.output.is_file() {
                self.finish_file()?;
                self.number += 1;
                self.rows = 0;
                self.begin()?;
            }
            let cells = RowCells { columns: &self.columns, bytes: &row.0 };
            self.format.write(&cells, &mut self.text).map_err(|reason| {
                let column = reason.column.and_then(|index| self.columns.get(index));
                let column = column.map_or("", |column| column.name.as_str());
                let problem = format!("a value of the column {column} {}", reason.problem);
                Error::new(ErrorKind::Value, format!("writing {}", self.output.name()), problem)
            })?;
            self.rows += 1;
            if self.text.len() >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = self.current.as_mut().map_or(Ok(()), |encoder| encoder.write_all(self.text.as_bytes()));
        written.map_err(|error| self.failed(error))?;
        self.bytes += self.text.len() as u64;
        self.text.clear();
        Ok(())
    }

    /// Brings to the disk what was written. Of compressed files a member or frame ends here, and another one follows.
    pub(super) fn sync(&mut self) -> Result<OnDisk, Error> {
        self.flush()?;
        let compression = self.compression();
        let mut length = 0;
        if let Some(encoder) = self.current.take() {
            let synced = encoder.finish().and_then(|mut sink| {
                length = sink.sync()?;
                Encoder::new(compression, sink)
            });
            self.current = Some(synced.map_err(|error| self.failed(error))?);
        }
        Ok((self.number, length, self.rows))
    }

    fn finish_file(&mut self) -> Result<(), Error> {
        self.flush()?;
        let Some(encoder) = self.current.take() else { return Ok(()) };
        let path = self.path();
        let finished = encoder.finish().and_then(|mut sink| {
            sink.sync()?;
            path.map_or(Ok(()), |path| rename(&beside(&path, ".partial"), &path))
        });
        finished.map_err(|error| self.failed(error))
    }

    /// Gives the last file its name, and says how many bytes were written by this run.
    pub(super) fn finish(mut self) -> Result<u64, Error> {
        self.finish_file()?;
        Ok(self.bytes)
    }
}

enum Sink {
    File(File),
    Writer(Box<dyn Write + Send>),
}

impl Sink {
    /// The bytes that are on the disk.
    fn sync(&mut self) -> io::Result<u64> {
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

/// Compresses, or not.
enum Encoder {
    None(Sink),
    Gzip(flate2::write::GzEncoder<Sink>),
    Zstd(zstd::Encoder<'static, Sink>),
}

impl Encoder {
    fn new(compression: Compression, sink: Sink) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(sink),
            Compression::Gzip => Self::Gzip(flate2::write::GzEncoder::new(sink, flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(zstd::Encoder::new(sink, zstd::DEFAULT_COMPRESSION_LEVEL)?),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::None(sink) => sink.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Sink> {
        match self {
            Self::None(sink) => Ok(sink),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl fmt::Debug for RowWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowWriter").field("output", &self.output).field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Csv;
    use super::super::table::tests::column;
    use super::super::value::ValueType;
    use super::*;
    use keyspaces_cql::statement::NativeType;

    fn columns() -> Vec<Column> {
        vec![column("id", ValueType::Native(NativeType::Text))]
    }

    fn row(text: &str) -> RowValues {
        RowValues([&i32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat())
    }

    /// What is after the checkpoint is cut away, whatever the file is compressed with.
    #[test]
    fn a_file_goes_on_from_what_was_on_the_disk() {
        for name in ["rows.csv", "rows.csv.gz", "rows.csv.zst"] {
            let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join(name);
            let open = |known| RowWriter::open(Output::file(&path), Csv::new().into(), columns(), known).unwrap();
            let mut writer = open(None);
            writer.write(&[row("a")]).unwrap();
            let on_disk = writer.sync().unwrap();
            writer.write(&[row("lost")]).unwrap();
            writer.sync().unwrap();
            drop(writer);
            let mut writer = open(Some(on_disk));
            writer.write(&[row("b")]).unwrap();
            assert!(beside(&path, ".partial").exists() && !path.exists());
            writer.finish().unwrap();
            let mut text = String::new();
            let file = super::super::Input::file(&path).into_files("reading").unwrap().pop().unwrap();
            let (_, mut reader) = file.open(&std::sync::Arc::default()).unwrap();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "id\na\nb\n", "{name}");
            let error = RowWriter::open(Output::file(&path), Csv::new().into(), columns(), None).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "writing {} failed: there is such a file. Move it away, or allow it to be overwritten",
                    path.display()
                )
            );
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn each_file_has_so_many_rows_and_a_full_disk_is_told() {
        let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let output = Output::file(folder.join("rows.csv")).rows_per_file(std::num::NonZeroU64::new(2).unwrap());
        let mut writer = RowWriter::open(output, Csv::new().into(), columns(), None).unwrap();
        writer.write(&[row("a"), row("b"), row("c")]).unwrap();
        assert_eq!(writer.finish().unwrap(), "id\na\nb\nid\nc\n".len() as u64);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!((read("rows-00001.csv"), read("rows-00002.csv")), ("id\na\nb\n".to_owned(), "id\nc\n".to_owned()));
        std::fs::remove_dir_all(folder).unwrap();
        let full = Output::writer("/dev/full", File::options().write(true).open("/dev/full").unwrap());
        let mut writer = RowWriter::open(full, Csv::new().into(), columns(), None).unwrap();
        writer.write(&[row("a")]).unwrap();
        assert_eq!(
            writer.sync().unwrap_err().to_string(),
            "writing /dev/full failed: No space left on device (os error 28)"
        );
    }
}
