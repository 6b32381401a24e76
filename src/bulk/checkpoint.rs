//! Checkpoints: the progress of an operation, in a file that is complete at every moment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chunk::RowPosition;
use super::format::Position;
use super::input::FileIdentity;
use crate::counted::Counted;
use crate::{Error, ErrorKind};

const VERSION: u32 = 1;

/// No checkpoint is larger: it names some files, and the rows that were read and not acknowledged.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The identity of an operation. A checkpoint belongs to exactly one operation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Operation {
    /// `loading shop.sales`
    pub(super) attempted: String,
    /// The settings, by name.
    pub(super) options: BTreeMap<String, String>,
    pub(super) files: Vec<FileSignature>,
}

/// A file by its name and size. When reading resumes, a checksum verifies the contents.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct FileSignature {
    name: String,
    bytes: Option<u64>,
}

impl From<&FileIdentity> for FileSignature {
    fn from(file: &FileIdentity) -> Self {
        Self { name: file.name.clone(), bytes: file.bytes }
    }
}

/// Counts of rows, bytes and units that are done.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) rejected: u64,
    pub(super) bytes: u64,
    pub(super) units: f64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.rejected += other.rejected;
        self.bytes += other.bytes;
        self.units += other.units;
    }
}

/// The progress of an operation.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Done {
    #[serde(flatten)]
    pub(super) counts: Counts,
    /// The length of the file of rejected rows; `None` if the operation has not created one.
    pub(super) rejected_bytes: Option<u64>,
    pub(super) is_complete: bool,
    pub(super) resume: Option<Resume>,
    /// Whether all rows of a table were read.
    #[serde(default)]
    pub(super) is_read: bool,
    /// The progress of a scan, or a paging state.
    pub(super) scan: Option<String>,
    /// The file that is being written: its number, and the bytes and rows of it that are complete.
    pub(super) output: Option<(u32, u64, u64)>,
}

/// The position at which reading resumes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(from = "StoredResume", into = "StoredResume")]
pub(super) struct Resume {
    /// All rows before this one are acknowledged or rejected.
    pub(super) ordinal: u64,
    pub(super) position: RowPosition,
    /// Rows up to this one were read.
    pub(super) read_to: u64,
    /// The rows among them that are neither acknowledged nor rejected, in order.
    pub(super) unsent: Vec<u64>,
}

#[derive(Clone, Deserialize, Serialize)]
struct StoredResume {
    row: u64,
    file: u32,
    offset: u64,
    line: u64,
    crc32: u32,
    read_to: u64,
    /// Each row is stored as its distance to the one before.
    unsent: Vec<u64>,
}

impl From<StoredResume> for Resume {
    fn from(stored: StoredResume) -> Self {
        let StoredResume { row, file, offset, line, crc32: crc, read_to, unsent } = stored;
        let mut last = row;
        let unsent = unsent.into_iter().map(|distance| {
            last = last.saturating_add(distance);
            last
        });
        let position = RowPosition { file, at: Position { offset, line, crc }, bytes: 0 };
        Self { ordinal: row, position, read_to, unsent: unsent.collect() }
    }
}

impl From<Resume> for StoredResume {
    fn from(resume: Resume) -> Self {
        let Resume { ordinal, position: RowPosition { file, at, .. }, read_to, unsent } = resume;
        let mut last = ordinal;
        let unsent = unsent.into_iter().map(|row| row - std::mem::replace(&mut last, row));
        let Position { offset, line, crc } = at;
        Self { row: ordinal, file, offset, line, crc32: crc, read_to, unsent: unsent.collect() }
    }
}

#[derive(Deserialize, Serialize)]
struct Stored {
    version: u32,
    operation: Operation,
    done: Done,
}

/// The checkpoint file of an operation.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: PathBuf,
    /// Held while the operation runs, so that no other process runs the same operation.
    lock: Arc<File>,
    operation: Operation,
    saved: Done,
}

