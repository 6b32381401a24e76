//! The difference between two sets of definitions: `difference.txt` has both as CQL, and the printed difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use keyspaces_cql::{Definitions, TableDefinition};

const SHOP: &str = "CREATE KEYSPACE shop WITH replication = {'class': 'SingleRegionStrategy'};";

/// The definitions in a text, with the keyspace `shop` if the text creates no keyspace.
fn definitions(text: &str) -> Definitions {
    let text = if text.contains("CREATE KEYSPACE") { text.to_owned() } else { format!("{SHOP}{text}") };
    Definitions::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Lines of `=` separate the cases. Lines of `-` separate the three parts of a case: the current definitions, the desired
/// definitions, and the printed difference.
#[test]
fn schema_difference_prints_as_expected() {
    let cases = include_str!("difference.txt").split("\n====\n");
    for case in cases {
        let [current, to, expected] = case.split("\n----\n").collect::<Vec<_>>()[..] else { panic!("{case}") };
        let difference = definitions(current).difference(&definitions(to), "us-east-1");
        assert_eq!(difference.to_string(), expected.trim_end(), "{current}\n{to}");
        for step in &difference.steps {
            let text = step.statement.to_string();
            let parsed = keyspaces_cql::parse(&text).unwrap();
            assert_eq!(keyspaces_cql::judge(&parsed), keyspaces_cql::Judgement::Allowed, "{text}");
        }
    }
}

#[test]
fn applying_a_table_difference_yields_the_desired_table() {
    for case in include_str!("difference.txt").split("\n====\n") {
        let [current, to, _] = case.split("\n----\n").collect::<Vec<_>>()[..] else { panic!("{case}") };
        let (current, to) = (definitions(current), definitions(to));
        for (before, desired) in
            current.tables.iter().flat_map(|before| to.tables.iter().map(move |desired| (before, desired)))
        {
            let difference = before.difference(desired);
            if before.table != desired.table || !difference.impossible.is_empty() {
                continue;
            }
            let after = difference.changes.iter().fold(before.clone(), |table, change| table.changed(change).unwrap());
            let again = after.difference(desired);
            assert_eq!(again.changes, [], "{after}\n{desired}");
            assert_eq!(after.columns.len(), desired.columns.len());
        }
    }
}

#[test]
fn text_that_is_not_definitions_is_refused_with_its_position() {
    for (text, expected) in [
        (
            "CREATE TABLE a.b (id int PRIMARY KEY);\nCREATE TABLE a.c (id int PRIMARY KEY);\nCREATE TABLE a.d (id);",
            "line 3, column 21: expected a type, found ')'",
        ),
        (
            "drop  table a.b",
            "line 1, column 1: expected CREATE KEYSPACE, CREATE TYPE or CREATE TABLE, found DROP TABLE",
        ),
        (
            "INSERT INTO a.b (id) VALUES (1)",
            "line 1, column 1: expected CREATE KEYSPACE, CREATE TYPE or CREATE TABLE, found INSERT",
        ),
        ("CREATE TABLE b (id int PRIMARY KEY)", "line 1, column 14: b has no keyspace: write keyspace.b"),
        ("CREATE TYPE b (id int)", "line 1, column 13: b has no keyspace: write keyspace.b"),
        (
            "CREATE TABLE a.b (id int PRIMARY KEY); CREATE TABLE a.\"b\" (id int PRIMARY KEY)",
            "line 1, column 53: the table a.b is defined twice",
        ),
        ("CREATE TABLE a.b (id int)", "line 1, column 14: the table has no PRIMARY KEY"),
        (
            "CREATE TABLE a.b (id int PRIMARY KEY) WITH custom_properties = {'ttl': {'status': 'disabled'}}",
            "line 1, column 83: Amazon Keyspaces refuses turning TTL off. Leave it on: default_time_to_live = 0 stops \
             rows from expiring by default. (DG:TTL-how-to-create-table)",
        ),
        (
            "CREATE TABLE a.b (id int PRIMARY KEY) WITH nonsense = 1",
            "line 1, column 44: it is not known whether Amazon Keyspaces has the option nonsense of a table",
        ),
    ] {
        assert_eq!(Definitions::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn duplicate_definition_values_are_detected() {
    let Ok(table) =
        TableDefinition::builder("a", "b").partition_key("id", keyspaces_cql::statement::NativeType::Int).build()
    else {
        panic!()
    };
    let twice = Definitions::new().table(table.clone()).table(table.clone());
    assert_eq!(twice.duplicate().as_deref(), Some("the table a.b"));
    assert_eq!(Definitions::new().table(table).duplicate(), None);
}

#[test]
fn aws_assigned_tag_is_never_dropped_or_printed() {
    use keyspaces_cql::{TableProperty, Tags, statement::NativeType};

    let table = TableDefinition::builder("shop", "t").partition_key("a", NativeType::Int);
    let tags = |pairs: &[(&str, &str)]| {
        let tags = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        TableProperty::Tags(tags.collect::<Tags>())
    };
    let current = table.clone().with(tags(&[("aws:stack", "s"), ("stage", "test")])).build().unwrap();
    let desired = table.clone().with(tags(&[("stage", "live")])).build().unwrap();
    let difference = current.difference(&desired);
    let changes: Vec<_> = difference.changes.iter().map(|change| change.alter(&current.table).to_string()).collect();
    assert_eq!(changes, ["ALTER TABLE shop.t ADD TAGS {'stage': 'live'}"]);
    assert_eq!(current.to_string(), "CREATE TABLE shop.t (a int, PRIMARY KEY ((a))) WITH tags = {'stage': 'test'}");
    let only = table.with(tags(&[("aws:stack", "s")])).build().unwrap();
    assert_eq!(only.to_string(), "CREATE TABLE shop.t (a int, PRIMARY KEY ((a)))");
}

#[test]
fn difference_reports_that_a_static_column_cannot_be_added() {
    let current = definitions("CREATE TABLE shop.t (a int, b int, PRIMARY KEY (a, b));");
    let desired = definitions("CREATE TABLE shop.t (a int, b int, s int STATIC, PRIMARY KEY (a, b));");
    assert_eq!(
        current.difference(&desired, "us-east-1").to_string(),
        "no statements\nKeyspaces cannot do this:\n   - the table shop.t: adding its static column s. Create another table with \
         it, and copy the rows to it. (not in the grammar of DG:cql.ddl.table)"
    );
}
