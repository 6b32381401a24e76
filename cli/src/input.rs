//! CQL files that a command reads.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use keyspaces::schema::Definitions;

use crate::failure::{Failure, Status};
use crate::output;

/// The name that stands for standard input.
const STDIN: &str = "-";

/// A text, and its name in findings.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// Reads the files. Prints an error for each that cannot be read, and returns the highest status of those errors.
    pub(crate) fn read_all(paths: &[PathBuf]) -> (Vec<Self>, Status) {
        let mut status = Status::Success;
        let mut sources = Vec::new();
        for path in paths {
            match Self::read(path) {
                Ok(source) => sources.push(source),
                Err(failure) => {
                    output::print_error(&failure);
                    status = status.max(failure.status());
                }
            }
        }
        (sources, status)
    }

    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let failure = |error: io::Error| Failure::usage(format!("reading {name} failed: {error}"));
        if name == STDIN {
            let mut text = String::new();
            io::stdin().lock().read_to_string(&mut text).map_err(failure)?;
            return Ok(Self { name: "<stdin>".to_owned(), text });
        }
        let text = std::fs::read_to_string(path).map_err(failure)?;
        Ok(Self { name, text })
    }
}

/// The definitions in all CREATE statements of the files.
pub(crate) fn definitions(paths: &[PathBuf]) -> Result<Definitions, Failure> {
    let mut all = Definitions::new();
    for path in paths {
        let source = Source::read(path)?;
        let definitions = Definitions::parse(&source.text)
            .map_err(|error| Failure::usage(format!("reading {} failed: {error}", source.name)))?;
        all.keyspaces.extend(definitions.keyspaces);
        all.types.extend(definitions.types);
        all.tables.extend(definitions.tables);
    }
    Ok(all)
}
