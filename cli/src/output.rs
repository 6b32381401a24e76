//! Results go to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, Write};

use clap::ValueEnum;

use crate::failure::{Failure, Status};

/// The format of a summary.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SummaryFormat {
    /// Text
    Human,
    /// One JSON object on one line
    Json,
}

/// Prints a part of the result. A closed pipe is not an error: the reader has read enough.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    check_written(write!(anstream::stdout(), "{text}"))
}

/// Prints a part of a long result. Returns `false` if the reader has closed the pipe, as `head` does.
pub(crate) fn print_if_open(text: impl Display) -> Result<bool, Failure> {
    let result = write!(anstream::stdout(), "{text}");
    let is_open = !matches!(&result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
    check_written(result).map(|()| is_open)
}

/// The result of a write to standard output. A closed pipe is not an error.
pub(crate) fn check_written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Status::Usage, format!("writing to standard output failed: {error}")))
        }
        _ => Ok(()),
    }
}

/// `1 row`, `2 rows`
pub(crate) fn counted<N: Copy + Display + From<u8> + PartialEq>(count: N, noun: &str) -> String {
    format!("{count} {noun}{}", if count == N::from(1) { "" } else { "s" })
}

/// Prints a line to standard error. It is lost if standard error is closed.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

pub(crate) fn print_error(failure: &Failure) {
    note(format_args!("\x1b[1;31merror\x1b[0m: {failure}"));
}
