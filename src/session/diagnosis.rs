//! The result of `diagnose`.

use std::fmt;

use crate::{Error, ErrorKind};

/// The result of [`diagnose`](super::SessionBuilder::diagnose). Its `Display` is meant to be read by people.
#[derive(Clone, Debug)]
#[must_use = "a diagnosis does nothing unless it is read or printed"]
pub struct Diagnosis {
    title: String,
    checks: Vec<Check>,
}

/// The result of one check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    subject: &'static str,
    text: String,
    remedy: Option<String>,
}

impl Diagnosis {
    /// Whether no check found a problem.
    pub fn is_healthy(&self) -> bool {
        self.checks.iter().all(Check::is_ok)
    }

    /// The checks, in the order of connecting. Steps after a failed step were not checked.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), checks: Vec::new() }
    }

    pub(super) fn add_ok(&mut self, subject: &'static str, text: impl Into<String>) {
        self.checks.push(Check { subject, text: text.into(), remedy: None });
    }

    pub(super) fn add_problem(&mut self, subject: &'static str, text: impl Into<String>, remedy: impl Into<String>) {
        self.checks.push(Check { subject, text: text.into(), remedy: Some(remedy.into()) });
    }

    pub(super) fn add_error(&mut self, subject: &'static str, error: &Error) {
        self.add_problem(subject, short_text(error), error.advice().unwrap_or("No remedy is known"));
    }
}

/// Shortens an error to its problem and the server's message, because the diagnosis already contains the rest. Errors
/// of settings and credentials keep the operation, because only it names the wrong setting or the missing credentials.
pub(super) fn short_text(error: &Error) -> String {
    let text = match error.kind() {
        ErrorKind::Configuration | ErrorKind::Credentials => {
            format!("{} failed: {}", error.attempted(), error.problem())
        }
        _ => error.problem().to_owned(),
    };
    text + &error.quoted_server_message().unwrap_or_default()
}

impl Check {
    /// The subject of the check, such as `TLS`.
    pub fn subject(&self) -> &str {
        self.subject
    }

    /// The result in words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to do about the problem, if there is one.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Whether the check found no problem.
    pub fn is_ok(&self) -> bool {
        self.remedy.is_none()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        writeln!(f)?;
        let width = self.checks.iter().map(|check| check.subject.len()).max().unwrap_or_default();
        for Check { subject, text, remedy } in &self.checks {
            let mark = if remedy.is_none() { "ok  " } else { "FAIL" };
            writeln!(f, "  {mark}  {subject:width$}  {text}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "        {:width$}  -> {remedy}", "")?;
            }
        }
        writeln!(f)?;
        match self.checks.iter().filter(|check| !check.is_ok()).count() {
            0 => write!(f, "No problems were found."),
            1 => write!(f, "1 problem was found."),
            problems => write!(f, "{problems} problems were found."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_printed_below_its_problem() {
        let mut diagnosis = Diagnosis::new("localhost:9142");
        diagnosis.add_ok("addresses", "127.0.0.1");
        assert!(diagnosis.is_healthy());
        diagnosis.add_problem("TCP", "the connection was refused", "Check the port");
        assert!(!diagnosis.is_healthy());
        assert_eq!(
            diagnosis.to_string(),
            "localhost:9142\n\n  ok    addresses  127.0.0.1\n  FAIL  TCP        the connection was refused\n\
             \x20                  -> Check the port\n\n1 problem was found."
        );
    }
}
