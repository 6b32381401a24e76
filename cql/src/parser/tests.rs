//! Errors, spans, bounds and the time that parsing takes.

use super::script::script;
use super::*;
use crate::statement::{Selection, Term, TermKind};

fn failure(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn syntax_error_gives_position_expected_and_found() {
    for (text, expected) in [
        ("", "line 1, column 1: expected a statement, found the end of the text"),
        ("SELEKT * FROM t", "line 1, column 1: expected a statement, found 'SELEKT'"),
        ("SELECT a,\n  FROM t", "line 2, column 3: expected a column or a value, found 'FROM'"),
        ("SELECT * FROM t WHERE a 'b'", "line 1, column 25: expected an operator, found a string"),
        ("SELECT * FROM t WHERE a = b", "line 1, column 27: expected a value, found 'b'"),
        ("SELECT * FROM t LIMIT 'secret'", "line 1, column 23: expected an integer or a bind marker, found a string"),
        ("SELECT * FROM t; SELECT * FROM t", "line 1, column 18: expected the end of the statement, found 'SELECT'"),
        ("SELECT * FROM t extra", "line 1, column 17: expected the end of the statement, found 'extra'"),
        ("INSERT INTO t JSON 5", "line 1, column 20: expected a string or a bind marker, found a number"),
        ("UPDATE t SET a = b + 1 WHERE c = 1", "line 1, column 18: expected the column that is set, a, found 'b'"),
        ("UPDATE t SET a = 1", "line 1, column 19: expected WHERE, found the end of the text"),
        ("DELETE FROM t", "line 1, column 14: expected WHERE, found the end of the text"),
        (
            "BEGIN BATCH SELECT * FROM t; APPLY BATCH",
            "line 1, column 13: expected INSERT, UPDATE, DELETE or APPLY BATCH, found 'SELECT'",
        ),
        ("\u{feff}SELECT * FROM t", "line 1, column 1: byte order mark: save the file as UTF-8 without it"),
        (
            "copy t TO 'file.csv'",
            "line 1, column 1: COPY is a cqlsh command, not a CQL statement: write the rows with INSERT statements",
        ),
        ("CREATE TABLE t (a int b int)", "line 1, column 23: expected ',' or ')', found 'b'"),
        ("CREATE TABLE t (a frozn<int>)", "line 1, column 19: expected list, set, map, tuple or frozen, found 'frozn'"),
        ("ALTER TABLE t FROB", "line 1, column 15: expected ADD, DROP, RENAME, ALTER or WITH, found 'FROB'"),
        ("CREATE THING x", "line 1, column 8: expected KEYSPACE, TABLE or TYPE, found 'THING'"),
        (
            "CREATE TABLE t (id int PRIMARY KEY, order int)",
            "line 1, column 37: expected a column or PRIMARY KEY, found 'order', which is reserved: write it in double quotes",
        ),
        (
            "CREATE TABLE t (Default text)",
            "line 1, column 17: expected a column or PRIMARY KEY, found 'Default', which is reserved: write it in double quotes",
        ),
        (
            "SELECT token, a FROM t",
            "line 1, column 8: expected a column or a value, found 'token', which is reserved: write it in double quotes",
        ),
        (
            "SELECT * FROM t WHERE token = 1",
            "line 1, column 23: expected a column, found 'token', which is reserved: write it in double quotes",
        ),
        (
            "UPDATE t SET desc = 'x' WHERE a = 1",
            "line 1, column 14: expected a column, found 'desc', which is reserved: write it in double quotes",
        ),
        (
            "INSERT INTO t (a) VALUES ({to: 1})",
            "line 1, column 28: expected the name of a field, found 'to', which is reserved: write it in double quotes",
        ),
        (
            "DROP TABLE ks.index",
            "line 1, column 15: expected a table, found 'index', which is reserved: write it in double quotes",
        ),
        (
            "CREATE TYPE enum (a int)",
            "line 1, column 13: expected a user-defined type, found 'enum', which is reserved: write it in double quotes",
        ),
        (
            "CREATE TABLE t (a frozen<ks.int> PRIMARY KEY)",
            "line 1, column 29: expected a user-defined type, found 'int', which is reserved: write it in double quotes",
        ),
        ("SELECT 'abc", "line 1, column 8: the string that begins here is not terminated"),
        ("SELECT $$abc", "line 1, column 8: the string that begins here is not terminated"),
        ("SELECT \"abc", "line 1, column 8: the quoted name that begins here is not terminated"),
        ("SELECT /* abc", "line 1, column 8: the comment that begins here is not terminated"),
        ("SELECT \"\" FROM t", "line 1, column 8: expected a column or a value, found an empty name"),
        ("SELECT ä FROM t", "line 1, column 8: expected a column or a value, found 'ä'"),
        ("TRUNCATE t '", "line 1, column 12: the string that begins here is not terminated"),
    ] {
        assert_eq!(failure(text), expected, "{text}");
    }
}

#[test]
fn parse_error_does_not_repeat_literals() {
    for text in ["SELECT 'secret' 'secret'", "SELECT 0xdeadbeef 0xdeadbeef", "SELECT 5123 5123", "x $$secret$$"] {
        let failure = failure(text);
        assert!(!["secret", "dead", "5123"].iter().any(|literal| failure.contains(literal)), "{failure}");
    }
}

#[test]
fn nesting_beyond_64_levels_is_refused() {
    let nested = |open: &str, close: &str, levels: usize| open.repeat(levels) + "1" + &close.repeat(levels);
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("f(", ")"), ("- ", ""), ("{1: ", "}"), ("(int) ", "")] {
        let text = |levels| format!("SELECT {} FROM t", nested(open, close, levels));
        assert!(parse(&text(62)).is_ok(), "{open}");
        let failure = parse(&text(65)).unwrap_err();
        assert_eq!(failure.problem, SyntaxProblem::TooDeep, "{open}");
        assert!(failure.to_string().ends_with("nested more than 64 levels deep"));
    }
    let table = |levels| format!("CREATE TABLE t (a {}int{})", "list<".repeat(levels), ">".repeat(levels));
    assert!(parse(&table(63)).is_ok());
    assert_eq!(parse(&table(64)).unwrap_err().problem, SyntaxProblem::TooDeep);
    let selector = |levels| format!("SELECT a{} FROM t", ".b".repeat(levels));
    assert!(parse(&selector(63)).is_ok());
    assert_eq!(parse(&selector(64)).unwrap_err().problem, SyntaxProblem::TooDeep);
    let relation = |levels| format!("SELECT * FROM t WHERE {}a = 1{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&relation(63)).is_ok());
    assert_eq!(parse(&relation(65)).unwrap_err().problem, SyntaxProblem::TooDeep);
}

#[test]
fn deepest_syntax_tree_fits_into_half_of_the_default_thread_stack() {
    let small = std::thread::Builder::new().stack_size(1024 * 1024);
    let thread = small.spawn(|| {
        let text = format!("SELECT {}1{} FROM t", "f([{".repeat(21), "}])".repeat(21));
        let statement = parse(&text).unwrap();
        let again = parse(&statement.to_string()).unwrap();
        assert!(again.eq_ignoring_spans(&statement));
        assert!(matches!(crate::judge(&statement), crate::Judgement::Unknown(_)));
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn overlong_text_is_refused() {
    let message = "the text is longer than 4194304 bytes, or has more than 1000000 tokens";
    let long = " ".repeat(MAX_TEXT_BYTES + 1);
    assert_eq!(failure(&long), format!("line 1, column 1: {message}"));
    assert_eq!(parse_script(&long).len(), 1);
    let select = |selectors: usize| format!("SELECT {}a FROM t", "a,".repeat(selectors));
    assert!(parse(&select(499_998)).is_ok());
    assert_eq!(failure(&select(499_999)), format!("line 1, column 1000008: {message}"));
    assert_eq!(failure(&format!("TRUNCATE {}", "a ".repeat(1_000_000))), format!("line 1, column 2000008: {message}"));
}

#[test]
fn spans_are_byte_offsets_after_non_ascii_text() {
    let text = "SELECT 'äöü€😀', \"名前\" AS x FROM \"κ\".t";
    let Statement::Select(select) = parse(text).unwrap() else { panic!() };
    let Selection::Selectors(selectors) = &select.selection else { panic!() };
    assert_eq!(&text[selectors[0].term.span.range()], "'äöü€😀'");
    assert_eq!(&text[selectors[1].term.span.range()], "\"名前\"");
    assert_eq!(&text[select.table.span().range()], "\"κ\".t");
    assert_eq!(&text[select.span.range()], text);
}

#[test]
fn option_values_have_spans_at_every_depth() {
    let text = "CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'} AND tags = {'a': 'b'};";
    let Statement::CreateKeyspace(create) = parse(text).unwrap() else { panic!() };
    let replication = create.replication().unwrap();
    assert_eq!(&text[replication.value.span.range()], "{'class': 'SingleRegionStrategy'}");
    assert_eq!(&text[create.span.range()], text.trim_end_matches(';'));
    let text = "ALTER TABLE t WITH custom_properties = {'capacity_mode': {'throughput_mode': 'PROVISIONED'}}";
    let Statement::AlterTable(alter) = parse(text).unwrap() else { panic!() };
    let crate::statement::AlterTableChange::With(options) = &alter.change else { panic!() };
    let TermKind::Map(properties) = &options[0].value.kind else { panic!() };
    let TermKind::Map(capacity) = &properties[0].1.kind else { panic!() };
    assert_eq!(&text[capacity[0].1.span.range()], "'PROVISIONED'");
}

#[test]
fn parser_recovers_after_an_error_in_a_script() {
    let text = "USE a; SELECT FROM; -- a comment\n;; BEGIN BATCH INSERT INTO t (a) VALUES (1); oops; APPLY BATCH;
        CREATE FUNCTION f() AS $$ a; b $$; USE b extra; USE c";
    let statements: Vec<_> = parse_script(text)
        .into_iter()
        .map(|parsed| parsed.map_or_else(|error| error.to_string(), |statement| statement.to_string()))
        .collect();
    assert_eq!(
        statements,
        [
            "USE a",
            "line 1, column 15: expected a column or a value, found 'FROM'",
            "line 2, column 46: expected INSERT, UPDATE, DELETE or APPLY BATCH, found 'oops'",
            "CREATE FUNCTION f ( ) AS $$ a; b $$",
            "line 3, column 50: expected ';' or the end of the text, found 'extra'",
            "USE c",
        ]
    );
}

/// A text of twice the length takes at most about twice the token reads, whatever part is repeated.
#[test]
fn parsing_time_is_linear_in_the_text_length() {
    let reads = |text: &str| {
        let tokens = tokens(text);
        let mut parser = Parser::new(text, &tokens);
        script(&mut parser);
        parser.reads.get()
    };
    for (begin, part, end) in [
        ("SELECT ", "a, ", "a FROM t"),
        ("SELECT ", "1 + ", "1 FROM t"),
        ("SELECT ", "(a<b, ", "1 FROM t"),
        ("SELECT ", "(a.b) ", " FROM t"),
        ("SELECT (a", "<a", ""),
        ("SELECT [", "(int) 1, ", "1] FROM t"),
        ("SELECT {", "a: {}, ", "a: 1} FROM t"),
        ("SELECT * FROM t WHERE ", "a = 1 AND ", "a = 1"),
        ("SELECT * FROM t WHERE a IN (", "(1, 2), ", "1)"),
        ("SELECT * FROM t WHERE ", "(", "a"),
        ("UPDATE t SET ", "a = a + 1, ", "a = 1 WHERE b = 1"),
        ("UPDATE t SET a = ", "[1] + ", "a WHERE b = 1"),
        ("BEGIN BATCH ", "INSERT INTO t (a) VALUES (1); ", "APPLY BATCH"),
        ("", "BEGIN BATCH ", ""),
        ("", "BEGIN x; ", ""),
        ("", "x;\n", ""),
        ("", "TRUNCATE 'x'; ", ""),
        ("CREATE TABLE t (", "a frozen<list<int>>, ", "PRIMARY KEY (a))"),
        ("CREATE TABLE t (a tuple<", "int, ", "int>)"),
        ("TRUNCATE ", "a ", ""),
        ("CREATE INDEX ", "a ", "ON t (a)"),
        ("CREATE TABLE t (", "a <b, ", "PRIMARY KEY (a))"),
        ("CREATE TABLE t (", "a int b int ", "PRIMARY KEY (a))"),
        ("CREATE TABLE t (", "a (b, ", "PRIMARY KEY (a))"),
        ("CREATE TABLE t (a int PRIMARY KEY) WITH ", "a 5 AND ", "b = 5"),
        ("CREATE TABLE t (a int PRIMARY KEY) WITH a = 5 ", "b = 5 ", ""),
        ("", "CREATE TABLE t (a int PRIMARY KEY) ", ""),
    ] {
        let text = |parts| begin.to_owned() + &part.repeat(parts) + end;
        let (once, twice) = (reads(&text(1000)), reads(&text(2000)));
        assert!(twice <= 2 * once + 100, "{begin}{part}…{end}: {once}, then {twice}");
        assert!(once <= 40 * text(1000).len(), "{begin}{part}…{end}: {once}");
    }
}

#[test]
fn term_size_stays_within_the_documented_bound() {
    assert!(size_of::<Term>() <= 88, "{}", size_of::<Term>());
}
