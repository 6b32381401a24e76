//! Schedules the writes of many events, so that no partition gets more than it accepts.

use std::collections::HashMap;
use std::time::Duration;

use chrono::NaiveDate;

use super::shards::Shards;
use crate::saturated::saturated;
use crate::tables::Event;
use crate::tables::event::truncate_to_millis;

/// A partition accepts 1,000 write units a second (DG:bp-partition-key-design). One tenth is left to other writers, as
/// AWS advises for bulk loads (DG:bulk-upload-config).
const UNITS_PER_SECOND: u32 = 900;

/// A write unit writes up to 1 KB of a row (DG:ReadWriteCapacityMode).
const BYTES_PER_UNIT: usize = 1_024;

/// Returns the indexes of the events in the order of their writes, each with its delay from the start.
///
/// The first event of a partition is due at once. Each further event is due when the units of the events before it are
/// used up, so the partitions alternate.
pub(super) fn schedule(events: &[Event], shards: Shards) -> Vec<(Duration, usize)> {
    let mut units_before: HashMap<(&str, NaiveDate, i16), u32> = HashMap::new();
    let mut order: Vec<(Duration, usize)> = events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            let shard = shards.shard_of(truncate_to_millis(event.event_time));
            let before = units_before.entry((&event.device_id, event.date(), shard)).or_default();
            let due = Duration::from_secs(1) * *before / UNITS_PER_SECOND;
            *before = before.saturating_add(units(event));
            (due, index)
        })
        .collect();
    order.sort_unstable();
    order
}

/// The write units of an event, by the guide's estimate of row sizes (DG:calculating-row-size).
fn units(event: &Event) -> u32 {
    // A partition key column counts twice, plus 4 bytes; a clustering column twice and a fifth, plus 1 byte; another column
    // once, plus 1 byte.
    const DATE_SHARD_AND_TIME: usize = (2 * 4 + 4) + (2 * 2 + 4) + (2 * 8 + 2 + 1);
    let size =
        2 * event.device_id.len() + 4 + DATE_SHARD_AND_TIME + event.event_type.len() + 1 + event.payload.len() + 1;
    saturated::<u32>(size.div_ceil(BYTES_PER_UNIT))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn event(device: &str, millis: i64, payload: usize) -> Event {
        let time = DateTime::<Utc>::from_timestamp_millis(millis).expect("a time");
        Event::new(device, time, "type", "x".repeat(payload))
    }

    fn in_order(events: &[Event]) -> Vec<(u128, usize)> {
        schedule(events, Shards::NONE).into_iter().map(|(due, index)| (due.as_millis(), index)).collect()
    }

    #[test]
    fn writes_to_a_partition_are_spaced_and_partitions_alternate() {
        let one: Vec<Event> = (0..901).map(|millis| event("a", millis, 10)).collect();
        let due = in_order(&one);
        assert_eq!(due[..3], [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(due[900], (1_000, 900));

        let two = [event("a", 0, 10), event("a", 1, 10), event("b", 0, 10), event("b", 1, 10)];
        assert_eq!(in_order(&two), [(0, 0), (0, 2), (1, 1), (1, 3)]);
        let days = [event("a", 0, 10), event("a", 86_400_000, 10)];
        assert_eq!(in_order(&days), [(0, 0), (0, 1)]);
    }

    #[test]
    fn large_event_delays_the_next_of_its_partition_longer() {
        let events = [event("a", 0, 9 * 1_024), event("a", 1, 10), event("b", 1, 10)];
        assert_eq!(units(&events[0]), 10);
        assert_eq!(in_order(&events), [(0, 0), (0, 2), (11, 1)]);
    }

    #[test]
    fn schedule_of_no_events_is_empty() {
        assert_eq!(in_order(&[]), []);
    }
}
