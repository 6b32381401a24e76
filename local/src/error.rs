//! Errors of a local Keyspaces.

use std::error::Error as StdError;
use std::fmt;

/// An error of starting or controlling a local Keyspaces. Its text says what to do; the cause is only in
/// [`source`](StdError::source).
pub struct Error(Box<ErrorInner>);

struct ErrorInner {
    kind: ErrorKind,
    problem: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kind of an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is not valid.
    Setting,
    /// No Cassandra could be found or started, or the one found cannot be used.
    Cassandra,
    /// The certificates could not be generated or written.
    Certificate,
    /// Listening on an address or port failed.
    Listen,
    /// The gateway could not set up its tables in Cassandra.
    Gateway,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, problem: impl Into<String>) -> Self {
        Self(Box::new(ErrorInner { kind, problem: problem.into(), source: None }))
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.problem)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("problem", &self.0.problem)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
