//! Properties of every text and every statement.

mod statements;
mod terms;

use proptest::prelude::*;

use crate::lexer::{TokenKind, tokens};
use crate::lint::lint;
use crate::{Judgement, Statement, judge, judge_prepare, parse, parse_script};

/// Parses, judges and lints the text, and parses the printed statements again.
fn survives(text: &str) -> Result<(), TestCaseError> {
    for parsed in parse_script(text).into_iter().chain([parse(text)]) {
        match parsed {
            Ok(statement) => {
                prop_assert!(text.get(statement.span().range()).is_some());
                prints_to_the_same(&statement)?;
                facts_are_in(&statement, text)?;
            }
            Err(error) => {
                prop_assert!(text.get(error.span.range()).is_some(), "{error:?}");
                prop_assert_eq!(error.position, error.span.position(text));
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
    for finding in lint(text) {
        prop_assert!(text.get(finding.span.range()).is_some(), "{finding:?}");
        prop_assert_eq!(finding.position, finding.span.position(text));
        prop_assert!(!finding.to_string().is_empty());
    }
    Ok(())
}

fn prints_to_the_same(statement: &Statement) -> Result<(), TestCaseError> {
    let printed = statement.to_string();
    match parse(&printed) {
        Ok(again) => prop_assert_eq!(again.without_spans(), statement.without_spans(), "printed: {}", printed),
        Err(error) => prop_assert!(false, "{printed}\n{error}"),
    }
    Ok(())
}

fn facts_are_in(statement: &Statement, text: &str) -> Result<(), TestCaseError> {
    let mut spans: Vec<_> = statement.tables().iter().map(|table| table.span()).collect();
    spans.extend(statement.bind_markers().iter().map(|marker| marker.span));
    spans.extend(statement.functions().iter().map(|function| function.span));
    spans.extend(statement.in_widths().iter().map(|width| width.span));
    for judgement in [judge(statement), judge_prepare(statement)] {
        match judgement {
            Judgement::Allowed => {}
            Judgement::Refused(refusal) => spans.push(refusal.span),
            Judgement::Unknown(unknown) => spans.push(unknown.span),
        }
    }
    let _ = statement.idempotence();
    for span in spans {
        prop_assert!(text.get(span.range()).is_some_and(|part| !part.is_empty()), "{span:?} of {text}");
    }
    Ok(())
}

/// Pieces of CQL, whole and broken.
const PIECES: &[&str] = &[
    "SELECT",
    "select",
    "INSERT INTO",
    "UPDATE",
    "DELETE",
    "FROM",
    "WHERE",
    "AND",
    "SET",
    "VALUES",
    "USING TTL",
    "TIMESTAMP",
    "IF",
    "NOT",
    "EXISTS",
    "IN",
    "CONTAINS KEY",
    "TOKEN",
    "token(",
    "CAST(",
    "AS",
    "LIMIT",
    "ORDER BY",
    "GROUP BY",
    "JSON",
    "DISTINCT",
    "ALLOW FILTERING",
    "PER PARTITION LIMIT",
    "BEGIN",
    "UNLOGGED",
    "BATCH",
    "APPLY BATCH",
    "CREATE TABLE",
    "CREATE KEYSPACE",
    "ALTER TABLE",
    "DROP",
    "ADD",
    "TAGS",
    "WITH",
    "PRIMARY KEY",
    "STATIC",
    "frozen<",
    "map<",
    "int",
    "text",
    "TRUNCATE",
    "CREATE INDEX",
    "ON",
    "GRANT",
    "a",
    "b",
    "ks.t",
    "\"Q\"\"N\"",
    "1",
    "-2",
    "1.5e3",
    "0xcafe",
    "'s'",
    "''",
    "'it''s'",
    "$$d$$",
    "?",
    ":m",
    "now()",
    "count(*)",
    "null",
    "true",
    "NaN",
    "-Infinity",
    "a70fe1c0-5408-4ae3-be34-8733e5c09f14",
    "12h",
    "P1Y",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "<=",
    "!=",
    "=",
    "+=",
    "-=",
    "+",
    "-",
    "*",
    "/",
    "%",
    ",",
    ".",
    "..",
    ":",
    ";",
    "--",
    "/*",
    "*/",
    "//",
    "'",
    "\"",
    "$$",
    "$",
    "\0",
    "é",
    "名",
    "😀",
    "\u{feff}",
    "\n",
    "\r",
    "\t",
    " ",
    "\u{a0}",
];

proptest! {
    #[test]
    fn parser_survives_arbitrary_text(text in any::<String>()) {
        survives(&text)?;
    }

    #[test]
    fn parser_survives_any_sequence_of_tokens(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40), glue in "[ \n]?") {
        survives(&pieces.join(&glue))?;
    }

    #[test]
    fn parser_survives_truncated_or_corrupted_statements(
        statement in statements::any_statement(),
        cut in any::<prop::sample::Index>(),
        piece in prop::sample::select(PIECES),
    ) {
        let text = statement.to_string();
        let places: Vec<_> = text.char_indices().map(|(place, _)| place).collect();
        let place = places[cut.index(places.len())];
        survives(&text[..place])?;
        survives(&format!("{}{piece}{}", &text[..place], &text[place..]))?;
    }

    #[test]
    fn printed_statement_parses_back_to_the_same_statement(statement in statements::any_statement()) {
        let printed = statement.to_string();
        prints_to_the_same(&statement)?;
        survives(&printed)?;
    }

    #[test]
    fn whitespace_and_comments_between_tokens_do_not_affect_parsing(
        statement in statements::any_statement(),
        blanks in prop::collection::vec(
            prop::sample::select(&[" ", "\n", "\t\r\n", " -- ; 'x\n", "/* \" ; */", " // $$\r", "/***/ "][..]),
            1..20,
        ),
    ) {
        let printed = statement.to_string();
        let mut blanks = blanks.iter().cycle();
        let mut text = String::new();
        for token in tokens(&printed) {
            if token.kind != TokenKind::End {
                text.push_str(blanks.next().copied().unwrap_or(" "));
                text.push_str(&printed[token.span().range()]);
                // Without a space, this sign and a comment after it would begin another comment.
                if matches!(token.kind, TokenKind::Slash | TokenKind::Minus) {
                    text.push(' ');
                }
            }
        }
        text.push_str(blanks.next().copied().unwrap_or(" "));
        let again = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}\n{error}")))?;
        prop_assert_eq!(again.without_spans(), statement.without_spans());
        prop_assert_eq!(again.effect(), statement.effect());
        prop_assert_eq!(again.idempotence().is_idempotent(), statement.idempotence().is_idempotent());
        prop_assert_eq!(std::mem::discriminant(&judge(&again)), std::mem::discriminant(&judge(&statement)));
    }

    #[test]
    fn keywords_are_case_insensitive(statement in statements::any_statement()) {
        let printed = statement.to_string();
        let mut text = String::new();
        for token in tokens(&printed) {
            let slice = &printed[token.span().range()];
            let folded = if token.kind == TokenKind::Word { slice.to_ascii_lowercase() } else { slice.to_owned() };
            text = text + " " + &folded;
        }
        let again = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}\n{error}")))?;
        if !matches!(again, Statement::Unsupported(_)) {
            prop_assert_eq!(again.without_spans(), statement.without_spans());
        }
    }

    #[test]
    fn script_parses_to_its_separate_statements(statements in prop::collection::vec(statements::any_statement(), 0..5)) {
        let text: String = statements.iter().map(|statement| format!("{statement};\n")).collect();
        let parsed = parse_script(&text);
        prop_assert_eq!(parsed.len(), statements.len());
        for (parsed, statement) in parsed.into_iter().zip(&statements) {
            let parsed = parsed.map_err(|error| TestCaseError::fail(format!("{text}\n{error}")))?;
            prop_assert_eq!(parsed.without_spans(), statement.without_spans());
        }
    }
}

