use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Days, Utc};
use keyspaces::tables::{Event, LatestEvents};

use super::{device, event, events, insert_all, own_table, pages_asked, sharded, time};
use crate::server::session;

async fn all(latest: LatestEvents) -> Vec<Event> {
    latest.try_collect().await.unwrap()
}

#[tokio::test]
async fn latest_events_start_today_and_continue_into_earlier_days() {
    let session = session().await;
    for events in [events(&session).await, sharded(&session, 3).await] {
        let device = device();
        let now = DateTime::<Utc>::from(SystemTime::now());
        let written: Vec<Event> = [0, 1, 2, 6, 29, 40]
            .into_iter()
            .flat_map(|days| [0, 1].map(|second| now - Days::new(days) - Duration::from_secs(second)))
            .map(|at| Event::new(&device, at, "type", at.to_string()))
            .collect();
        insert_all(&events, &written).await;
        assert_eq!(all(events.latest(&device, 1)).await, written[..1]);
        assert_eq!(all(events.latest(&device, 5)).await, written[..5]);
        assert_eq!(all(events.latest(&device, 100)).await, written[..10], "thirty days back and no more");
        assert_eq!(all(events.latest(&device, 100).days_back(50)).await, written);
        assert_eq!(all(events.latest(&device, 0)).await, []);
        let small = events.with_page_size(NonZeroU32::MIN);
        assert_eq!(all(small.latest(&device, 9)).await, written[..9]);
    }
}

#[tokio::test]
async fn latest_before_a_time_excludes_that_time() {
    let events = events(&session().await).await;
    let device = device();
    let written = [
        event(&device, "2026-11-22T00:00:00.001Z"),
        event(&device, "2026-11-22T00:00:00Z"),
        event(&device, "2026-11-21T23:59:59.999Z"),
        event(&device, "2026-11-20T10:00:00Z"),
    ];
    insert_all(&events, &written).await;
    for (before, first) in [
        ("2026-11-22T00:00:00.002Z", 0),
        ("2026-11-22T00:00:00.001Z", 1),
        ("2026-11-22T00:00:00Z", 2),
        ("2026-11-21T00:00:00Z", 3),
        ("2026-11-20T10:00:00.000001Z", 4),
    ] {
        assert_eq!(all(events.latest(&device, 10).before(time(before))).await, written[first..], "{before}");
    }
    let last_day_only = events.latest(&device, 10).before(time("2026-11-22T00:00:00Z")).days_back(0);
    assert_eq!(all(last_day_only).await, written[2..3]);
    assert_eq!(all(events.latest(&device, 10).before(DateTime::<Utc>::MIN_UTC)).await, []);
}

#[tokio::test]
async fn latest_reads_each_day_once_until_it_has_enough_events() {
    let session = session().await;
    let (events, table) = own_table(&session).await;
    let device = device();
    let noon = time("2026-11-22T12:00:00Z");
    let written: Vec<Event> =
        (0..20).map(|second| Event::new(&device, noon - Duration::from_secs(second), "type", "x")).collect();
    insert_all(&events, &written).await;
    assert_eq!(all(events.latest(&device, 10).before(noon + Duration::from_secs(1))).await, written[..10]);
    let Some(asked) = pages_asked(&table).await else { return };
    assert_eq!(asked, 1);
    assert_eq!(all(events.latest("silent", 10).before(noon)).await, []);
    assert_eq!(pages_asked(&table).await, Some(1 + 31));
    assert_eq!(all(events.latest("silent", 10).days_back(2)).await, []);
    assert_eq!(pages_asked(&table).await, Some(1 + 31 + 3));
}