impl Checkpoint {
    /// Opens the checkpoint of an operation: an earlier run's, or a new one.
    pub(super) fn open(path: &Path, operation: Operation) -> Result<Self, Error> {
        let lock = Arc::new(lock(path)?);
        let text = match read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path: path.to_owned(), lock, operation, saved: Done::default() });
            }
            Err(error) => return Err(failed("reading", path, &error)),
        };
        let refused = |problem: String| {
            Error::new(ErrorKind::Cursor, format!("reading the checkpoint {}", path.display()), problem)
                .with_advice("Give the options and files that it came from, or name another file to begin anew")
        };
        let stored: Stored = serde_json::from_str(&text)
            .map_err(|error| refused(format!("it is no checkpoint: {error}")).with_source(error))?;
        if stored.version != VERSION {
            return Err(refused(format!("it is of version {}, this is version {VERSION}", stored.version)));
        }
        if let Some(difference) = stored.operation.difference(&operation) {
            return Err(refused(difference));
        }
        Ok(Self { path: path.to_owned(), lock, operation, saved: stored.done })
    }

    /// The progress of earlier runs and of this one, as of the last save.
    pub(super) fn done(&self) -> &Done {
        &self.saved
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The lock, for writers to files that the checkpoint tracks: the thread of a dropped call may still write.
    pub(super) fn lock(&self) -> Arc<File> {
        Arc::clone(&self.lock)
    }

    /// Adds to an error how to resume the operation.
    pub(super) fn how_to_go_on(&self, error: Error) -> Error {
        let done = self.saved.counts.rows;
        let are = if done == 1 { "is" } else { "are" };
        let done = Counted(done, "row");
        let further = format!("{done} {are} done: the same again goes on from the checkpoint {}", self.path.display());
        let advice = error.advice().map_or_else(|| further.clone(), |advice| format!("{advice}. {further}"));
        error.with_advice(advice)
    }

    /// Replaces the checkpoint by one with this progress. After a crash at any moment, the file is either the old or the
    /// new one.
    pub(super) fn save(&mut self, done: Done) -> Result<(), Error> {
        if self.saved == done && self.path.exists() {
            return Ok(());
        }
        let stored = Stored { version: VERSION, operation: self.operation.clone(), done };
        let text =
            serde_json::to_string(&stored).map_err(|error| failed("writing", &self.path, &io::Error::other(error)))?;
        write_atomically(&self.path, text.as_bytes()).map_err(|error| failed("writing", &self.path, &error))?;
        self.saved = stored.done;
        Ok(())
    }
}

impl Operation {
    /// Describes the first difference between the operation of the checkpoint and the requested one.
    fn difference(&self, asked: &Self) -> Option<String> {
        if self.attempted != asked.attempted {
            return Some(format!("it is of {}, not of {}", self.attempted, asked.attempted));
        }
        let names = |files: &[FileSignature]| files.iter().map(|file| file.name.clone()).collect::<Vec<_>>().join(", ");
        if !self.files.iter().map(|file| &file.name).eq(asked.files.iter().map(|file| &file.name)) {
            return Some(format!("it is of the input {}, not of {}", names(&self.files), names(&asked.files)));
        }
        let resized = self.files.iter().zip(&asked.files).find(|(was, is)| was.bytes != is.bytes);
        if let Some((was, is)) = resized {
            let bytes = |of: &FileSignature| of.bytes.map_or_else(|| "no".to_owned(), |bytes| bytes.to_string());
            return Some(format!("{} had {} bytes, and has {}", was.name, bytes(was), bytes(is)));
        }
        let mut keys = self.options.keys().chain(asked.options.keys());
        let changed = keys.find(|key| self.options.get(*key) != asked.options.get(*key))?;
        let told =
            |options: &BTreeMap<String, String>| options.get(changed).map_or("not set", String::as_str).to_owned();
        Some(format!("{changed} was {}, and is {}", told(&self.options), told(&asked.options)))
    }
}

