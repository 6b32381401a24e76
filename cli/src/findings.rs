//! Findings in CQL files, and their output formats.

mod github;
mod human;
mod json;
mod sarif;
mod short;

use std::fmt;
use std::io::{self, Write};

use clap::ValueEnum;
use keyspaces::lint::{Position, Span};

use crate::input::Source;

/// The output format of findings.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FindingsFormat {
    /// Text with the source line and a caret
    Human,
    /// path:line:column: level[id]: text, one line each
    Short,
    /// One JSON array
    Json,
    /// SARIF 2.1.0 for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
}

/// A problem or a note, with its position in a text.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// The name of the rule, which is the same in all versions.
    pub(crate) id: String,
    pub(crate) span: Span,
    pub(crate) position: Position,
    pub(crate) text: String,
    /// What to do, in whole sentences.
    pub(crate) help: Option<String>,
    /// The page or issue that documents the rule.
    pub(crate) source: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    Error,
    Warning,
    Note,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Findings of several files.
#[derive(Debug, Default)]
pub(crate) struct Report<'a> {
    findings: Vec<(&'a Source, Finding)>,
}

impl<'a> Report<'a> {
    pub(crate) fn add(&mut self, source: &'a Source, findings: impl Iterator<Item = Finding>) {
        self.findings.extend(findings.map(|finding| (source, finding)));
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.findings.iter().any(|(_, finding)| finding.level == Level::Error)
    }

    pub(crate) fn write(&self, format: FindingsFormat, to: &mut impl Write) -> io::Result<()> {
        match format {
            FindingsFormat::Human => human::write(self, to),
            FindingsFormat::Short => short::write(self, to),
            FindingsFormat::Json => json::write(self, to),
            FindingsFormat::Sarif => sarif::write(self, to),
            FindingsFormat::Github => github::write(self, to),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&Source, &Finding)> {
        self.findings.iter().map(|(source, finding)| (*source, finding))
    }
}

impl Finding {
    /// The text, the help and the source in one line.
    fn message(&self) -> String {
        let mut text = self.text.clone();
        if let Some(help) = &self.help {
            text += ". ";
            text += help;
        }
        if let Some(source) = self.source {
            text += &format!(" ({source})");
        }
        text
    }

    /// Line and column after the last character.
    fn end(&self, text: &str) -> Position {
        Span::new(self.span.end, self.span.end).position(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output for one error, which is in the second of two lines.
    fn rendered(format: FindingsFormat) -> String {
        let text = "-- 100 %\nCREATE INDEX ON shop.sales (price);\n".to_owned();
        let source = Source { name: "a,b.cql".to_owned(), text };
        let span = Span::new(9, 43);
        let finding = Finding {
            level: Level::Error,
            id: "index".to_owned(),
            span,
            position: span.position(&source.text),
            text: "100 % refused".to_owned(),
            help: Some("Write a table.".to_owned()),
            source: Some("DG:cassandra-apis"),
        };
        let mut report = Report::default();
        report.add(&source, [finding].into_iter());
        let mut output = Vec::new();
        report.write(format, &mut anstream::StripStream::new(&mut output)).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn human_format_shows_the_source_line_with_carets() {
        let text = rendered(FindingsFormat::Human);
        let lines = [
            "error[index]: 100 % refused",
            "a,b.cql:2:1",
            "2 | CREATE INDEX ON shop.sales (price);",
            "| ^^^^",
            "help: Write a table.",
            "note: DG:cassandra-apis",
        ];
        for line in lines {
            assert!(text.contains(line), "{line} is missing: {text}");
        }
        assert!(text.ends_with("\n\n1 error\n"), "{text}");
    }

    #[test]
    fn short_format_prints_one_line_per_finding() {
        let expected = "a,b.cql:2:1: error[index]: 100 % refused. Write a table. (DG:cassandra-apis)\n";
        assert_eq!(rendered(FindingsFormat::Short), expected);
    }

    #[test]
    fn github_format_escapes_workflow_command_delimiters() {
        let expected = "::error file=a%2Cb.cql,line=2,endLine=2,col=1,endColumn=35,title=index::100 %25 refused. \
                        Write a table. (DG:cassandra-apis)\n";
        assert_eq!(rendered(FindingsFormat::Github), expected);
    }

    #[test]
    fn json_format_prints_findings_as_json() {
        let all: serde_json::Value = serde_json::from_str(&rendered(FindingsFormat::Json)).unwrap();
        let expected = serde_json::json!([{
            "file": "a,b.cql", "level": "error", "id": "index", "text": "100 % refused", "help": "Write a table.",
            "source": "DG:cassandra-apis", "line": 2, "column": 1, "end_line": 2, "end_column": 35
        }]);
        assert_eq!(all, expected);
    }

    #[test]
    fn sarif_output_has_rule_and_region() {
        let log: serde_json::Value = serde_json::from_str(&rendered(FindingsFormat::Sarif)).unwrap();
        let run = &log["runs"][0];
        assert_eq!((&log["version"], &run["tool"]["driver"]["rules"][0]["id"]), (&"2.1.0".into(), &"index".into()));
        let result = &run["results"][0];
        assert_eq!(
            (&result["ruleId"], &result["ruleIndex"], &result["level"]),
            (&"index".into(), &0.into(), &"error".into())
        );
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "a,b.cql");
        let region = serde_json::json!({"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 35});
        assert_eq!(location["region"], region);
    }
}
