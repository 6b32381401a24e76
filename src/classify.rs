//! Every error that the driver or the server can give for a statement, sorted in this one place.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error as StdError;

use keyspaces_cql::rules;
use scylla::errors::{ConnectionPoolError, DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::error::AttemptHistory;
use crate::statement::by_rule_in_words;
use crate::{Error, ErrorKind};

/// Why an attempt failed, or why none was made.
#[derive(Debug)]
pub(crate) struct AttemptFailure {
    pub(crate) kind: ErrorKind,
    /// Surely nothing was sent.
    pub(crate) not_sent: bool,
    /// Says nothing for a statement that reads.
    pub(crate) may_have_been_applied: bool,
    problem: Cow<'static, str>,
    server_message: Option<String>,
    advice: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl AttemptFailure {
    pub(crate) fn new(kind: ErrorKind, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            not_sent: false,
            may_have_been_applied: false,
            problem: problem.into(),
            server_message: None,
            advice: None,
            source: None,
        }
    }

    /// Whether it was applied is not known.
    fn perhaps_applied(mut self) -> Self {
        self.may_have_been_applied = true;
        self
    }

    fn not_applied(mut self) -> Self {
        self.may_have_been_applied = false;
        self
    }

    fn not_sent(mut self) -> Self {
        self.not_sent = true;
        self
    }

    pub(crate) fn with_advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The error of a call that ends with this failure; the only way to one. `ending` says why there was no other attempt,
    /// where that is not plain. If the statement is not `is_idempotent`, a lost answer leaves the outcome unknown.
    pub(crate) fn into_error(
        self,
        attempted: &str,
        is_idempotent: bool,
        ending: Option<&'static str>,
        history: AttemptHistory,
    ) -> Error {
        let mut problem = self.problem;
        if let Some(ending) = ending {
            problem = format!("{problem}; {ending}").into();
        }
        let unknown = history.may_have_been_applied && !is_idempotent;
        if unknown {
            let again = if history.attempts > 1 { "again " } else { "" };
            problem = format!(
                "{problem}; whether it was applied is not known, and it was not repeated {again}because that could apply it \
                 twice"
            )
            .into();
        }
        let kind = if unknown { ErrorKind::Unknown } else { self.kind };
        let mut error = Error::new(kind, attempted.to_owned(), problem).with_reason(self.kind).with_attempts(history);
        if let Some(message) = self.server_message {
            error = error.with_server_message(message);
        }
        if let Some(advice) = self.advice {
            error = error.with_advice(advice);
        }
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

/// What a failed attempt means.
pub(crate) fn execution(error: ExecutionError) -> AttemptFailure {
    // Do not remove this lint, nor those below: a variant that the driver adds must be sorted by a person.
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        ExecutionError::LastAttemptError(attempt) => attempt_error(attempt),
        ExecutionError::RequestTimeout(after) => {
            AttemptFailure::new(ErrorKind::Timeout, format!("no answer within {after:?}")).perhaps_applied()
        }
        ExecutionError::BadQuery(error) => {
            AttemptFailure::new(ErrorKind::Type, "the values do not fit the statement").with_source(error)
        }
        ExecutionError::PrepareError(error) => prepare_error(error),
        ExecutionError::ConnectionPoolError(error) => no_connection(error),
        ExecutionError::EmptyPlan => {
            AttemptFailure::new(ErrorKind::NoConnection, "no peer is connected").not_sent().with_advice(GOES_ON)
        }
        ExecutionError::UseKeyspaceError(error) => {
            AttemptFailure::new(ErrorKind::Server, "USE failed").with_source(error)
        }
        ExecutionError::SchemaAgreementError(error) => {
            AttemptFailure::new(ErrorKind::Server, "the nodes did not agree on the schema").with_source(error)
        }
        ExecutionError::MetadataError(error) => {
            AttemptFailure::new(ErrorKind::Server, "the peers could not be read").with_source(error)
        }
        error => AttemptFailure::new(ErrorKind::Server, error.to_string()).with_source(error).perhaps_applied(),
    }
}

/// What a failed `prepare` means. Nothing was executed.
pub(crate) fn prepare(attempted: &str, error: PrepareError) -> Error {
    prepare_error(error).into_error(attempted, true, None, AttemptHistory::default())
}

/// Whether the same statement may be prepared if it is tried again a little later.
pub(crate) fn is_transient_prepare_error(error: &PrepareError) -> bool {
    prepare_error(error.clone()).kind.is_transient()
}

fn prepare_error(error: PrepareError) -> AttemptFailure {
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        PrepareError::ConnectionPoolError(error) => no_connection(error),
        PrepareError::AllAttemptsFailed { first_attempt } => attempt_error(first_attempt).not_applied(),
        PrepareError::PreparedStatementIdsMismatch => {
            AttemptFailure::new(ErrorKind::Server, "the peers gave different ids for the same statement")
        }
        error => AttemptFailure::new(ErrorKind::Server, error.to_string()).with_source(error),
    }
}

fn attempt_error(error: RequestAttemptError) -> AttemptFailure {
    let internal = |problem: String| AttemptFailure::new(ErrorKind::Server, problem).perhaps_applied();
    let unreadable = || internal("the answer could not be read".into());
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        RequestAttemptError::DbError(code, said) => {
            let mut failure = server_error(&code, &said);
            failure.server_message = Some(said);
            failure
        }
        RequestAttemptError::SerializationError(error) => {
            AttemptFailure::new(ErrorKind::Type, "the values do not fit the statement").with_source(error)
        }
        RequestAttemptError::CqlRequestSerialization(error) => {
            AttemptFailure::new(ErrorKind::Type, "the request cannot be written as a frame").with_source(error)
        }
        RequestAttemptError::UnableToAllocStreamId => {
            AttemptFailure::new(ErrorKind::Overloaded, "all stream ids of the connection are in use; nothing was sent")
                .not_sent()
        }
        // The driver says the same for a request lost before it was sent and after.
        RequestAttemptError::BrokenConnectionError(error) => {
            AttemptFailure::new(ErrorKind::ConnectionLost, "the connection broke before the answer")
                .with_source(error)
                .perhaps_applied()
        }
        RequestAttemptError::UnexpectedResponse(kind) => internal(format!("the answer is a {kind} frame")),
        RequestAttemptError::NonfinishedPagingState => {
            internal("the answer has further pages although none were asked for".into())
        }
        RequestAttemptError::BodyExtensionsParseError(error) => unreadable().with_source(error),
        RequestAttemptError::CqlResultParseError(error) => unreadable().with_source(error),
        RequestAttemptError::CqlErrorParseError(error) => unreadable().with_source(error),
        RequestAttemptError::RepreparedIdChanged { .. } | RequestAttemptError::RepreparedIdMissingInBatch => {
            internal("the statement got another id when it was prepared again; nothing was executed".into())
                .not_applied()
        }
        error => internal(error.to_string()).with_source(error),
    }
}

