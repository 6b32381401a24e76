//! The report of a diagnosis.

use std::fmt;

use crate::{Error, ErrorKind};

/// The report of [`diagnose`](super::SessionBuilder::diagnose). Its `Display` is meant to be read by people.
#[derive(Clone, Debug)]
#[must_use = "a report does nothing unless it is read or printed"]
pub struct Report {
    title: String,
    findings: Vec<Finding>,
}

/// The result of one check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    subject: &'static str,
    text: String,
    remedy: Option<String>,
}

impl Report {
    /// Whether no check found a problem.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(Finding::is_ok)
    }

    /// The findings, in the order of connecting. Steps after a failed step are missing.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), findings: Vec::new() }
    }

    pub(super) fn add_ok(&mut self, subject: &'static str, text: impl Into<String>) {
        self.findings.push(Finding { subject, text: text.into(), remedy: None });
    }

    pub(super) fn add_problem(&mut self, subject: &'static str, text: impl Into<String>, remedy: impl Into<String>) {
        self.findings.push(Finding { subject, text: text.into(), remedy: Some(remedy.into()) });
    }

    pub(super) fn add_error(&mut self, subject: &'static str, error: &Error) {
        self.add_problem(subject, short_text(error), error.advice().unwrap_or("No remedy is known"));
    }
}

/// Shortens an error to its problem and the server's message, because the report has the rest already. Errors of
/// settings and credentials keep what was attempted, because only that names the wrong setting or the missing
/// credentials.
pub(super) fn short_text(error: &Error) -> String {
    let mut text = match error.kind() {
        ErrorKind::Configuration | ErrorKind::Credentials => {
            format!("{} failed: {}", error.attempted(), error.problem())
        }
        _ => error.problem().to_owned(),
    };
    if let Some(message) = error.server_message() {
        text.push_str(&format!("; the other side said: \"{message}\""));
    }
    text
}

impl Finding {
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        writeln!(f)?;
        let width = self.findings.iter().map(|finding| finding.subject.len()).max().unwrap_or_default();
        for Finding { subject, text, remedy } in &self.findings {
            let mark = if remedy.is_none() { "ok  " } else { "FAIL" };
            writeln!(f, "  {mark}  {subject:width$}  {text}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "        {:width$}  -> {remedy}", "")?;
            }
        }
        writeln!(f)?;
        match self.findings.iter().filter(|finding| !finding.is_ok()).count() {
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
        let mut report = Report::new("localhost:9142");
        report.add_ok("addresses", "127.0.0.1");
        assert!(report.is_healthy());
        report.add_problem("TCP", "the connection was refused", "Check the port");
        assert!(!report.is_healthy());
        assert_eq!(
            report.to_string(),
            "localhost:9142\n\n  ok    addresses  127.0.0.1\n  FAIL  TCP        the connection was refused\n\
             \x20                  -> Check the port\n\n1 problem was found."
        );
    }
}
