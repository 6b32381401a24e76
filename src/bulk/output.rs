//! The destinations of rows.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use super::input::Compression;

/// An output: one file, files with a fixed number of rows each, or any writer.
///
/// A file is written under its name with the suffix `.partial`, and renamed when it is complete and on the disk. Its
/// extension decides the compression (`.gz`, `.zst`).
pub struct Output {
    pub(super) target: Target,
    pub(super) compression: Option<Compression>,
    pub(super) rows_per_file: Option<u64>,
    pub(super) overwrite: bool,
}

pub(super) enum Target {
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

    /// Any writer, with a name for errors.
    pub fn writer(name: impl Into<String>, writer: impl Write + Send + 'static) -> Self {
        let target = Target::Writer(name.into(), Box::new(writer));
        Self { target, compression: None, rows_per_file: None, overwrite: false }
    }

    /// The compression. Default: by the extension of the file; none for a writer.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression: Some(compression), ..self }
    }

    /// Splits the output into files with this many rows each: `sales.csv.gz` becomes `sales-00001.csv.gz`,
    /// `sales-00002.csv.gz` and so on. Has no effect on a writer.
    #[must_use]
    pub fn rows_per_file(self, rows: std::num::NonZeroU64) -> Self {
        Self { rows_per_file: Some(rows.get()), ..self }
    }

    /// Replaces existing files. Default: an existing file is an error.
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
