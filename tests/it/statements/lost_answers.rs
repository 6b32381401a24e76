//! A deadline that no answer meets: what was sent may have been applied or not.

use std::time::Duration;

use keyspaces::value::Counter;
use keyspaces::{Conditional, ErrorKind, Increment, Outcome, Select, UnloggedBatch, Write};

use crate::server::{local, session, table};

const TOO_SHORT: Duration = Duration::from_nanos(1);

/// Where and after how long is left out.
fn told(error: &keyspaces::Error) -> String {
    let text = error.to_string();
    let (attempted, rest) = text.split_once(" failed at ").unwrap();
    format!("{attempted} failed: {}", rest.split_once(": ").unwrap().1)
}

const UNKNOWN: &str = "no answer within 1ns; whether it was applied is not known, and it was not repeated because that could \
                       apply it twice";

#[tokio::test]
async fn of_a_conditional_write_the_outcome_is_unknown() {
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
    assert_eq!(told(&why), format!("INSERT INTO {table} failed: {UNKNOWN}"));
}

#[tokio::test]
async fn of_an_increment_and_of_a_write_that_may_not_be_repeated_it_is_an_error_that_says_so() {
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
    assert_eq!(told(&error), format!("UPDATE {hits} failed: {UNKNOWN}"));

    let lists = table(&session, "id int PRIMARY KEY, l list<text>").await;
    let append: Write<(Vec<&str>, i32)> =
        session.prepare(&format!("UPDATE {lists} SET l = l + ? WHERE id = ?")).await.unwrap();
    let error = append.with_deadline(TOO_SHORT).execute((vec!["a"], 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    let mut batch = UnloggedBatch::new(&session).with_deadline(TOO_SHORT);
    let error = batch.push(&append, (vec!["a"], 1)).unwrap().execute().await.unwrap_err();
    assert_eq!(told(&error), format!("an unlogged batch of 1 statements failed: {UNKNOWN}"));
}

#[tokio::test]
async fn of_what_may_be_repeated_it_is_a_timeout() {
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
        told(&error),
        format!("INSERT INTO {table} failed: no answer within 1ns; its deadline leaves no time for another attempt")
    );
    let read: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT id FROM {table} WHERE id = ?")).await.unwrap();
    assert!(read.with_deadline(TOO_SHORT).one((1,)).await.unwrap_err().is_timeout());
}
