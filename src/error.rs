mod kind;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub use self::kind::{ErrorCategory, ErrorKind};
use crate::PagingState;

/// The error of every operation. Its text says what was attempted, at which peers and for how long, quotes the server's
/// message word for word, and says what to do.
///
/// `(DG:page)` in an error text or in these docs is a page of the Amazon Keyspaces Developer Guide:
/// `https://docs.aws.amazon.com/keyspaces/latest/devguide/page.html`. `(API:Operation)` is an operation of the API
/// Reference.
///
/// It is the size of one pointer. Programs match on [`kind`](Self::kind); the text is for people and may change. The text is
/// complete without the cause, which is in [`source`](StdError::source).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    attempted: Cow<'static, str>,
    problem: Cow<'static, str>,
    peers: Vec<SocketAddr>,
    elapsed: Option<Duration>,
    attempts: u32,
    /// Why the last attempt failed, if that differs from `kind`.
    reason: Option<ErrorKind>,
    may_have_been_applied: bool,
    retry_after: Option<Duration>,
    server_message: Option<String>,
    advice: Option<Cow<'static, str>>,
    paging_state: Option<PagingState>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The attempts of a call, as its error reports them.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttemptHistory {
    pub(crate) attempts: u32,
    /// The peers of the attempts, each once, ordered by the time of its last attempt.
    pub(crate) peers: Vec<SocketAddr>,
    pub(crate) elapsed: Duration,
    pub(crate) may_have_been_applied: bool,
    /// How long the call would have had to wait for its turn at a throttled table, if it ended because of that.
    pub(crate) retry_after: Option<Duration>,
}

impl AttemptHistory {
    /// Adds a failed attempt.
    pub(crate) fn add(&mut self, peer: SocketAddr, may_have_been_applied: bool) {
        self.attempts += 1;
        self.peers.retain(|known| *known != peer);
        self.peers.push(peer);
        self.may_have_been_applied |= may_have_been_applied;
    }
}

impl Error {
    /// The kind of the error, for programs to match on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Why the last attempt failed. It equals [`kind`](Self::kind), unless the kind is [`Unknown`](ErrorKind::Unknown).
    pub fn reason(&self) -> ErrorKind {
        self.0.reason.unwrap_or(self.0.kind)
    }

    /// The message of the server, or of the provider of credentials, word for word; `None` if there was none.
    pub fn server_message(&self) -> Option<&str> {
        self.0.server_message.as_deref()
    }

