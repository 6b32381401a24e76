//! Statements for one use with options, values by name, lists, and many statements prepared at once.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use keyspaces::value::NamedValues;
use keyspaces::{Conditional, ErrorKind, Increment, Outcome, ReadConsistency, Row, Select, UnloggedBatch, Write};

use crate::server::{is_keyspaces, local, session, table, table_with};

#[tokio::test]
async fn one_off_statement_takes_the_options_of_a_prepared_one() {
    let session = session().await;
    let options = "WITH default_time_to_live = 1000";
    let table = table_with(&session, "id int PRIMARY KEY, name text", options).await;
    let insert = format!("INSERT INTO {table} (id, name) VALUES (?, ?) USING TTL ?");
    session.query(&insert, (1, "Ada")).with_ttl(Duration::from_secs(60)).with_tag("sign up").execute().await.unwrap();
    let ttl = format!("SELECT TTL(name) FROM {table} WHERE id = ?");
    let (left,) = session.query(&ttl, (1,)).one::<(i32,)>().await.unwrap().unwrap();
    assert!((1..=60).contains(&left), "{left} s");
    // It is prepared although it has no values, because the TTL is bound.
    let literal = format!("INSERT INTO {table} (id, name) VALUES (2, 'Bo') USING TTL ?");
    session.query(&literal, ()).with_ttl(Duration::from_secs(60)).execute().await.unwrap();

    let all = format!("SELECT id FROM {table}");
    let rows = session.query(&all, ()).with_page_size(NonZeroU32::MIN).with_consistency(ReadConsistency::LocalOne);
    assert_eq!(rows.rows::<(i32,)>().try_collect::<Vec<_>>().await.unwrap().len(), 2);
    let one = format!("SELECT id FROM {table} WHERE id = ?");
    let rows = session.query(&one, (2,)).with_deadline(Duration::from_secs(5)).rows::<(i32,)>();
    assert_eq!(rows.try_collect::<Vec<_>>().await.unwrap(), [(2,)]);
    assert_eq!(session.query(&one, (3,)).one::<(i32,)>().await.unwrap(), None);
    let error = session.query(&all, ()).one::<(i32,)>().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "SELECT FROM {table} failed: expected one row, but there are more. Name the whole primary key in WHERE, or use \
             first()"
        )
    );
    match session.query(&one, (1,)).with_deadline(Duration::ZERO).one::<(i32,)>().await {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout),
        // A plain Cassandra may answer within the millisecond that the shortest deadline lasts.
        Ok(row) => assert!(local().await.is_none(), "{row:?}"),
    }
    let error = session.query(&literal, ()).with_ttl(Duration::MAX).execute().await.unwrap_err();
    // The library checks the limits of Keyspaces only for Keyspaces. A plain Cassandra refuses this itself.
    let kind = if is_keyspaces() { ErrorKind::Value } else { ErrorKind::Refused };
    assert_eq!(error.kind(), kind);
}

#[tokio::test]
async fn named_values_are_bound_by_marker_name() {
    let session = session().await;
    let table = table(&session, "id int, at int, name text, PRIMARY KEY (id, at)").await;
    let insert = format!("INSERT INTO {table} (id, at, name) VALUES (:id, :at, ?)");
    let store: Write<NamedValues> = session.prepare(&insert).await.unwrap();
    for at in 0..5 {
        store.execute(NamedValues::new().with("name", "Ada").with("at", at).with("id", 7)).await.unwrap();
    }
    let between = format!("SELECT at FROM {table} WHERE id = ? AND at >= :since AND at < :until");
    let values = || NamedValues::new().with("since", 1).with("until", 3).with("id", 7);
    let rows = session.rows::<(i32,)>(&between, values());
    assert_eq!(rows.try_collect::<Vec<_>>().await.unwrap(), [(1,), (2,)]);
    for (values, told) in [
        (NamedValues::new(), "the statement has a bind marker for id, and there is no value of that name"),
        (values().with("snice", 1), "there is a value for snice, and the statement has no bind marker of that name"),
        (values().with("since", "1"), "the bind marker for since is int, &str cannot be bound to it"),
    ] {
        let select: Select<NamedValues, Row> = session.prepare(&between).await.unwrap();
        let error = select.one(values).await.unwrap_err();
        let told = match told.starts_with("the bind marker") {
            true => told.to_owned(),
            false => format!("the values do not fit the statement: {told}"),
        };
        assert_eq!(error.to_string(), format!("SELECT FROM {table} failed: {told}"));
    }
}

