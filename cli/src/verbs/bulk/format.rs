//! What files are written in.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use keyspaces::bulk::{Csv, Format, Input, JsonLines};

use crate::failure::Failure;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FileFormat {
    /// RFC 4180 with a header; null is an empty field, an empty text is quoted
    Csv,
    /// CSV as cqlsh's COPY writes it
    Cqlsh,
    /// One JSON object in each line
    Jsonl,
}

/// The format that is asked for, else the one that the file's name says.
pub(super) fn format(asked: Option<FileFormat>, path: &Path) -> Result<Format, Failure> {
    match asked {
        Some(FileFormat::Csv) => Ok(Csv::new().into()),
        Some(FileFormat::Cqlsh) => Ok(Csv::cqlsh().into()),
        Some(FileFormat::Jsonl) => Ok(JsonLines::new().into()),
        None => Format::of_path(path).ok_or_else(|| {
            Failure::usage(format!("the name of {} says no format. Give --data-format", path.display()))
        }),
    }
}

/// Standard input for `-`, files otherwise.
pub(super) fn input(paths: &[PathBuf]) -> Input {
    match paths {
        [path] if path == Path::new("-") => Input::stdin(),
        paths => Input::files(paths),
    }
}
