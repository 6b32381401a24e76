use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What went wrong, told as a story: what was attempted, where, for how long, what the other side said word for
/// word, and what to do.
///
/// One pointer wide. [`kind`](Self::kind) is what a program matches on; the text is for people and may change. It is
/// whole without the cause, which is in [`source`](StdError::source) for programs that look further.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    attempted: Cow<'static, str>,
    problem: Cow<'static, str>,
    peer: Option<SocketAddr>,
    elapsed: Option<Duration>,
    said: Option<String>,
    advice: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`]. The first six are the stages of connecting, in their order.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The endpoint's name has no address, or the look-up did not end in time.
    Resolve,
    /// No connection: TCP refused, unreachable or silent, or what answered does not speak CQL.
    Connect,
    /// TLS failed, or what answered does not speak it: wrong name, unknown issuer, expired, plain text.
    Tls,
    /// There are no credentials to answer with, or their provider failed. Nothing was sent.
    Credentials,
    /// The server refused who we are, or did not answer to it.
    Authentication,
    /// Connected and authenticated, but no usable picture of the peers came of it.
    Topology,
    /// What was asked for cannot be: found before anything was sent.
    Configuration,
    /// Refused, by a rule of Keyspaces before sending or by the server, and refused again if repeated.
    Refused,
    /// The server had no capacity for it.
    Throttled,
    /// The answer was lost: the statement may or may not have been applied.
    Unknown,
    /// The deadline passed.
    Timeout,
    /// A row or value does not have the type that was asked for.
    Type,
    /// The session was closed.
    Closed,
    /// The server failed, or answered what nobody expects.
    Server,
}

impl Error {
    /// What a program may match on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the other side said, word for word, if it said anything.
    pub fn said(&self) -> Option<&str> {
        self.0.said.as_deref()
    }

    /// What to do about it, if that is known.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// The address that was talked to, if it came that far.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// How long it took to fail, where that was measured.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// Whether `connect()` failed on the way to a session, at whichever stage.
    pub fn is_connect(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Resolve
                | ErrorKind::Connect
                | ErrorKind::Tls
                | ErrorKind::Credentials
                | ErrorKind::Authentication
                | ErrorKind::Topology
        )
    }

    /// Whether a deadline passed. Of `connect()` it is not: when its deadline passes, the kind is the stage that it waited
    /// at.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// What was going on when it failed.
    pub(crate) fn attempted(&self) -> &str {
        &self.0.attempted
    }

    /// What is wrong, without where, when and what to do.
    pub(crate) fn problem(&self) -> &str {
        &self.0.problem
    }

    /// An error of one's own: a table built on this crate tells what it refuses in the same words as this crate.
    ///
    /// ```
    /// use keyspaces::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Configuration, "INSERT INTO shop.names", "the name is empty")
    ///     .with_advice("Give the name that is to be stored");
    /// assert_eq!(
    ///     error.to_string(),
    ///     "INSERT INTO shop.names failed: the name is empty. Give the name that is to be stored"
    /// );
    /// ```
    pub fn new(
        kind: ErrorKind,
        attempted: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            attempted: attempted.into(),
            problem: problem.into(),
            peer: None,
            elapsed: None,
            said: None,
            advice: None,
            source: None,
        }))
    }

    pub(crate) fn with_peer(mut self, peer: SocketAddr) -> Self {
        self.0.peer = Some(peer);
        self
    }

    pub(crate) fn with_elapsed(mut self, elapsed: Duration) -> Self {
        self.0.elapsed = Some(elapsed);
        self
    }

    pub(crate) fn with_said(mut self, said: impl Into<String>) -> Self {
        self.0.said = Some(said.into());
        self
    }

    /// The same error with what to do about it: a sentence without its full stop.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "{} failed", inner.attempted)?;
        if let Some(peer) = inner.peer {
            write!(f, " at {peer}")?;
        }
        if let Some(elapsed) = inner.elapsed {
            write!(f, " after {elapsed:.1?}")?;
        }
        write!(f, ": {}", inner.problem)?;
        if let Some(said) = &inner.said {
            write!(f, "; the other side said: \"{said}\"")?;
        }
        if let Some(advice) = &inner.advice {
            write!(f, ". {advice}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("text", &self.to_string())
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_what_was_attempted_where_how_long_what_was_said_and_what_to_do() {
        let error = Error::new(
            ErrorKind::Authentication,
            "connecting to cassandra.us-east-1.amazonaws.com:9142",
            "the signature was refused",
        )
        .with_peer(([127, 0, 0, 1], 9142).into())
        .with_elapsed(Duration::from_millis(12))
        .with_said("Authentication failure: Invalid signature")
        .with_advice("Check the region and this machine's clock");
        assert_eq!(
            error.to_string(),
            "connecting to cassandra.us-east-1.amazonaws.com:9142 failed at 127.0.0.1:9142 after 12.0ms: the \
             signature was refused; the other side said: \"Authentication failure: Invalid signature\". Check the \
             region and this machine's clock"
        );
        assert!(error.is_connect());
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
