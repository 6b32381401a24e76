//! Why a definition is refused: in the words of an ERROR frame, and of which kind it is.

use super::{Failed, unconfigured};
use crate::names::SchemaObject;
use crate::protocol::{Refusal, error_code};

/// A definition that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) cause: Cause,
    pub(crate) refusal: Refusal,
}

/// Of which kind a refusal is. CQL has one code for most of them; the API of the service has an exception for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    /// What it is about is not there.
    NotThere,
    /// What it is about is being created, and CQL says that it is not there.
    Creating,
    /// What it is about is being changed.
    Busy,
    /// What it is about is there already.
    There,
    /// There would be more than a quota permits.
    Quota,
    /// It is about what belongs to the service.
    NotAllowed,
    /// It is wrong in itself, or not possible as objects are.
    Invalid,
    /// The Cassandra behind failed.
    Broken,
}

impl Refused {
    pub(super) fn not_there(object: &SchemaObject) -> Self {
        Self { cause: Cause::NotThere, refusal: unconfigured(object) }
    }

    pub(super) fn creating(object: &SchemaObject) -> Self {
        Self { cause: Cause::Creating, refusal: unconfigured(object) }
    }

    /// What the service says to this is not known.
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

/// What is to be waited for before an object can be changed.
pub(crate) fn being(object: &SchemaObject, done: &str) -> String {
    format!("{object} is being {done}: wait until system_schema_mcs says that this is over")
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let cause = match refusal.code {
            error_code::SERVER_ERROR => Cause::Broken,
            error_code::UNAUTHORIZED => Cause::NotAllowed,
            error_code::ALREADY_EXISTS => Cause::There,
            _ => Cause::Invalid,
        };
        Self { cause, refusal }
    }
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        Refusal { code: error_code::SERVER_ERROR, text: format!("keyspaces-local: {failed}") }.into()
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        refused.refusal
    }
}
