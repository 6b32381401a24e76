//! Why a local Keyspaces did not start.

use std::error::Error as StdError;
use std::fmt;

/// Why a local Keyspaces did not start, in words that say what to do. What caused it is in
/// [`source`](StdError::source) only.
pub struct Error(Box<ErrorInner>);

struct ErrorInner {
    kind: ErrorKind,
    problem: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting that cannot be.
    Setting,
    /// There is no Cassandra to be had, or the one that is there does not fit.
    Cassandra,
    /// The certificates could not be made or written.
    Certificate,
    /// An address or port could not be listened at.
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

    /// What went wrong.
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
