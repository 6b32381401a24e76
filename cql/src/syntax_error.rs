//! What is wrong with a text that is no CQL.

use std::error::Error;
use std::fmt;

use crate::{MAX_DEPTH, MAX_TEXT_BYTES, MAX_TOKENS, Position, Span};

/// Why a text could not be read as CQL, and where.
///
/// Its text names words and signs of the statement, never the contents of a string or another literal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyntaxError {
    /// Where it went wrong.
    pub span: Span,
    /// The same as line and column.
    pub position: Position,
    /// What went wrong.
    pub problem: SyntaxProblem,
}

/// What went wrong in a [`SyntaxError`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SyntaxProblem {
    /// Something else should stand here.
    Unexpected {
        /// What CQL would allow here, in words.
        expected: String,
        /// What is there, in words.
        found: String,
    },
    /// A reserved word stands where a name should.
    Reserved {
        /// Which kind of name, in words.
        expected: String,
        /// The word.
        word: String,
    },
    /// A string, quoted name or comment that does not end.
    Unterminated(&'static str),
    /// More than [`MAX_DEPTH`] levels of parentheses, collections, types or signs inside each other.
    TooDeep,
    /// A text of more than [`MAX_TEXT_BYTES`] bytes or [`MAX_TOKENS`] tokens.
    TooLong,
    /// The byte order mark that some editors write at the start of a file.
    ByteOrderMark,
    /// A command of cqlsh, which no server knows.
    CqlshCommand {
        /// The command.
        command: &'static str,
        /// What to do in its place.
        instead: &'static str,
    },
}

impl SyntaxError {
    /// What CQL would allow here, where that is the problem.
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
            Self::Unterminated(what) => write!(f, "{what} that begins here does not end"),
            Self::TooDeep => write!(f, "more than {MAX_DEPTH} levels inside each other"),
            Self::TooLong => {
                write!(
                    f,
                    "the text is longer than {MAX_TEXT_BYTES} bytes, or has more than {MAX_TOKENS} words and signs"
                )
            }
            Self::ByteOrderMark => f.write_str("a byte order mark stands here: save the text as UTF-8 without one"),
            Self::CqlshCommand { command, instead } => {
                write!(f, "{command} is a command of cqlsh, not a statement of CQL: {instead}")
            }
        }
    }
}

impl Error for SyntaxError {}
