//! The progress of a migration.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::schema;

/// The progress of a [`Migrate`](super::Migrate).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MigrationProgress {
    /// Another program holds the lock.
    Waiting {
        /// The name of that program.
        held_by: String,
        /// When its lease expires unless renewed, by that program's clock.
        until: DateTime<Utc>,
    },
    /// A statement is about to be sent.
    Statement {
        /// The name of the file.
        file: String,
        /// Which statement it is, from 1.
        statement: usize,
        /// How many statements the file has.
        total: usize,
        /// The statement.
        text: String,
    },
    /// A statement that an interrupted program was about to send is known to have been carried out.
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
        /// The progress of the definition.
        progress: schema::ChangeProgress,
    },
    /// The condition of a conditional write did not hold. Nothing was written, and the migration continues.
    NotApplied {
        /// The name of the file.
        file: String,
        /// Which statement it is, from 1.
        statement: usize,
    },
    /// All statements of a file have been carried out, and this is recorded.
    Applied {
        /// The name of the file.
        file: String,
        /// How long the statements of the file took in this run.
        elapsed: Duration,
    },
}

impl fmt::Display for MigrationProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { held_by, until } => {
                write!(f, "waiting: {held_by} holds the lock, with a lease until {}", time_text(*until))
            }
            Self::Statement { file, statement, total, text } => write!(f, "{file}, {statement} of {total}: {text}"),
            Self::Found { file, statement } => write!(f, "{file}: statement {statement} was carried out before"),
            Self::Definition { file, progress } => write!(f, "{file}: {progress}"),
            Self::NotApplied { file, statement } => {
                write!(f, "{file}: the condition of statement {statement} did not hold, and nothing was written")
            }
            Self::Applied { file, elapsed } => write!(f, "{file} is applied after {elapsed:.1?}"),
        }
    }
}

/// Formats a time: `2026-01-01T12:00:00Z`.
pub(super) fn time_text(time: DateTime<Utc>) -> impl fmt::Display {
    time.format("%Y-%m-%dT%H:%M:%SZ")
}
