//! Checkpoints: the progress of an operation, in a file that is replaced atomically.

use std::borrow::Cow;
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

/// The maximum size of a checkpoint that is written or read. A checkpoint lists the input files, and the rows that were
/// read and are not acknowledged.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

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
pub(super) struct CheckpointState {
    #[serde(flatten)]
    pub(super) counts: Counts,
    /// The length of the file of rejected rows; `None` if the operation has not created one.
    pub(super) rejected_bytes: Option<u64>,
    pub(super) is_complete: bool,
    pub(super) resume: Option<ResumePoint>,
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
#[serde(from = "StoredResumePoint", into = "StoredResumePoint")]
pub(super) struct ResumePoint {
    /// All rows before this one are acknowledged or rejected.
    pub(super) ordinal: u64,
    pub(super) position: RowPosition,
    /// Rows up to this one were read.
    pub(super) read_to: u64,
    /// The rows among them that are neither acknowledged nor rejected, in order.
    pub(super) unsent: Vec<u64>,
}

#[derive(Clone, Deserialize, Serialize)]
struct StoredResumePoint {
    row: u64,
    file: u32,
    offset: u64,
    line: u64,
    crc32: u32,
    read_to: u64,
    /// Each row is stored as its distance to the one before.
    unsent: Vec<u64>,
}

impl From<StoredResumePoint> for ResumePoint {
    fn from(stored: StoredResumePoint) -> Self {
        let StoredResumePoint { row, file, offset, line, crc32: crc, read_to, unsent } = stored;
        let mut last = row;
        let unsent = unsent.into_iter().map(|distance| {
            last = last.saturating_add(distance);
            last
        });
        let position = RowPosition { file, at: Position { offset, line, crc }, bytes: 0 };
        Self { ordinal: row, position, read_to, unsent: unsent.collect() }
    }
}

impl From<ResumePoint> for StoredResumePoint {
    fn from(resume: ResumePoint) -> Self {
        let ResumePoint { ordinal, position: RowPosition { file, at, .. }, read_to, unsent } = resume;
        let mut last = ordinal;
        let unsent = unsent.into_iter().map(|row| row - std::mem::replace(&mut last, row));
        let Position { offset, line, crc } = at;
        Self { row: ordinal, file, offset, line, crc32: crc, read_to, unsent: unsent.collect() }
    }
}

#[derive(Deserialize, Serialize)]
struct Stored<'c> {
    version: u32,
    operation: Cow<'c, Operation>,
    done: Cow<'c, CheckpointState>,
}

/// The checkpoint file of an operation.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: PathBuf,
    /// Held while the operation runs, so that no other process runs the same operation.
    lock: Arc<File>,
    operation: Operation,
    saved: CheckpointState,
    max_bytes: u64,
}

impl Checkpoint {
    /// Opens the checkpoint of an earlier run of the operation, or creates a new one.
    pub(super) fn open(path: &Path, operation: Operation) -> Result<Self, Error> {
        Self::open_bounded(path, operation, MAX_BYTES)
    }

