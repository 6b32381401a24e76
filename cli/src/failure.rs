//! Why a command failed, and its exit status.

use std::fmt;
use std::process::ExitCode;

use keyspaces::{Error, ErrorCategory, ErrorKind};

/// The exit statuses: `keyspaces --help` and `cli/README.md` have the table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Status {
    Success = 0,
    /// The command ran, and its result is negative.
    Negative = 1,
    /// The command line, `keyspaces.toml` or a file is invalid. clap uses the same status.
    Usage = 2,
    Refused = 3,
    NotPermitted = 4,
    Unavailable = 5,
    Unknown = 6,
    Interrupted = 130,
}

/// Why a command failed. Errors of the library keep their text.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    text: String,
}

impl Failure {
    /// The command line, a setting or a file is invalid.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { status: Status::Usage, text: text.into() }
    }

    pub(crate) fn new(status: Status, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: error.kind().into(), text: error.to_string() }
    }
}

impl From<keyspaces_local::Error> for Failure {
    fn from(error: keyspaces_local::Error) -> Self {
        let status = match error.kind() {
            keyspaces_local::ErrorKind::Setting => Status::Usage,
            _ => Status::Unavailable,
        };
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        Self { status, text }
    }
}

impl From<ErrorKind> for Status {
    fn from(kind: ErrorKind) -> Self {
        match (kind, kind.category()) {
            (ErrorKind::Configuration | ErrorKind::File, _) => Self::Usage,
            (ErrorKind::Tls | ErrorKind::Credentials | ErrorKind::Authentication | ErrorKind::Unauthorized, _) => {
                Self::NotPermitted
            }
            (_, ErrorCategory::Caller | ErrorCategory::Program) => Self::Refused,
            (_, ErrorCategory::Unavailable) => Self::Unavailable,
            (_, ErrorCategory::Unknown) => Self::Unknown,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_status_says_who_has_to_act() {
        for (kind, status) in [
            (ErrorKind::Configuration, Status::Usage),
            (ErrorKind::File, Status::Usage),
            (ErrorKind::Value, Status::Refused),
            (ErrorKind::Refused, Status::Refused),
            (ErrorKind::AlreadyExists, Status::Refused),
            (ErrorKind::Tls, Status::NotPermitted),
            (ErrorKind::Unauthorized, Status::NotPermitted),
            (ErrorKind::Throttled, Status::Unavailable),
            (ErrorKind::Connect, Status::Unavailable),
            (ErrorKind::Unknown, Status::Unknown),
        ] {
            assert_eq!(Status::from(kind), status, "{kind}");
        }
    }

    #[test]
    fn readme_repeats_the_exit_status_table_of_the_help() {
        let in_help = crate::AFTER_HELP.lines().skip(1).take_while(|line| !line.is_empty());
        let rows: Vec<String> = in_help
            .filter_map(|line| line.trim().split_once(' '))
            .map(|(status, meaning)| format!("| {status} | {} |", meaning.trim()))
            .collect();
        assert_eq!(rows.len(), 8);
        assert!(include_str!("../README.md").contains(&rows.join("\n")), "{}", rows.join("\n"));
    }
}