/// Statements with mistakes of all kinds. None of the mistakes swallows words of the next statement.
const MISTAKEN: &[&str] = &[
    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE t (a int, b 5, c set<text>, PRIMARY KEY (a, b, b))",
    "CREATE TABLE t (a boolean PRIMARY KEY, b map<text, blob",
    "CREATE TABLE t (a int b text PRIMARY KEY) WITH caching 5 AND cdc = 'x' AND compaction = {'class': 'x'}",
    "CREATE TABLE t",
    "DROP INDEX i",
    "SELECT DISTINCT a FROM t WHERE a IN (1, 2) ALLOW FILTERING",
    "SELECT FROM t",
    "UPDATE t SET a = 1 WHERE b IN (1, 2)",
    "nonsense (",
];

proptest! {
    #[test]
    fn findings_of_a_script_are_those_of_its_statements(places in prop::collection::vec(0..MISTAKEN.len(), 0..12)) {
        let ids = |text: &str| lint(text).iter().map(|finding| finding.id).collect::<Vec<_>>();
        let statements: Vec<_> = places.iter().map(|place| format!("{};\n", MISTAKEN[*place])).collect();
        let alone: Vec<_> = statements.iter().flat_map(|statement| ids(statement)).collect();
        prop_assert!(alone.len() >= statements.len());
        prop_assert_eq!(ids(&statements.concat()), alone);
    }

    #[test]
    fn parser_survives_a_schema_with_a_piece_removed(start in any::<prop::sample::Index>(), length in 1_usize..40) {
        let text = include_str!("../../tests/lint.cql");
        let mut holed: Vec<_> = text.chars().collect();
        let start = start.index(holed.len());
        holed.drain(start..(start + length).min(holed.len()));
        survives(&holed.into_iter().collect::<String>())?;
    }
}
