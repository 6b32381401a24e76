//! Writes rows to an output: any writer, or files that are renamed when they are complete.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "parquet")]
use super::ParquetFile;
use super::checkpoint::{CheckpointState, rename, with_suffix};
use super::encoder::Sink;
use super::format::{Format, RowCells, TextFormat};
use super::input::Compression;
use super::output::{Output, Target};
use super::row::RowValues;
use super::row_file::{RowFile, TextFile};
use super::table::Column;
use crate::counted::Counted;
use crate::{Error, ErrorKind};

/// The suffix of an incomplete file.
const PARTIAL: &str = ".partial";

/// The suffix of the file that lists the written row groups of a Parquet file.
const GROUPS: &str = ".partial.groups";

/// The state on the disk: the number of the current file, its bytes, and its rows.
pub(super) type OnDisk = (u32, u64, u64);

/// Writes rows to an output.
///
/// With a checkpoint, a complete file is renamed once the checkpoint has a later file: until then, a resumed run may cut
/// rows off the file and write them again.
pub(super) struct RowWriter {
    output: Output,
    format: Format,
    columns: Vec<Column>,
    current: Option<Box<dyn RowFile>>,
    /// Complete files that are not renamed yet.
    finished: Vec<PathBuf>,
    has_checkpoint: bool,
    /// The checkpoint's lock, held until all writing has ended.
    _lock: Option<Arc<File>>,
    number: u32,
    rows: u64,
}

impl RowWriter {
    /// Starts a new output, or resumes the one in the checkpoint, if there is one.
    pub(super) fn open(
        output: Output,
        format: Format,
        columns: Vec<Column>,
        checkpoint: Option<&CheckpointState>,
    ) -> Result<Self, Error> {
        format.check()?;
        if let Some(refusal) = refusal(&output, &format) {
            return Err(refusal);
        }
        let known = checkpoint.and_then(|state| state.output);
        let (number, length, rows) = known.unwrap_or((1, 0, 0));
        let mut writer = Self {
            output,
            format,
            columns,
            current: None,
            finished: Vec::new(),
            has_checkpoint: checkpoint.is_some(),
            _lock: None,
            number,
            rows,
        };
        if known.is_some() {
            writer.rename_earlier_files()?;
        }
        let is_whole = checkpoint.is_some_and(|state| state.is_read) && writer.is_renamed();
        match length {
            _ if is_whole => writer.path().iter().for_each(|path| remove_groups(path)),
            0 => writer.start_file()?,
            length => writer.resume_file(length)?,
        }
        Ok(writer)
    }

    /// Holds the lock until all writing has ended.
    pub(super) fn with_lock(self, lock: Option<Arc<File>>) -> Self {
        Self { _lock: lock, ..self }
    }

    /// Renames the files before the current one, as the interrupted run was about to do.
    fn rename_earlier_files(&mut self) -> Result<(), Error> {
        let number = self.number;
        for before in (1..number).rev() {
            self.number = before;
            let Some(path) = self.path() else { break };
            if !with_suffix(&path, PARTIAL).exists() {
                remove_groups(&path);
                break;
            }
            rename_partial(&path).map_err(|error| self.failed(error))?;
        }
        self.number = number;
        Ok(())
    }

    /// Whether the interrupted run finished and renamed the current file.
    fn is_renamed(&self) -> bool {
        self.path().is_some_and(|path| path.exists() && !with_suffix(&path, PARTIAL).exists())
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
        self.output.compression.unwrap_or_else(|| self.path().map_or(Compression::None, Compression::from_path))
    }

    /// The file that lists the written row groups, if the output can be resumed.
    #[cfg(feature = "parquet")]
    fn groups(&self) -> Option<PathBuf> {
        self.path().filter(|_| self.has_checkpoint).map(|path| with_suffix(&path, GROUPS))
    }

    fn failed(&self, error: io::Error) -> Error {
        let name = self.path().map_or_else(|| self.output.name(), |path| path.display().to_string());
        Error::new(ErrorKind::File, format!("writing {name}"), error.to_string()).with_source(error)
    }

