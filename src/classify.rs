//! Every error that the driver or the server can give for a statement, sorted in this one place.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error as StdError;

use keyspaces_cql::rules;
use scylla::errors::{ConnectionPoolError, DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::error::Story;
use crate::statement::by_rule_in_words;
use crate::{Error, ErrorKind};

/// What an error means for who has to decide what to do next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Class {
    /// A table, a partition or a connection has no capacity left.
    Throttled,
    /// The server cannot take work now.
    Overloaded,
    /// Surely not sent: there was no connection, or none with room.
    NotSent,
    /// Perhaps sent: the connection broke.
    Lost,
    /// No answer in time, at the client or, as the server says, there.
    TimedOut,
    /// It will never work.
    Refused,
    Authentication,
    /// The table or keyspace is not there: not yet, or not at all.
    NotReady,
    /// What was to be created is there.
    Conflict,
    /// The server failed, or answered what nobody expects.
    Internal,
}

impl Class {
    /// Whether the same statement may succeed if it is sent again a little later.
    pub(crate) fn may_pass(self) -> bool {
        match self {
            Self::Throttled | Self::Overloaded | Self::NotSent | Self::Lost | Self::TimedOut | Self::Internal => true,
            Self::Refused | Self::Authentication | Self::NotReady | Self::Conflict => false,
        }
    }

    /// The value of `error.type` in spans and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
            Self::NotSent => "not_sent",
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Authentication => "authentication",
            Self::NotReady => "not_ready",
            Self::Conflict => "conflict",
            Self::Internal => "internal",
        }
    }
}

