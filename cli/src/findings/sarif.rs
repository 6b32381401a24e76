//! SARIF 2.1.0 (OASIS), which GitHub's code scanning and editors read.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Finding, Report};
use crate::input::Source;

pub(super) fn write(report: &Report<'_>, to: &mut impl Write) -> io::Result<()> {
    let mut rules: Vec<&str> = Vec::new();
    let mut results = Vec::new();
    for (source, finding) in report.iter() {
        let index = rules.iter().position(|id| *id == finding.id).unwrap_or_else(|| {
            rules.push(&finding.id);
            rules.len() - 1
        });
        results.push(result(source, finding, index));
    }
    let rules: Vec<Value> = rules.into_iter().map(|id| json!({ "id": id })).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "keyspaces", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    writeln!(to, "{log:#}")
}

fn result(source: &Source, finding: &Finding, rule: usize) -> Value {
    let end = finding.end(&source.text);
    json!({
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": finding.level.to_string(),
        "message": {"text": finding.message()},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&source.name)},
                "region": {
                    "startLine": finding.position.line,
                    "startColumn": finding.position.column,
                    "endLine": end.line,
                    "endColumn": end.column,
                },
            },
        }],
    })
}

/// A path as a relative URI (RFC 3986). A colon is encoded too: the text before it would be read as the scheme.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'\\' => uri.push('/'),
            _ if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) => uri.push(char::from(byte)),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_relative_uri() {
        for (path, expected) in
            [("a,b.cql", "a,b.cql"), ("<stdin>", "%3Cstdin%3E"), ("c:\\x y#\u{e9}.cql", "c%3A/x%20y%23%C3%A9.cql")]
        {
            assert_eq!(uri(path), expected);
        }
    }
}