    fn start_file(&mut self) -> Result<(), Error> {
        let compression = self.compression();
        let sink: Sink = match (&mut self.output.target, self.output.overwrite) {
            (Target::Writer(_, writer), _) => Sink::Writer(std::mem::replace(writer, Box::new(io::sink()))),
            (Target::File(_), overwrite) => {
                let path = self.path().unwrap_or_default();
                if path.exists() && !overwrite {
                    return Err(Error::new(
                        ErrorKind::File,
                        format!("writing {}", path.display()),
                        "the file exists already",
                    )
                    .with_advice("Move it away, or call overwrite()"));
                }
                Sink::File(File::create(with_suffix(&path, PARTIAL)).map_err(|error| self.failed(error))?)
            }
        };
        let names = self.columns.iter().map(|column| column.name.as_str());
        let text = |format: TextFormat, sink: Sink| {
            Ok::<Box<dyn RowFile>, io::Error>(Box::new(TextFile::new(format, compression, sink)?.with_header(names)))
        };
        let begun = match &self.format {
            Format::Csv(csv) => text(csv.clone().into(), sink),
            Format::JsonLines(lines) => text(lines.clone().into(), sink),
            #[cfg(feature = "parquet")]
            Format::Parquet(_) => ParquetFile::begin(&self.columns, self.output.compression, sink, self.groups())
                .map(|file| Box::new(file) as Box<dyn RowFile>),
        };
        self.current = Some(begun.map_err(|error| self.failed(error))?);
        Ok(())
    }

    /// Truncates the file to the length in the checkpoint, and continues after it.
    fn resume_file(&mut self, length: u64) -> Result<(), Error> {
        let path = self.path().unwrap_or_default();
        let partial = with_suffix(&path, PARTIAL);
        let open = || {
            let mut file = File::options().read(true).write(true).open(&partial)?;
            let found = file.metadata()?.len();
            if found < length {
                return Err(io::Error::other(format!(
                    "the file has {}, and the checkpoint says {length}",
                    Counted(found, "byte")
                )));
            }
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            let text = |format: TextFormat, file: File| {
                Ok::<Box<dyn RowFile>, io::Error>(Box::new(TextFile::new(
                    format,
                    self.compression(),
                    Sink::File(file),
                )?))
            };
            match &self.format {
                Format::Csv(csv) => text(csv.clone().into(), file),
                Format::JsonLines(lines) => text(lines.clone().into(), file),
                #[cfg(feature = "parquet")]
                Format::Parquet(_) => {
                    let groups = with_suffix(&path, GROUPS);
                    let written = File::open(&partial)?;
                    let compression = self.output.compression;
                    let sink = Sink::File(file);
                    let file = ParquetFile::resume(&self.columns, compression, (&written, sink), groups, length)?;
                    Ok(Box::new(file) as Box<dyn RowFile>)
                }
            }
        };
        self.current = Some(open().map_err(|error| self.failed(error))?);
        Ok(())
    }

