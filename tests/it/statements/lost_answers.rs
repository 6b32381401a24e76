//! Deadlines that end before the answer: the statement may or may not have been applied.

use std::time::Duration;

use keyspaces::value::Counter;
use keyspaces::{Conditional, DeserializeRow, ErrorKind, Increment, Outcome, Row, Select, UnloggedBatch, Write};
use keyspaces_local::fault::{Effect, Fault, Moment};
use uuid::Uuid;

use crate::server::{local, session, table};

const TOO_SHORT: Duration = Duration::from_nanos(1);

/// The text of the error, without the peer and the elapsed time.
fn text_without_peer(error: &keyspaces::Error) -> String {
    let text = error.to_string();
    let (attempted, rest) = text.split_once(" failed at ").unwrap();
    format!("{attempted} failed: {}", rest.split_once(": ").unwrap().1)
}

const UNKNOWN: &str = "no answer within 1ns; it is not known whether it was applied, and it was not sent again because that \
                       could apply it twice";

#[tokio::test]
async fn conditional_write_past_its_deadline_has_unknown_outcome() {
    // A plain Cassandra may answer within the millisecond that the shortest deadline lasts.
    if local().await.is_none() {
        return;
    }
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let claim: Conditional<(i32,)> =
        session.prepare(&format!("INSERT INTO {table} (id) VALUES (?) IF NOT EXISTS")).await.unwrap();
    let Outcome::Unknown(why) = claim.with_deadline(TOO_SHORT).execute((1,)).await.unwrap() else {
        panic!("no answer")
    };
    assert_eq!(text_without_peer(&why), format!("INSERT INTO {table} failed: {UNKNOWN}"));
}