/// An attempt that failed, sorted.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    kind: ErrorKind,
    /// If it is a statement that writes.
    pub(crate) may_have_been_applied: bool,
    problem: Cow<'static, str>,
    said: Option<String>,
    advice: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Failure {
    pub(crate) fn new(class: Class, kind: ErrorKind, problem: impl Into<Cow<'static, str>>) -> Self {
        let problem = problem.into();
        Self { class, kind, may_have_been_applied: false, problem, said: None, advice: None, source: None }
    }

    /// Whether it was applied is not known.
    fn perhaps(mut self) -> Self {
        self.may_have_been_applied = true;
        self
    }

    fn surely_not(mut self) -> Self {
        self.may_have_been_applied = false;
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

    /// The error of a call that ends with this. `ending` says why it ends here, if that is not plain. Of a statement that is
    /// not `repeatable` a lost answer leaves the outcome unknown.
    pub(crate) fn told(self, attempted: &str, repeatable: bool, ending: Option<&'static str>, story: Story) -> Error {
        let mut problem = self.problem;
        if let Some(ending) = ending {
            problem = format!("{problem}; {ending}").into();
        }
        let unknown = story.may_have_been_applied && !repeatable;
        if unknown {
            let again = if story.attempts > 1 { "again " } else { "" };
            problem = format!(
                "{problem}; whether it was applied is not known, and it was not repeated {again}because that could apply it \
                 twice"
            )
            .into();
        }
        let kind = if unknown { ErrorKind::Unknown } else { self.kind };
        let mut error = Error::new(kind, attempted.to_owned(), problem).with_class(self.class).with_story(story);
        if let Some(said) = self.said {
            error = error.with_said(said);
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
pub(crate) fn execution(error: ExecutionError) -> Failure {
    use Class::{Internal, NotSent, Refused, TimedOut};
    // Do not remove this lint, nor those below: a variant that the driver adds must be sorted by a person.
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        ExecutionError::LastAttemptError(attempt) => attempt_error(attempt),
        ExecutionError::RequestTimeout(after) => {
            Failure::new(TimedOut, ErrorKind::Timeout, format!("no answer within {after:?}")).perhaps()
        }
        ExecutionError::BadQuery(error) => {
            Failure::new(Refused, ErrorKind::Type, "the values do not fit the statement").with_source(error)
        }
        ExecutionError::PrepareError(error) => prepare_error(error),
        ExecutionError::ConnectionPoolError(error) => no_connection(error),
        ExecutionError::EmptyPlan => {
            Failure::new(NotSent, ErrorKind::Connect, "no peer is connected").with_advice(GOES_ON)
        }
        ExecutionError::UseKeyspaceError(error) => {
            Failure::new(Internal, ErrorKind::Server, "USE failed").with_source(error)
        }
        ExecutionError::SchemaAgreementError(error) => {
            Failure::new(Internal, ErrorKind::Server, "the nodes did not agree on the schema").with_source(error)
        }
        ExecutionError::MetadataError(error) => {
            Failure::new(Internal, ErrorKind::Topology, "the peers could not be read").with_source(error)
        }
        error => Failure::new(Internal, ErrorKind::Server, error.to_string()).with_source(error).perhaps(),
    }
}

/// What a failed `prepare` means. Nothing was executed.
pub(crate) fn prepare(attempted: &str, error: PrepareError) -> Error {
    prepare_error(error).told(attempted, true, None, Story::default())
}

/// Whether the same statement may be prepared if it is tried again a little later.
pub(crate) fn prepare_may_pass(error: &PrepareError) -> bool {
    prepare_error(error.clone()).class.may_pass()
}

fn prepare_error(error: PrepareError) -> Failure {
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        PrepareError::ConnectionPoolError(error) => no_connection(error),
        PrepareError::AllAttemptsFailed { first_attempt } => attempt_error(first_attempt).surely_not(),
        PrepareError::PreparedStatementIdsMismatch => {
            Failure::new(Class::Internal, ErrorKind::Server, "the peers gave different ids for the same statement")
        }
        error => Failure::new(Class::Internal, ErrorKind::Server, error.to_string()).with_source(error),
    }
}

fn attempt_error(error: RequestAttemptError) -> Failure {
    use Class::{Internal, Lost, NotSent, Refused};
    let internal = |problem: String| Failure::new(Internal, ErrorKind::Server, problem).perhaps();
    let unreadable = || internal("the answer could not be read".into());
    #[deny(clippy::wildcard_enum_match_arm)]
    match error {
        RequestAttemptError::DbError(code, said) => {
            let mut failure = server_error(&code, &said);
            failure.said = Some(said);
            failure
        }
        RequestAttemptError::SerializationError(error) => {
            Failure::new(Refused, ErrorKind::Type, "the values do not fit the statement").with_source(error)
        }
        RequestAttemptError::CqlRequestSerialization(error) => {
            Failure::new(Refused, ErrorKind::Type, "the request cannot be written as a frame").with_source(error)
        }
        RequestAttemptError::UnableToAllocStreamId => {
            Failure::new(NotSent, ErrorKind::Throttled, "all stream ids of the connection are in use; nothing was sent")
        }
        // The driver says the same for a request lost before it was sent and after.
        RequestAttemptError::BrokenConnectionError(error) => {
            Failure::new(Lost, ErrorKind::Connect, "the connection broke before the answer")
                .with_source(error)
                .perhaps()
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
                .surely_not()
        }
        error => internal(error.to_string()).with_source(error),
    }
}

fn server_error(code: &DbError, said: &str) -> Failure {
    use Class::{Authentication, Conflict, Internal, NotReady, Overloaded, Refused, TimedOut};
    let failed = |problem: &'static str| Failure::new(Internal, ErrorKind::Server, problem);
    let refused = |problem: &'static str| Failure::new(Refused, ErrorKind::Refused, problem);
    #[deny(clippy::wildcard_enum_match_arm)]
    match code {
        // Keyspaces says "throttled" in these words and in no others (DG:troubleshooting.serverless).
        DbError::WriteTimeout { received: 0, .. } => throttled().perhaps(),
        DbError::ReadTimeout { received: 0, .. } => throttled(),
        DbError::WriteTimeout { .. } => Failure::new(TimedOut, ErrorKind::Timeout, "timed out on the server").perhaps(),
        DbError::ReadTimeout { .. } => Failure::new(TimedOut, ErrorKind::Timeout, "timed out on the server"),
        DbError::WriteFailure { .. } => failed("failed on the server").perhaps(),
        DbError::ReadFailure { .. } => failed("failed on the server"),
        // Cassandra can say so when part of the replicas have been written.
        DbError::Overloaded | DbError::RateLimitReached { .. } => {
            Failure::new(Overloaded, ErrorKind::Throttled, "the server is overloaded").perhaps()
        }
        DbError::Unavailable { .. } | DbError::IsBootstrapping => {
            Failure::new(Overloaded, ErrorKind::Throttled, "the server is not available")
        }
        DbError::AuthenticationError => {
            Failure::new(Authentication, ErrorKind::Authentication, "the server refused the credentials")
        }
        DbError::Unauthorized => refused("not permitted").with_advice(
            "The IAM policy needs cassandra:Select or cassandra:Modify on the table, and cassandra:Select on \
             /keyspace/system*",
        ),
        DbError::SyntaxError => refused("a syntax error"),
        // DG:troubleshooting.cql
        DbError::Invalid if said.starts_with("unconfigured ") => {
            Failure::new(NotReady, ErrorKind::Refused, "refused by the server")
        }
        DbError::Invalid => match rules::with_text(said) {
            Some(rule) => refused("refused by the server").with_advice(by_rule_in_words(rule).1),
            None => refused("refused by the server"),
        },
        DbError::ConfigError => refused("refused by the server's configuration"),
        DbError::AlreadyExists { .. } => Failure::new(Conflict, ErrorKind::Refused, "it exists already"),
        DbError::FunctionFailure { .. } => refused("a function failed"),
        DbError::TruncateError => failed("truncating failed").perhaps(),
        DbError::Unprepared { .. } => failed("the server forgot the prepared statement twice"),
        DbError::ServerError => failed("an internal error of the server").perhaps(),
        DbError::ProtocolError => failed("the server calls it a protocol error"),
        DbError::Other(code) => {
            Failure::new(Internal, ErrorKind::Server, format!("the server answered with error code {code:#06x}"))
                .perhaps()
        }
        _ => failed("an error this version does not know").perhaps(),
    }
}

fn throttled() -> Failure {
    Failure::new(Class::Throttled, ErrorKind::Throttled, "throttled").with_advice(
        "CloudWatch says why, in AWS/Cassandra: WriteThrottleEvents or ReadThrottleEvents, and \
         StoragePartitionThroughputCapacityExceeded (a hot partition) or PerConnectionRequestRateExceeded (more \
         connections are needed) beside them",
    )
}

const GOES_ON: &str = "The session goes on connecting; Builder::diagnose() says which stage fails";

fn no_connection(error: ConnectionPoolError) -> Failure {
    Failure::new(Class::NotSent, ErrorKind::Connect, format!("no connection to send it on ({error})"))
        .with_advice(GOES_ON)
        .with_source(error)
}
