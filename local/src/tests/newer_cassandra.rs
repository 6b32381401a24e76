//! The additions and changes to CQL in Cassandra 4.0, 4.1 and 5.0, as listed in `newer_cassandra.txt`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::SystemTime;

use keyspaces_cql::rules;

use super::client::{Client, ClientAnswer, ResultSet};
use super::local;
use crate::protocol::refused_by;

const TABLE: &str = include_str!("newer_cassandra.txt");
const DIFFERENCES: &str = include_str!("../../DIFFERENCES.md");

const TIMESTAMPS: &str =
    "custom_properties = {'client_side_timestamps': {'status': 'enabled'}, 'ttl': {'status': 'enabled'}}";

#[tokio::test]
async fn every_newer_cassandra_statement_behaves_as_listed() {
    let mut client = Client::connect(local().await).await;
    set_up(&mut client).await;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros().to_string();
    let mut actual = String::new();
    for line in TABLE.lines() {
        match line.strip_prefix("  ") {
            Some(statement) if !statement.starts_with(['-', ' ']) => {
                let outcome = outcome(client.query(&statement.replace("{now}", &now)).await);
                writeln!(actual, "{line}\n  -> {outcome}").unwrap();
            }
            Some(expected) if expected.starts_with("-> ") => {}
            _ => writeln!(actual, "{line}").unwrap(),
        }
    }
    assert_eq!(actual, TABLE, "\n{actual}");
}

/// An entry names the rule that refuses its statements, says why they are equal, or quotes the listed difference.
#[test]
fn every_newer_cassandra_entry_is_refused_equal_or_a_listed_difference() {
    let listed = DIFFERENCES.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut versions = BTreeSet::new();
    let entries: Vec<_> = TABLE.split("\n\n").filter(|entry| !entry.starts_with('#')).collect();
    for entry in &entries {
        let (head, rest) = entry.split_once('\n').unwrap();
        versions.insert(head.split(' ').next().unwrap());
        let outcomes = ["  -> done", "  -> gives", "  -> error"];
        let answered = rest.lines().any(|line| outcomes.iter().any(|outcome| line.starts_with(outcome)));
        let difference = rest.lines().find_map(|line| line.strip_prefix("    difference: "));
        let equal = rest.lines().any(|line| line.starts_with("    equal: "));
        assert_eq!(answered, difference.is_some() || equal, "{head}");
        if let Some(words) = difference {
            assert!(listed.contains(words), "local/DIFFERENCES.md does not say: {words}");
        }
        for rule in rest.lines().filter_map(|line| line.strip_prefix("  -> refused ")) {
            assert!(rules::with_id(rule).is_some(), "{rule}");
        }
    }
    assert_eq!(versions.into_iter().collect::<Vec<_>>(), ["4.0", "4.1", "5.0", "5.1"]);
    assert!(entries.len() >= 38);
}

async fn set_up(client: &mut Client) {
    client.keyspace("newer").await;
    assert!(matches!(client.query("USE newer").await, ClientAnswer::Keyspace(_)));
    client.query("CREATE TYPE address (street text, number int)").await;
    let types = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name = 'newer'";
    client.query_until(types, |rows| rows.texts("status") == ["ACTIVE"]).await;
    let columns = "(id int PRIMARY KEY, v int, bi bigint, x text, b blob, d date, ts timestamp, tu timeuuid, l list<int>, \
                   s set<text>, m map<text, int>, f frozen<list<int>>, tp tuple<int, text>, a address, \
                   fa frozen<address>)";
    client.table("newer", "t", &format!("{columns} WITH {TIMESTAMPS}")).await;
    client.table("newer", "c", "(id int, ck int, cl int, v int, st int STATIC, PRIMARY KEY (id, ck, cl))").await;
    let row = "INSERT INTO t (id, v, x, b, d, ts, tu, l, s, m, f, tp, a, fa) VALUES (1, 2, 'x', 0x00000007, '2026-01-31', \
               '2026-01-31 13:30:54.120+0000', 50554d6e-29bb-11e5-b345-feff819cdc9f, [1, 2], {'a', 'b'}, {'a': 1}, [1], \
               (1, 'x'), {street: 's', number: 1}, {street: 's', number: 1})";
    assert_eq!(client.query(row).await, ClientAnswer::Void);
    assert_eq!(client.query("INSERT INTO c (id, ck, cl, v, st) VALUES (1, 1, 1, 2, 3)").await, ClientAnswer::Void);
}

fn outcome(answer: ClientAnswer) -> String {
    match answer {
        ClientAnswer::Rows(rows) => format!("gives {}", values(&rows)),
        ClientAnswer::Refused(_, text, _) => match rules::all().find(|rule| refused_by(rule).text == text) {
            Some(rule) => format!("refused {}", rule.id),
            None => match text.strip_prefix("keyspaces-local: not emulated: ") {
                Some(what) => format!("unknown {what}"),
                None => format!("error {text}"),
            },
        },
        _ => "done".to_owned(),
    }
}

/// Each column with its value in hexadecimal; for values that differ each time, only the length.
fn values(rows: &ResultSet) -> String {
    let value = |column: &str, value: &Option<bytes::Bytes>| match value {
        None => "null".to_owned(),
        Some(bytes) if ["writetime", "now", "uuid()"].iter().any(|word| column.contains(word)) => {
            format!("{} bytes", bytes.len())
        }
        Some(bytes) => hex::encode(bytes),
    };
    let row = |row: &Vec<Option<bytes::Bytes>>| {
        let cells = rows.columns.iter().zip(row).map(|(column, cell)| format!("{column}={}", value(column, cell)));
        cells.collect::<Vec<_>>().join(", ")
    };
    rows.values.iter().map(row).collect::<Vec<_>>().join("; ")
}
