//! Refusals: ERROR frames that the gateway sends as the answer to a request.

use keyspaces_cql::Rule;

use super::error_code;

/// The code and the text of the ERROR frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// The refusal by a rule: with the service's own text, or with a text that names `keyspaces-local` as its source.
pub(crate) fn refused_by(rule: &Rule) -> Refusal {
    Refusal {
        code: rule.error_code(),
        text: rule.server_message.map_or_else(|| format!("keyspaces-local: {rule}"), str::to_owned),
    }
}

pub(crate) fn not_emulated(what: impl std::fmt::Display) -> Refusal {
    Refusal { code: error_code::INVALID, text: format!("keyspaces-local: not emulated: {what}") }
}
