//! Errors for statements that are refused before anything is sent.

use keyspaces_cql::statement::{UnsupportedKind, UnsupportedStatement};
use keyspaces_cql::{Effect, Rule, SyntaxError, SyntaxProblem, parse_script, rules};

use crate::{Error, ErrorKind};

/// The error for a statement that a rule of Keyspaces refuses, in the same words as lint and migrations.
pub(crate) fn rule_error(attempted: String, rule: &Rule) -> Error {
    let (problem, mut advice) = rule_problem_and_advice(rule);
    if *rule == rules::TRUNCATE {
        advice.push_str(". schema().drop_and_recreate_table() does this");
    }
    Error::new(ErrorKind::Refused, attempted, problem).with_advice(advice)
}

/// The reason for the refusal, and the advice.
pub(crate) fn rule_problem_and_advice(rule: &Rule) -> (String, String) {
    (format!("Amazon Keyspaces refuses {}", rule.refuses), format!("{} ({})", rule.advice, rule.source))
}

/// The error for a Cassandra statement that no rule covers.
pub(super) fn unsupported_error(attempted: String, other: &UnsupportedStatement) -> Error {
    let problem = format!("it is not known whether Amazon Keyspaces has the statement {}", other.kind.name());
    let error = Error::new(ErrorKind::Refused, attempted, problem);
    match other.kind {
        UnsupportedKind::Describe | UnsupportedKind::Desc => {
            error.with_advice("schema().describe_table() describes a table; DESCRIBE itself is a command of cqlsh")
        }
        _ => error,
    }
}

/// The error for a text that is not CQL, or has more than one statement.
pub(super) fn syntax_error(text: &str, expected: &[Effect], error: SyntaxError) -> Error {
    let attempted = first_words(text);
    let statements = parse_script(text);
    let count = statements.len();
    if count > 1 && statements.iter().all(Result::is_ok) {
        let advice = if expected.contains(&Effect::Definition) {
            "Pass several definitions to schema().plan(), or to migrate() as a file"
        } else {
            "Send each one separately, or several writes as a batch"
        };
        let problem = format!("the text has {count} statements, but only one is accepted");
        return Error::new(ErrorKind::Refused, attempted, problem).with_advice(advice);
    }
    let is_cut_off = matches!(error.problem, SyntaxProblem::Unexpected { .. });
    // If the text has several statements, the error of the first invalid statement is the most useful one.
    let first = statements.into_iter().find_map(Result::err).filter(|_| is_cut_off && count > 1);
    let error = first.unwrap_or(error);
    Error::new(ErrorKind::Refused, attempted, format!("syntax error at {error}")).with_source(error)
}

