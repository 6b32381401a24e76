//! Classifies the errors of attempts and of preparing: assigns an `ErrorKind` to each error of the driver and the
//! server. No other module does this.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error as StdError;

use keyspaces_cql::rules;
use scylla::errors::{ConnectionPoolError, DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::error::AttemptHistory;
use crate::statement::rule_problem_and_advice;
use crate::{Error, ErrorKind};

/// Why an attempt failed, or why none was made.
#[derive(Debug)]
pub(crate) struct AttemptFailure {
    pub(crate) kind: ErrorKind,
    /// Whether it is certain that nothing was sent.
    pub(crate) not_sent: bool,
    /// Whether a write may have been applied. It has no meaning for a read.
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

    fn maybe_applied(mut self) -> Self {
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

    /// Converts the failure into the error of the call that it ends. `explanation` says why there was no further attempt, if
    /// that is not obvious. If the statement is not idempotent and may have been applied, the kind is
    /// [`Unknown`](ErrorKind::Unknown).
    pub(crate) fn into_error(
        self,
        attempted: &str,
        is_idempotent: bool,
        explanation: Option<&'static str>,
        history: AttemptHistory,
    ) -> Error {
        let mut problem = self.problem;
        if let Some(explanation) = explanation {
            problem = format!("{problem}; {explanation}").into();
        }
        let is_unknown = history.may_have_been_applied && !is_idempotent;
        if is_unknown {
            problem = format!(
                "{problem}; it is not known whether it was applied, and it was not sent again because that could apply it \
                 twice"
            )
            .into();
        }
        let kind = if is_unknown { ErrorKind::Unknown } else { self.kind };
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

/// Classifies the error of an attempt.
pub(crate) fn execution_failure(error: ExecutionError) -> AttemptFailure {
    // Do not remove this lint or those below: when the driver adds a variant, somebody has to choose its kind.
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        ExecutionError::LastAttemptError(attempt) => attempt_failure(attempt),
        ExecutionError::RequestTimeout(after) => {
            AttemptFailure::new(ErrorKind::Timeout, format!("no answer within {after:?}")).maybe_applied()
        }
        ExecutionError::BadQuery(error) => {
            AttemptFailure::new(ErrorKind::Type, "the values do not fit the statement").with_source(error)
        }
        ExecutionError::PrepareError(error) => prepare_failure(error),
        ExecutionError::ConnectionPoolError(error) => no_connection(error),
        ExecutionError::EmptyPlan => {
            AttemptFailure::new(ErrorKind::NoConnection, "no peer is connected").not_sent().with_advice(RECONNECTING)
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
        error => AttemptFailure::new(ErrorKind::Server, error.to_string()).with_source(error).maybe_applied(),
    }
}

/// The error of a call whose statement could not be prepared. Nothing was executed.
pub(crate) fn prepare_error(attempted: &str, error: PrepareError) -> Error {
    prepare_failure(error).into_error(attempted, true, None, AttemptHistory::default())
}

/// Whether preparing the same statement may succeed a little later.
pub(crate) fn is_transient_prepare_error(error: &PrepareError) -> bool {
    prepare_failure(error.clone()).kind.is_transient()
}

fn prepare_failure(error: PrepareError) -> AttemptFailure {
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        PrepareError::ConnectionPoolError(error) => no_connection(error),
        PrepareError::AllAttemptsFailed { first_attempt } => attempt_failure(first_attempt).not_applied(),
        PrepareError::PreparedStatementIdsMismatch => {
            AttemptFailure::new(ErrorKind::Server, "the peers gave different ids for the same statement")
        }
        error => AttemptFailure::new(ErrorKind::Server, error.to_string()).with_source(error),
    }
}

fn attempt_failure(error: RequestAttemptError) -> AttemptFailure {
    let unexpected = |problem: String| AttemptFailure::new(ErrorKind::Server, problem).maybe_applied();
    let unreadable = || unexpected("the answer could not be read".into());
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        RequestAttemptError::DbError(code, message) => {
            let mut failure = server_failure(&code, &message);
            failure.server_message = Some(message);
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
        // The driver returns the same error for a request lost before and after it was sent.
        RequestAttemptError::BrokenConnectionError(error) => {
            AttemptFailure::new(ErrorKind::ConnectionLost, "the connection broke before the answer")
                .with_source(error)
                .maybe_applied()
        }
        RequestAttemptError::UnexpectedResponse(kind) => unexpected(format!("the answer is a {kind} frame")),
        RequestAttemptError::NonfinishedPagingState => {
            unexpected("the answer has further pages although no paging was requested".into())
        }
        RequestAttemptError::BodyExtensionsParseError(error) => unreadable().with_source(error),
        RequestAttemptError::CqlResultParseError(error) => unreadable().with_source(error),
        RequestAttemptError::CqlErrorParseError(error) => unreadable().with_source(error),
        RequestAttemptError::RepreparedIdChanged { .. } | RequestAttemptError::RepreparedIdMissingInBatch => {
            unexpected("the statement got another id when it was prepared again; nothing was executed".into())
                .not_applied()
        }
        error => unexpected(error.to_string()).with_source(error),
    }
}

fn server_failure(code: &DbError, message: &str) -> AttemptFailure {
    let failed = |problem: &'static str| AttemptFailure::new(ErrorKind::Server, problem);
    let refused = |problem: &'static str| AttemptFailure::new(ErrorKind::Refused, problem);
    #[deny(clippy::wildcard_enum_match_arm)]
    match code {
        // This is how Keyspaces reports throttling; it has no other error for it (DG:troubleshooting.serverless).
        DbError::WriteTimeout { received: 0, .. } => throttled().maybe_applied(),
        DbError::ReadTimeout { received: 0, .. } => throttled(),
        DbError::WriteTimeout { .. } => {
            AttemptFailure::new(ErrorKind::Timeout, "timed out on the server").maybe_applied()
        }
        DbError::ReadTimeout { .. } => AttemptFailure::new(ErrorKind::Timeout, "timed out on the server"),
        DbError::WriteFailure { .. } => failed("failed on the server").maybe_applied(),
        DbError::ReadFailure { .. } => failed("failed on the server"),
        // Cassandra can return this after some of the replicas have been written.
        DbError::Overloaded | DbError::RateLimitReached { .. } => {
            AttemptFailure::new(ErrorKind::Overloaded, "the server is overloaded").maybe_applied()
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
        DbError::Invalid => invalid_failure(message),
        DbError::ConfigError => refused("refused by the server's configuration"),
        DbError::AlreadyExists { .. } => AttemptFailure::new(ErrorKind::AlreadyExists, "it already exists"),
        DbError::FunctionFailure { .. } => refused("a function failed"),
        DbError::TruncateError => failed("truncating failed").maybe_applied(),
        DbError::Unprepared { .. } => failed("the server forgot the prepared statement twice"),
        DbError::ServerError => failed("an internal error of the server").maybe_applied(),
        DbError::ProtocolError => failed("the server reports a protocol error"),
        DbError::Other(code) => {
            AttemptFailure::new(ErrorKind::Server, format!("the server answered with error code {code:#06x}"))
                .maybe_applied()
        }
        _ => failed("an error that this version does not know").maybe_applied(),
    }
}

/// Classifies an error with the code `Invalid` by its message, because many different errors have this code.
fn invalid_failure(message: &str) -> AttemptFailure {
    let refused = |kind| AttemptFailure::new(kind, "refused by the server");
    if is_missing_object(message) {
        return refused(ErrorKind::NotReady);
    }
    if let Some(rule) = rules::with_server_message(message) {
        let is_too_large = *rule == rules::ROW_TOO_LARGE || *rule == rules::PARTITION_KEY_TOO_LARGE;
        let kind = if is_too_large { ErrorKind::TooLarge } else { ErrorKind::Refused };
        return refused(kind).with_advice(rule_problem_and_advice(rule).1);
    }
    if is_marker_in_collection(message) {
        return refused(ErrorKind::Refused)
            .with_advice("Bind the whole collection to one marker, as in SET m = m + ? with a map of what is added");
    }
    refused(ErrorKind::Refused)
}

/// Whether the message says that a table or keyspace does not exist, in the service's words (DG:troubleshooting.cql) or in
/// those of Cassandra since 4.0.
fn is_missing_object(message: &str) -> bool {
    let names_object = message.starts_with("table ") || message.starts_with("keyspace ");
    message.starts_with("unconfigured ") || names_object && message.ends_with(" does not exist")
}

/// Whether the message refuses a bind marker inside a collection, in the words of Cassandra since 4.0: a marker inside
/// a literal, or inside the operand of an addition to or a removal from a collection.
fn is_marker_in_collection(message: &str) -> bool {
    let is_operand = |rest: &str| rest.split_once("but was: '").is_some_and(|(_, operand)| operand.contains('?'));
    message.ends_with("bind variables are not supported inside collection literals")
        || message.strip_prefix("Value for a ").is_some_and(is_operand)
}

fn throttled() -> AttemptFailure {
    AttemptFailure::new(ErrorKind::Throttled, "throttled").with_advice(
        "CloudWatch shows why, in the namespace AWS/Cassandra: WriteThrottleEvents or ReadThrottleEvents, together with \
         StoragePartitionThroughputCapacityExceeded (a hot partition) or PerConnectionRequestRateExceeded (more \
         connections are needed)",
    )
}

const RECONNECTING: &str = "The session keeps connecting; SessionBuilder::diagnose() shows which stage fails";

fn no_connection(error: ConnectionPoolError) -> AttemptFailure {
    AttemptFailure::new(ErrorKind::NoConnection, format!("no connection to the peer ({error})"))
        .not_sent()
        .with_advice(RECONNECTING)
        .with_source(error)
}
