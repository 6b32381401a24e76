//! Tells all that is wrong with files of CQL: what Keyspaces refuses, what AWS advises against, what is no CQL.
//!
//! `cargo run --example lint -- schema.cql …` prints `path:line:column: error[rule]: …` or `warning[…]`, one line for each
//! finding. The exit code is 1 if there are errors, 2 if a file cannot be read. It needs no service, not even a local one.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use keyspaces::lint::{Severity, lint};

#[derive(Parser)]
#[command(about = "Tell what Amazon Keyspaces refuses, and what AWS advises against, in files of CQL")]
struct Arguments {
    /// Files of CQL, in UTF-8
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let mut output = BufWriter::new(io::stdout().lock());
    let codes: Vec<u8> = Arguments::parse().files.iter().map(|path| report(path, &mut output)).collect();
    // Whoever closes the pipe has read enough.
    let _ = output.flush();
    ExitCode::from(codes.into_iter().max().unwrap_or_default())
}

/// Prints what is wrong with one file, and gives the exit code for it.
fn report(path: &Path, output: &mut impl Write) -> u8 {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}: {error}", path.display());
            return 2;
        }
    };
    let findings = lint(&text);
    for finding in &findings {
        let (line, column) = (finding.position.line, finding.position.column);
        let _ = writeln!(output, "{}:{line}:{column}: {finding}", path.display());
    }
    u8::from(findings.iter().any(|finding| finding.severity == Severity::Error))
}