    /// Writes the rows to the current file.
    pub(super) fn write(&mut self, rows: &[RowValues]) -> Result<(), Error> {
        for row in rows {
            if self.output.rows_per_file.is_some_and(|max| self.rows >= max) && self.output.is_file() {
                self.finish_file()?;
                self.number += 1;
                self.rows = 0;
                self.start_file()?;
            }
            let cells = RowCells { columns: &self.columns, bytes: &row.0 };
            let Some(file) = &mut self.current else { continue };
            file.write(&cells).map_err(|reason| {
                let column = reason.column.and_then(|index| self.columns.get(index));
                let column = column.map_or("", |column| column.name.as_str());
                let problem = format!("a value of the column {column} {}", reason.problem);
                Error::new(ErrorKind::Value, format!("writing {}", self.output.name()), problem)
            })?;
            self.rows += 1;
            file.flush_if_full().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Syncs the written rows to the disk.
    pub(super) fn sync(&mut self) -> Result<OnDisk, Error> {
        let length = self.current.as_mut().map_or(Ok(0), |file| file.sync()).map_err(|error| self.failed(error))?;
        Ok((self.number, length, self.rows))
    }

    fn finish_file(&mut self) -> Result<(), Error> {
        let Some(file) = self.current.take() else { return Ok(()) };
        file.finish().map_err(|error| self.failed(error))?;
        self.finished.extend(self.path());
        if self.has_checkpoint { Ok(()) } else { self.rename_finished() }
    }

    /// Renames the complete files.
    pub(super) fn rename_finished(&mut self) -> Result<(), Error> {
        for path in std::mem::take(&mut self.finished) {
            rename_partial(&path).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Finishes the last file.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.finish_file()?;
        self.rename_finished()
    }
}

/// The reason why this output cannot hold this format, if there is one.
fn refusal(output: &Output, format: &Format) -> Option<Error> {
    let Target::File(path) = &output.target else { return None };
    if format.is_text() || Compression::from_path(path) == Compression::None {
        return None;
    }
    let problem = "a Parquet file compresses its pages itself";
    let error = Error::new(ErrorKind::Configuration, format!("writing {}", path.display()), problem);
    Some(error.with_advice(
        "Use a name that ends in .parquet, and set the compression of its pages with Output::compression()",
    ))
}

/// Renames a complete file.
fn rename_partial(path: &Path) -> io::Result<()> {
    rename(&with_suffix(path, PARTIAL), path)?;
    remove_groups(path);
    Ok(())
}

/// Removes the list of row groups, which only an incomplete file needs.
fn remove_groups(path: &Path) {
    // Usually there is no such file, and a leftover one does no harm.
    let _ = std::fs::remove_file(with_suffix(path, GROUPS));
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

    /// Output after the checkpoint is cut off, for every compression.
    #[test]
    fn resume_truncates_output_written_after_the_checkpoint() {
        for name in ["rows.csv", "rows.csv.gz", "rows.csv.zst"] {
            let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join(name);
            let open =
                |state| RowWriter::open(Output::file(&path), Csv::new().into(), columns(), Some(&state)).unwrap();
            let mut writer = open(CheckpointState::default());
            writer.write(&[row("a")]).unwrap();
            let on_disk = writer.sync().unwrap();
            writer.write(&[row("lost")]).unwrap();
            writer.sync().unwrap();
            drop(writer);
            let mut writer = open(CheckpointState { output: Some(on_disk), ..CheckpointState::default() });
            writer.write(&[row("b")]).unwrap();
            let on_disk = writer.sync().unwrap();
            assert!(with_suffix(&path, PARTIAL).exists() && !path.exists());
            writer.finish().unwrap();
            // The run ended before the checkpoint says that it is complete.
            open(CheckpointState { output: Some(on_disk), is_read: true, ..CheckpointState::default() })
                .finish()
                .unwrap();
            let mut text = String::new();
            let file = super::super::Input::file(&path).into_files("reading").unwrap().pop().unwrap();
            let (_, mut reader) = file.open(&Arc::default()).unwrap();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "id\na\nb\n", "{name}");
            let error = RowWriter::open(Output::file(&path), Csv::new().into(), columns(), None).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "writing {} failed: the file exists already. Move it away, or call overwrite()",
                    path.display()
                )
            );
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    /// Ends the run at every step of writing several files, and resumes from the last checkpoint.
    #[test]
    fn files_finished_between_checkpoints_contain_each_row_once() {
        let rows: Vec<RowValues> = ('a'..='h').map(|letter| row(&letter.to_string())).collect();
        for steps in 1..40 {
            let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).unwrap();
            let output = || Output::file(folder.join("rows.csv")).rows_per_file(std::num::NonZeroU64::new(2).unwrap());
            let mut state = CheckpointState::default();
            for max in [steps, usize::MAX] {
                let mut left = max;
                let mut may_continue = || {
                    left = left.saturating_sub(1);
                    left > 0
                };
                let mut run = || {
                    let mut writer = RowWriter::open(output(), Csv::new().into(), columns(), Some(&state)).unwrap();
                    let written = usize::try_from(state.counts.rows).unwrap();
                    for (index, row) in rows.iter().enumerate().skip(written) {
                        writer.write(std::slice::from_ref(row)).unwrap();
                        may_continue().then_some(())?;
                        if index % 3 == 2 || index + 1 == rows.len() {
                            let output = Some(writer.sync().unwrap());
                            may_continue().then_some(())?;
                            state.counts.rows = index as u64 + 1;
                            (state.output, state.is_read) = (output, index + 1 == rows.len());
                            may_continue().then_some(())?;
                            writer.rename_finished().unwrap();
                            may_continue().then_some(())?;
                        }
                    }
                    writer.finish().unwrap();
                    Some(())
                };
                run();
            }
            let mut text = String::new();
            let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            names.sort();
            names.iter().for_each(|name| text.push_str(&std::fs::read_to_string(name).unwrap()));
            assert_eq!((names.len(), text.replace("id\n", "").as_str()), (4, "a\nb\nc\nd\ne\nf\ng\nh\n"), "{steps}");
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn rows_per_file_is_respected_and_a_full_disk_is_an_error() {
        let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let output = Output::file(folder.join("rows.csv")).rows_per_file(std::num::NonZeroU64::new(2).unwrap());
        let mut writer = RowWriter::open(output, Csv::new().into(), columns(), None).unwrap();
        writer.write(&[row("a"), row("b"), row("c")]).unwrap();
        writer.finish().unwrap();
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
