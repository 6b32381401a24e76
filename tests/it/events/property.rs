//! `between` returns each written event in any range once, in order.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use keyspaces::tables::{Event, Events};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{all, device, events, insert_all, sharded};
use crate::server::session;

const DAY: i64 = 86_400_000;

#[derive(Clone, Debug)]
struct Case {
    written: Vec<Written>,
    ranges: Vec<(Range<DateTime<Utc>>, bool, Option<usize>)>,
    page_size: NonZeroU32,
    sharded: bool,
}

#[derive(Clone, Debug)]
struct Written {
    time: DateTime<Utc>,
    event_type: usize,
}

const TYPES: [&str; 3] = ["temperature", "alarm", ""];

/// A few days before a boundary: of a month, of a year, of a leap day, or of 1970.
fn first_day() -> impl Strategy<Value = NaiveDate> {
    let days = ["2028-02-27", "2027-02-27", "2000-02-28", "1900-02-27", "2026-12-30", "1969-12-30", "2026-11-22"];
    prop::sample::select(days.map(|day| day.parse::<NaiveDate>().unwrap()).to_vec())
}

/// A time, often near midnight, with a higher precision than the column stores.
fn time(first: NaiveDate) -> impl Strategy<Value = DateTime<Utc>> {
    let start = first.and_hms_opt(0, 0, 0).unwrap().and_utc();
    let in_day = prop_oneof![3 => 0..3_i64, 3 => DAY - 3..DAY, 1 => 0..DAY, 4 => 40_000_000..40_000_040_i64];
    (0..5_i64, in_day, 0..1_000_000_i64).prop_map(move |(day, millis, nanos)| {
        start + TimeDelta::milliseconds(day * DAY + millis) + TimeDelta::nanoseconds(nanos)
    })
}

fn case() -> impl Strategy<Value = Case> {
    first_day().prop_flat_map(|first| {
        let written = (time(first), 0..TYPES.len()).prop_map(|(time, event_type)| Written { time, event_type });
        let range = (time(first), time(first), any::<bool>(), prop::option::of(0..TYPES.len()))
            .prop_map(|(one, other, newest, only)| (one.min(other)..one.max(other), newest, only));
        (prop::collection::vec(written, 0..60), prop::collection::vec(range, 1..8), 1..9_u32, any::<bool>()).prop_map(
            |(written, ranges, page_size, sharded)| Case {
                written,
                ranges,
                page_size: NonZeroU32::new(page_size).unwrap(),
                sharded,
            },
        )
    })
}

#[test]
fn between_returns_each_event_in_range_once_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (plain, sharded) = runtime.block_on(async {
        let session = session().await;
        (events(&session).await, sharded(&session, 3).await)
    });
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    runner
        .run(&case(), |case| {
            let events = if case.sharded { &sharded } else { &plain };
            runtime.block_on(check(&events.with_page_size(case.page_size), &case));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

async fn check(events: &Events, case: &Case) {
    let device = device();
    // Keyed by millisecond: of two events in the same millisecond, one is kept.
    let mut held: BTreeMap<i64, Event> = BTreeMap::new();
    for written in &case.written {
        let event = Event::new(&device, written.time, TYPES[written.event_type], written.time.to_string());
        held.entry(written.time.timestamp_millis()).or_insert(event);
    }
    let written: Vec<Event> = held.values().cloned().collect();
    insert_all(events, &written).await;
    for (range, newest_first, only) in &case.ranges {
        let millis = range.start.timestamp_millis()..range.end.timestamp_millis();
        let only = only.map(|index| TYPES[index]);
        let mut expected: Vec<Event> = held
            .range(millis)
            .map(|(_, event)| event.clone())
            .filter(|event| only.is_none_or(|only| event.event_type == only))
            .collect();
        let mut read = events.between(&device, range.clone());
        if *newest_first {
            expected.reverse();
        } else {
            read = read.oldest_first();
        }
        if let Some(only) = only {
            read = read.of_type(only);
        }
        assert_eq!(all(read).await, expected, "{range:?}");
    }
}
