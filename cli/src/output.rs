//! The answer goes to standard output, all else to standard error.

use std::fmt::Display;
use std::io::{self, Write};

use crate::failure::{Failure, Status};

/// Writes a part of the answer. A reader that closes the pipe has read enough.
pub(crate) fn answer(text: impl Display) -> Result<(), Failure> {
    written(write!(anstream::stdout(), "{text}"))
}

/// Writes a part of a long answer; `false` if nobody reads it any more, as after `| head`.
pub(crate) fn is_read(text: impl Display) -> Result<bool, Failure> {
    let result = write!(anstream::stdout(), "{text}");
    let is_read = !matches!(&result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
    written(result).map(|()| is_read)
}

/// What writing the answer comes to.
pub(crate) fn written(result: io::Result<()>) -> Result<(), Failure> {
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

/// A line for the person at the terminal; lost if standard error is closed.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

pub(crate) fn error(failure: &Failure) {
    note(format_args!("\x1b[1;31merror\x1b[0m: {failure}"));
}