#[tokio::test]
async fn increment_or_non_idempotent_write_past_its_deadline_is_an_error() {
    // A plain Cassandra may answer within the millisecond that the shortest deadline lasts.
    if local().await.is_none() {
        return;
    }
    let session = session().await;
    let hits = table(&session, "page text PRIMARY KEY, n counter").await;
    let hit: Increment<(Counter, &str)> =
        session.prepare(&format!("UPDATE {hits} SET n = n + ? WHERE page = ?")).await.unwrap();
    let error = hit.with_deadline(TOO_SHORT).execute((Counter(1), "/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert_eq!(text_without_peer(&error), format!("UPDATE {hits} failed: {UNKNOWN}"));

    let lists = table(&session, "id int PRIMARY KEY, l list<text>").await;
    let append: Write<(Vec<&str>, i32)> =
        session.prepare(&format!("UPDATE {lists} SET l = l + ? WHERE id = ?")).await.unwrap();
    let error = append.with_deadline(TOO_SHORT).execute((vec!["a"], 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    let mut batch = UnloggedBatch::new(&session).with_deadline(TOO_SHORT);
    let error = batch.push(&append, (vec!["a"], 1)).unwrap().execute().await.unwrap_err();
    assert_eq!(text_without_peer(&error), format!("an unlogged batch of 1 statement failed: {UNKNOWN}"));
}

#[tokio::test]
async fn idempotent_statement_without_an_answer_fails_with_a_timeout() {
    // A plain Cassandra may answer within the millisecond that the shortest deadline lasts.
    if local().await.is_none() {
        return;
    }
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let store: Write<(i32,)> = session.prepare(&format!("INSERT INTO {table} (id) VALUES (?)")).await.unwrap();
    let error = store.with_deadline(TOO_SHORT).execute((1,)).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(
        text_without_peer(&error),
        format!("INSERT INTO {table} failed: no answer within 1ns; its deadline leaves no time for another attempt")
    );
    let read: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT id FROM {table} WHERE id = ?")).await.unwrap();
    assert!(read.with_deadline(TOO_SHORT).one((1,)).await.unwrap_err().is_timeout());
}

#[derive(Debug, DeserializeRow, PartialEq)]
#[scylla(crate = keyspaces)]
struct Seat {
    booking: Uuid,
}

/// Makes one conditional write to this table fail. Returns `false` on a plain Cassandra, which cannot inject faults.
async fn inject_fault(table: &str, effect: Effect) -> bool {
    let Some(local) = local().await else { return false };
    local.faults().inject(Fault::new(effect).containing(format!("INTO {table} ")).times(1));
    true
}

#[tokio::test]
async fn insert_of_unknown_outcome_is_resolved_by_its_unique_id() {
    let session = session().await;
    let table = table(&session, "seat text, day int, tags set<text>, booking uuid, PRIMARY KEY (seat, day)").await;
    let text = format!("INSERT INTO {table} (seat, tags, day, booking) VALUES (?, ?, 7, ?) IF NOT EXISTS");
    let book: Conditional<(&str, Vec<&str>, Uuid), Seat> = session.prepare(&text).await.unwrap();
    let book = book.with_attempt_timeout(Duration::from_millis(500));
    let id = Uuid::new_v4();
    for (seat, effect, is_applied) in [
        ("1A", Effect::Drop(Moment::After), true),
        ("1B", Effect::Close(Moment::After), true),
        ("1C", Effect::Drop(Moment::Before), false),
        ("1D", Effect::throttled_write(), false),
    ] {
        if !inject_fault(&table, effect.clone()).await {
            break;
        }
        let values = || (seat, vec!["window", "quiet"], id);
        assert!(matches!(book.execute(values()).await.unwrap(), Outcome::Unknown(_)), "{effect:?}");
        match book.resolve(values()).await.unwrap() {
            Outcome::Applied => assert!(is_applied, "{effect:?}"),
            Outcome::NotApplied(None) => assert!(!is_applied, "{effect:?}"),
            other => panic!("{effect:?}: {other:?}"),
        }
    }
    assert!(book.execute(("2A", vec![], id)).await.unwrap().is_applied());
    assert!(book.resolve(("2A", vec![], id)).await.unwrap().is_applied());
    let late = Uuid::new_v4();
    let outcome = book.resolve(("2A", vec![], late)).await.unwrap();
    assert!(matches!(outcome, Outcome::NotApplied(Some(Seat { booking })) if booking == id), "{outcome:?}");

    let error = session
        .prepare::<Conditional<(&str, Uuid), (i32,)>>(&format!(
            "INSERT INTO {table} (seat, day, booking) VALUES (?, 7, ?) IF NOT EXISTS"
        ))
        .await
        .unwrap()
        .resolve(("2A", late))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "resolving INSERT INTO {table} failed: the existing row cannot be read: (i32,) has 1 value, the rows have 4 \
             columns"
        )
    );
}

#[tokio::test]
async fn resolved_update_returns_the_columns_of_its_condition() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, version int, change uuid, name text").await;
    let put = format!("INSERT INTO {table} (id, version, name) VALUES (1, 1, 'Ada')");
    session.execute(&put, ()).await.unwrap();
    let rename: Conditional<(i32, Uuid, &str, i32, i32), Row> = session
        .prepare(&format!("UPDATE {table} SET version = ?, change = ?, name = ? WHERE id = ? IF version = ?"))
        .await
        .unwrap();
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    assert!(rename.execute((2, first, "Grace", 1, 1)).await.unwrap().is_applied());
    assert!(rename.resolve((2, first, "Grace", 1, 1)).await.unwrap().is_applied());
    let outcome = rename.resolve((2, second, "Grace", 1, 1)).await.unwrap();
    let Outcome::NotApplied(Some(row)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(format!("{row:?}"), r#"{"version": Some(Int(2))}"#);

    let if_exists: Conditional<(Uuid, i32)> =
        session.prepare(&format!("UPDATE {table} SET change = ? WHERE id = ? IF EXISTS")).await.unwrap();
    assert!(matches!(if_exists.resolve((second, 1)).await.unwrap(), Outcome::NotApplied(None)));
    assert!(if_exists.execute((second, 1)).await.unwrap().is_applied());
    assert!(if_exists.resolve((second, 1)).await.unwrap().is_applied());
}

#[tokio::test]
async fn indistinguishable_conditional_write_cannot_be_resolved() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, tags set<text>, name text").await;
    let resolved = async |text: String| {
        let statement: Conditional<(i32,)> = session.prepare(&text).await.unwrap();
        statement.resolve((1,)).await.unwrap_err()
    };
    let error = resolved(format!("DELETE FROM {table} WHERE id = ? IF EXISTS")).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(
        error.to_string(),
        format!(
            "resolving DELETE FROM {table} failed: it sets no columns. Bind an id of the write's own to a column, and name the \
             whole primary key"
        )
    );
    let error = resolved(format!("INSERT INTO {table} (id, name) VALUES (?, 'Ada') IF NOT EXISTS")).await;
    assert_eq!(
        error.to_string(),
        format!(
            "resolving INSERT INTO {table} failed: it binds no value to a column outside the primary key, so its row cannot be \
             distinguished from another write's. Bind an id of the write's own to a column, and name the whole primary key"
        )
    );
    let tags = format!("INSERT INTO {table} (id, tags) VALUES (?, ?) IF NOT EXISTS");
    let tags: Conditional<(i32, Vec<&str>)> = session.prepare(&tags).await.unwrap();
    assert!(tags.execute((2, vec!["a"])).await.unwrap().is_applied());
    assert_eq!(
        tags.resolve((2, vec!["a"])).await.unwrap_err().to_string(),
        format!(
            "resolving INSERT INTO {table} failed: it sets no column of a native type to a value, so its row cannot be \
             distinguished from another write's. Bind an id of the write's own to a column"
        )
    );
}
