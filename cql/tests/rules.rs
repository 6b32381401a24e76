//! The rules as data, and judgement by facts from outside the text of a statement.

use std::sync::Arc;

use keyspaces_cql::statement::{CqlType, NativeType};
use keyspaces_cql::{
    ColumnKind, Context, Judgement, KnownTable, KnownTables, Rule, judge, judge_in, judge_prepare, parse, rules,
};

/// `rules.txt` has for each rule its id, the day since which it has applied, its text, and the service's message if known.
#[test]
fn every_rule_states_what_it_refuses_its_source_and_its_advice() {
    let actual: String = rules::all().map(describe).collect();
    assert_eq!(actual, include_str!("rules.txt"), "\n{actual}");
}

fn describe(rule: &Rule) -> String {
    let since = rule.since.map(|since| format!(", since {since}")).unwrap_or_default();
    let code = rule.code.map_or_else(|| "code unknown".to_owned(), |code| format!("0x{code:04x}"));
    let message = rule.server_message.map(|text| format!("  {code}: {text}\n")).unwrap_or_default();
    format!("{}{since}\n  {rule}\n{message}\n", rule.id)
}

#[test]
fn rule_ids_are_unique_and_look_up_their_rule() {
    for rule in rules::all() {
        assert!(std::ptr::eq(rules::with_id(rule.id).unwrap(), rule), "{}", rule.id);
    }
    assert_eq!(rules::with_id("nothing"), None);
}

#[test]
fn every_rule_has_a_known_kind_of_source() {
    let known =
        |source: &str| ["DG:", "API:", "gh:", "not in the grammar of DG:"].iter().any(|tag| source.starts_with(tag));
    assert!(rules::all().all(|rule| known(rule.source)));
}

#[test]
fn rules_with_a_server_message_record_the_observed_error_code() {
    let shown = |rule: &&Rule| rule.server_message.is_some() && rule.code != Some(rules::INVALID);
    let without: Vec<_> = rules::all().filter(shown).map(|rule| rule.id).collect();
    assert_eq!(
        without,
        [
            "counter-batch",
            "counter-in-collection",
            "counter-in-type",
            "provisioned-without-units",
            "ttl-off",
            "row-too-large",
            "range-delete-too-large"
        ]
    );
    assert_eq!(rules::ROW_TOO_LARGE.error_code(), 0x2200);
    assert_eq!(rules::TRUNCATE.code, None);
    assert_eq!(rules::TRUNCATE.error_code(), 0x2200);
}

#[test]
fn refused_and_unknown_judgements_have_readable_messages() {
    let Judgement::Refused(refusal) = judge(&parse("SELECT COUNT(*) FROM t").unwrap()) else { panic!() };
    assert_eq!(
        refusal.to_string(),
        "Amazon Keyspaces refuses COUNT(*). Count while reading page by page, or keep a counter. (gh:thatdot/quine#47)"
    );
    let Judgement::Unknown(unknown) = judge(&parse("SELECT abs(a) FROM t").unwrap()) else { panic!() };
    assert_eq!(unknown.to_string(), "it is not known whether Amazon Keyspaces has the function abs");
}

#[test]
fn unqualified_names_belong_to_the_keyspace_in_use() {
    let statement = parse("INSERT INTO peers (peer) VALUES ('127.0.0.1')").unwrap();
    assert_eq!(judge(&statement), Judgement::Allowed);
    assert_eq!(judge_in(&statement, &Context::new().in_keyspace("ks")), Judgement::Allowed);
    let Judgement::Refused(refusal) = judge_in(&statement, &Context::new().in_keyspace("system")) else { panic!() };
    assert_eq!(refusal.rule.id, "system-keyspace");
    let partitioner = "UPDATE local SET partitioner = 'org.apache.cassandra.dht.RandomPartitioner' WHERE key = 'local'";
    let statement = parse(partitioner).unwrap();
    assert_eq!(judge_in(&statement, &Context::new().in_keyspace("system")), Judgement::Allowed);
}

/// The key columns are `k0`, `k1` and `k2`, the regular columns `c0` and so on. The other columns have the names of their
/// types.
fn table(expires: bool) -> KnownTables {
    let keys = (0..3).map(|column| (format!("k{column}"), ColumnKind::Clustering, NativeType::Int.into()));
    let regular = (0..300).map(|column| (format!("c{column}"), ColumnKind::Regular, NativeType::Int.into()));
    let typed = ["list<int>", "frozen<list<int>>", "map<int, int>", "address", "frozen<address>", "tuple<int, int>"];
    let typed = typed.map(|text| {
        let name = text.replace(['<', '>', ',', ' '], "_").trim_end_matches('_').to_owned();
        let cql_type: CqlType = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        (name, ColumnKind::Regular, cql_type)
    });
    let mut tables = KnownTables::default();
    let clustering = ["k1", "k2"].map(str::to_owned);
    let table = KnownTable::new(keys.chain(regular).chain(typed)).with_clustering(clustering).expiring(expires);
    tables.insert(Some("ks"), "t", Arc::new(table));
    tables
}

fn judged(text: &str, tables: &KnownTables) -> &'static str {
    let statement = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    match judge_in(&statement, &Context::new().in_keyspace("ks").with_tables(tables)) {
        Judgement::Allowed => "allowed",
        Judgement::Refused(refusal) => refusal.rule.id,
        Judgement::Unknown(_) => "unknown",
    }
}

