//! A rule about values gives the same answer for every source of the value: a literal, a marker
//! bound by position or by name, a prepared statement, a batch, JSON.

mod typed_value;

use keyspaces_cql::rules;

use self::typed_value::{GivenValue, blob, decimal, int, list, long, map, number, price, set, text, tuple};
use super::client::{Client, ClientAnswer, LOCAL_QUORUM, RequestOptions, batch_with};
use super::local;
use crate::metering::Operation;
use crate::protocol::refused_by;

/// A rule, a statement that breaks it or not depending on the value in place of `{}`, and the same as the row of an
/// INSERT JSON.
struct LimitCase {
    rule: &'static str,
    statement: String,
    row: Option<String>,
    over: GivenValue,
    within: GivenValue,
}

#[tokio::test]
async fn a_rule_about_values_has_the_same_outcome_for_every_source_of_the_value() {
    let mut client = Client::connect(local().await).await;
    set_up(&mut client).await;
    let mut wrong = Vec::new();
    for case in cases() {
        let text = refused_by(rules::with_id(case.rule).unwrap()).text;
        let (over, within) =
            (answers(&mut client, &case, &case.over).await, answers(&mut client, &case, &case.within).await);
        assert!(over.len() >= 5);
        for (way, answer) in over {
            if !matches!(&answer, ClientAnswer::Refused(_, message, _) if *message == text) {
                wrong.push(format!("{} {}, {way}, over: {answer:?}", case.rule, case.statement));
            }
        }
        for (way, answer) in within {
            if matches!(answer, ClientAnswer::Refused(..)) {
                wrong.push(format!("{} {}, {way}, within: {answer:?}", case.rule, case.statement));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The answer for each source of a value.
async fn answers(client: &mut Client, case: &LimitCase, given: &GivenValue) -> Vec<(&'static str, ClientAnswer)> {
    let with = |text: &str| case.statement.replace("{}", text);
    let (literal, placed, named) = (with(&given.literal), with("?"), with(":given"));
    let one = [given.bytes.as_slice()];
    let values = RequestOptions { values: &one, ..RequestOptions::default() };
    let prepared = client.prepared(&placed).await;
    let mut answers = vec![
        ("a literal", client.query(&literal).await),
        ("a marker", client.query_with(&placed, values).await),
        ("a named marker", client.query_with(&named, RequestOptions { names: &["given"], ..values }).await),
        ("prepared", client.execute(&prepared, values).await),
    ];
    let names_prepared = client.prepared(&named).await;
    answers.push((
        "prepared with a name",
        client.execute(&names_prepared, RequestOptions { names: &["given"], ..values }).await,
    ));
    if placed.starts_with("SELECT") {
        return answers;
    }
    for (way, statement, values) in [
        ("a literal in a batch", Ok(literal.as_str()), &[][..]),
        ("a marker in a batch", Ok(placed.as_str()), &one[..]),
        ("prepared in a batch", Err(prepared.as_ref()), &one),
    ] {
        answers.push((way, client.batch_of(&batch_with(1, &[(statement, values)], LOCAL_QUORUM)).await));
    }
    let batch = |statement: &str| format!("BEGIN UNLOGGED BATCH {statement}; APPLY BATCH");
    answers.push(("a literal in the text of a batch", client.query(&batch(&literal)).await));
    answers.push(("a marker in the text of a batch", client.query_with(&batch(&placed), values).await));
    let Some(row) = &case.row else { return answers };
    let (table, _) = placed.strip_prefix("INSERT INTO ").and_then(|rest| rest.split_once(' ')).unwrap();
    let using = placed.split_once(" USING").map(|(_, using)| format!(" USING{using}")).unwrap_or_default();
    let row = row.replace("{}", &given.json);
    let one = [row.as_bytes()];
    let values = RequestOptions { values: &one, ..RequestOptions::default() };
    let literal = format!("INSERT INTO {table} JSON '{}'{using}", row.replace('\'', "''"));
    let placed = format!("INSERT INTO {table} JSON ?{using}");
    let named = format!("INSERT INTO {table} JSON :given{using}");
    let prepared = client.prepared(&placed).await;
    answers.extend([
        ("JSON", client.query(&literal).await),
        ("JSON for a marker", client.query_with(&placed, values).await),
        ("JSON for a named marker", client.query_with(&named, RequestOptions { names: &["given"], ..values }).await),
        ("JSON, prepared", client.execute(&prepared, values).await),
        ("JSON in a batch", client.batch_of(&batch_with(1, &[(Ok(&literal), &[])], LOCAL_QUORUM)).await),
        ("JSON, prepared, in a batch", client.batch_of(&batch_with(1, &[(Err(&prepared), &one)], LOCAL_QUORUM)).await),
    ]);
    answers
}

async fn set_up(client: &mut Client) {
    client.keyspace("ways").await;
    client.query("CREATE TYPE ways.price (currency text, amount decimal)").await;
    let types = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name = 'ways'";
    client.query_until(types, |rows| rows.texts("status") == ["ACTIVE"]).await;
    let features =
        "custom_properties = {'client_side_timestamps': {'status': 'enabled'}, 'ttl': {'status': 'enabled'}}";
    let columns = "(k int PRIMARY KEY, i int, vi varint, d decimal, ld list<decimal>, md map<text, varint>, \
                   td tuple<int, decimal>, p frozen<price>, t text, b blob, lt list<text>, st set<text>, \
                   ft frozen<list<text>>, fs frozen<set<int>>, fm frozen<map<int, int>>)";
    client.table("ways", "t", &format!("{columns} WITH {features}")).await;
    client.table("ways", "keys", "(p text, c text, v int, PRIMARY KEY (p, c))").await;
}

fn cases() -> Vec<LimitCase> {
    let mut cases = Vec::new();
    let mut insert = |rule, column: &str, over, within| {
        cases.push(LimitCase {
            rule,
            statement: format!("INSERT INTO ways.t (k, {column}) VALUES (1, {{}})"),
            row: Some(format!("{{\"k\": 1, \"{column}\": {{}}}}")),
            over,
            within,
        });
    };
    let (over, within) = (number(39), number(38));
    let digits = "too-many-digits";
    insert(digits, "vi", over.clone(), within.clone());
    insert(digits, "d", decimal(39), decimal(38));
    insert(digits, "ld", list(&[decimal(1), decimal(39)]), list(&[decimal(1), decimal(38)]));
    insert(digits, "md", map(&text(1), &over), map(&text(1), &within));
    insert(digits, "td", tuple(&[int(1), decimal(39)]), tuple(&[int(1), decimal(38)]));
    insert(digits, "p", price(39), price(38));
    let size = "row-too-large";
    insert(size, "t", text(1 << 20), text(900_000));
    insert(size, "b", blob(1 << 20), blob(900_000));
    insert(size, "lt", list(&[text(600_000), text(600_000)]), list(&[text(400_000), text(400_000)]));
    insert(size, "st", set(&[text(600_000), text(600_001)]), set(&[text(400_000), text(400_001)]));
    insert(size, "ft", list(&[text(600_000), text(600_000)]), list(&[text(400_000), text(400_000)]));
    for (rule, statement, row, over, within) in [
        ("partition-key-too-large", "({}, 'c')", r#"{"p": {}, "c": "c"}"#, 2049, 2048),
        ("clustering-too-large", "('p', {})", r#"{"p": "p", "c": {}}"#, 851, 850),
    ] {
        cases.push(LimitCase {
            rule,
            statement: format!("INSERT INTO ways.keys (p, c) VALUES {statement}"),
            row: Some(row.to_owned()),
            over: text(over),
            within: text(within),
        });
    }
    cases.push(LimitCase {
        rule: "ttl-too-long",
        statement: "INSERT INTO ways.t (k, i) VALUES (1, 1) USING TTL {}".into(),
        row: None,
        over: int(630_720_001),
        within: int(630_720_000),
    });
    cases.push(LimitCase {
        rule: "ttl-too-long",
        statement: "INSERT INTO ways.t JSON '{\"k\": 1}' USING TTL {}".into(),
        row: None,
        over: int(630_720_001),
        within: int(630_720_000),
    });
    let now = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap();
    for statement in [
        "INSERT INTO ways.t (k, i) VALUES (1, 1) USING TIMESTAMP {}",
        "INSERT INTO ways.t JSON '{\"k\": 1}' USING TIMESTAMP {}",
        "UPDATE ways.t USING TIMESTAMP {} SET i = 1 WHERE k = 1",
        "DELETE FROM ways.t USING TIMESTAMP {} WHERE k = 1",
    ] {
        let (over, within) = (long(now - 3 * 86_400_000_000), long(now));
        let (rule, statement) = ("timestamp-outside-window", statement.into());
        cases.push(LimitCase { rule, statement, row: None, over, within });
    }
    for statement in ["SELECT * FROM ways.t WHERE k IN {}", "SELECT * FROM ways.keys WHERE p IN ('a', 'b') AND c IN {}"]
    {
        let list_of = |count: i32| -> GivenValue {
            let length = if statement.contains("keys") { count / 2 } else { count };
            let values: Vec<_> =
                (0..length).map(|value| if statement.contains("keys") { text(1) } else { int(value) }).collect();
            let GivenValue { literal, bytes, json } = list(&values);
            GivenValue { literal: format!("({})", literal.trim_matches(['[', ']'])), bytes, json }
        };
        let (over, within) = (list_of(102), list_of(100));
        cases.push(LimitCase { rule: "in-subqueries", statement: statement.into(), row: None, over, within });
    }
    cases
}

/// Inequalities are refused whatever the value is, so no value is within the limit.
#[tokio::test]
async fn an_inequality_on_a_collection_type_or_tuple_is_refused_for_every_source_of_the_value() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("ways_unequal").await;
    client.query("CREATE TYPE ways_unequal.price (currency text, amount decimal)").await;
    let types = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name = 'ways_unequal'";
    client.query_until(types, |rows| rows.texts("status") == ["ACTIVE"]).await;
    let columns = "(k int PRIMARY KEY, i int, l list<int>, fl frozen<list<int>>, fs frozen<set<int>>, \
                   fm frozen<map<int, int>>, t tuple<int, int>, p frozen<price>, n price)";
    client.table("ways_unequal", "t", columns).await;
    let text = refused_by(&rules::COLLECTION_INEQUALITY).text;
    for (column, given) in [
        ("l", list(&[int(1)])),
        ("fl", list(&[int(1)])),
        ("fs", set(&[int(1)])),
        ("fm", map(&int(1), &int(2))),
        ("t", tuple(&[int(1), int(2)])),
        ("p", price(3)),
        ("n", price(3)),
    ] {
        for operator in ["<", "<=", ">", ">=", "!="] {
            for statement in [
                format!("SELECT * FROM ways_unequal.t WHERE {column} {operator} {{}} ALLOW FILTERING"),
                format!("UPDATE ways_unequal.t SET i = 1 WHERE k = 1 IF {column} {operator} {{}}"),
                format!("DELETE FROM ways_unequal.t WHERE k = 1 IF {column} {operator} {{}}"),
            ] {
                let refused = |answer: ClientAnswer| assert_eq!(answer.refused().1, text, "{statement}");
                let (placed, named) = (statement.replace("{}", "?"), statement.replace("{}", ":given"));
                refused(client.query(&statement.replace("{}", &given.literal)).await);
                let one = [given.bytes.as_slice()];
                let values = RequestOptions { values: &one, ..RequestOptions::default() };
                refused(client.query_with(&placed, values).await);
                refused(client.query_with(&named, RequestOptions { names: &["given"], ..values }).await);
                refused(client.prepare(&placed).await);
                if !statement.starts_with("SELECT") {
                    let batch = batch_with(1, &[(Ok(&placed), &one)], LOCAL_QUORUM);
                    refused(client.batch_of(&batch).await);
                    refused(client.query_with(&format!("BEGIN BATCH {placed}; APPLY BATCH"), values).await);
                }
            }
        }
    }
}

/// 225 columns outside the key, or 166 if they expire, are within the limit for every source of their values.
#[tokio::test]
async fn the_columns_of_a_write_are_counted_for_every_source_of_their_values() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("ways_columns").await;
    let ints: Vec<_> = (0..230).map(|column| format!("c{column} int")).collect();
    let wide = format!("(k0 int, k1 int, k2 int, {}, PRIMARY KEY ((k0, k1), k2))", ints.join(", "));
    let ttl = "custom_properties = {'ttl': {'status': 'enabled'}}";
    client.table("ways_columns", "wide", &format!("{wide} WITH {ttl}")).await;
    client.table("ways_columns", "expiring", &format!("{wide} WITH default_time_to_live = 60")).await;
    for (table, using, length, rule) in [
        ("wide", "", 225, &rules::TOO_MANY_COLUMNS),
        ("wide", " USING TTL 60", 166, &rules::TOO_MANY_COLUMNS_WITH_TTL),
        ("expiring", "", 166, &rules::TOO_MANY_COLUMNS_WITH_TTL),
    ] {
        for columns in [length, length + 1] {
            let names: Vec<_> =
                (0..3).map(|key| format!("k{key}")).chain((0..columns).map(|column| format!("c{column}"))).collect();
            let (bytes, count) = (1_i32.to_be_bytes(), names.len());
            let values = vec![&bytes[..]; count];
            let insert = |value: &dyn Fn(usize) -> String| {
                let values: Vec<_> = (0..count).map(value).collect();
                let (names, values) = (names.join(", "), values.join(", "));
                format!("INSERT INTO ways_columns.{table} ({names}) VALUES ({values}){using}")
            };
            let set: Vec<_> = names[3..].iter().map(|name| format!("{name} = 1")).collect();
            let set = set.join(", ");
            let update = format!("UPDATE ways_columns.{table}{using} SET {set} WHERE k0 = 1 AND k1 = 1 AND k2 = 1");
            let json: Vec<_> = names.iter().map(|name| format!("\"{name}\": 1")).collect();
            let json = format!("{{{}}}", json.join(", "));
            let (literal, placed) = (insert(&|_| "1".into()), insert(&|_| "?".into()));
            let named = insert(&|value| format!(":v{value}"));
            let json_literal = format!("INSERT INTO ways_columns.{table} JSON '{json}'{using}");
            let json_placed = format!("INSERT INTO ways_columns.{table} JSON ?{using}");
            let marker_names: Vec<_> = (0..count).map(|value| format!("v{value}")).collect();
            let marker_names: Vec<_> = marker_names.iter().map(String::as_str).collect();
            let with = RequestOptions { values: &values, ..RequestOptions::default() };
            let row = [json.as_bytes()];
            let answers = [
                client.query(&literal).await,
                client.query_with(&placed, with).await,
                client.query_with(&named, RequestOptions { names: &marker_names, ..with }).await,
                client.query(&update).await,
                client.query(&json_literal).await,
                client.query_with(&json_placed, RequestOptions { values: &row, ..RequestOptions::default() }).await,
                client.batch_of(&batch_with(1, &[(Ok(&placed), &values)], LOCAL_QUORUM)).await,
                client.batch_of(&batch_with(1, &[(Ok(&json_placed), &row)], LOCAL_QUORUM)).await,
            ];
            for (way, answer) in answers.into_iter().enumerate() {
                match columns > length {
                    true => assert_eq!(answer.refused().1, refused_by(rule).text, "{table} {columns} {way}"),
                    false => assert_eq!(answer, ClientAnswer::Void, "{table} {columns} {way}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn units_are_the_same_for_every_source_of_a_value() {
    let local = local().await;
    let mut client = Client::connect(local).await;
    client.keyspace("ways_units").await;
    let columns = "(k int PRIMARY KEY, vi varint, lt list<text>, m map<text, int>, t tuple<int, text>)";
    let features =
        "custom_properties = {'client_side_timestamps': {'status': 'enabled'}, 'ttl': {'status': 'enabled'}}";
    client.table("ways_units", "t", &format!("{columns} WITH {features}")).await;
    for (column, given) in [
        ("vi", number(30)),
        ("lt", list(&vec![text(40); 50])),
        ("m", map(&text(2_000), &int(7))),
        ("t", tuple(&[int(1), text(5_000)])),
    ] {
        let case = LimitCase {
            rule: "",
            statement: format!("INSERT INTO ways_units.t (k, {column}) VALUES (1, {{}})"),
            row: Some(format!("{{\"k\": 1, \"{column}\": {{}}}}")),
            over: given.clone(),
            within: given.clone(),
        };
        let consumed = || {
            let metrics = |operation| local.metering().get("ways_units", "t", operation);
            let all = [metrics(Operation::Insert), metrics(Operation::Batch)];
            all.map(|metrics| (metrics.consumed_write_capacity_units, metrics.successful_request_count))
        };
        let before = consumed();
        let answers = answers(&mut client, &case, &given).await;
        assert!(answers.iter().all(|(_, answer)| *answer == ClientAnswer::Void), "{answers:?}");
        let [single, batch] = [0, 1].map(|operation| {
            let ((units, count), (units_before, count_before)) = (consumed()[operation], before[operation]);
            ((units - units_before) / (count - count_before) as f64, count - count_before)
        });
        assert_eq!((single.1, batch.1), (9, 7), "{column}");
        assert!(single.0 == batch.0 && single.0.fract() == 0.0, "{column}: {single:?} {batch:?}");
    }
}

#[tokio::test]
async fn two_statements_of_a_logged_batch_on_the_same_row_are_refused_for_every_form_of_its_key() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("ways_row").await;
    client.table("ways_row", "t", "(k int, c text, v int, PRIMARY KEY (k, c))").await;
    let insert = "INSERT INTO ways_row.t (k, c, v) VALUES (1, 'a', 2)";
    let text = refused_by(&rules::SAME_ROW_IN_LOGGED_BATCH).text;
    let placed = "UPDATE ways_row.t SET v = 1 WHERE c = ? AND k = ?";
    let prepared = client.prepared(placed).await;
    let json = client.prepared("INSERT INTO ways_row.t JSON ?").await;
    for (k, c, same) in [(1_i32, "a", true), (1, "b", false), (2, "a", false)] {
        let key = [c.as_bytes(), &k.to_be_bytes()];
        let row = format!("{{\"K\": \"{k}\", \"c\": \"{c}\"}}");
        let literal = format!("UPDATE ways_row.t SET v = 1 WHERE k = {k} AND c = '{c}'");
        let deleted = format!("DELETE FROM ways_row.t WHERE c = '{c}' AND k = 0{k}");
        let row_in_text = format!("INSERT INTO ways_row.t JSON '{row}'");
        let with = |statement: Result<&str, &[u8]>, values: &[&[u8]]| {
            batch_with(0, &[(Ok(insert), &[]), (statement, values)], LOCAL_QUORUM)
        };
        let text_of = |statement: &str| format!("BEGIN BATCH {insert}; {statement}; APPLY BATCH");
        let named = text_of("UPDATE ways_row.t SET v = 1 WHERE k = :k AND c = :c");
        let answers = [
            client.query(&text_of(&literal)).await,
            client.query(&text_of(&deleted)).await,
            client.query(&text_of(&row_in_text)).await,
            client.query_with(&text_of(placed), RequestOptions { values: &key, ..RequestOptions::default() }).await,
            client
                .query_with(&named, RequestOptions { values: &key, names: &["c", "k"], ..RequestOptions::default() })
                .await,
            client.batch_of(&with(Ok(&literal), &[])).await,
            client.batch_of(&with(Ok(placed), &key)).await,
            client.batch_of(&with(Err(&prepared), &key)).await,
            client.batch_of(&with(Ok(&row_in_text), &[])).await,
            client.batch_of(&with(Err(&json), &[row.as_bytes()])).await,
        ];
        for (way, answer) in answers.into_iter().enumerate() {
            match same {
                true => assert_eq!(answer.refused().1, text, "{way}"),
                false => assert_eq!(answer, ClientAnswer::Void, "{way}"),
            }
        }
    }
}
