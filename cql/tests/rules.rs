//! The rules as data, and what is known beside the text of a statement.

use keyspaces_cql::{Context, Judgement, Rule, judge, judge_in, judge_prepare, parse, rules};

/// `rules.txt`: for each rule its id and the day since which it is so, what is said of it, and the service's words if known.
#[test]
fn every_rule_says_what_it_refuses_who_says_so_and_what_to_do() {
    let told: String = rules::all().map(tell).collect();
    assert_eq!(told, include_str!("rules.txt"), "\n{told}");
}

fn tell(rule: &Rule) -> String {
    let since = rule.since.map(|since| format!(", since {since}")).unwrap_or_default();
    let code = rule.code.map_or_else(|| "code unknown".to_owned(), |code| format!("0x{code:04x}"));
    let said = rule.text.map(|text| format!("  {code}: {text}\n")).unwrap_or_default();
    format!("{}{since}\n  {rule}\n{said}\n", rule.id)
}

#[test]
fn ids_are_unique_and_find_their_rule() {
    for rule in rules::all() {
        assert!(std::ptr::eq(rules::with_id(rule.id).unwrap(), rule), "{}", rule.id);
    }
    assert_eq!(rules::with_id("nothing"), None);
}

#[test]
fn a_source_is_a_page_a_model_or_a_thread() {
    let known =
        |source: &str| ["DG:", "API:", "gh:", "not in the grammar of DG:"].iter().any(|tag| source.starts_with(tag));
    assert!(rules::all().all(|rule| known(rule.source)));
}

#[test]
fn a_text_of_the_service_comes_with_the_code_that_was_seen() {
    let shown = |rule: &&Rule| rule.text.is_some() && rule.code != Some(rules::INVALID);
    let without: Vec<_> = rules::all().filter(shown).map(|rule| rule.id).collect();
    assert_eq!(
        without,
        ["counter-in-collection", "counter-in-type", "ttl-off", "row-too-large", "range-delete-too-large"]
    );
    assert_eq!(rules::ROW_TOO_LARGE.error_code(), 0x2200);
    assert_eq!(rules::TRUNCATE.code, None);
    assert_eq!(rules::TRUNCATE.error_code(), 0x2200);
}

#[test]
fn a_refusal_and_an_unknown_say_so_in_words() {
    let Judgement::Refused(refusal) = judge(&parse("SELECT COUNT(*) FROM t").unwrap()) else { panic!() };
    assert_eq!(
        refusal.to_string(),
        "Amazon Keyspaces refuses COUNT(*). Count while reading page by page, or keep a counter. (gh:thatdot/quine#47)"
    );
    let Judgement::Unknown(unknown) = judge(&parse("SELECT abs(a) FROM t").unwrap()) else { panic!() };
    assert_eq!(unknown.to_string(), "it is not known whether Amazon Keyspaces has the function abs");
}

#[test]
fn the_keyspace_of_use_is_that_of_names_without_one() {
    let statement = parse("INSERT INTO peers (peer) VALUES ('127.0.0.1')").unwrap();
    assert_eq!(judge(&statement), Judgement::Allowed);
    assert_eq!(judge_in(&statement, &Context::new().in_keyspace("ks")), Judgement::Allowed);
    let Judgement::Refused(refusal) = judge_in(&statement, &Context::new().in_keyspace("system")) else { panic!() };
    assert_eq!(refusal.rule.id, "system-keyspace");
    let partitioner = "UPDATE local SET partitioner = 'org.apache.cassandra.dht.RandomPartitioner' WHERE key = 'local'";
    let statement = parse(partitioner).unwrap();
    assert_eq!(judge_in(&statement, &Context::new().in_keyspace("system")), Judgement::Allowed);
}

#[test]
fn with_the_number_of_key_columns_an_insert_of_many_columns_is_told_exactly() {
    let insert = |columns: usize, using: &str| {
        let names: Vec<_> = (0..columns).map(|column| format!("c{column}")).collect();
        let text = format!("INSERT INTO t ({}) VALUES ({}){using}", names.join(","), vec!["?"; columns].join(","));
        judge_in(&parse(&text).unwrap(), &Context::new().with_key_columns(3))
    };
    assert_eq!(insert(228, ""), Judgement::Allowed);
    assert_eq!(insert(169, " USING TTL 5"), Judgement::Allowed);
    let id = |judgement| if let Judgement::Refused(refusal) = judgement { refusal.rule.id } else { "" };
    assert_eq!(id(insert(229, "")), "too-many-columns");
    assert_eq!(id(insert(170, " USING TTL 5")), "too-many-columns-with-ttl");
}

#[test]
fn only_what_reads_or_writes_can_be_prepared() {
    for text in [
        "SELECT * FROM t WHERE a = ?",
        "DELETE FROM t WHERE a = ?",
        "BEGIN BATCH DELETE FROM t WHERE a = ?; APPLY BATCH",
    ] {
        assert_eq!(judge_prepare(&parse(text).unwrap()), Judgement::Allowed);
    }
    for text in ["DROP TABLE t", "ALTER TABLE t ADD a int", "CREATE TYPE t (a int)", "RESTORE TABLE a FROM TABLE b"] {
        let Judgement::Refused(refusal) = judge_prepare(&parse(text).unwrap()) else { panic!("{text}") };
        assert_eq!(refusal.rule.id, "definition-prepared");
    }
}