    /// What to do about the error, if that is known.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// The address of the last attempt, even if that attempt could not be sent; `None` if no address was tried.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peers.last().copied()
    }

    /// The addresses of all attempts, each once, ordered by the time of its last attempt.
    pub fn peers(&self) -> &[SocketAddr] {
        &self.0.peers
    }

    /// The number of attempts, including those that could not be sent; 0 if the call ended before its first attempt.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The paging state of the page at which a stream failed, if that was not its first page.
    /// [`Select::pages_from`](crate::Select::pages_from) resumes from it: it returns the missing rows, each once.
    pub fn paging_state(&self) -> Option<&PagingState> {
        self.0.paging_state.as_ref()
    }

    /// Whether a table, a partition or a connection had no capacity left. This is also true if the kind is
    /// [`Unknown`](ErrorKind::Unknown) because a throttled write may have been applied.
    pub fn is_throttled(&self) -> bool {
        self.reason() == ErrorKind::Throttled
    }

    /// How long the call would have had to wait for its turn at a throttled table, at the rate at which the table acknowledged
    /// requests at that time. `None` unless the call failed because its turn would have come after its deadline.
    ///
    /// ```no_run
    /// # async fn run(store: keyspaces::Write<(i32,)>) -> Result<(), keyspaces::Error> {
    /// if let Err(error) = store.execute((7,)).await {
    ///     // In an HTTP service: 503 with a header Retry-After.
    ///     let Some(seconds) = error.retry_after().map(|wait| wait.as_secs() + 1) else { return Err(error) };
    ///     println!("Retry-After: {seconds}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the server or every connection was overloaded, for a reason other than a table's capacity. This is also
    /// true if the kind is [`Unknown`](ErrorKind::Unknown) for this reason.
    pub fn is_overloaded(&self) -> bool {
        self.reason() == ErrorKind::Overloaded
    }

    /// Whether the statement may have been applied although the call failed. If `false`, it was not applied.
    pub fn may_have_been_applied(&self) -> bool {
        self.0.may_have_been_applied
    }

    /// Whether the server or this crate refused the call, and will refuse it again: the kinds `Refused`, `Unauthorized`,
    /// `NotReady`, `AlreadyExists`, `TooLarge` and `Value`. Nothing was applied.
    pub fn is_refused(&self) -> bool {
        use ErrorKind::{AlreadyExists, NotReady, Refused, TooLarge, Unauthorized, Value};
        matches!(self.kind(), Refused | Unauthorized | NotReady | AlreadyExists | TooLarge | Value)
    }

    /// The time until the failure, if it was measured.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// Whether `connect()` failed, at any of its stages.
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

    /// Whether a deadline passed. For `connect()` this is `false`: when its deadline passes, the kind is the stage that was in
    /// progress.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// The operation that failed.
    pub(crate) fn attempted(&self) -> &str {
        &self.0.attempted
    }

    /// The reason of the failure, without the operation, the peers, the time and the advice.
    pub(crate) fn problem(&self) -> &str {
        &self.0.problem
    }

    /// Creates an error. An application or library built on this crate can report its own failures in the same form.
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
            peers: Vec::new(),
            elapsed: None,
            attempts: 0,
            reason: None,
            may_have_been_applied: false,
            retry_after: None,
            server_message: None,
            advice: None,
            paging_state: None,
            source: None,
        }))
    }

    pub(crate) fn with_peer(mut self, peer: SocketAddr) -> Self {
        self.0.peers.push(peer);
        self
    }

    pub(crate) fn with_reason(mut self, reason: ErrorKind) -> Self {
        self.0.reason = Some(reason);
        self
    }

    pub(crate) fn with_attempts(mut self, history: AttemptHistory) -> Self {
        self.0.attempts = history.attempts;
        self.0.peers = history.peers;
        self.0.elapsed = Some(history.elapsed);
        self.0.may_have_been_applied = history.may_have_been_applied;
        self.0.retry_after = history.retry_after;
        self
    }

    pub(crate) fn with_paging_state(mut self, state: PagingState) -> Self {
        self.0.paging_state = Some(state);
        self
    }

    pub(crate) fn with_elapsed(mut self, elapsed: Duration) -> Self {
        self.0.elapsed = Some(elapsed);
        self
    }

    /// The message of the server or the provider, as texts quote it after the problem.
    pub(crate) fn quoted_server_message(&self) -> Option<String> {
        let sender = if self.kind() == ErrorKind::Credentials { "provider" } else { "server" };
        self.server_message().map(|message| format!("; the {sender}'s message: \"{message}\""))
    }

    pub(crate) fn with_server_message(mut self, message: impl Into<String>) -> Self {
        self.0.server_message = Some(message.into());
        self
    }

    /// Sets the advice: what to do about the error, as a sentence without the full stop.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    pub(crate) fn with_advice_if(self, advice: Option<impl Into<Cow<'static, str>>>) -> Self {
        match advice {
            Some(advice) => self.with_advice(advice),
            None => self,
        }
    }

    /// Prefixes the operation that failed with the larger operation that it belongs to.
    pub(crate) fn with_context(mut self, context: &str) -> Self {
        self.0.attempted = format!("{context}: {}", self.0.attempted).into();
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
        // A mistake in the statement does not depend on the peer or the time, so neither is printed.
        if !self.is_refused() && inner.kind != ErrorKind::Type {
            for (index, peer) in inner.peers.iter().enumerate() {
                write!(f, "{}{peer}", if index == 0 { " at " } else { ", " })?;
            }
            if let Some(elapsed) = inner.elapsed {
                write!(f, " after {elapsed:.1?}")?;
            }
            if inner.attempts > 1 {
                write!(f, " and {} attempts", inner.attempts)?;
            }
        }
        write!(f, ": {}", inner.problem)?;
        if let Some(message) = self.quoted_server_message() {
            f.write_str(&message)?;
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
    fn error_text_gives_operation_peer_duration_server_message_and_advice() {
        let error = Error::new(
            ErrorKind::Authentication,
            "connecting to cassandra.us-east-1.amazonaws.com:9142",
            "the signature was refused",
        )
        .with_peer(([127, 0, 0, 1], 9142).into())
        .with_elapsed(Duration::from_millis(12))
        .with_server_message("Authentication failure: Invalid signature")
        .with_advice("Check the region and this machine's clock");
        assert_eq!(
            error.to_string(),
            "connecting to cassandra.us-east-1.amazonaws.com:9142 failed at 127.0.0.1:9142 after 12.0ms: the \
             signature was refused; the server's message: \"Authentication failure: Invalid signature\". Check the \
             region and this machine's clock"
        );
        assert!(error.is_connect());
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
