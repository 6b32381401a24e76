//! The rules by which Keyspaces refuses statements, as data. Each rule has its source and, if it is known, the message of the
//! service.
//!
//! The source `DG:page` is a page of the Amazon Keyspaces Developer Guide, `API:page` a page of its API reference, and
//! `gh:owner/name#n` an issue or a pull request on GitHub that quotes an answer of the service. Nothing here was tried against
//! the service.

mod batch;
mod change;
mod definition;
mod select;
mod size;
mod statement;
mod timestamp;
mod write;

use std::fmt;

pub use batch::*;
pub use change::*;
pub use definition::*;
pub use select::*;
pub use size::*;
pub use statement::*;
pub use timestamp::*;
pub use write::*;

/// A rule by which Keyspaces refuses statements.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// The stable name of the rule.
    pub id: &'static str,
    /// The refused feature, in words that fit after "Amazon Keyspaces refuses".
    pub refuses: &'static str,
    /// The message of the service, if a source quotes it.
    pub server_message: Option<&'static str>,
    /// The code of the CQL error, if a source shows it.
    pub code: Option<i32>,
    /// The remedy, in whole sentences.
    pub advice: &'static str,
    /// The source of the rule.
    pub source: &'static str,
    /// The day since which the rule has applied; `None` if it is as old as the guide.
    pub since: Option<&'static str>,
}

/// `Invalid` of the CQL protocol: the request is syntactically correct but cannot be executed.
pub const INVALID: i32 = 0x2200;

impl Rule {
    /// The code of the CQL error: the documented one, else [`INVALID`], which is an assumption.
    #[must_use]
    pub fn error_code(&self) -> i32 {
        self.code.unwrap_or(INVALID)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amazon Keyspaces refuses {}. {} ({})", self.refuses, self.advice, self.source)
    }
}

/// All rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        STATEMENT_RULES,
        SELECT_RULES,
        WRITE_RULES,
        BATCH_RULES,
        DEFINITION_RULES,
        CHANGE_RULES,
        SIZE_RULES,
        TIMESTAMP_RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The rules that [`judge`](crate::judge) never reports, because they depend on bound values, on the table or on the time.
pub fn runtime_rules() -> impl Iterator<Item = &'static Rule> {
    CHANGE_RULES.iter().chain(SIZE_RULES).chain(TIMESTAMP_RULES).copied()
}

/// The rule of this id.
#[must_use]
pub fn with_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// The rule whose message from the service is this text.
#[must_use]
pub fn with_server_message(message: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.server_message == Some(message))
}

/// Declares each rule as a static and all of them as a table.
macro_rules! rules {
    ($table:ident; $($name:ident {
        id: $id:literal,
        refuses: $refuses:literal,
        server_message: $server_message:expr,
        code: $code:expr,
        advice: $advice:literal,
        source: $source:literal,
        since: $since:expr,
    })*) => {
        $(
            #[doc = concat!("Refuses ", $refuses, ".")]
            pub static $name: crate::rules::Rule = crate::rules::Rule {
                id: $id,
                refuses: $refuses,
                server_message: $server_message,
                code: $code,
                advice: $advice,
                source: $source,
                since: $since,
            };
        )*

        pub(super) static $table: &[&crate::rules::Rule] = &[$(&$name),*];
    };
}
use rules;
