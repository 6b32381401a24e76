use keyspaces::{Conditional, DeserializeRow, ErrorKind, Outcome, Row};

use crate::server::{session, table};

#[derive(Debug, DeserializeRow, PartialEq)]
#[scylla(crate = keyspaces)]
struct Owner {
    name: Option<String>,
}

#[tokio::test]
async fn insert_if_not_exists_returns_the_existing_row_after_columns_are_added() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let text = format!("INSERT INTO {table} (id, name) VALUES (?, ?) IF NOT EXISTS");
    let claim: Conditional<(i32, &str), Owner> = session.prepare(&text).await.unwrap();
    assert!(claim.execute((7, "Ada")).await.unwrap().is_applied());
    let there = |outcome| match outcome {
        Outcome::NotApplied(Some(owner)) => owner,
        other => panic!("{other:?}"),
    };
    assert_eq!(there(claim.execute((7, "Grace")).await.unwrap()), Owner { name: Some("Ada".into()) });
    session.define(&format!("ALTER TABLE {table} ADD (address text)")).await.unwrap();
    assert_eq!(there(claim.execute((7, "Grace")).await.unwrap()), Owner { name: Some("Ada".into()) });
}

#[tokio::test]
async fn failed_update_if_returns_condition_columns_and_if_exists_none() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text, size int").await;
    session.execute(&format!("INSERT INTO {table} (id, name, size) VALUES (1, 'Ada', 5)"), ()).await.unwrap();
    let rename: Conditional<(&str, i32, &str), Owner> =
        session.prepare(&format!("UPDATE {table} SET name = ? WHERE id = ? IF name = ?")).await.unwrap();
    match rename.execute(("Grace", 1, "Bob")).await.unwrap() {
        Outcome::NotApplied(Some(owner)) => assert_eq!(owner, Owner { name: Some("Ada".into()) }),
        other => panic!("{other:?}"),
    }
    assert!(rename.execute(("Grace", 1, "Ada")).await.unwrap().is_applied());
    assert!(matches!(rename.execute(("Grace", 2, "Ada")).await.unwrap(), Outcome::NotApplied(None)));

    let remove: Conditional<(i32,)> =
        session.prepare(&format!("DELETE FROM {table} WHERE id = ? IF EXISTS")).await.unwrap();
    assert!(remove.execute((1,)).await.unwrap().is_applied());
    assert!(matches!(remove.execute((1,)).await.unwrap(), Outcome::NotApplied(None)));
}

#[tokio::test]
async fn untyped_conditional_row_has_all_columns_except_applied() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let claim: Conditional<(i32, &str)> =
        session.prepare(&format!("INSERT INTO {table} (id, name) VALUES (?, ?) IF NOT EXISTS")).await.unwrap();
    assert!(claim.execute((7, "Ada")).await.unwrap().is_applied());
    let Outcome::NotApplied(Some(row)) = claim.execute((7, "Grace")).await.unwrap() else { panic!("it is there") };
    let row: Row = row;
    assert_eq!(format!("{row:?}"), r#"{"id": Some(Int(7)), "name": Some(Text("Ada"))}"#);
}

#[tokio::test]
async fn unreadable_existing_row_error_says_the_write_was_not_applied() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let text = format!("INSERT INTO {table} (id, name) VALUES (?, ?) IF NOT EXISTS");
    let claim: Conditional<(i32, &str), (i32,)> = session.prepare(&text).await.unwrap();
    assert!(claim.execute((7, "Ada")).await.unwrap().is_applied());
    let error = claim.execute((7, "Grace")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: it was not applied, and the existing row cannot be read: (i32,) has 1 value, the rows \
             have 2 columns. Derive DeserializeRow for a type that names the columns to read: the others are ignored"
        )
    );
    let claim: Conditional<(i32, &str), (i32, String)> = session.prepare(&text).await.unwrap();
    assert!(
        matches!(claim.execute((7, "Grace")).await.unwrap(), Outcome::NotApplied(Some((7, name))) if name == "Ada")
    );
}