#[tokio::test]
async fn in_takes_a_list_marker_without_parentheses_and_map_entries_can_be_set() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, m map<text, int>").await;
    // Cassandra does not accept markers inside a literal. Bind the map as one value, or set an entry.
    let one = |key: &str, value| HashMap::from([(key.to_owned(), value)]);
    let add: Write<(HashMap<String, i32>, i32)> =
        session.prepare(&format!("UPDATE {table} SET m = m + ? WHERE id = ?")).await.unwrap();
    add.execute((one("a", 1), 7)).await.unwrap();
    let set: Write<(&str, i32, i32)> =
        session.prepare(&format!("UPDATE {table} SET m[?] = ? WHERE id = ?")).await.unwrap();
    set.execute(("b", 2, 7)).await.unwrap();
    let text = format!("SELECT id, m FROM {table} WHERE id IN ?");
    type Found = (i32, HashMap<String, i32>);
    let some: Select<(Vec<i32>,), Found> = session.prepare(&text).await.unwrap();
    let found: Vec<_> = some.rows((vec![7, 8],)).try_collect().await.unwrap();
    assert_eq!(found, [(7, HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]))]);
    let text = format!("SELECT id FROM {table} WHERE id IN (?)");
    let error = session.prepare::<Select<(Vec<i32>,), Row>>(&text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!(
            "preparing SELECT FROM {table} failed: the bind marker for id is int, Vec<i32> cannot be bound to it. Write id \
             IN ? without parentheses, and the list is one value"
        )
    );
}

#[tokio::test]
async fn prepare_all_prepares_several_statements() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let insert = format!("INSERT INTO {table} (id, name) VALUES (?, ?)");
    let once = format!("{insert} IF NOT EXISTS");
    let select = format!("SELECT name FROM {table} WHERE id = ?");
    type Prepared<'a> = (Write<(i32, &'a str)>, Conditional<(i32, &'a str)>, Select<(i32,), (String,)>);
    let (store, claim, name): Prepared<'_> = session.prepare_all([&insert, &once, &select]).await.unwrap();
    store.execute((1, "Ada")).await.unwrap();
    assert!(matches!(claim.execute((1, "Bo")).await.unwrap(), Outcome::NotApplied(_)));
    assert_eq!(name.one((1,)).await.unwrap(), Some(("Ada".to_owned(),)));
    let error =
        session.prepare_all::<(Write<(i32, &str)>, Increment<(i32,)>), 2>([&insert, &select]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "SELECT FROM {table} failed: expected an increment of a counter, but the statement is a read. Prepare it as a \
             Select"
        )
    );
}

#[tokio::test]
async fn mismatched_value_types_are_refused_at_prepare() {
    let session = session().await;
    let table = table_with(&session, "id int PRIMARY KEY, name text", "WITH default_time_to_live = 1000").await;
    let text = format!("INSERT INTO {table} (id, name) VALUES (?, ?)");
    let told = |problem: &str| format!("preparing INSERT INTO {table} failed: {problem}");
    let error = session.prepare::<Write<(i32, f64)>>(&text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(error.to_string(), told("the bind marker for name is text, f64 cannot be bound to it"));
    let error = session.prepare::<Write<(i32,)>>(&text).await.unwrap_err();
    assert_eq!(error.to_string(), told("(i32,) has 1 value, the statement has 2 bind markers"));
    let ttl = format!("{text} USING TTL ?");
    session.prepare::<Write<(i32, &str)>>(&ttl).await.unwrap();
    session.prepare::<Write<(i32, &str, i32)>>(&ttl).await.unwrap();
    let mut batch = UnloggedBatch::new(&session);
    batch.push(&session.prepare::<Write<(i32, &str)>>(&text).await.unwrap(), (1, "Ada")).unwrap();
    batch.execute().await.unwrap();
}
