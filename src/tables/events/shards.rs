//! Computes the shard of an event.

use std::num::NonZeroU8;

use chrono::{DateTime, Utc};

/// The number of partitions of a day of a device; `None` for the table without shards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Shards(Option<NonZeroU8>);

impl Shards {
    pub(super) const NONE: Self = Self(None);

    pub(super) fn new(count: NonZeroU8) -> Self {
        Self(Some(count))
    }

    pub(super) fn count(self) -> u8 {
        self.0.map_or(1, NonZeroU8::get)
    }

    pub(super) fn all(self) -> impl Iterator<Item = i16> + Clone {
        0..i16::from(self.count())
    }

    /// The shard of an event at `time`, in whole milliseconds. It depends on the time only, so an event can be found by its
    /// key. The time is hashed, because its remainder alone would not spread events at regular intervals evenly.
    pub(super) fn shard_of(self, time: DateTime<Utc>) -> i16 {
        let hash = hash(time.timestamp_millis().cast_unsigned());
        i16::try_from(hash % u64::from(self.count())).unwrap_or_default()
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014). Every sharded table depends on its results, so it must not
/// change.
fn hash(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(shards: Shards, millis: i64) -> i16 {
        shards.shard_of(DateTime::from_timestamp_millis(millis).expect("a time"))
    }

    #[test]
    fn shard_of_a_time_never_changes() {
        let eight = Shards::new(NonZeroU8::new(8).expect("eight"));
        let shards: Vec<i16> = (0..10).map(|second| shard(eight, 1_763_800_000_000 + second * 1_000)).collect();
        assert_eq!(shards, [7, 1, 2, 5, 0, 1, 4, 1, 6, 5]);
        assert_eq!(shard(Shards::NONE, 1_763_800_000_000), 0);
    }

    #[test]
    fn events_at_regular_intervals_spread_evenly_over_shards() {
        let eight = Shards::new(NonZeroU8::new(8).expect("eight"));
        for interval in [1, 8, 1_000, 60_000, 3_600_000] {
            let mut in_each = [0_u32; 8];
            for event in 0..8_000 {
                in_each[usize::try_from(shard(eight, event * interval)).expect("a shard")] += 1;
            }
            assert!(in_each.iter().all(|count| (850..1_150).contains(count)), "every {interval} ms: {in_each:?}");
        }
    }
}
