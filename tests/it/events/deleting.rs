use std::time::Duration;

use futures::future::join_all;
use keyspaces::ErrorKind;
use keyspaces::tables::Event;

use super::{all, date, device, event, events, insert_all, own_table, sharded, shared_table, time};
use crate::server::{local, session};

#[tokio::test]
async fn day_over_the_range_delete_limit_is_deleted_in_slices() {
    let session = session().await;
    let (events, table) = own_table(&session).await;
    let device = device();
    let start = time("2026-11-22T10:00:00Z");
    let mut written: Vec<Event> =
        (0..2_000).map(|index| Event::new(&device, start + Duration::from_millis(index), "type", "x")).collect();
    written.push(event(&device, "2026-11-21T23:59:59.999Z"));
    written.push(event(&device, "2026-11-23T00:00:00Z"));
    insert_all(&events, &written).await;
    events.delete_day(&device, date("2026-11-22")).await.unwrap();
    assert_eq!(all(events.day(&device, date("2026-11-22"))).await, []);
    assert_eq!(all(events.day(&device, date("2026-11-21"))).await.len(), 1);
    assert_eq!(all(events.day(&device, date("2026-11-23"))).await.len(), 1);
    if let Some(local) = local().await {
        let deletes = local.journal().filter(|it| {
            it.kind == keyspaces_local::journal::Kind::Execute
                && it.statement.as_deref().is_some_and(|text| text.starts_with("DELETE") && text.contains(&table))
        });
        assert_eq!(deletes.len(), 3, "900, 900 and 200 rows");
    }
    events.delete_day(&device, date("2026-11-22")).await.unwrap();
}

#[tokio::test]
async fn sharded_day_is_deleted_from_all_shards() {
    let events = sharded(&session().await, 4).await;
    let device = device();
    let start = time("2026-11-22T10:00:00Z");
    let written: Vec<Event> =
        (0..100).map(|index| Event::new(&device, start + Duration::from_millis(index), "type", "x")).collect();
    insert_all(&events, &written).await;
    events.delete(&device, start).await.unwrap();
    assert_eq!(all(events.day(&device, date("2026-11-22")).oldest_first()).await, written[1..]);
    assert_eq!(events.get(&device, written[1].event_time).await.unwrap().as_ref(), Some(&written[1]));
    events.delete_day(&device, date("2026-11-22")).await.unwrap();
    assert_eq!(all(events.day(&device, date("2026-11-22"))).await, []);
}

#[tokio::test]
async fn delete_of_a_day_under_constant_writes_times_out() {
    let session = session().await;
    let events = events(&session).await;
    let device = device();
    let start = time("2026-11-22T10:00:00Z");
    let write = |index: u64| {
        let event = Event::new(&device, start + Duration::from_millis(index), "type", "x");
        let events = events.clone();
        async move { events.insert(&event).await.unwrap() }
    };
    write(0).await;
    let writing = async {
        for index in 0.. {
            write(index).await;
        }
    };
    let deleting =
        async { events.delete_day(&device, date("2026-11-22")).with_deadline(Duration::from_millis(700)).await };
    let error = tokio::select! {
        () = writing => unreachable!("it never ends"),
        deleted = deleting => deleted.unwrap_err(),
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        format!(
            "DELETE FROM {} failed: the day 2026-11-22 was not empty after 700ms. Keyspaces deletes after it has \
             answered: read the day again later, and make sure that nobody writes to it",
            shared_table()
        )
    );
}

#[tokio::test]
async fn days_are_deleted_concurrently() {
    let events = events(&session().await).await;
    let device = device();
    let days = ["2026-11-20", "2026-11-21", "2026-11-22"];
    for day in days {
        events.insert(&event(&device, &format!("{day}T10:00:00Z"))).await.unwrap();
    }
    join_all(days.map(|day| async { events.delete_day(&device, date(day)).await.unwrap() })).await;
    assert_eq!(all(events.between(&device, time("2026-11-20T00:00:00Z")..time("2026-11-23T00:00:00Z"))).await, []);
}
