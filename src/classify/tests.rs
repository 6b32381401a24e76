use std::time::Duration;

use scylla::errors::{
    BrokenConnectionError, BrokenConnectionErrorKind, CqlResponseKind, SerializationError, WriteType,
};
use scylla::statement::Consistency;

use super::*;

/// A table of what means what: each variant that can be made outside the driver.
#[test]
fn every_driver_error_is_classified_with_its_possible_effect() {
    use DbError as Db;
    use ErrorKind::*;
    use RequestAttemptError as Attempt;
    let consistency = Consistency::LocalQuorum;
    let write_timeout =
        |received| Db::WriteTimeout { consistency, received, required: 2, write_type: WriteType::Simple };
    let read_timeout = |received| Db::ReadTimeout { consistency, received, required: 2, data_present: false };
    let db = |code, message: &str| ExecutionError::LastAttemptError(Attempt::DbError(code, message.into()));
    let attempt = ExecutionError::LastAttemptError;
    let broken = || BrokenConnectionError::from(BrokenConnectionErrorKind::ChannelError);
    let unfit = || SerializationError::new(std::io::Error::other("it does not fit"));
    let pool = || ConnectionPoolError::Initializing;
    let write_failure =
        Db::WriteFailure { consistency, received: 0, required: 2, numfailures: 1, write_type: WriteType::Simple };
    let read_failure = Db::ReadFailure { consistency, received: 0, required: 2, numfailures: 1, data_present: false };
    let exists = Db::AlreadyExists { keyspace: "ks".into(), table: "t".into() };
    let function = Db::FunctionFailure { keyspace: "ks".into(), function: "f".into(), arg_types: Vec::new() };
    let rate = Db::RateLimitReached { op_type: scylla::errors::OperationType::Write, rejected_by_coordinator: true };
    let changed =
        Attempt::RepreparedIdChanged { statement: "?".into(), expected_id: Vec::new(), reprepared_id: Vec::new() };
    let prepared = |first_attempt| ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt });
    for (error, kind, may_have_been_applied) in [
        (db(write_timeout(0), "Operation timed out - received only 0 responses."), Throttled, true),
        (db(read_timeout(0), "Operation timed out - received only 0 responses."), Throttled, false),
        (db(write_timeout(1), ""), Timeout, true),
        (db(read_timeout(1), ""), Timeout, false),
        (db(Db::Overloaded, ""), Overloaded, true),
        (db(rate, ""), Overloaded, true),
        (db(Db::Unavailable { consistency, required: 2, alive: 1 }, ""), Overloaded, false),
        (db(Db::IsBootstrapping, ""), Overloaded, false),
        (db(write_failure, ""), Server, true),
        (db(read_failure, ""), Server, false),
        (db(Db::ServerError, ""), Server, true),
        (db(Db::TruncateError, ""), Server, true),
        (db(Db::ProtocolError, ""), Server, false),
        (db(Db::Unprepared { statement_id: vec![1].into() }, ""), Server, false),
        (db(Db::Other(0x7777), ""), Server, true),
        (db(Db::AuthenticationError, ""), Authentication, false),
        (db(Db::Unauthorized, ""), Unauthorized, false),
        (db(Db::SyntaxError, ""), Refused, false),
        (db(Db::Invalid, "countRows is not yet supported."), Refused, false),
        (db(Db::Invalid, "unconfigured table ks.t"), NotReady, false),
        (db(Db::Invalid, "unconfigured keyspace ks"), NotReady, false),
        (db(Db::Invalid, "table t does not exist"), NotReady, false),
        (db(Db::Invalid, "keyspace ks does not exist"), NotReady, false),
        (db(Db::ConfigError, ""), Refused, false),
        (db(function, ""), Refused, false),
        (db(exists, ""), AlreadyExists, false),
        (attempt(Attempt::SerializationError(unfit())), Type, false),
        (attempt(Attempt::UnableToAllocStreamId), Overloaded, false),
        (attempt(Attempt::BrokenConnectionError(broken())), ConnectionLost, true),
        (attempt(Attempt::UnexpectedResponse(CqlResponseKind::Ready)), Server, true),
        (attempt(Attempt::NonfinishedPagingState), Server, true),
        (attempt(changed), Server, false),
        (attempt(Attempt::RepreparedIdMissingInBatch), Server, false),
        (ExecutionError::RequestTimeout(Duration::from_secs(2)), Timeout, true),
        (ExecutionError::BadQuery(scylla::errors::BadQuery::SerializationError(unfit())), Type, false),
        (ExecutionError::EmptyPlan, NoConnection, false),
        (ExecutionError::ConnectionPoolError(pool()), NoConnection, false),
        (ExecutionError::PrepareError(PrepareError::ConnectionPoolError(pool())), NoConnection, false),
        (ExecutionError::PrepareError(PrepareError::PreparedStatementIdsMismatch), Server, false),
        (prepared(Attempt::BrokenConnectionError(broken())), ConnectionLost, false),
        (prepared(Attempt::DbError(write_timeout(0), String::new())), Throttled, false),
    ] {
        let text = format!("{error:?}");
        let failure = execution_failure(error);
        assert_eq!((failure.kind, failure.may_have_been_applied), (kind, may_have_been_applied), "{text}");
    }
}

#[test]
fn throttling_error_quotes_the_server_and_names_the_metric() {
    let message = "Operation timed out - received only 0 responses.";
    let code =
        DbError::ReadTimeout { consistency: Consistency::LocalQuorum, received: 0, required: 2, data_present: false };
    let error = ExecutionError::LastAttemptError(RequestAttemptError::DbError(code, message.into()));
    let error = execution_failure(error).into_error("SELECT FROM ks.t", true, None, AttemptHistory::default());
    assert_eq!((error.kind(), error.server_message()), (ErrorKind::Throttled, Some(message)));
    assert!(error.to_string().contains("ReadThrottleEvents"), "{error}");
}

#[test]
fn only_non_idempotent_statements_have_an_unknown_outcome() {
    let kind = |is_idempotent, may_have_been_applied| {
        let failure = execution_failure(ExecutionError::RequestTimeout(Duration::from_secs(2)));
        let history = AttemptHistory { may_have_been_applied, ..AttemptHistory::default() };
        failure.into_error("UPDATE ks.t", is_idempotent, None, history).kind()
    };
    assert_eq!(kind(false, true), ErrorKind::Unknown);
    assert_eq!(kind(true, true), ErrorKind::Timeout);
    assert_eq!(kind(false, false), ErrorKind::Timeout);
}
