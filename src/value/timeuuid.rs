//! Ids of type `timeuuid`: make one from a time, get its time, and get the bounds of a range of time.
//!
//! ```
//! use chrono::{DateTime, Utc};
//! use keyspaces::value::timeuuid;
//!
//! let noon: DateTime<Utc> = "2026-11-26T12:00:00Z".parse().unwrap();
//! let id = timeuuid::at(noon);
//! assert_eq!(timeuuid::time_of(&id), Some(noon));
//! assert!(timeuuid::min(noon) < id && id < timeuuid::max(noon));
//! ```
//!
//! Read a range of time by its bounds:
//!
//! ```no_run
//! # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
//! use chrono::{DateTime, TimeDelta, Utc};
//! use keyspaces::value::{CqlTimeuuid, timeuuid};
//! use keyspaces::{Row, Select};
//!
//! let between: Select<(&str, CqlTimeuuid, CqlTimeuuid), Row> =
//!     session.prepare("SELECT * FROM shop.orders WHERE shop = ? AND id >= ? AND id < ?").await?;
//! let now: DateTime<Utc> = Utc::now();
//! let rows = between.rows(("7", timeuuid::min(now - TimeDelta::hours(1)), timeuuid::min(now)));
//! # drop(rows);
//! # Ok(()) }
//! ```

use chrono::{DateTime, Utc};
use scylla::value::{CqlTimestamp, CqlTimeuuid};
use uuid::Uuid;

/// The smallest and the largest clock sequence and node in Cassandra's order, which compares them byte by byte as
/// signed numbers.
const MIN_NODE: u64 = 0x8080_8080_8080_8080;
const MAX_NODE: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// The ticks of 100 ns from 1582-10-15, the epoch of these ids, to 1970.
const TICKS_TO_1970: i64 = 0x01b2_1dd2_1381_4000;
const TICKS_PER_MILLI: i64 = 10_000;
const LAST_TICK: i64 = (1 << 60) - 1;

/// Returns a new id with the current time, with a resolution of 100 ns.
///
/// ```
/// use keyspaces::value::timeuuid;
///
/// assert_ne!(timeuuid::now(), timeuuid::now());
/// ```
pub fn now() -> CqlTimeuuid {
    let now = Utc::now();
    let within_micro = i64::from(now.timestamp_subsec_nanos() % 1_000 / 100);
    id(now.timestamp_micros().saturating_mul(10) + within_micro + TICKS_TO_1970, random_node())
}

/// Returns a new id with this time, truncated to the millisecond. The other 61 bits of the id are random, so two ids of
/// the same millisecond differ, and their order is random.
///
/// `time` is a `DateTime<Utc>` of chrono, an `OffsetDateTime` of the crate `time` (feature `time-03`), or a
/// [`CqlTimestamp`]. The times of ids range from 1582 to 5236; a time before or after is replaced by the first or the
/// last of them.
pub fn at(time: impl Into<CqlTimestamp>) -> CqlTimeuuid {
    id(first_tick(time.into()), random_node())
}

/// Returns the time of an id, with a resolution of 100 ns; `None` if the id is not of version 1, because other versions
/// have no such time.
pub fn time_of(id: &CqlTimeuuid) -> Option<DateTime<Utc>> {
    let id = id.as_ref();
    if id.get_version_num() != 1 {
        return None;
    }
    let (low, middle, high, _) = id.as_fields();
    let ticks = i64::from(high & 0x0fff) << 48 | i64::from(middle) << 32 | i64::from(low);
    let since_1970 = ticks - TICKS_TO_1970;
    let nanos = u32::try_from(since_1970.rem_euclid(10_000_000) * 100).ok()?;
    DateTime::from_timestamp(since_1970.div_euclid(10_000_000), nanos)
}

/// Returns the lower bound of all ids of this millisecond, like `minTimeuuid` in CQL. Do not store it as an id, because
/// it is not unique.
pub fn min(time: impl Into<CqlTimestamp>) -> CqlTimeuuid {
    id(first_tick(time.into()), MIN_NODE)
}

/// Returns the upper bound of all ids of this millisecond, like `maxTimeuuid` in CQL. Do not store it as an id, because
/// it is not unique.
pub fn max(time: impl Into<CqlTimestamp>) -> CqlTimeuuid {
    id(first_tick(time.into()).saturating_add(TICKS_PER_MILLI - 1), MAX_NODE)
}

fn first_tick(CqlTimestamp(millis): CqlTimestamp) -> i64 {
    millis.saturating_mul(TICKS_PER_MILLI).saturating_add(TICKS_TO_1970)
}

fn id(ticks: i64, node: u64) -> CqlTimeuuid {
    let ticks = ticks.clamp(0, LAST_TICK).unsigned_abs();
    let high = ticks << 32 | (ticks >> 16 & 0xffff_0000) | 0x1000 | ticks >> 48;
    CqlTimeuuid::from_u64_pair(high, node)
}

/// Returns a random clock sequence and node, with the variant of RFC 9562 and the multicast bit, which marks a node
/// that is not a MAC address.
fn random_node() -> u64 {
    let (_, random) = Uuid::new_v4().as_u64_pair();
    random | 0x0000_0100_0000_0000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_consists_of_the_parts_that_rfc_9562_defines() {
        // The example of RFC 9562, A.1.
        let id = CqlTimeuuid::from(Uuid::parse_str("C232AB00-9414-11EC-B3C8-9F6BDECED846").unwrap());
        let time: DateTime<Utc> = "2022-02-22T19:22:22Z".parse().unwrap();
        assert_eq!(time_of(&id), Some(time));
        assert_eq!(super::id(first_tick(time.into()), 0xb3c8_9f6b_dece_d846), id);
    }

    #[test]
    fn uuid_of_another_version_has_no_time() {
        assert_eq!(time_of(&Uuid::new_v4().into()), None);
        assert_eq!(time_of(&CqlTimeuuid::nil()), None);
    }

    #[test]
    fn a_time_outside_the_range_of_ids_becomes_the_first_or_the_last() {
        for (millis, year) in [(i64::MIN, "1582-10-15"), (i64::MAX, "5236-03-31")] {
            for id in [at(CqlTimestamp(millis)), min(CqlTimestamp(millis)), max(CqlTimestamp(millis))] {
                assert_eq!(time_of(&id).unwrap().date_naive().to_string(), year);
            }
        }
    }

    proptest! {
        #[test]
        fn only_timeuuids_of_a_millisecond_lie_between_its_min_and_max(
            millis in -12_219_292_800_000_i64..103_072_857_660_000, later in 1_i64..1_000_000,
        ) {
            let (time, after) = (CqlTimestamp(millis), CqlTimestamp(millis + later));
            let id = at(time);
            prop_assert_eq!(id.as_ref().get_version_num(), 1);
            prop_assert_eq!(id.as_ref().get_variant(), uuid::Variant::RFC4122);
            prop_assert_eq!(time_of(&id).map(|time| time.timestamp_millis()), Some(millis));
            prop_assert!(min(time) <= id && id <= max(time));
            prop_assert!(max(time) < min(after) && id < min(after));
        }
    }
}
