//! Helpers for programs that start a local Keyspaces: files for processes that wait for it, and the shutdown signal.

use std::future::pending;
use std::io::{self, Write};
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for Ctrl-C, SIGTERM or SIGHUP.
///
/// Signals are received from the first poll on, so a program should create one future at its start and await it until
/// its end.
pub async fn shutdown_signal() {
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

/// Writes a text and a line break to a file atomically. Only the owner may read it, because a
/// [ready file](crate::Ready) contains secrets.
///
/// # Errors
///
/// The error of the operating system.
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

/// Removes a file, if it exists.
///
/// # Errors
///
/// The error of the operating system.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
