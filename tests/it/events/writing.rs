use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDate, Utc};
use keyspaces::Outcome;
use keyspaces::tables::{Event, Events};
use tokio::time::Instant;

use super::{all, create, date, device, event, events, insert_all, only, shared_table, time, times};
use crate::server::{keyspace_name, local, session};

#[tokio::test]
async fn an_event_is_written_read_by_its_time_and_deleted() {
    let events = events(&session().await).await;
    let device = device();
    let written = event(&device, "2026-11-22T10:00:00.123Z");
    assert_eq!(events.get(&device, written.event_time).await.unwrap(), None);
    events.insert(&written).await.unwrap();
    assert_eq!(events.get(&device, written.event_time).await.unwrap(), Some(written.clone()));
    events.delete(&device, written.event_time).await.unwrap();
    assert_eq!(events.get(&device, written.event_time).await.unwrap(), None);
    events.delete(&device, written.event_time).await.unwrap();
}

#[tokio::test]
async fn event_time_is_truncated_to_milliseconds_in_every_call() {
    let events = events(&session().await).await;
    let device = device();
    let fine = time("2026-11-22T23:59:59.999999999Z");
    let written = Event { event_time: fine, ..event(&device, "2026-11-22T00:00:00Z") };
    events.insert(&written).await.unwrap();
    let read = Event { event_time: time("2026-11-22T23:59:59.999Z"), ..written.clone() };
    assert_eq!(events.get(&device, fine).await.unwrap(), Some(read.clone()));
    assert_eq!(only(events.day(&device, date("2026-11-22"))).await, read);
    let second = Duration::from_secs(1);
    assert_eq!(all(events.between(&device, fine..fine + second)).await, [read]);
    assert_eq!(all(events.between(&device, fine - second..fine)).await, []);
    events.delete(&device, fine).await.unwrap();
    assert_eq!(all(events.day(&device, date("2026-11-22"))).await, []);
}

#[tokio::test]
async fn event_is_stored_under_its_utc_day_regardless_of_offset() {
    let events = events(&session().await).await;
    let device = device();
    insert_all(
        &events,
        &[
            event(&device, "2026-11-22T23:30:00-01:00"),
            event(&device, "2026-11-23T00:30:00+01:00"),
            event(&device, "2026-11-22T12:00:00Z"),
        ],
    )
    .await;
    assert_eq!(times(events.day(&device, date("2026-11-22"))).await, ["22 23:30", "22 12:00"]);
    assert_eq!(times(events.day(&device, date("2026-11-23"))).await, ["23 00:30"]);
}

#[tokio::test]
async fn leap_second_event_is_read_from_the_day_it_was_stored_in() {
    let events = events(&session().await).await;
    let device = device();
    let leap = time("2016-12-31T23:59:60.5Z");
    events.insert(&Event { event_time: leap, ..event(&device, "2016-12-31T00:00:00Z") }).await.unwrap();
    let found = all(events.day(&device, date("2017-01-01"))).await;
    assert_eq!(found.iter().map(|event| event.event_time).collect::<Vec<_>>(), [time("2017-01-01T00:00:00.5Z")]);
    assert_eq!(events.get(&device, leap).await.unwrap().as_ref(), found.first());
}

#[tokio::test]
async fn first_and_last_calendar_days_are_written_and_read() {
    let events = events(&session().await).await;
    let device = device();
    for (date, time) in [(NaiveDate::MIN, DateTime::<Utc>::MIN_UTC), (NaiveDate::MAX, DateTime::<Utc>::MAX_UTC)] {
        let written = Event::new(&device, time, "type", "at the end");
        events.insert(&written).await.unwrap();
        assert_eq!(only(events.day(&device, date)).await, written);
        assert_eq!(events.get(&device, time).await.unwrap(), Some(written));
        events.delete_day(&device, date).await.unwrap();
        assert_eq!(all(events.day(&device, date)).await, []);
    }
}

#[tokio::test]
async fn second_event_in_a_millisecond_overwrites_or_gets_the_first_back() {
    let events = events(&session().await).await;
    let device = device();
    let first = event(&device, "2026-11-22T10:00:00Z");
    let second = Event { payload: "second".into(), ..first.clone() };
    assert!(events.insert_if_absent(&first).await.unwrap().is_applied());
    match events.insert_if_absent(&second).await.unwrap() {
        Outcome::NotApplied(there) => assert_eq!(there, Some(first)),
        other => panic!("{other:?}"),
    }
    events.insert(&second).await.unwrap();
    assert_eq!(all(events.day(&device, date("2026-11-22"))).await, [second]);
}

