//! Files of CQL that a verb reads.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use keyspaces::schema::Definitions;

use crate::failure::{Failure, Status};
use crate::output;

/// The name that stands for standard input.
const STDIN: &str = "-";

/// A text and the name that findings give it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// The files that can be read, and the status that the others come to, after saying which and why.
    pub(crate) fn read_all(paths: &[PathBuf]) -> (Vec<Self>, Status) {
        let mut status = Status::Done;
        let mut sources = Vec::new();
        for path in paths {
            match Self::read(path) {
                Ok(source) => sources.push(source),
                Err(failure) => {
                    output::error(&failure);
                    status = status.max(failure.status());
                }
            }
        }
        (sources, status)
    }

    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let wrong = |error: io::Error| Failure::usage(format!("reading {name} failed: {error}"));
        if name == STDIN {
            let mut text = String::new();
            io::stdin().lock().read_to_string(&mut text).map_err(wrong)?;
            return Ok(Self { name: "<stdin>".to_owned(), text });
        }
        let text = std::fs::read_to_string(path).map_err(wrong)?;
        Ok(Self { name, text })
    }
}

/// The CREATE statements of some files, together.
pub(crate) fn definitions(paths: &[PathBuf]) -> Result<Definitions, Failure> {
    let mut all = Definitions::new();
    for path in paths {
        let source = Source::read(path)?;
        let one = Definitions::parse(&source.text)
            .map_err(|error| Failure::usage(format!("reading {} failed: {error}", source.name)))?;
        all.keyspaces.extend(one.keyspaces);
        all.types.extend(one.types);
        all.tables.extend(one.tables);
    }
    Ok(all)
}
