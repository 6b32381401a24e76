//! Why a client gets an ERROR frame in place of what it asked for.

use keyspaces_cql::Rule;

use super::error_code;

/// The code and the text of the ERROR frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// With the service's own text, or with one that says whose it is.
pub(crate) fn refused_by(rule: &Rule) -> Refusal {
    Refusal {
        code: rule.error_code(),
        text: rule.text.map_or_else(|| format!("keyspaces-local: {rule}"), str::to_owned),
    }
}

pub(crate) fn not_emulated(what: impl std::fmt::Display) -> Refusal {
    Refusal { code: error_code::INVALID, text: format!("keyspaces-local: not emulated: {what}") }
}
