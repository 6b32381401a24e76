use std::num::NonZeroUsize;

use futures::{StreamExt, TryStreamExt};
use keyspaces::value::Counter;
use keyspaces::{Conditional, ErrorKind, Increment, Outcome, Select, Write};

use super::filled;
use crate::server::{session, table};

#[tokio::test]
async fn many_keys_are_read_in_their_order_or_as_results_arrive() {
    let session = session().await;
    let table = filled(&session, 0..50, 1).await;
    let select: Select<(i32,), (i32, i32)> =
        session.prepare(&format!("SELECT k, c FROM {table} WHERE k = ?")).await.unwrap();
    let keys = (0..500).rev().map(|k| (k % 100,));
    let expected: Vec<_> = keys.clone().map(|(k,)| ((k,), (k < 50).then_some((k, 0)))).collect();
    let in_order: Vec<_> = select.one_for_each(keys.clone()).into_try_stream().try_collect().await.unwrap();
    assert_eq!(in_order, expected);
    let few = NonZeroUsize::new(3).unwrap();
    let in_order: Vec<_> =
        select.one_for_each(keys.clone()).in_flight(few).into_try_stream().try_collect().await.unwrap();
    assert_eq!(in_order, expected);
    let mut unordered: Vec<_> = select.one_for_each(keys).unordered().into_try_stream().try_collect().await.unwrap();
    unordered.sort_unstable();
    let mut expected = expected;
    expected.sort_unstable();
    assert_eq!(unordered, expected);
}

#[tokio::test]
async fn an_error_belongs_to_its_key_or_ends_the_stream() {
    let session = session().await;
    let table = filled(&session, 0..5, 2).await;
    // Each partition has two rows, one more than `one` accepts.
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let all: Vec<_> = select.one_for_each((0..10).map(|k| (k,))).collect().await;
    let failed: Vec<_> = all.iter().filter(|(_, row)| row.is_err()).map(|((k,), _)| *k).collect();
    assert_eq!(failed, [0, 1, 2, 3, 4]);
    let mut until = select.one_for_each((0..10).rev().map(|k| (k,))).into_try_stream();
    for k in (5..10).rev() {
        assert_eq!(until.try_next().await.unwrap(), Some(((k,), None)));
    }
    assert_eq!(until.try_next().await.unwrap_err().kind(), ErrorKind::Type);
    assert_eq!(until.try_next().await.unwrap(), None);
    let rows: Vec<_> = select.all_for_each([(4,), (9,)]).into_try_stream().try_collect().await.unwrap();
    assert_eq!(rows, [((4,), vec![(0,), (1,)]), ((9,), vec![])]);
}

#[tokio::test]
async fn keys_are_taken_when_they_are_needed() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let session = session().await;
    let table = filled(&session, 0..1, 1).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let keys = (0..).map(move |k| {
        counted.fetch_add(1, Ordering::Relaxed);
        (k,)
    });
    let mut found = select.one_for_each(keys).in_flight(NonZeroUsize::new(10).unwrap());
    assert_eq!(taken.load(Ordering::Relaxed), 0);
    for given in 1..=100 {
        found.next().await.unwrap().1.unwrap();
        assert!(taken.load(Ordering::Relaxed) <= given + 10);
    }
}

#[tokio::test]
async fn rows_of_a_stream_are_taken_when_another_may_be_in_flight_and_acknowledged_one_by_one() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let insert = format!("INSERT INTO {table} (id, name) VALUES (?, ?)");
    let store: Write<(i32, String)> = session.prepare(&insert).await.unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let source = futures::stream::iter(0..50).map(move |id| {
        counted.fetch_add(1, Ordering::SeqCst);
        (id, format!("name {id}"))
    });
    let mut written = store.execute_stream(source).in_flight(NonZeroUsize::new(4).unwrap());
    for done in 0..50 {
        let ((id, name), result) = written.next().await.unwrap();
        result.unwrap();
        assert_eq!((usize::try_from(id).unwrap(), name), (done, format!("name {done}")));
        let taken = taken.load(Ordering::SeqCst);
        assert!(taken <= done + 5, "{taken} rows were taken when {} were written", done + 1);
    }
    assert!(written.next().await.is_none());
}

#[tokio::test]
async fn conditional_writes_and_increments_of_many_rows() {
    let session = session().await;
    let owners = table(&session, "id int PRIMARY KEY, name text").await;
    let insert = format!("INSERT INTO {owners} (id, name) VALUES (?, ?) IF NOT EXISTS");
    let claim: Conditional<(i32, &'static str)> = session.prepare(&insert).await.unwrap();
    let rows = [(1, "Ada"), (1, "Bo"), (2, "Cy")];
    let outcomes: Vec<_> =
        claim.execute_each(rows).in_flight(NonZeroUsize::MIN).into_try_stream().try_collect().await.unwrap();
    let applied: Vec<_> = outcomes.iter().map(|(_, outcome)| matches!(outcome, Outcome::Applied)).collect();
    assert_eq!(applied, [true, false, true]);

    let hits = table(&session, "id int PRIMARY KEY, n counter").await;
    let hit: Increment<(Counter, i32)> =
        session.prepare(&format!("UPDATE {hits} SET n = n + ? WHERE id = ?")).await.unwrap();
    let done: Vec<_> =
        hit.execute_each((0..20).map(|_| (Counter(2), 7))).into_try_stream().try_collect().await.unwrap();
    assert_eq!(done.len(), 20);
    let count = format!("SELECT n FROM {hits} WHERE id = ?");
    let count: Option<(Counter,)> = session.query(&count, (7,)).one().await.unwrap();
    assert_eq!(count.map(|(count,)| count.0), Some(40));
}
