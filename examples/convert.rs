//! Makes a schema of Cassandra or ScyllaDB into one of Keyspaces.
//!
//! `cargo run --example convert -- schema.cql …` prints the statements that Keyspaces takes to its standard output, and
//! `path:line:column: left out: …`, `replaced: …`, `added: …` or `to decide: …` to its standard error, one line for each
//! thing that is not as it was. The exit code is 1 if something is to be decided, 2 if a file cannot be read. It needs no
//! service, not even a local one.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use keyspaces::convert::{Action, convert};

#[derive(Parser)]
#[command(about = "Make schemas of Cassandra or ScyllaDB into schemas of Amazon Keyspaces")]
struct Arguments {
    /// Files of CQL, in UTF-8
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let codes: Vec<u8> = Arguments::parse().files.iter().map(|path| report(path)).collect();
    ExitCode::from(codes.into_iter().max().unwrap_or_default())
}

/// Prints what becomes of one file, and gives the exit code for it.
fn report(path: &Path) -> u8 {
    let (mut output, mut errors) = (io::stdout().lock(), io::stderr().lock());
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let _ = writeln!(errors, "{}: {error}", path.display());
            return 2;
        }
    };
    let conversion = convert(&text);
    // Whoever closes the pipe has read enough.
    let _ = write!(output, "{conversion}");
    for finding in &conversion.findings {
        let (line, column) = (finding.position.line, finding.position.column);
        let _ = writeln!(errors, "{}:{line}:{column}: {finding}", path.display());
    }
    u8::from(conversion.findings.iter().any(|finding| finding.action == Action::Decide))
}
