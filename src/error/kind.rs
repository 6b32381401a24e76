use std::fmt;

/// The kind of an [`Error`](crate::Error). Programs match on it, and services derive their response from it.
///
/// The first six kinds are the stages of connecting, in order.
///
#[doc = include_str!("kinds.md")]
///
/// The status of `Unknown` is 500 and not 503, because many HTTP clients retry automatically after a 503, which could
/// apply a statement twice.
///
/// ```
/// use std::time::Duration;
///
/// use keyspaces::{Error, ErrorKind};
///
/// /// Status and Retry-After, in seconds.
/// fn answer(error: &Error) -> (u16, Option<u64>) {
///     let wait = error.retry_after().or(error.kind().is_retryable().then_some(Duration::from_secs(1)));
///     (error.kind().http_status(), wait.map(|wait| wait.as_secs().max(1)))
/// }
///
/// let too_long = Error::new(ErrorKind::Value, "INSERT INTO shop.names", "the name is longer than 100 letters");
/// assert_eq!(answer(&too_long), (400, None));
/// let throttled = Error::new(ErrorKind::Throttled, "INSERT INTO shop.names", "throttled");
/// assert_eq!(answer(&throttled), (503, Some(1)));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The endpoint's name has no address, or it was not resolved in time.
    Resolve,
    /// `connect()` could not open a connection: TCP was refused or not answered, the address is unreachable, or the
    /// peer does not speak CQL.
    Connect,
    /// TLS failed: the certificate has another name, has an unknown issuer or has expired, or the peer does not speak
    /// TLS.
    Tls,
    /// There are no credentials, or their provider failed. Nothing was sent.
    Credentials,
    /// The server refused the credentials, or did not answer the authentication.
    Authentication,
    /// The connection is authenticated, but the list of peers could not be read or is unusable.
    Topology,
    /// A setting is invalid or missing, such as the Region. Nothing was sent.
    Configuration,
    /// A file could not be read or written; the text contains the operating system's message.
    File,
    /// A value is invalid: a TTL of 21 years, an empty device id, a range that ends before it begins. Nothing was sent.
    Value,
    /// A limit of the service is exceeded: a row of more than 1 MB, a partition key of more than 2,048 bytes, a batch with
    /// too many statements.
    TooLarge,
    /// A paging state or the progress of a scan was truncated or altered, or belongs to another statement or other
    /// values.
    Cursor,
    /// The object to be created already exists.
    AlreadyExists,
    /// The statement is refused, by a rule of Keyspaces before sending or by the server, and will be refused again.
    Refused,
    /// The session's identity has no permission.
    Unauthorized,
    /// A Rust type does not fit: a value does not fit its bind marker, a row does not fit the row type, or there is more than
    /// one row where one is expected.
    Type,
    /// The table or keyspace does not exist, or is still being created. The service returns the same error for both
    /// (DG:troubleshooting.cql).
    NotReady,
    /// A table, a partition or a connection has no capacity left.
    Throttled,
    /// The server is overloaded for another reason than a table's capacity, or every connection has its maximum number of
    /// requests in flight.
    Overloaded,
    /// There was no connection to a peer. Nothing was sent.
    NoConnection,
    /// The connection broke before the answer arrived.
    ConnectionLost,
    /// No answer in time, or the deadline passed.
    Timeout,
    /// The server failed, or its answer was unexpected.
    Server,
    /// The session was closed.
    Closed,
    /// The statement may or may not have been applied, and a second execution could apply it twice.
    /// [`Error::reason`](crate::Error::reason) says why the last attempt failed.
    Unknown,
}

/// The categories of [error kinds](ErrorKind), by who has to act.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorCategory {
    /// The caller's data is wrong: the same call fails again, a call with other data may succeed.
    Caller,
    /// The program or its settings are wrong and have to be changed.
    Program,
    /// The call is correct, but cannot be served now.
    Unavailable,
    /// The outcome is unknown: read the current data before deciding.
    Unknown,
}

