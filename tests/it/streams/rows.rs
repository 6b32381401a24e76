use std::num::NonZeroU32;
use std::time::Duration;

use futures::StreamExt;
use keyspaces::{ErrorKind, Select};

use super::{filled, reads_received};
use crate::server::session;

fn rows(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

#[tokio::test]
async fn a_stream_yields_all_rows_in_order_with_pages_of_any_size() {
    let session = session().await;
    let table = filled(&session, 0..1, 100).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let expected: Vec<_> = (0..100).map(|c| (c,)).collect();
    for size in [1, 7, 50, 99, 100, 101, 1_000] {
        let read: Vec<_> = select.with_page_size(rows(size)).rows((0,)).try_collect().await.unwrap();
        assert_eq!(read, expected, "pages of {size}");
    }
}

#[tokio::test]
async fn one_page_is_requested_ahead_and_no_more() {
    let session = session().await;
    let table = filled(&session, 0..1, 100).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let mut read = select.with_page_size(rows(30)).rows((0,));
    for taken in 1..=100_usize {
        read.try_next().await.unwrap().unwrap();
        // The page that is being read, and the next page; the fourth page is the last.
        let requested = (1 + taken.div_ceil(30)).min(4);
        let Some(mut received) = reads_received(&table).await else { return };
        while received < requested {
            tokio::time::sleep(Duration::from_millis(1)).await;
            received = reads_received(&table).await.unwrap();
        }
        assert_eq!(received, requested, "after row {taken}");
    }
    assert_eq!(read.try_next().await.unwrap(), None);
    assert_eq!(read.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn first_and_one_send_one_request_for_one_and_two_rows() {
    let session = session().await;
    let table = filled(&session, 0..1, 10).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    assert_eq!(select.first((0,)).await.unwrap(), Some((0,)));
    let only: Select<(i32, i32), (i32,)> =
        session.prepare(&format!("SELECT c FROM {table} WHERE k = ? AND c = ?")).await.unwrap();
    assert_eq!(only.one((0, 5)).await.unwrap(), Some((5,)));
    assert_eq!(only.one((0, 50)).await.unwrap(), None);
    if let Some(received) = reads_received(&table).await {
        assert_eq!(received, 3);
    }
}

#[tokio::test]
async fn a_limit_is_the_page_size_whether_it_is_in_the_text_or_bound() {
    let session = session().await;
    let table = filled(&session, 0..1, 20).await;
    let literal: Select<(i32,), (i32,)> =
        session.prepare(&format!("SELECT c FROM {table} WHERE k = ? LIMIT 5")).await.unwrap();
    let bound: Select<(i32, i32), (i32,)> =
        session.prepare(&format!("SELECT c FROM {table} WHERE k = ? LIMIT ?")).await.unwrap();
    assert_eq!(literal.rows((0,)).try_collect::<Vec<_>>().await.unwrap().len(), 5);
    assert_eq!(bound.rows((0, 7)).try_collect::<Vec<_>>().await.unwrap().len(), 7);
    assert_eq!(bound.with_page_size(rows(2)).rows((0, 7)).try_collect::<Vec<_>>().await.unwrap().len(), 7);
    let Some(local) = crate::server::local().await else { return };
    let sizes: Vec<_> = local
        .journal()
        .filter(|request| {
            request.page_size.is_some() && request.statement.as_deref().is_some_and(|text| text.contains(&table))
        })
        .into_iter()
        .filter(|request| request.kind == keyspaces_local::journal::Kind::Execute)
        .filter(|request| request.statement.as_deref().is_some_and(|text| text.starts_with("SELECT")))
        .map(|request| request.page_size.unwrap())
        .collect();
    assert_eq!(sizes, [5, 7, 2, 2, 2, 2]);
}

#[tokio::test]
async fn empty_pages_are_skipped() {
    let session = session().await;
    let table = filled(&session, 0..1, 200).await;
    let rare: Select<(), (i32,)> =
        session.prepare(&format!("SELECT c FROM {table} WHERE v = 'rare' ALLOW FILTERING")).await.unwrap();
    let rare = rare.with_page_size(rows(10));
    let read: Vec<_> = rare.rows(()).try_collect().await.unwrap();
    assert_eq!(read, [(0,), (50,), (100,), (150,)]);
    assert_eq!(rare.first(()).await.unwrap(), Some((0,)));
}

#[tokio::test]
async fn a_limit_does_not_make_pages_small_if_a_filter_removes_most_rows() {
    let session = session().await;
    let table = filled(&session, 0..1, 200).await;
    let literal: Select<(&str,), (i32,)> =
        session.prepare(&format!("SELECT c FROM {table} WHERE v = ? LIMIT 2 ALLOW FILTERING")).await.unwrap();
    let bound: Select<(&str, i32), (i32,)> =
        session.prepare(&format!("SELECT c FROM {table} WHERE v = ? LIMIT ? ALLOW FILTERING")).await.unwrap();
    let two: Vec<_> = literal.rows(("rare",)).try_collect().await.unwrap();
    assert_eq!(two, [(0,), (50,)]);
    let two: Vec<_> = bound.rows(("rare", 2)).try_collect().await.unwrap();
    assert_eq!(two, [(0,), (50,)]);
    if let Some(received) = reads_received(&table).await {
        assert_eq!(received, 2, "one page each");
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_or_not_polled_leaves_the_session_usable() {
    let session = session().await;
    let table = filled(&session, 0..1, 100).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let select = select.with_page_size(rows(10));
    for taken in 0..30 {
        let read: Vec<_> = select.rows((0,)).take(taken).collect().await;
        assert_eq!(read.len(), taken);
    }
    drop(select.rows((0,)));
    assert_eq!(select.rows((0,)).count().await, 100);
    session.close(Duration::from_secs(10)).await.unwrap();
    let error = select.rows((0,)).try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn the_error_of_wrong_values_is_the_only_item_of_the_stream() {
    let session = session().await;
    let table = filled(&session, 0..1, 1).await;
    // The length and element types of a vector are known only with its value.
    let select: Select<Vec<&str>, (i32,)> =
        session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let mut read = select.rows(vec!["0"]);
    assert_eq!(
        read.try_next().await.unwrap_err().to_string(),
        format!("SELECT FROM {table} failed: the bind marker for k is int, &str cannot be bound to it")
    );
    assert_eq!(read.try_next().await.unwrap(), None);
}
