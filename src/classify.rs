//! Every error that the driver or the server can give for a statement, sorted in this one place.

use scylla::errors::{ConnectionPoolError, DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::{Error, ErrorKind};

/// What a failed attempt means for a statement that `attempted` describes. `repeatable` says whether a second
/// execution would do no harm: of a statement that is not, a lost answer leaves the outcome unknown.
pub(crate) fn execution(attempted: &str, repeatable: bool, error: ExecutionError) -> Error {
    let new = |kind, problem: String| Error::new(kind, attempted.to_owned(), problem);
    // Do not remove this lint, nor the one below: a variant that the driver adds must be sorted by a person.
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        ExecutionError::LastAttemptError(attempt) => attempt_error(attempted, repeatable, attempt),
        ExecutionError::RequestTimeout(after) => {
            lost(attempted, repeatable, ErrorKind::Timeout, format!("no answer within {after:?}"))
        }
        ExecutionError::BadQuery(error) => {
            new(ErrorKind::Type, "the values do not fit the statement".into()).with_source(error)
        }
        ExecutionError::PrepareError(error) => prepare(attempted, error),
        ExecutionError::ConnectionPoolError(error) => no_connection(attempted, &error).with_source(error),
        ExecutionError::EmptyPlan => new(ErrorKind::Connect, "no peer is connected".into())
            .with_advice("The session goes on trying; Builder::diagnose() says which stage fails"),
        ExecutionError::UseKeyspaceError(error) => new(ErrorKind::Server, "USE failed".into()).with_source(error),
        ExecutionError::SchemaAgreementError(error) => {
            new(ErrorKind::Server, "the nodes did not agree on the schema".into()).with_source(error)
        }
        ExecutionError::MetadataError(error) => {
            new(ErrorKind::Topology, "the peers could not be read".into()).with_source(error)
        }
        error => new(ErrorKind::Server, error.to_string()).with_source(error),
    }
}

/// What a failed `prepare` means. Nothing was executed.
pub(crate) fn prepare(attempted: &str, error: PrepareError) -> Error {
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        PrepareError::ConnectionPoolError(error) => no_connection(attempted, &error).with_source(error),
        PrepareError::AllAttemptsFailed { first_attempt } => attempt_error(attempted, true, first_attempt),
        PrepareError::PreparedStatementIdsMismatch => {
            Error::new(ErrorKind::Server, attempted.to_owned(), "the peers gave different ids for the same statement")
        }
        error => Error::new(ErrorKind::Server, attempted.to_owned(), error.to_string()).with_source(error),
    }
}

fn attempt_error(attempted: &str, repeatable: bool, error: RequestAttemptError) -> Error {
    let new = |kind, problem: String| Error::new(kind, attempted.to_owned(), problem);
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        RequestAttemptError::DbError(code, said) => server_error(attempted, repeatable, &code).with_said(said),
        RequestAttemptError::SerializationError(error) => {
            new(ErrorKind::Type, "the values do not fit the statement".into()).with_source(error)
        }
        RequestAttemptError::CqlRequestSerialization(error) => {
            new(ErrorKind::Type, "the request cannot be written as a frame".into()).with_source(error)
        }
        RequestAttemptError::UnableToAllocStreamId => {
            new(ErrorKind::Throttled, "all stream ids of the connection are in use; nothing was sent".into())
        }
        RequestAttemptError::BrokenConnectionError(error) => {
            // The driver says the same for a request lost before it was sent and after.
            lost(attempted, repeatable, ErrorKind::Connect, "the connection broke before the answer".into())
                .with_source(error)
        }
        RequestAttemptError::UnexpectedResponse(kind) => {
            new(ErrorKind::Server, format!("the answer is a {kind} frame"))
        }
        RequestAttemptError::NonfinishedPagingState => {
            new(ErrorKind::Server, "the answer has further pages although none were asked for".into())
        }
        RequestAttemptError::BodyExtensionsParseError(error) => unreadable(attempted, repeatable).with_source(error),
        RequestAttemptError::CqlResultParseError(error) => unreadable(attempted, repeatable).with_source(error),
        RequestAttemptError::CqlErrorParseError(error) => unreadable(attempted, repeatable).with_source(error),
        RequestAttemptError::RepreparedIdChanged { .. } | RequestAttemptError::RepreparedIdMissingInBatch => new(
            ErrorKind::Server,
            "the statement got another id when it was prepared again; nothing was executed".into(),
        ),
        error => lost(attempted, repeatable, ErrorKind::Server, error.to_string()).with_source(error),
    }
}

