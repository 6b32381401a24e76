#![doc = include_str!("../README.md")]

mod allowed;
mod calendar;
pub mod convert;
mod default_keyspace;
mod difference;
mod effect;
mod facts;
mod idempotence;
mod judge;
mod keyspace;
mod known_table;
mod lexer;
pub mod lint;
pub mod metrics;
mod name;
mod parser;
mod portable;
mod print;
#[cfg(test)]
mod properties;
mod reserved;
pub mod rules;
mod saturated;
mod span;
pub mod statement;
mod syntax_error;
mod table;
mod tree;
pub mod units;
mod user_type;
pub mod value;

pub use difference::{
    Definitions, DefinitionsError, DefinitionsProblem, Difference, ImpossibleChange, Step, TableDifference, Unchanged,
    Warning, WarningKind,
};
pub use effect::{Addition, AdditionTarget, Effect};
pub use facts::{Function, InWidth};
pub use idempotence::{Idempotence, NotIdempotent};
pub use judge::{Context, Judgement, Refusal, Unknown, is_system_keyspace, judge, judge_in, judge_prepare};
pub use keyspace::{KeyspaceChange, KeyspaceDefinition, Replication};
pub use known_table::{KnownColumn, KnownTable, KnownTables, UserTypes};
pub use name::{Name, QualifiedName};
pub use parser::{parse, parse_script};
pub use portable::Portable;
pub use rules::Rule;
pub use span::{Position, Span};
pub use statement::Statement;
pub use syntax_error::{SyntaxError, SyntaxProblem};
// A glob, so that a table option is exported where it is declared.
pub use table::*;
pub use user_type::TypeDefinition;

/// The options of a table and their values. The crate root exports them too.
pub mod table_options {
    pub use crate::table::properties::*;
}

/// The maximum nesting depth of parentheses, collections, types or signs.
pub const MAX_DEPTH: usize = 64;

/// The length of the longest text that is parsed: 4 MiB.
///
/// The service's limit is not documented; a row has at most 1 MB, which is 2 MB as a literal, and a logged batch 4 MB.
pub const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// The maximum number of tokens (words, signs, literals) of a text. A syntax tree of this many tokens takes up to some 100
/// MB.
pub const MAX_TOKENS: usize = 1_000_000;
