//! Refused definitions: the ERROR frame for CQL, and the cause for the API.

use keyspaces_cql::{PropertyError, PropertyProblem, TableError, TableProblem};

use super::{InternalRequestError, unconfigured};
use crate::names::SchemaObject;
use crate::protocol::{Refusal, error_code, not_emulated, refused_by};

/// A definition that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DefinitionRefusal {
    pub(crate) cause: RefusalCause,
    pub(crate) refusal: Refusal,
}

/// The cause of a refusal. CQL has one code for most of them, the API an exception for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RefusalCause {
    /// The object does not exist.
    NotFound,
    /// The object is being created; CQL says that it does not exist.
    Creating,
    /// The object is being changed.
    Busy,
    /// The object exists already.
    Exists,
    /// A quota would be exceeded.
    Quota,
    /// The object belongs to the service.
    NotAllowed,
    /// The definition is invalid, or not possible in the current schema.
    Invalid,
    /// The backing Cassandra failed.
    CassandraFailed,
}

impl DefinitionRefusal {
    pub(super) fn not_found(object: &SchemaObject) -> Self {
        Self { cause: RefusalCause::NotFound, refusal: unconfigured(object) }
    }

    pub(super) fn creating(object: &SchemaObject) -> Self {
        Self { cause: RefusalCause::Creating, refusal: unconfigured(object) }
    }

    /// The service's answer is not known.
    pub(super) fn busy(object: &SchemaObject, done: &str) -> Self {
        Self { cause: RefusalCause::Busy, ..Self::impossible(in_progress_text(object, done)) }
    }

    /// The text of the service is not known.
    pub(super) fn quota(quota: impl std::fmt::Display) -> Self {
        Self { cause: RefusalCause::Quota, ..Self::impossible(quota) }
    }

    /// A refusal whose text in the service is not known.
    pub(super) fn impossible(problem: impl std::fmt::Display) -> Self {
        Refusal { code: error_code::INVALID, text: format!("keyspaces-local: {problem}") }.into()
    }
}

/// The text for an object that is being changed.
pub(crate) fn in_progress_text(object: &SchemaObject, done: &str) -> String {
    format!("{object} is being {done}: wait until system_schema_mcs says that this is over")
}

impl From<Refusal> for DefinitionRefusal {
    fn from(refusal: Refusal) -> Self {
        let cause = match refusal.code {
            error_code::SERVER_ERROR => RefusalCause::CassandraFailed,
            error_code::UNAUTHORIZED => RefusalCause::NotAllowed,
            error_code::ALREADY_EXISTS => RefusalCause::Exists,
            _ => RefusalCause::Invalid,
        };
        Self { cause, refusal }
    }
}

impl From<InternalRequestError> for DefinitionRefusal {
    fn from(failed: InternalRequestError) -> Self {
        Refusal { code: error_code::SERVER_ERROR, text: format!("keyspaces-local: {failed}") }.into()
    }
}

impl From<DefinitionRefusal> for Refusal {
    fn from(refused: DefinitionRefusal) -> Self {
        refused.refusal
    }
}

impl From<PropertyError> for DefinitionRefusal {
    fn from(error: PropertyError) -> Self {
        match error.problem {
            PropertyProblem::Refused(rule) => refused_by(rule).into(),
            PropertyProblem::Unknown(what) => not_emulated(what).into(),
            other => not_emulated(format!("{other:?}")).into(),
        }
    }
}

impl From<TableError> for DefinitionRefusal {
    fn from(error: TableError) -> Self {
        match error.problem {
            TableProblem::Refused(rule) => refused_by(rule).into(),
            TableProblem::Unknown(what) => not_emulated(what).into(),
            problem => Self::impossible(problem),
        }
    }
}
