//! How far a migration is.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::schema;

/// How far a [`Migrate`](super::Migrate) is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// Another program holds the lock.
    Waiting {
        /// What it calls itself.
        held_by: String,
        /// When its lease runs out if it is not renewed, by that program's clock.
        until: DateTime<Utc>,
    },
    /// A statement is about to be sent.
    Statement {
        /// The name of the file.
        file: String,
        /// Which statement it is, from 1.
        statement: usize,
        /// How many the file has.
        of: usize,
        /// The statement.
        text: String,
    },
    /// It was about to be sent by a program that did not write down what became of it, and was found to be carried out.
    Found {
        /// The name of the file.
        file: String,
        /// Which statement it is, from 1.
        statement: usize,
    },
    /// A definition is being carried out.
    Definition {
        /// The name of the file.
        file: String,
        /// How far it is.
        progress: schema::Progress,
    },
    /// The condition of a conditional write did not hold: nothing was written, which is no failure.
    NotApplied {
        /// The name of the file.
        file: String,
        /// Which statement it is, from 1.
        statement: usize,
    },
    /// All statements of a file are carried out, and that is written down.
    Applied {
        /// The name of the file.
        file: String,
        /// How long it took, or what was left of it.
        elapsed: Duration,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { held_by, until } => {
                write!(f, "waiting: {held_by} holds the lock, with a lease until {}", at(*until))
            }
            Self::Statement { file, statement, of, text } => write!(f, "{file}, {statement} of {of}: {text}"),
            Self::Found { file, statement } => write!(f, "{file}: statement {statement} was carried out before"),
            Self::Definition { file, progress } => write!(f, "{file}: {progress}"),
            Self::NotApplied { file, statement } => {
                write!(f, "{file}: the condition of statement {statement} did not hold, and nothing was written")
            }
            Self::Applied { file, elapsed } => write!(f, "{file} is applied after {elapsed:.1?}"),
        }
    }
}

/// `2026-01-01T12:00:00Z`
pub(super) fn at(time: DateTime<Utc>) -> impl fmt::Display {
    time.format("%Y-%m-%dT%H:%M:%SZ")
}
