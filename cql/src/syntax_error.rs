//! Syntax errors.

use std::error::Error;
use std::fmt;

use crate::{MAX_DEPTH, MAX_TEXT_BYTES, MAX_TOKENS, Position, Span};

/// The first problem of a text that could not be parsed as CQL, and its place.
///
/// The message shows words and signs of the text, but never the contents of a string or another literal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyntaxError {
    /// The place of the error.
    pub span: Span,
    /// Line and column of the start of `span`.
    pub position: Position,
    /// The problem.
    pub problem: SyntaxProblem,
}

/// The problem of a [`SyntaxError`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SyntaxProblem {
    /// CQL does not allow this token here.
    Unexpected {
        /// The tokens that CQL allows here, in words.
        expected: String,
        /// The token found here, in words.
        found: String,
    },
    /// A reserved word without quotes stands where CQL expects a name.
    Reserved {
        /// The expected kind of name, in words.
        expected: String,
        /// The reserved word.
        word: String,
    },
    /// A string, quoted name or comment is not terminated.
    Unterminated(&'static str),
    /// The text has more than [`MAX_DEPTH`] nested levels of parentheses, collections, types or signs.
    TooDeep,
    /// The text has more than [`MAX_TEXT_BYTES`] bytes or [`MAX_TOKENS`] tokens.
    TooLong,
    /// The text has a byte order mark, which some editors write at the start of a file.
    ByteOrderMark,
    /// The text has a command of cqlsh, which no server knows.
    CqlshCommand {
        /// The command.
        command: &'static str,
        /// The replacement for the command.
        replacement: &'static str,
    },
}

impl SyntaxError {
    /// The tokens that CQL allows here, in words; `None` if the problem is not an unexpected token.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        match &self.problem {
            SyntaxProblem::Unexpected { expected, .. } | SyntaxProblem::Reserved { expected, .. } => Some(expected),
            SyntaxProblem::Unterminated(_)
            | SyntaxProblem::TooDeep
            | SyntaxProblem::TooLong
            | SyntaxProblem::ByteOrderMark
            | SyntaxProblem::CqlshCommand { .. } => None,
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.problem)
    }
}

impl fmt::Display for SyntaxProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Reserved { expected, word } => {
                write!(f, "expected {expected}, found '{word}', which is reserved: write it in double quotes")
            }
            Self::Unterminated(token) => write!(f, "{token} that begins here is not terminated"),
            Self::TooDeep => write!(f, "nested more than {MAX_DEPTH} levels deep"),
            Self::TooLong => {
                write!(f, "the text is longer than {MAX_TEXT_BYTES} bytes, or has more than {MAX_TOKENS} tokens")
            }
            Self::ByteOrderMark => f.write_str("byte order mark: save the file as UTF-8 without it"),
            Self::CqlshCommand { command, replacement } => {
                write!(f, "{command} is a cqlsh command, not a CQL statement: {replacement}")
            }
        }
    }
}

impl Error for SyntaxError {}
