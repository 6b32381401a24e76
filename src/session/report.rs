use std::fmt;

use crate::{Error, ErrorKind};

/// What [`diagnose`](super::Builder::diagnose) found. Prints well.
#[derive(Clone, Debug)]
#[must_use = "a report is there to be read"]
pub struct Report {
    of: String,
    findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    subject: &'static str,
    text: String,
    remedy: Option<String>,
}

impl Report {
    /// Whether everything is as it should be.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(Finding::is_right)
    }

    /// What was looked at, in the order of connecting. What comes after a step that failed is not there.
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

/// The problem and what was said. Of connecting, the rest stands in the report already; which setting is wrong, or whose
/// credentials are missing, stands in what was attempted only.
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
    /// What was looked at: `TLS`.
    pub fn subject(&self) -> &str {
        self.subject
    }

    /// What was found.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to do, if it is not as it should be.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Whether it is as it should be.
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