/// The first words of a text, without literals, because a string may be a secret.
pub(super) fn first_words(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    let words = text.split_whitespace().take(4).take_while(|word| !word.contains(['\'', '$']));
    let words: Vec<_> = words.map(|word| word.chars().take(60).collect::<String>()).collect();
    if words.is_empty() { "a statement".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::super::StatementInfo;
    use super::*;
    use crate::migrate::Migrations;

    const ALL: [&[Effect]; 6] = [
        &[Effect::Read],
        &[Effect::Write],
        &[Effect::ConditionalWrite],
        &[Effect::Increment],
        &[Effect::Definition],
        &[Effect::Read, Effect::Write],
    ];

    fn refusal(text: &str, expected: &[Effect]) -> String {
        StatementInfo::parse(text, false, expected).expect_err(text).to_string()
    }

    #[test]
    fn session_lint_migration_and_definitions_refuse_unsupported_cql_alike() {
        for (text, attempted, words) in [
            (
                "TRUNCATE shop.names",
                "TRUNCATE shop.names",
                "Amazon Keyspaces refuses TRUNCATE. Drop the table, wait until it is gone from system_schema_mcs.tables, and \
                 create it again. (DG:cassandra-apis)",
            ),
            (
                "CREATE INDEX ON shop.names (name)",
                "CREATE INDEX shop.names",
                "Amazon Keyspaces refuses secondary indexes. Write the rows to a second table as well, with the \
                 column that you look up as its key. (DG:cassandra-apis)",
            ),
            (
                "ALTER TYPE shop.address ADD city text",
                "ALTER TYPE",
                "Amazon Keyspaces refuses ALTER TYPE. Create a new type, and a column of it. (DG:cassandra-apis)",
            ),
            (
                "GRANT SELECT ON shop.names TO me",
                "GRANT",
                "Amazon Keyspaces refuses Cassandra's roles, users and permissions. Use IAM: identities, and policies on \
                 keyspaces and tables. (DG:functional-differences)",
            ),
        ] {
            let is_truncate = text.starts_with("TRUNCATE");
            let more = if is_truncate { ". schema().drop_and_recreate_table() does this" } else { "" };
            for expected in ALL {
                assert_eq!(refusal(text, expected), format!("{attempted} failed: {words}{more}"));
            }
            let findings = keyspaces_cql::lint::lint(text);
            assert!(findings.iter().any(|finding| finding.to_string().ends_with(words)), "{findings:?}");
            let migration = Migrations::new([("1_a.cql", text)]).unwrap_err().to_string();
            assert!(migration.ends_with(&format!("line 1, column 1: {words}")), "{migration}");
            let definitions = keyspaces_cql::Definitions::parse(text).unwrap_err().to_string();
            assert!(definitions.ends_with(words), "{definitions}");
            StatementInfo::parse(text, true, &[Effect::Write]).expect("a plain Cassandra has it");
        }
    }

    #[test]
    fn invalid_cql_is_refused_with_position_and_expected_token() {
        for (text, words) in [
            (
                "INSERT INTO shop.names (id) VALUE (1)",
                "INSERT INTO shop.names (id) failed: syntax error at line 1, column 29: expected VALUES, found 'VALUE'",
            ),
            (
                "SELECT *\r\nFORM shop.names",
                "SELECT * FORM shop.names failed: syntax error at line 2, column 1: expected FROM, found 'FORM'",
            ),
            (
                "SELECT * FROM shop.names WHERE name = 'secret' AND",
                "SELECT * FROM shop.names failed: syntax error at line 1, column 51: expected a column, found the end of the \
                 text",
            ),
            (
                "\u{feff}SELECT * FROM shop.names",
                "SELECT * FROM shop.names failed: syntax error at line 1, column 1: byte order mark: save the file \
                 as UTF-8 without it",
            ),
            (
                "source 'tables.cql'",
                "source failed: syntax error at line 1, column 1: SOURCE is a cqlsh command, not a CQL statement: put the \
                 statements of that file in its place",
            ),
            (
                "DELETE FROM shop.names WHERE id = 1; DELETE FROM shop.names WHERE id = 2",
                "DELETE FROM shop.names WHERE failed: the text has 2 statements, but only one is accepted. Send each one \
                 separately, or several writes as a batch",
            ),
            (
                "DELETE FROM shop.names WHERE id = 1 DELETE FROM shop.names WHERE id = 2",
                "DELETE FROM shop.names WHERE failed: syntax error at line 1, column 37: expected ';' or the end of the text, \
                 found 'DELETE'",
            ),
            (
                "",
                "a statement failed: syntax error at line 1, column 1: expected a statement, found the end of the text",
            ),
        ] {
            assert_eq!(refusal(text, &[Effect::Read, Effect::Write]), words);
        }
        assert_eq!(
            refusal("DROP TABLE shop.names; DROP TABLE shop.prices;", &[Effect::Definition]),
            "DROP TABLE shop.names; DROP failed: the text has 2 statements, but only one is accepted. Pass several definitions \
             to schema().plan(), or to migrate() as a file"
        );
        assert_eq!(
            refusal("DESCRIBE TABLES", &[Effect::Read]),
            "DESCRIBE failed: it is not known whether Amazon Keyspaces has the statement DESCRIBE. schema().describe_table() \
             describes a table; DESCRIBE itself is a command of cqlsh"
        );
    }
}
