use std::num::NonZeroU32;

use futures::TryStreamExt;
use keyspaces::{ErrorKind, PagingState, Select};

use super::{filled, reads_received};
use crate::server::session;

#[tokio::test]
async fn another_session_resumes_after_a_page_from_a_paging_state_stored_as_text() {
    let first = session().await;
    let table = filled(&first, 0..2, 25).await;
    let text = format!("SELECT c FROM {table} WHERE k = ?");
    let ten = NonZeroU32::new(10).unwrap();
    let select: Select<(i32,), (i32,)> = first.prepare(&text).await.unwrap();
    let select = select.with_page_size(ten);
    let page = select.pages((0,)).try_next().await.unwrap().unwrap();
    assert_eq!(page.rows, (0..10).map(|c| (c,)).collect::<Vec<_>>());
    if let Some(received) = reads_received(&table).await {
        assert_eq!(received, 1, "no page is requested ahead");
    }
    let stored = page.next.unwrap().to_string();

    let second = session().await;
    let again: Select<(i32,), (i32,)> = second.prepare(&text).await.unwrap();
    let state: PagingState = stored.parse().unwrap();
    let rest: Vec<_> = again.pages_from((0,), &state).try_collect().await.unwrap();
    let rows: Vec<_> = rest.iter().flat_map(|page| page.rows.clone()).collect();
    assert_eq!(rows, (10..25).map(|c| (c,)).collect::<Vec<_>>());
    assert!(rest.last().unwrap().next.is_none());

    let error = again.pages_from((1,), &state).try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cursor);
    let other: Select<(i32,), (i32,)> = second.prepare(&text.replace("SELECT c", "SELECT k")).await.unwrap();
    let error = other.pages_from((0,), &state).try_next().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "SELECT FROM {table} failed: the paging state belongs to another statement or to other values. Use the \
             statement and the values that it was made with, or start over"
        )
    );
}

#[tokio::test]
async fn a_service_needs_to_keep_only_the_cursor_of_a_page() {
    let session = session().await;
    let table = filled(&session, 0..2, 25).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let select = select.with_page_size(NonZeroU32::new(10).unwrap());
    let (mut rows, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = select.page((0,), cursor.as_deref()).await.unwrap();
        assert!(page.rows.len() <= 10);
        cursor = page.cursor();
        rows.extend(page.rows);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(rows, (0..25).map(|c| (c,)).collect::<Vec<_>>());
    let nobody = select.page((7,), None).await.unwrap();
    assert!(nobody.rows.is_empty() && nobody.cursor().is_none());

    let cursor = select.page((0,), None).await.unwrap().cursor().unwrap();
    for (key, cursor, problem) in [
        (0, "x", "reading a paging state failed: it is not hexadecimal"),
        (0, &cursor[..cursor.len() - 2], "reading a paging state failed: it was truncated or changed. Start over"),
        (1, &*cursor, "the paging state belongs to another statement or to other values"),
    ] {
        let error = select.page((key,), Some(cursor)).await.unwrap_err();
        assert_eq!((error.kind(), error.kind().http_status()), (ErrorKind::Cursor, 400));
        assert!(error.to_string().contains(problem), "{error}");
    }
}
