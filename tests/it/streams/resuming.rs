//! Streams that resume after a throttled or lost page.

use std::num::NonZeroU32;
use std::time::Duration;

use futures::TryStreamExt;
use keyspaces::{ErrorKind, Select, Session};
use keyspaces_local::fault::{Effect, Fault, Moment};
use keyspaces_local::journal::Kind;

use super::{filled, reads_received};
use crate::server::{local, session};

const ROWS: i32 = 100;

/// A statement that reads [`ROWS`] rows in pages of ten, and the table.
async fn ten_pages(session: &Session) -> (Select<(i32,), (i32,)>, String) {
    let table = filled(session, 0..1, ROWS).await;
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    (select.with_page_size(NonZeroU32::new(10).unwrap()), table)
}

fn all() -> Vec<(i32,)> {
    (0..ROWS).map(|c| (c,)).collect()
}

#[tokio::test]
async fn whatever_happens_to_a_page_each_row_is_yielded_once() {
    let Some(local) = local().await else { return };
    let session = session().await;
    let (select, table) = ten_pages(&session).await;
    let of_page = |effect| Fault::new(effect).kind(Kind::Execute).containing(&table);
    for effect in [
        Effect::throttled_read(),
        Effect::Close(Moment::Before),
        Effect::Close(Moment::After),
        Effect::Garbage,
        Effect::Truncated,
        Effect::ByteByByte,
        Effect::EmptyPage,
        Effect::Drop(Moment::After),
    ] {
        let fault = local.faults().inject(of_page(effect.clone()).nth(4));
        let select = if matches!(effect, Effect::Drop(_)) {
            select.with_deadline(Duration::from_secs(30))
        } else {
            select.clone()
        };
        assert_eq!(select.rows((0,)).try_collect::<Vec<_>>().await.unwrap(), all(), "{effect:?}");
        assert_eq!(local.faults().strike_count(fault), 1, "{effect:?}");
        local.faults().remove(fault);
    }
}

#[tokio::test]
async fn at_its_deadline_the_error_has_the_paging_state_to_resume_from() {
    let Some(local) = local().await else { return };
    let session = session().await;
    let (select, table) = ten_pages(&session).await;
    let select = select.with_deadline(Duration::from_secs(2));
    let fault = Fault::new(Effect::throttled_read()).kind(Kind::Execute).containing(&table);
    let mut rows = select.rows((0,));
    let mut read = vec![rows.try_next().await.unwrap().unwrap()];
    let fault = local.faults().inject(fault);
    let error = loop {
        match rows.try_next().await {
            Ok(row) => read.push(row.expect("it is not the last page")),
            Err(error) => break error,
        }
    };
    local.faults().remove(fault);
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert!(!error.may_have_been_applied(), "a read changes nothing");
    let state = error.paging_state().expect("the error is not of the first page");
    let rest = select.with_deadline(Duration::from_secs(60)).pages_from((0,), state);
    let rest: Vec<_> = rest.try_collect().await.unwrap();
    read.extend(rest.into_iter().flat_map(|page| page.rows));
    assert_eq!(read, all());
}

#[tokio::test]
async fn the_time_left_for_a_retry_is_not_the_deadline_of_the_next_page() {
    let Some(local) = local().await else { return };
    let session = session().await;
    let (select, table) = ten_pages(&session).await;
    let select = select.with_deadline(Duration::from_secs(2)).with_attempt_timeout(Duration::from_millis(1_500));
    let inject = |effect, nth| {
        let fault = Fault::new(effect).kind(Kind::Execute).containing(format!("FROM {table}")).nth(nth);
        local.faults().inject(fault)
    };
    let faults = [
        // The retry has half a second left, and its page is empty.
        inject(Effect::Drop(Moment::Before), 1),
        inject(Effect::EmptyPage, 2),
        // The next page takes longer than that.
        inject(Effect::Delay(Moment::Before, Duration::from_millis(900)), 3),
    ];
    assert_eq!(select.first((0,)).await.unwrap(), Some((0,)));
    assert_eq!(faults.map(|fault| local.faults().strike_count(fault)), [1, 1, 1]);
    assert_eq!(reads_received(&table).await, Some(3), "the page that arrived late was requested once");
    faults.into_iter().for_each(|fault| local.faults().remove(fault));
}