fn server_error(attempted: &str, repeatable: bool, code: &DbError) -> Error {
    let new = |kind, problem: &'static str| Error::new(kind, attempted.to_owned(), problem);
    #[deny(clippy::wildcard_enum_match_arm)]
    match code {
        // Keyspaces says "throttled" in these words and in no others (DG:troubleshooting.serverless).
        DbError::WriteTimeout { received: 0, .. } | DbError::ReadTimeout { received: 0, .. } => {
            lost(attempted, repeatable, ErrorKind::Throttled, "throttled".into()).with_advice(
                "CloudWatch says why, in AWS/Cassandra: WriteThrottleEvents or ReadThrottleEvents, and \
                 StoragePartitionThroughputCapacityExceeded (a hot partition) or PerConnectionRequestRateExceeded (more \
                 connections are needed) beside them",
            )
        }
        DbError::WriteTimeout { .. } => {
            lost(attempted, repeatable, ErrorKind::Timeout, "timed out on the server".into())
        }
        DbError::ReadTimeout { .. } => new(ErrorKind::Timeout, "timed out on the server"),
        DbError::WriteFailure { .. } => lost(attempted, repeatable, ErrorKind::Server, "failed on the server".into()),
        // Cassandra can say so when part of the replicas have been written.
        DbError::Overloaded | DbError::RateLimitReached { .. } => {
            lost(attempted, repeatable, ErrorKind::Throttled, "the server is overloaded".into())
        }
        DbError::Unavailable { .. } | DbError::IsBootstrapping => new(ErrorKind::Throttled, "the server is not available"),
        DbError::AuthenticationError => new(ErrorKind::Authentication, "the server refused the credentials"),
        DbError::Unauthorized => new(ErrorKind::Refused, "not permitted").with_advice(
            "The IAM policy needs cassandra:Select or cassandra:Modify on the table, and cassandra:Select on \
             /keyspace/system*",
        ),
        DbError::SyntaxError => new(ErrorKind::Refused, "a syntax error"),
        DbError::Invalid => new(ErrorKind::Refused, "refused by the server"),
        DbError::ConfigError => new(ErrorKind::Refused, "refused by the server's configuration"),
        DbError::AlreadyExists { .. } => new(ErrorKind::Refused, "it exists already"),
        DbError::FunctionFailure { .. } => new(ErrorKind::Refused, "a function failed"),
        DbError::TruncateError => new(ErrorKind::Server, "truncating failed"),
        DbError::ReadFailure { .. } => new(ErrorKind::Server, "failed on the server"),
        DbError::Unprepared { .. } => new(ErrorKind::Server, "the server forgot the prepared statement twice"),
        DbError::ServerError => lost(attempted, repeatable, ErrorKind::Server, "an internal error of the server".into()),
        DbError::ProtocolError => new(ErrorKind::Server, "the server calls it a protocol error"),
        DbError::Other(code) => {
            lost(attempted, repeatable, ErrorKind::Server, format!("the server answered with error code {code:#06x}"))
        }
        _ => lost(attempted, repeatable, ErrorKind::Server, "an error this version does not know".into()),
    }
}

/// An error that leaves open whether the statement was applied: of `kind` if a repeat does no harm, else unknown.
fn lost(attempted: &str, repeatable: bool, kind: ErrorKind, problem: String) -> Error {
    if repeatable {
        return Error::new(kind, attempted.to_owned(), problem);
    }
    Error::new(
        ErrorKind::Unknown,
        attempted.to_owned(),
        format!(
            "{problem}; whether it was applied is not known, and it was not repeated because that could apply it twice"
        ),
    )
}

fn unreadable(attempted: &str, repeatable: bool) -> Error {
    lost(attempted, repeatable, ErrorKind::Server, "the answer could not be read".into())
}

fn no_connection(attempted: &str, error: &ConnectionPoolError) -> Error {
    Error::new(ErrorKind::Connect, attempted.to_owned(), format!("no connection to send it on ({error})"))
        .with_advice("The session goes on connecting; Builder::diagnose() says which stage fails")
}

#[cfg(test)]
mod tests {
    use scylla::errors::WriteType;
    use scylla::statement::Consistency;

    use super::*;

    fn throttled_write() -> ExecutionError {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::WriteTimeout {
                consistency: Consistency::LocalQuorum,
                received: 0,
                required: 2,
                write_type: WriteType::Simple,
            },
            "Operation timed out - received only 0 responses.".into(),
        ))
    }

    #[test]
    fn a_write_timeout_with_no_answers_is_throttling_in_the_servers_words() {
        let error = execution("INSERT INTO ks.t", true, throttled_write());
        assert_eq!(error.kind(), ErrorKind::Throttled);
        assert_eq!(error.said(), Some("Operation timed out - received only 0 responses."));
        assert!(error.to_string().contains("WriteThrottleEvents"), "{error}");
    }

    #[test]
    fn of_a_statement_that_may_not_be_repeated_a_lost_answer_leaves_the_outcome_unknown() {
        let timeout = ExecutionError::RequestTimeout(std::time::Duration::from_secs(2));
        for error in [throttled_write(), timeout] {
            let error = execution("UPDATE ks.t", false, error);
            assert_eq!(error.kind(), ErrorKind::Unknown);
            assert!(error.to_string().contains("whether it was applied is not known"), "{error}");
        }
    }

    #[test]
    fn what_the_server_refuses_is_refused_whatever_the_statement() {
        for repeatable in [true, false] {
            let error = ExecutionError::LastAttemptError(RequestAttemptError::DbError(
                DbError::Invalid,
                "unconfigured table ks.t".into(),
            ));
            let error = execution("SELECT ks.t", repeatable, error);
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert_eq!(
                error.to_string(),
                "SELECT ks.t failed: refused by the server; the other side said: \"unconfigured table ks.t\""
            );
        }
    }
}