impl ErrorKind {
    /// All kinds, in the order of the table.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 24] = [
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Credentials,
        Self::Authentication,
        Self::Topology,
        Self::Configuration,
        Self::File,
        Self::Value,
        Self::TooLarge,
        Self::Cursor,
        Self::AlreadyExists,
        Self::Refused,
        Self::Unauthorized,
        Self::Type,
        Self::NotReady,
        Self::Throttled,
        Self::Overloaded,
        Self::NoConnection,
        Self::ConnectionLost,
        Self::Timeout,
        Self::Server,
        Self::Closed,
        Self::Unknown,
    ];

    /// Who has to act.
    pub const fn category(self) -> ErrorCategory {
        match self {
            Self::Value | Self::TooLarge | Self::Cursor | Self::AlreadyExists => ErrorCategory::Caller,
            Self::Configuration
            | Self::File
            | Self::Refused
            | Self::Unauthorized
            | Self::Type
            | Self::Tls
            | Self::Credentials
            | Self::Authentication => ErrorCategory::Program,
            Self::Resolve
            | Self::Connect
            | Self::Topology
            | Self::NotReady
            | Self::Throttled
            | Self::Overloaded
            | Self::NoConnection
            | Self::ConnectionLost
            | Self::Timeout
            | Self::Server
            | Self::Closed => ErrorCategory::Unavailable,
            Self::Unknown => ErrorCategory::Unknown,
        }
    }

    /// The HTTP status for a response, as in the table.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::AlreadyExists => 409,
            Self::Server => 502,
            Self::Timeout => 504,
            _ => match self.category() {
                ErrorCategory::Caller => 400,
                ErrorCategory::Program | ErrorCategory::Unknown => 500,
                ErrorCategory::Unavailable => 503,
            },
        }
    }

    /// Whether the same call may succeed a little later, and can safely be repeated.
    pub const fn is_retryable(self) -> bool {
        self.is_transient() || matches!(self, Self::Resolve | Self::Connect | Self::Topology | Self::NotReady)
    }

    /// Whether an attempt that failed with this kind may succeed if the session retries it.
    pub(crate) const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Throttled
                | Self::Overloaded
                | Self::NoConnection
                | Self::ConnectionLost
                | Self::Timeout
                | Self::Server
        )
    }

    /// The value of `error.type` in spans and metrics: `connection_lost`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Credentials => "credentials",
            Self::Authentication => "authentication",
            Self::Topology => "topology",
            Self::Configuration => "configuration",
            Self::File => "file",
            Self::Value => "value",
            Self::TooLarge => "too_large",
            Self::Cursor => "cursor",
            Self::AlreadyExists => "already_exists",
            Self::Refused => "refused",
            Self::Unauthorized => "unauthorized",
            Self::Type => "type",
            Self::NotReady => "not_ready",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
            Self::NoConnection => "no_connection",
            Self::ConnectionLost => "connection_lost",
            Self::Timeout => "timeout",
            Self::Server => "server",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn documented_table_matches_the_code() {
        let rows: Vec<String> = ErrorKind::ALL
            .into_iter()
            .map(|kind| {
                let acts = match kind.category() {
                    ErrorCategory::Caller => "the caller",
                    ErrorCategory::Program => "the program's authors",
                    ErrorCategory::Unavailable => "nobody: unavailable for now",
                    ErrorCategory::Unknown => "the program: it reads the current state",
                };
                let again = if kind.is_retryable() { "later" } else { "no" };
                format!("| [`{kind:?}`](ErrorKind::{kind:?}) | {acts} | {} | {again} |", kind.http_status())
            })
            .collect();
        let table: Vec<&str> = include_str!("kinds.md").lines().skip(2).collect();
        assert_eq!(table, rows);
    }

    #[test]
    fn every_error_kind_has_a_unique_name_and_its_index_in_the_list() {
        let names: HashSet<&str> = ErrorKind::ALL.into_iter().map(ErrorKind::as_str).collect();
        assert_eq!(names.len(), ErrorKind::ALL.len());
        for (index, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
        assert_eq!(ErrorKind::ALL.len(), ErrorKind::Unknown as usize + 1, "Unknown is the last");
    }

    #[test]
    fn retryable_kinds_are_unavailable_and_transient_kinds_are_retryable() {
        for kind in ErrorKind::ALL {
            assert!(!kind.is_retryable() || kind.category() == ErrorCategory::Unavailable, "{kind:?}");
            assert!(!kind.is_transient() || kind.is_retryable(), "{kind:?}");
        }
    }
}
