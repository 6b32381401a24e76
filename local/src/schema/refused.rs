//! Refused definitions: the ERROR frame for CQL, and the cause for the API.

use keyspaces_cql::{PropertyError, PropertyProblem, TableError, TableProblem};

use super::{InternalRequestError, unconfigured};
use crate::names::SchemaObject;
use crate::protocol::{Refusal, error_code, not_emulated, refused_by};

/// A definition that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) cause: Cause,
    pub(crate) refusal: Refusal,
}

/// The cause of a refusal. CQL has one code for most of them, the API an exception for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
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
    /// The definition is wrong in itself, or not possible in the current schema.
    Invalid,
    /// The Cassandra behind failed.
    Broken,
}

impl Refused {
    pub(super) fn not_found(object: &SchemaObject) -> Self {
        Self { cause: Cause::NotFound, refusal: unconfigured(object) }
    }

    pub(super) fn creating(object: &SchemaObject) -> Self {
        Self { cause: Cause::Creating, refusal: unconfigured(object) }
    }

    /// The service's answer is not known.
    pub(super) fn busy(object: &SchemaObject, done: &str) -> Self {
        Self { cause: Cause::Busy, ..Self::impossible(being(object, done)) }
    }

    /// The text of the service is not known.
    pub(super) fn quota(quota: impl std::fmt::Display) -> Self {
        Self { cause: Cause::Quota, ..Self::impossible(quota) }
    }

    /// A refusal whose text in the service is not known.
    pub(super) fn impossible(why: impl std::fmt::Display) -> Self {
        Refusal { code: error_code::INVALID, text: format!("keyspaces-local: {why}") }.into()
    }
}

/// The text for an object that is being changed.
pub(crate) fn being(object: &SchemaObject, done: &str) -> String {
    format!("{object} is being {done}: wait until system_schema_mcs says that this is over")
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let cause = match refusal.code {
            error_code::SERVER_ERROR => Cause::Broken,
            error_code::UNAUTHORIZED => Cause::NotAllowed,
            error_code::ALREADY_EXISTS => Cause::Exists,
            _ => Cause::Invalid,
        };
        Self { cause, refusal }
    }
}

impl From<InternalRequestError> for Refused {
    fn from(failed: InternalRequestError) -> Self {
        Refusal { code: error_code::SERVER_ERROR, text: format!("keyspaces-local: {failed}") }.into()
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        refused.refusal
    }
}

impl From<PropertyError> for Refused {
    fn from(error: PropertyError) -> Self {
        match error.problem {
            PropertyProblem::Refused(rule) => refused_by(rule).into(),
            PropertyProblem::Unknown(what) => not_emulated(what).into(),
            other => not_emulated(format!("{other:?}")).into(),
        }
    }
}

impl From<TableError> for Refused {
    fn from(error: TableError) -> Self {
        match error.problem {
            TableProblem::Refused(rule) => refused_by(rule).into(),
            TableProblem::Unknown(what) => not_emulated(what).into(),
            problem => Self::impossible(problem),
        }
    }
}
