//! The table of statements, `statements.txt`: the effect of each, the objects that it names, whether it may be sent twice,
//! and whether Keyspaces is known to accept it. The top of the table describes its form.

use std::collections::BTreeSet;

use keyspaces_cql::statement::{BatchKind, Using};
use keyspaces_cql::{Effect, Idempotence, Judgement, Refusal, Span, Statement, judge, judge_prepare, parse, rules};

const TABLE: &str = include_str!("statements.txt");

#[test]
fn every_statement_is_judged_as_the_table_lists() {
    let mut wrong = String::new();
    let cases = cases();
    for (text, expected) in &cases {
        let actual = describe(text);
        if actual != *expected {
            wrong += &format!("\n{text}\n-> {actual}\n   (the table: {expected})\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(cases.len() >= 150, "only {} statements", cases.len());
}

#[test]
fn every_statement_prints_and_reparses_to_the_same_statement() {
    for (text, _) in cases() {
        let Ok(statement) = parse(&text) else { continue };
        let printed = statement.to_string();
        let again = parse(&printed).unwrap_or_else(|error| panic!("{text}\nis printed as\n{printed}\n{error}"));
        assert!(again.eq_ignoring_spans(&statement), "{text}\nis printed as\n{printed}");
        assert_eq!(again.to_string(), printed);
    }
}

#[test]
fn every_rule_a_statement_can_break_has_a_test_case() {
    let mut broken = BTreeSet::new();
    for (text, _) in cases() {
        let Ok(statement) = parse(&text) else { continue };
        for judgement in [judge(&statement), judge_prepare(&statement)] {
            if let Judgement::Refused(refusal) = judgement {
                broken.insert(refusal.rule.id);
            }
        }
    }
    let beyond: BTreeSet<_> = rules::runtime_rules().map(|rule| rule.id).collect();
    let all: BTreeSet<_> = rules::all().map(|rule| rule.id).collect();
    assert_eq!(broken, &all - &beyond);
    assert_eq!(beyond.len(), 14);
}

/// The statements, each with its entry in the table.
fn cases() -> Vec<(String, String)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let mut cases = Vec::new();
    let mut text: Vec<&str> = Vec::new();
    for line in lines {
        match line.strip_prefix("-> ") {
            Some(expected) => cases.push((expand(&std::mem::take(&mut text).join("\n")), expected.to_owned())),
            None if line.is_empty() => assert!(text.is_empty(), "no entry for {text:?}"),
            None => text.push(line),
        }
    }
    cases
}

/// Expands `«3|a#, »` to `a0, a1, a2, `.
fn expand(text: &str) -> String {
    let Some((before, rest)) = text.split_once('«') else { return text.to_owned() };
    let parts = rest.split_once('»').and_then(|(repeated, after)| {
        let (times, part) = repeated.split_once('|')?;
        Some((times.parse::<usize>().ok()?, part, after))
    });
    let Some((times, part, after)) = parts else { panic!("no repetition in {text}") };
    let parts: String = (0..times).map(|place| part.replace('#', &place.to_string())).collect();
    before.to_owned() + &parts + &expand(after)
}

fn describe(text: &str) -> String {
    let statement = match parse(text) {
        Ok(statement) => statement,
        Err(error) => return format!("no CQL: {error}"),
    };
    let at = |span: Span| {
        let slice: String = text[span.range()].split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = slice.chars().take(60).collect();
        if span == statement.span() {
            "all of it".to_owned()
        } else if shown == slice {
            format!("`{shown}`")
        } else {
            format!("`{shown}…`")
        }
    };
    let mut properties = vec![effect(&statement).to_owned() + &named_objects(&statement)];
    if let Statement::Batch(batch) = &statement {
        let kind = match batch.kind {
            BatchKind::Logged => "logged",
            BatchKind::Unlogged => "unlogged",
            BatchKind::Counter => "counter",
        };
        properties.push(format!("{kind} batch of {}", batch.statements.len()));
    }
    assert_eq!(statement.is_conditional(), statement.effect() == Effect::ConditionalWrite, "{text}");
    properties.extend(statement.using().and_then(Using::ttl).map(|ttl| format!("ttl {ttl}")));
    properties.extend(statement.using().and_then(Using::timestamp).map(|timestamp| format!("timestamp {timestamp}")));
    let widths = statement.in_widths();
    let widths = widths.iter().map(|width| width.width.map_or_else(|| "?".to_owned(), |width| width.to_string()));
    properties.extend(listed("in ", widths.collect()));
    properties
        .extend(listed("calls ", statement.functions().iter().map(|function| function.name.to_owned()).collect()));
    let markers: Vec<_> = statement.bind_markers().iter().map(|marker| marker.to_string()).collect();
    match markers.len() {
        0..10 => properties.extend(listed("binds ", markers)),
        many => properties.push(format!("binds {many}")),
    }
    properties.extend(statement.limit().map(|limit| format!("limit {limit}")));
    properties.push(match statement.idempotence() {
        Idempotence::Idempotent => "idempotent".to_owned(),
        Idempotence::NotIdempotent(reason, span) if span == statement.span() => format!("not idempotent: {reason:?}"),
        Idempotence::NotIdempotent(reason, span) => format!("not idempotent: {reason:?} {}", at(span)),
    });
    let judgement = |judgement: &Judgement| match judgement {
        Judgement::Allowed => "allowed".to_owned(),
        Judgement::Refused(refusal) => format!("refused: {} {}", refusal.rule.id, at(refusal.span)),
        Judgement::Unknown(unknown) => format!("unknown: {} {}", unknown.feature, at(unknown.span)),
    };
    let (sent, prepared) = (judge(&statement), judge_prepare(&statement));
    properties.push(judgement(&sent));
    if statement.effect() == Effect::Definition {
        let refusal = Refusal { rule: &rules::DEFINITION_PREPARED, span: statement.span() };
        assert_eq!(prepared, Judgement::Refused(refusal), "{text}");
    } else if prepared != sent {
        properties.push(format!("prepared {}", judgement(&prepared)));
    }
    properties.join("; ")
}

fn effect(statement: &Statement) -> &'static str {
    match statement.effect() {
        Effect::Read => "read",
        Effect::Write => "write",
        Effect::ConditionalWrite => "conditional write",
        Effect::Increment => "increment",
        Effect::Definition => "definition",
        Effect::Use => "use",
        Effect::Unsupported => "other",
    }
}

fn named_objects(statement: &Statement) -> String {
    let mut named: Vec<_> = statement.tables().iter().map(|table| table.to_string()).collect();
    named.extend(statement.named_keyspace().map(|keyspace| format!("keyspace {keyspace}")));
    named.dedup();
    named.iter().map(|name| format!(" {name}")).collect()
}

fn listed(word: &str, parts: Vec<String>) -> Option<String> {
    (!parts.is_empty()).then(|| format!("{word}{}", parts.join(" ")))
}