fn read(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// The lock is a separate file, because saving replaces the checkpoint file.
fn lock(path: &Path) -> Result<File, Error> {
    let lock_path = beside(path, ".lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
    let lock = lock.map_err(|error| failed("locking", path, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => {
            let problem = "another program has it";
            Err(Error::new(ErrorKind::File, format!("locking the checkpoint {}", path.display()), problem)
                .with_advice("Wait until it has ended, or name another checkpoint"))
        }
        Err(fs::TryLockError::Error(error)) => Err(failed("locking", path, &error)),
    }
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    let source = io::Error::new(error.kind(), error.to_string());
    Error::new(ErrorKind::File, format!("{doing} the checkpoint {}", path.display()), error.to_string())
        .with_source(source)
}

/// The path with a suffix.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Writes a file under a temporary name, and renames it once it is on the disk.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path, ".new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    rename(&new, path)
}

/// Renames a file durably: the directory is synced too.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation() -> Operation {
        Operation {
            attempted: "loading shop.sales".to_owned(),
            options: BTreeMap::from([("columns".to_owned(), "id, price".to_owned())]),
            files: vec![FileSignature { name: "sales.csv".to_owned(), bytes: Some(10) }],
        }
    }

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn done() -> Done {
        let position = RowPosition { file: 1, at: Position { offset: 77, line: 4, crc: 9 }, bytes: 0 };
        let resume = Resume { ordinal: 3, position, read_to: 9, unsent: vec![3, 5, 8] };
        let counts = Counts { rows: 6, rejected: 1, units: 7.5, ..Counts::default() };
        Done { counts, rejected_bytes: Some(0), resume: Some(resume), ..Done::default() }
    }

    #[test]
    fn what_was_done_is_there_again() {
        let folder = folder();
        let path = folder.join("checkpoint");
        let mut checkpoint = Checkpoint::open(&path, operation()).unwrap();
        assert_eq!(checkpoint.done(), &Done::default());
        checkpoint.save(done()).unwrap();
        let error = Checkpoint::open(&path, operation()).unwrap_err();
        let told = format!(
            "locking the checkpoint {} failed: another program has it. Wait until it has ended, or name another checkpoint",
            path.display()
        );
        assert_eq!(error.to_string(), told);
        drop(checkpoint);
        assert_eq!(Checkpoint::open(&path, operation()).unwrap().done(), &done());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_checkpoint_of_something_else_is_refused() {
        let folder = folder();
        let path = folder.join("checkpoint");
        Checkpoint::open(&path, operation()).unwrap().save(done()).unwrap();
        let table = Operation { attempted: "loading shop.names".to_owned(), ..operation() };
        let file = |name: &str, bytes| vec![FileSignature { name: name.to_owned(), bytes: Some(bytes) }];
        let other_file = Operation { files: file("names.csv", 10), ..operation() };
        let larger = Operation { files: file("sales.csv", 11), ..operation() };
        let mut columns = operation();
        columns.options.insert("columns".to_owned(), "id".to_owned());
        let mut more = operation();
        more.options.insert("null".to_owned(), "written".to_owned());
        for (asked, problem) in [
            (table, "it is of loading shop.sales, not of loading shop.names"),
            (other_file, "it is of the input sales.csv, not of names.csv"),
            (larger, "sales.csv had 10 bytes, and has 11"),
            (columns, "columns was id, price, and is id"),
            (more, "null was not set, and is written"),
        ] {
            let error = Checkpoint::open(&path, asked).unwrap_err();
            let told = format!(
                "reading the checkpoint {} failed: {problem}. Give the options and files that it came from, or name another \
                 file to begin anew",
                path.display()
            );
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Cursor, told));
        }
        fs::write(&path, "{").unwrap();
        let error = Checkpoint::open(&path, operation()).unwrap_err();
        assert!(error.to_string().contains("failed: it is no checkpoint: EOF"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}
