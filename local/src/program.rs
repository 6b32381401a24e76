//! What a program that starts a local Keyspaces for others does beside it: files for those who wait for it, and its end by a
//! signal.

use std::future::pending;
use std::io::{self, Write};
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

/// Ctrl-C, SIGTERM, or the terminal's end.
///
/// Signals count from the first poll on, so one future is awaited from the start to the end of a program.
pub async fn asked_to_end() {
    let received = async |kind| match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => pending().await,
    };
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
        () = received(SignalKind::hangup()) => {}
    }
}

/// Writes a text and a line's end to a file, which is there with all of it or not at all. Only its owner may read it: a
/// [ready file](crate::Ready) has secrets.
///
/// # Errors
///
/// What the system says.
pub fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{text}")?;
    file.persist(path)?;
    Ok(())
}

/// Removes a file, if it is there.
///
/// # Errors
///
/// What the system says.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