fn server_error(code: &DbError, said: &str) -> AttemptFailure {
    let failed = |problem: &'static str| AttemptFailure::new(ErrorKind::Server, problem);
    let refused = |problem: &'static str| AttemptFailure::new(ErrorKind::Refused, problem);
    #[deny(clippy::wildcard_enum_match_arm)]
    match code {
        // Keyspaces says "throttled" in these words and in no others (DG:troubleshooting.serverless).
        DbError::WriteTimeout { received: 0, .. } => throttled().perhaps_applied(),
        DbError::ReadTimeout { received: 0, .. } => throttled(),
        DbError::WriteTimeout { .. } => {
            AttemptFailure::new(ErrorKind::Timeout, "timed out on the server").perhaps_applied()
        }
        DbError::ReadTimeout { .. } => AttemptFailure::new(ErrorKind::Timeout, "timed out on the server"),
        DbError::WriteFailure { .. } => failed("failed on the server").perhaps_applied(),
        DbError::ReadFailure { .. } => failed("failed on the server"),
        // Cassandra can say so when part of the replicas have been written.
        DbError::Overloaded | DbError::RateLimitReached { .. } => {
            AttemptFailure::new(ErrorKind::Overloaded, "the server is overloaded").perhaps_applied()
        }
        DbError::Unavailable { .. } | DbError::IsBootstrapping => {
            AttemptFailure::new(ErrorKind::Overloaded, "the server is not available")
        }
        DbError::AuthenticationError => {
            AttemptFailure::new(ErrorKind::Authentication, "the server refused the credentials")
        }
        DbError::Unauthorized => AttemptFailure::new(ErrorKind::Unauthorized, "not permitted").with_advice(
            "The IAM policy needs cassandra:Select or cassandra:Modify on the table, and cassandra:Select on \
             /keyspace/system*",
        ),
        DbError::SyntaxError => refused("a syntax error"),
        DbError::Invalid if is_of_what_is_missing(said) => {
            AttemptFailure::new(ErrorKind::NotReady, "refused by the server")
        }
        DbError::Invalid => match rules::with_server_message(said) {
            Some(rule) if *rule == rules::ROW_TOO_LARGE || *rule == rules::PARTITION_KEY_TOO_LARGE => {
                AttemptFailure::new(ErrorKind::TooLarge, "refused by the server").with_advice(by_rule_in_words(rule).1)
            }
            Some(rule) => refused("refused by the server").with_advice(by_rule_in_words(rule).1),
            None if is_of_a_marker_in_a_collection(said) => refused("refused by the server").with_advice(
                "Bind the whole collection to one marker, as in SET m = m + ? with a map of what is added",
            ),
            None => refused("refused by the server"),
        },
        DbError::ConfigError => refused("refused by the server's configuration"),
        DbError::AlreadyExists { .. } => AttemptFailure::new(ErrorKind::AlreadyExists, "it exists already"),
        DbError::FunctionFailure { .. } => refused("a function failed"),
        DbError::TruncateError => failed("truncating failed").perhaps_applied(),
        DbError::Unprepared { .. } => failed("the server forgot the prepared statement twice"),
        DbError::ServerError => failed("an internal error of the server").perhaps_applied(),
        DbError::ProtocolError => failed("the server calls it a protocol error"),
        DbError::Other(code) => {
            AttemptFailure::new(ErrorKind::Server, format!("the server answered with error code {code:#06x}"))
                .perhaps_applied()
        }
        _ => failed("an error this version does not know").perhaps_applied(),
    }
}