#[test]
fn column_count_limit_of_a_write_excludes_key_columns() {
    let (plain, expiring) = (table(false), table(true));
    let insert = |columns: usize, using: &str| {
        let keys = (0..3).map(|column| format!("k{column}"));
        let names: Vec<_> = keys.chain((0..columns).map(|column| format!("c{column}"))).collect();
        format!("INSERT INTO t ({}) VALUES ({}){using}", names.join(","), vec!["?"; names.len()].join(","))
    };
    let update = |columns: usize, using: &str| {
        let set: Vec<_> = (0..columns).map(|column| format!("c{column} = ?")).collect();
        format!("UPDATE ks.t{using} SET {} WHERE k0 = 1 AND k1 = 1 AND k2 = 1", set.join(","))
    };
    for write in [insert, update] {
        assert_eq!(judged(&write(225, ""), &plain), "allowed");
        assert_eq!(judged(&write(226, ""), &plain), "too-many-columns");
        assert_eq!(judged(&write(166, " USING TTL 5"), &plain), "allowed");
        assert_eq!(judged(&write(167, " USING TTL 5"), &plain), "too-many-columns-with-ttl");
        assert_eq!(judged(&write(166, ""), &expiring), "allowed");
        assert_eq!(judged(&write(167, ""), &expiring), "too-many-columns-with-ttl");
    }
}

#[test]
fn rules_judge_bind_markers_by_the_column_type() {
    let tables = table(false);
    for (column, has_parts, multi_cell) in [
        ("c0", false, false),
        ("list_int", true, true),
        ("frozen_list_int", true, false),
        ("map_int__int", true, true),
        ("address", true, true),
        ("frozen_address", true, false),
        ("tuple_int__int", true, false),
    ] {
        let inequality = if has_parts { "collection-inequality" } else { "allowed" };
        assert_eq!(judged(&format!("SELECT * FROM t WHERE {column} >= ? ALLOW FILTERING"), &tables), inequality);
        let update = format!("UPDATE t SET c1 = 1 WHERE k0 = 1 AND k1 = 1 AND k2 = 1 IF {column} < :value");
        assert_eq!(judged(&update, &tables), inequality);
        let metadata = if multi_cell { "cell-metadata" } else { "allowed" };
        assert_eq!(judged(&format!("SELECT ttl({column}) FROM t"), &tables), metadata);
        assert_eq!(judged(&format!("SELECT WRITETIME({column}) AS w FROM t"), &tables), metadata);
        let list = judged(&format!("SELECT * FROM t WHERE {column} IN ? ALLOW FILTERING"), &tables);
        assert_eq!(list, "in-outside-key");
    }
    assert_eq!(judged("SELECT * FROM t WHERE k0 IN (1, 2)", &tables), "allowed");
}

#[test]
fn only_reads_and_writes_can_be_prepared() {
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

#[test]
fn order_by_must_start_at_the_first_clustering_column() {
    let tables = table(false);
    for (order, expected) in [
        ("k1", "allowed"),
        ("k1 DESC, k2 DESC", "allowed"),
        ("k2", "order-by-skips"),
        ("k2, k1", "order-by-skips"),
        ("c0", "allowed"),
    ] {
        assert_eq!(judged(&format!("SELECT * FROM t WHERE k0 = 1 AND k1 = 1 ORDER BY {order}"), &tables), expected);
    }
}

#[test]
fn logged_batch_statements_with_equal_keys_are_on_one_row() {
    let tables = table(false);
    let insert = |k0: &str| format!("INSERT INTO t (k0, k1, k2, c0) VALUES ({k0}, 1, 1, 5)");
    let update = |k0: &str| format!("UPDATE t SET c0 = 1 WHERE k2 = 1 AND k1 = 01 AND k0 = {k0}");
    for (one, other, expected) in [
        (insert("1"), insert("2"), "allowed"),
        (insert("1"), insert("01"), "same-row-in-logged-batch"),
        (insert("1"), update("1"), "same-row-in-logged-batch"),
        (insert("1"), update("2"), "allowed"),
        (update("-1"), "DELETE FROM ks.t WHERE k0 = -1 AND k1 = 1 AND k2 = 1".into(), "same-row-in-logged-batch"),
        (insert("?"), update("?"), "allowed"),
    ] {
        assert_eq!(judged(&format!("BEGIN BATCH {one}; {other}; APPLY BATCH"), &tables), expected, "{one}; {other}");
    }
}

#[test]
fn column_type_decides_whether_an_update_is_a_counter_update() {
    let counter = ("n".to_owned(), ColumnKind::Regular, NativeType::Counter.into());
    let key = ("k".to_owned(), ColumnKind::PartitionKey, NativeType::Int.into());
    let mut tables = KnownTables::default();
    tables.insert(Some("ks"), "t", Arc::new(KnownTable::new([key, counter])));
    assert_eq!(judged("UPDATE t USING TTL 5 SET n = n + ? WHERE k = 1", &tables), "ttl-on-counter");
    assert_eq!(judged("UPDATE t SET n = n + ? WHERE k = 1", &tables), "allowed");
    let batch = "BEGIN BATCH UPDATE t SET n = n + ? WHERE k = 1; APPLY BATCH";
    assert_eq!(judged(batch, &tables), "counter-in-logged-batch");
}