#[tokio::test]
async fn insert_many_returns_one_result_per_event_in_order() {
    let events = events(&session().await).await;
    let (one, two) = (device(), device());
    let mut many: Vec<Event> = (0..200)
        .map(|index| {
            let device = if index % 2 == 0 { &one } else { &two };
            let at = time("2026-11-22T10:00:00Z") + Duration::from_secs(index * 3_600);
            Event::new(device, at, "type", index.to_string())
        })
        .collect();
    many[70].device_id = String::new();
    let results = events.insert_many(&many).await;
    assert_eq!(results.len(), 200);
    let failed: Vec<usize> = (0..200).filter(|index| results[*index].is_err()).collect();
    assert_eq!(failed, [70]);
    for device in [&one, &two] {
        let written = many.iter().filter(|event| &event.device_id == device).cloned().collect::<Vec<_>>();
        let whole = time("2026-11-01T00:00:00Z")..time("2026-12-31T00:00:00Z");
        assert_eq!(all(events.between(device, whole).oldest_first()).await, written);
    }
    assert!(events.insert_many(&[]).await.is_empty());
}

#[tokio::test]
async fn event_writes_are_paced_to_the_partition_limit() {
    let events = events(&session().await).await;
    let (busy, quiet) = (device(), device());
    let start = time("2026-11-22T10:00:00Z");
    let mut many: Vec<Event> =
        (0..271).map(|index| Event::new(&busy, start + Duration::from_millis(index), "type", "x")).collect();
    many.push(Event::new(&quiet, start, "type", "x"));
    let began = Instant::now();
    insert_all(&events, &many).await;
    // The last of 271 units waits this long at 900 units a second.
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(all(events.day(&busy, date("2026-11-22"))).await.len(), 271);
}

#[tokio::test]
async fn event_columns_left_null_are_read_as_empty_text() {
    let session = session().await;
    let events = events(&session).await;
    let (device, at) = (device(), time("2026-11-22T10:00:00Z"));
    let text = format!("INSERT INTO {} (device_id, event_date, event_time) VALUES (?, ?, ?)", shared_table());
    session.execute(&text, (&device, date("2026-11-22"), at)).await.unwrap();
    let read = Event::new(&device, at, "", "");
    assert_eq!(only(events.day(&device, date("2026-11-22"))).await, read);
    match events.insert_if_absent(&event(&device, "2026-11-22T10:00:00Z")).await.unwrap() {
        Outcome::NotApplied(there) => assert_eq!(there, Some(read)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn event_stored_under_another_date_is_found_by_date_but_not_by_time() {
    let session = session().await;
    let events = events(&session).await;
    let (device, at) = (device(), time("2026-11-22T23:30:00Z"));
    let text = format!(
        "INSERT INTO {} (device_id, event_date, event_time, event_type, payload) VALUES (?, ?, ?, 'temperature', 'x')",
        shared_table()
    );
    session.execute(&text, (&device, date("2026-11-23"), at)).await.unwrap();
    let whole = time("2026-11-01T00:00:00Z")..time("2026-12-01T00:00:00Z");
    assert_eq!(times(events.day(&device, date("2026-11-23"))).await, ["22 23:30"]);
    assert_eq!(times(events.between(&device, whole)).await, [""; 0]);
}

#[tokio::test]
async fn keyspace_that_requires_quoting_is_given_unquoted() {
    let session = session().await;
    let mut names = vec![keyspace_name("MyEvents")];
    // Names without the prefix would be left behind on Amazon Keyspaces.
    if local().await.is_some() {
        names.extend(["2026_events".to_owned(), "select".to_owned()]);
    }
    for keyspace in &names {
        create(&session, keyspace).await;
        let events = Events::new(&session, keyspace).await.unwrap();
        let written = Event::new(device(), SystemTime::now().into(), "type", keyspace);
        events.insert(&written).await.unwrap();
        assert_eq!(events.get(&written.device_id, written.event_time).await.unwrap(), Some(written));
    }
}