/// Whether it is about a bind marker within a collection, in the words of Cassandra since 4.0: of a value, and of what is added
/// to a collection or taken from it.
fn is_of_a_marker_in_a_collection(said: &str) -> bool {
    said.ends_with("bind variables are not supported inside collection literals")
        || said.starts_with("Value for a ") && said.split_once("but was: '").is_some_and(|(_, was)| was.contains('?'))
}

/// Whether a table or keyspace is not there, in the service's words (DG:troubleshooting.cql) or in those of Cassandra
/// since 4.0.
fn is_of_what_is_missing(said: &str) -> bool {
    let is_object = said.starts_with("table ") || said.starts_with("keyspace ");
    said.starts_with("unconfigured ") || is_object && said.ends_with(" does not exist")
}

fn throttled() -> AttemptFailure {
    AttemptFailure::new(ErrorKind::Throttled, "throttled").with_advice(
        "CloudWatch says why, in AWS/Cassandra: WriteThrottleEvents or ReadThrottleEvents, and \
         StoragePartitionThroughputCapacityExceeded (a hot partition) or PerConnectionRequestRateExceeded (more \
         connections are needed) beside them",
    )
}

const GOES_ON: &str = "The session goes on connecting; Builder::diagnose() says which stage fails";

fn no_connection(error: ConnectionPoolError) -> AttemptFailure {
    AttemptFailure::new(ErrorKind::NoConnection, format!("no connection to send it on ({error})"))
        .not_sent()
        .with_advice(GOES_ON)
        .with_source(error)
}
