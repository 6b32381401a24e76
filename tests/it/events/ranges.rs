use std::num::NonZeroU32;
use std::time::Duration;

use chrono::Days;
use keyspaces::ReadConsistency;
use keyspaces::tables::Event;

use super::{all, date, device, event, events, insert_all, own_table, pages_asked, sharded, time, times};
use crate::server::{local, session};

#[tokio::test]
async fn range_over_days_reads_in_both_orders_excluding_its_end() {
    let session = session().await;
    for events in [events(&session).await, sharded(&session, 5).await] {
        let device = device();
        let written = [
            event(&device, "2028-02-28T23:59:59.999Z"),
            event(&device, "2028-02-29T00:00:00Z"),
            event(&device, "2028-02-29T12:00:00Z"),
            event(&device, "2028-03-01T00:00:00Z"),
            event(&device, "2028-03-03T06:00:00Z"),
        ];
        insert_all(&events, &written).await;
        let whole = time("2028-02-28T23:59:59.999Z")..time("2028-03-03T06:00:00Z");
        assert_eq!(all(events.between(&device, whole.clone()).oldest_first()).await, written[..4]);
        let newest_first: Vec<Event> = written[..4].iter().rev().cloned().collect();
        assert_eq!(all(events.between(&device, whole)).await, newest_first);
        let within = time("2028-02-29T00:00:00.001Z")..time("2028-03-01T00:00:00Z");
        assert_eq!(times(events.between(&device, within)).await, ["29 12:00"]);
        assert_eq!(times(events.day(&device, date("2028-02-29"))).await, ["29 12:00", "29 00:00"]);
        assert_eq!(times(events.day(&device, date("2028-02-29")).oldest_first()).await, ["29 00:00", "29 12:00"]);
        let now = time("2028-02-29T12:00:00Z");
        assert_eq!(all(events.between(&device, now..now)).await, []);
    }
}

#[tokio::test]
async fn events_are_filtered_by_type_across_pages_without_matches() {
    let session = session().await;
    for events in [events(&session).await, sharded(&session, 2).await] {
        let device = device();
        let start = time("2026-11-20T23:00:00Z");
        let written: Vec<Event> = (0..180)
            .map(|minute| {
                let event_type = if minute % 45 == 44 { "alarm" } else { "temperature" };
                Event::new(&device, start + Duration::from_secs(60 * minute), event_type, "x")
            })
            .collect();
        insert_all(&events, &written).await;
        let alarms: Vec<Event> = written.iter().filter(|event| event.event_type == "alarm").cloned().collect();
        assert_eq!(alarms.len(), 4);
        let whole = start..start + Days::new(2);
        for events in [events.clone(), events.with_page_size(NonZeroU32::new(7).unwrap())] {
            let read = events.between(&device, whole.clone()).of_type("alarm");
            assert_eq!(all(read.oldest_first()).await, alarms);
            let latest: Vec<Event> =
                events.latest(&device, 3).before(whole.end).of_type("alarm").try_collect().await.unwrap();
            assert_eq!(latest, [alarms[3].clone(), alarms[2].clone(), alarms[1].clone()]);
            assert_eq!(all(events.day(&device, date("2026-11-21")).of_type("none")).await, []);
        }
    }
}

#[tokio::test]
async fn days_are_prefetched_but_at_most_32_ahead() {
    let session = session().await;
    let (events, table) = own_table(&session).await;
    let device = device();
    let end = time("2026-11-22T00:00:00Z");
    // One event in each of a hundred days.
    let written: Vec<Event> =
        (1..=100).map(|day| Event::new(&device, end - Days::new(day), "type", day.to_string())).collect();
    insert_all(&events, &written).await;
    let mut range = events.between(&device, end - Days::new(100)..end);
    if local().await.is_some() {
        assert_eq!(pages_asked(&table).await, Some(0), "nothing is sent before the first poll");
    }
    for (index, written) in written.iter().enumerate() {
        assert_eq!(range.try_next().await.unwrap().as_ref(), Some(written));
        let Some(asked) = pages_asked(&table).await else { continue };
        let ahead = (index + 32).min(100);
        assert!(asked > index && asked <= ahead, "{asked} days asked for after event {index}");
    }
    assert_eq!(range.try_next().await.unwrap(), None);
    assert_eq!(range.try_next().await.unwrap(), None);
    if let Some(asked) = pages_asked(&table).await {
        assert_eq!(asked, 100, "each day once");
    }
}

#[tokio::test]
async fn day_is_read_in_one_small_page_then_large_pages() {
    let session = session().await;
    let (events, table) = own_table(&session).await;
    let device = device();
    let start = time("2026-11-22T10:00:00Z");
    let written: Vec<Event> =
        (0..350).map(|index| Event::new(&device, start + Duration::from_secs(index), "type", "x")).collect();
    insert_all(&events, &written).await;
    assert_eq!(all(events.day(&device, date("2026-11-22")).oldest_first()).await, written);
    if let Some(asked) = pages_asked(&table).await {
        assert_eq!(asked, 2, "a page of 100 and one of what is left");
    }
    let small = events.with_page_size(NonZeroU32::new(60).unwrap());
    assert_eq!(all(small.day(&device, date("2026-11-22")).oldest_first()).await, written);
    if let Some(asked) = pages_asked(&table).await {
        assert_eq!(asked, 2 + 6);
    }
}

#[tokio::test]
async fn event_stream_can_be_dropped_at_any_point() {
    let session = session().await;
    let events = events(&session).await;
    let device = device();
    let end = time("2026-11-22T00:00:00Z");
    let written: Vec<Event> = (1..=40).map(|day| Event::new(&device, end - Days::new(day), "type", "x")).collect();
    insert_all(&events, &written).await;
    for taken in [0, 1, 7, 40] {
        let mut range = events.between(&device, end - Days::new(40)..end);
        for _ in 0..taken {
            range.try_next().await.unwrap().unwrap();
        }
    }
    assert_eq!(all(events.between(&device, end - Days::new(40)..end)).await, written);
}

#[tokio::test]
async fn event_reads_use_the_requested_consistency() {
    let session = session().await;
    let (events, table) = own_table(&session).await;
    let device = device();
    let at = time("2026-11-22T10:00:00Z");
    events.insert(&event(&device, "2026-11-22T10:00:00Z")).await.unwrap();
    let one = events.with_consistency(ReadConsistency::One);
    assert_eq!(all(one.day(&device, date("2026-11-22"))).await.len(), 1);
    assert!(one.get(&device, at).await.unwrap().is_some());
    assert_eq!(all(events.day(&device, date("2026-11-22"))).await.len(), 1);
    let Some(local) = local().await else { return };
    let levels: Vec<String> = local
        .journal()
        .containing(&format!("FROM {table} WHERE"))
        .into_iter()
        .filter(|it| it.kind == keyspaces_local::journal::Kind::Execute)
        .map(|it| format!("{:?}", it.consistency.unwrap()))
        .collect();
    assert_eq!(levels, ["One", "One", "LocalQuorum"]);
}