    fn open_bounded(path: &Path, operation: Operation, max_bytes: u64) -> Result<Self, Error> {
        let lock = Arc::new(lock(path)?);
        let text = match read(path, max_bytes) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let saved = CheckpointState::default();
                let checkpoint = Self { path: path.to_owned(), lock, operation, saved, max_bytes };
                // A list of files that is too long is refused before anything is sent.
                checkpoint.encode(&checkpoint.saved)?;
                return Ok(checkpoint);
            }
            Err(error) => return Err(failed("reading", path, &error)),
        };
        let refused = |problem: String| {
            Error::new(ErrorKind::Cursor, format!("reading the checkpoint {}", path.display()), problem)
                .with_advice("Use the options and files of the first run, or name another checkpoint to start again")
        };
        let stored: Stored<'_> = serde_json::from_str(&text)
            .map_err(|error| refused(format!("the file is not a checkpoint: {error}")).with_source(error))?;
        if stored.version != VERSION {
            return Err(refused(format!(
                "its version is {}, and this program reads version {VERSION}",
                stored.version
            )));
        }
        if let Some(difference) = stored.operation.difference(&operation) {
            return Err(refused(difference));
        }
        Ok(Self { path: path.to_owned(), lock, operation, saved: stored.done.into_owned(), max_bytes })
    }

    /// The progress of earlier runs and of this one, as of the last save.
    pub(super) fn state(&self) -> &CheckpointState {
        &self.saved
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The lock. Writers to files that the checkpoint tracks hold it, because the thread of a dropped call may still
    /// write.
    pub(super) fn lock(&self) -> Arc<File> {
        Arc::clone(&self.lock)
    }

    /// Adds to an error how to resume the operation.
    pub(super) fn with_resume_advice(&self, error: Error) -> Error {
        let done = self.saved.counts.rows;
        let are = if done == 1 { "is" } else { "are" };
        let done = Counted(done, "row");
        let path = self.path.display();
        let how = format!("{done} {are} done. Run the same operation again to resume from the checkpoint {path}");
        let advice = error.advice().map_or_else(|| how.clone(), |advice| format!("{advice}. {how}"));
        error.with_advice(advice)
    }

    /// Replaces the checkpoint by one with this state. After a crash at any moment, the file is either the old or the new
    /// one.
    pub(super) fn save(&mut self, state: CheckpointState) -> Result<(), Error> {
        if self.saved == state && self.path.exists() {
            return Ok(());
        }
        let text = self.encode(&state)?;
        write_atomically(&self.path, text.as_bytes()).map_err(|error| failed("writing", &self.path, &error))?;
        self.saved = state;
        Ok(())
    }

    /// The text of the file. Refuses a text that would be too long to be read again.
    fn encode(&self, state: &CheckpointState) -> Result<String, Error> {
        let stored = Stored { version: VERSION, operation: Cow::Borrowed(&self.operation), done: Cow::Borrowed(state) };
        let text =
            serde_json::to_string(&stored).map_err(|error| failed("writing", &self.path, &io::Error::other(error)))?;
        if text.len() as u64 > self.max_bytes {
            let (bytes, max) = (Counted(text.len(), "byte"), self.max_bytes);
            let problem = format!("it would have {bytes}, more than the {max} that can be read again");
            let attempted = format!("writing the checkpoint {}", self.path.display());
            return Err(Error::new(ErrorKind::File, attempted, problem)
                .with_advice(self.operation.advice_to_shorten_checkpoint()));
        }
        Ok(text)
    }
}

impl Operation {
    /// The size of a checkpoint depends on the input files and the rows in the shuffle buffer. Without input files, that is
    /// for an export, a count or a copy, it depends on the columns and the filter.
    fn advice_to_shorten_checkpoint(&self) -> &'static str {
        if self.files.is_empty() {
            "Name fewer columns, or use a shorter filter"
        } else {
            "Pass fewer files at once, or shuffle fewer rows"
        }
    }

    /// Describes the first difference between the operation of the checkpoint and the requested one.
    fn difference(&self, requested: &Self) -> Option<String> {
        if self.attempted != requested.attempted {
            return Some(format!("it belongs to {}, not to {}", self.attempted, requested.attempted));
        }
        let names = |files: &[FileSignature]| files.iter().map(|file| file.name.clone()).collect::<Vec<_>>().join(", ");
        if !self.files.iter().map(|file| &file.name).eq(requested.files.iter().map(|file| &file.name)) {
            return Some(format!("its input is {}, not {}", names(&self.files), names(&requested.files)));
        }
        let resized = self.files.iter().zip(&requested.files).find(|(was, is)| was.bytes != is.bytes);
        if let Some((was, is)) = resized {
            let bytes = |file: &FileSignature| file.bytes.map_or_else(|| "no".to_owned(), |bytes| bytes.to_string());
            let (name, before, now) = (&was.name, bytes(was), bytes(is));
            return Some(format!("{name} had {before} bytes when the checkpoint was written, and has {now} now"));
        }
        let mut keys = self.options.keys().chain(requested.options.keys());
        let changed = keys.find(|key| self.options.get(*key) != requested.options.get(*key))?;
        let setting =
            |options: &BTreeMap<String, String>| options.get(changed).map_or("not set", String::as_str).to_owned();
        Some(format!(
            "the setting \"{changed}\" was {}, and is {}",
            setting(&self.options),
            setting(&requested.options)
        ))
    }
}

fn read(path: &Path, max_bytes: u64) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    File::open(path)?.take(max_bytes + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max_bytes {
        return Err(io::Error::other(format!("the file has more than {max_bytes} bytes, so it is not a checkpoint")));
    }
    Ok(text)
}

/// The lock is a separate file, because saving replaces the checkpoint file.
fn lock(path: &Path) -> Result<File, Error> {
    let lock_path = with_suffix(path, ".lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
    let lock = lock.map_err(|error| failed("locking", path, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => {
            let problem = "another program uses it";
            Err(Error::new(ErrorKind::File, format!("locking the checkpoint {}", path.display()), problem)
                .with_advice("Wait until that program has ended, or name another checkpoint"))
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
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Writes a file under a temporary name, and renames it once it is on the disk.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = with_suffix(path, ".new");
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
mod tests;
