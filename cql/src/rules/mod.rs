//! What Keyspaces refuses, as data: each rule with its source and, where it is known, the service's own text.
//!
//! A source `DG:page` is a page of the Amazon Keyspaces Developer Guide, `API:page` of its API reference, `gh:owner/name#n`
//! an issue or a pull request on GitHub in which somebody shows what the service answered. Nothing here was tried against
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

/// Something that Keyspaces refuses.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, which stays.
    pub id: &'static str,
    /// What it refuses, in words that fit after "Amazon Keyspaces refuses".
    pub refuses: &'static str,
    /// The service's own words, where somebody has shown them.
    pub server_message: Option<&'static str>,
    /// The code of the CQL error, where somebody has shown it.
    pub code: Option<i32>,
    /// What to do instead.
    pub advice: &'static str,
    /// Who says so.
    pub source: &'static str,
    /// The day since which it is so, where that is known; otherwise as long as there is a guide.
    pub since: Option<&'static str>,
}

/// `Invalid` of the CQL protocol: a request that is syntactically right and cannot be carried out.
pub const INVALID: i32 = 0x2200;

impl Rule {
    /// The code of the CQL error: what somebody has shown, else [`INVALID`], which is an assumption.
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

/// Those of them that [`judge`](crate::judge) never tells: it takes bound values, the table or
/// the time to see that they are broken.
pub fn runtime_rules() -> impl Iterator<Item = &'static Rule> {
    CHANGE_RULES.iter().chain(SIZE_RULES).chain(TIMESTAMP_RULES).copied()
}

/// The rule of this id.
#[must_use]
pub fn with_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// The rule that the service explains with this text.
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
