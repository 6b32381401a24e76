//! Newtypes, enums and values stored as text: bound, read and refused.

use std::net::SocketAddr;

use keyspaces::value::AsText;
use keyspaces::{Select, Value, Write};
use uuid::Uuid;

use crate::server::{session, table};

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Value)]
struct UserId(Uuid);

#[derive(Debug, PartialEq, Value)]
struct Name<'a>(&'a str);

#[derive(Clone, Copy, Debug, PartialEq, Value)]
#[value(text, rename_all = "snake_case")]
enum Status {
    InReview,
    #[value(rename = "live")]
    Published,
}

#[derive(Clone, Copy, Debug, PartialEq, Value)]
#[value(int)]
enum Priority {
    Low = -10,
    High = 20,
}

#[derive(Clone, Copy, Debug, PartialEq, Value)]
#[value(tinyint)]
enum Size {
    Small = 1,
}

#[keyspaces::row]
#[derive(Clone, Debug, PartialEq)]
struct Article {
    id: UserId,
    r#type: Status,
    priority: Option<Priority>,
    size: Size,
    address: AsText<SocketAddr>,
    readers: Vec<UserId>,
}

const COLUMNS: &str = "id uuid PRIMARY KEY, type text, priority int, size tinyint, address text, readers list<uuid>";

#[tokio::test]
async fn derived_values_are_stored_as_declared() {
    let session = session().await;
    let table = table(&session, COLUMNS).await;
    let columns = "id, type, priority, size, address, readers";
    let store: Write<Article> =
        session.prepare(&format!("INSERT INTO {table} ({columns}) VALUES (?, ?, ?, ?, ?, ?)")).await.unwrap();
    let article: Select<(UserId,), Article> =
        session.prepare(&format!("SELECT {columns} FROM {table} WHERE id = ?")).await.unwrap();
    let id = UserId(Uuid::from_u128(7));
    let given = Article {
        id,
        r#type: Status::InReview,
        priority: Some(Priority::Low),
        size: Size::Small,
        address: AsText("127.0.0.1:25".parse().unwrap()),
        readers: vec![id, UserId(Uuid::from_u128(8))],
    };
    let more = Article { id: UserId(Uuid::from_u128(9)), r#type: Status::Published, priority: None, ..given.clone() };
    for article_given in [&given, &more] {
        store.execute(article_given).await.unwrap();
        assert_eq!(article.one((article_given.id,)).await.unwrap().as_ref(), Some(article_given));
    }
    // Values may be borrowed, although the statement has to be prepared first.
    let name = String::from("127.0.0.1:25");
    let filtered = format!("SELECT id FROM {table} WHERE address = ? ALLOW FILTERING");
    let found: Vec<_> = session.rows::<(UserId,)>(&filtered, (name.as_str(),)).try_collect().await.unwrap();
    assert_eq!(found.len(), 2);
    let stored: Option<(String, i32, String)> = session
        .query(&format!("SELECT type, priority, address FROM {table} WHERE id = ?"), (id.0,))
        .one()
        .await
        .unwrap();
    assert_eq!(stored, Some(("in_review".to_owned(), -10, "127.0.0.1:25".to_owned())));
}

#[tokio::test]
async fn a_stored_value_that_is_not_a_variant_is_reported_with_the_variants() {
    let session = session().await;
    let table = table(&session, COLUMNS).await;
    let insert = format!("INSERT INTO {table} (id, type, priority, address) VALUES (?, 'gone', 7, 'nowhere')");
    session.execute(&insert, (Uuid::nil(),)).await.unwrap();
    let attempted = format!("SELECT FROM {table} failed: ");
    let read = |column: &str| format!("SELECT {column} FROM {table}");
    let error = session.query(&read("type"), ()).one::<(Status,)>().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        attempted.clone()
            + "the column type of a row cannot be read: \"gone\" is not a Status, which is one of in_review, live"
    );
    let error = session.query(&read("priority"), ()).one::<(Priority,)>().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        attempted.clone()
            + "the column priority of a row cannot be read: 7 is not a Priority, which is one of Low, \
                             High"
    );
    let error = session.query(&read("address"), ()).one::<(AsText<SocketAddr>,)>().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        attempted.clone() + "the column address of a row cannot be read: invalid socket address syntax"
    );
    let error = session.query(&read("size"), ()).one::<(Size,)>().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        attempted
            + "the column size (tinyint) is null in a row, and Size cannot hold null: read it as Option<Size>. A partition \
               of which only static columns are written gives one row, in which every other column but the partition key is \
               null"
    );
}

#[tokio::test]
async fn a_derived_type_that_does_not_fit_is_reported_by_its_name() {
    let session = session().await;
    let table = table(&session, COLUMNS).await;
    let prepared = |problem: &str| format!("preparing SELECT FROM {table} failed: {problem}");
    let read = |column: &str| format!("SELECT {column} FROM {table}");
    for (error, words) in [
        (
            session.prepare::<Select<(), (UserId,)>>(&read("type")).await.unwrap_err(),
            "the column type is text, it cannot be read as UserId",
        ),
        (
            session.prepare::<Select<(), (Status,)>>(&read("id")).await.unwrap_err(),
            "the column id is uuid, it cannot be read as Status",
        ),
        (
            session.prepare::<Select<(), (Priority,)>>(&read("size")).await.unwrap_err(),
            "the column size is tinyint, it cannot be read as Priority",
        ),
        (
            session.prepare::<Select<(), (AsText<SocketAddr>,)>>(&read("size")).await.unwrap_err(),
            "the column size is tinyint, it cannot be read as AsText<SocketAddr>",
        ),
    ] {
        assert_eq!(error.to_string(), prepared(words));
    }
    let store: Write<(Name<'_>, UserId)> =
        session.prepare(&format!("UPDATE {table} SET size = ? WHERE id = ?")).await.unwrap();
    let error = store.execute((Name("a"), UserId(Uuid::nil()))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("UPDATE {table} failed: the bind marker for size is tinyint, Name<'_> cannot be bound to it")
    );
}
