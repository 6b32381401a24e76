use std::fmt;

use crate::{Error, ErrorKind};

/// The report of [`diagnose`](super::Builder::diagnose). Its `Display` is meant to be read by people.
#[derive(Clone, Debug)]
#[must_use = "a report is there to be read"]
pub struct Report {
    of: String,
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
    /// Whether every check found all well.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(Finding::is_right)
    }

    /// The findings, in the order of connecting. Steps after a failed step are missing.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(super) fn new(of: impl Into<String>) -> Self {
        Self { of: of.into(), findings: Vec::new() }
    }

    pub(super) fn right(&mut self, subject: &'static str, text: impl Into<String>) {
        self.findings.push(Finding { subject, text: text.into(), remedy: None });
    }

    pub(super) fn wrong(&mut self, subject: &'static str, text: impl Into<String>, remedy: impl Into<String>) {
        self.findings.push(Finding { subject, text: text.into(), remedy: Some(remedy.into()) });
    }

    pub(super) fn failed(&mut self, subject: &'static str, error: &Error) {
        self.wrong(subject, in_short(error), error.advice().unwrap_or("No remedy is known"));
    }
}

/// Shortens an error to its problem and the server's message, because the report already has the rest. For errors of
/// settings and credentials it keeps what was attempted, because only that names the wrong setting or the missing
/// credentials.
pub(super) fn in_short(error: &Error) -> String {
    let mut text = match error.kind() {
        ErrorKind::Configuration | ErrorKind::Credentials => {
            format!("{} failed: {}", error.attempted(), error.problem())
        }
        _ => error.problem().to_owned(),
    };
    if let Some(said) = error.server_message() {
        text.push_str(&format!("; the other side said: \"{said}\""));
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
    pub fn is_right(&self) -> bool {
        self.remedy.is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.of)?;
        writeln!(f)?;
        let width = self.findings.iter().map(|finding| finding.subject.len()).max().unwrap_or_default();
        for Finding { subject, text, remedy } in &self.findings {
            let mark = if remedy.is_none() { "ok   " } else { "WRONG" };
            writeln!(f, "  {mark}  {subject:width$}  {text}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "         {:width$}  -> {remedy}", "")?;
            }
        }
        writeln!(f)?;
        match self.findings.iter().filter(|finding| !finding.is_right()).count() {
            0 => write!(f, "Everything is as it should be."),
            1 => write!(f, "One thing is not as it should be."),
            wrong => write!(f, "{wrong} things are not as they should be."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_stands_under_what_is_wrong() {
        let mut report = Report::new("localhost:9142");
        report.right("addresses", "127.0.0.1");
        assert!(report.is_healthy());
        report.wrong("TCP", "the connection was refused", "Check the port");
        assert!(!report.is_healthy());
        assert_eq!(
            report.to_string(),
            "localhost:9142\n\n  ok     addresses  127.0.0.1\n  WRONG  TCP        the connection was \
             refused\n                    -> Check the port\n\nOne thing is not as it should be."
        );
    }
}
