//! Functions whose value changes from call to call. If the gateway has to know which row a write changes, it replaces
//! the calls in the text by their values.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::saturated::saturated;
use chrono::{DateTime, Utc};
use keyspaces_cql::{Span, Statement};
use uuid::Uuid;

/// Whether a statement calls such a function.
pub(crate) fn is_nondeterministic(statement: &Statement) -> bool {
    let now = SystemTime::now();
    statement.functions().iter().any(|function| function.keyspace.is_none() && value_of(function.name, now).is_some())
}

/// Edits that replace the calls of such functions with their values at this time.
pub(crate) fn evaluate(statement: &Statement, now: SystemTime) -> Vec<(Span, String)> {
    let functions = statement.functions();
    let calls = functions.iter().filter(|function| function.keyspace.is_none());
    calls.filter_map(|function| Some((function.span, value_of(function.name, now)?))).collect()
}

/// The value of such a function as a literal with its type: an overloaded function that takes it would be ambiguous
/// without.
fn value_of(function: &str, now: SystemTime) -> Option<String> {
    let time = DateTime::<Utc>::from(now);
    Some(match function {
        "now" | "currenttimeuuid" => format!("(timeuuid) {}", time_uuid(now)),
        "uuid" => format!("(uuid) {}", Uuid::new_v4()),
        "currenttimestamp" => format!("(timestamp) {}", time.timestamp_millis()),
        "currentdate" => time.format("(date) '%Y-%m-%d'").to_string(),
        "currenttime" => time.format("(time) '%H:%M:%S%.9f'").to_string(),
        _ => return None,
    })
}

/// A UUID of version 1 that no other node makes.
fn time_uuid(now: SystemTime) -> Uuid {
    /// From 1582-10-15 to 1970, in units of 100 ns (RFC 9562 §5.1).
    const GREGORIAN: u64 = 0x01B2_1DD2_1381_4000;
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() / 100;
    let ticks = GREGORIAN.wrapping_add(saturated::<u64>(since)).to_be_bytes();
    let [t0, t1, mid @ .., l0, l1, l2, l3] = ticks;
    let mut random = *Uuid::new_v4().as_bytes();
    random[..8].copy_from_slice(&[l0, l1, l2, l3, mid[0], mid[1], t0 & 0x0f | 0x10, t1]);
    // The multicast bit: no machine has such an address.
    random[10] |= 1;
    Uuid::from_bytes(random)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::text::StatementText;
    use super::*;

    fn text_of(text: &str, now: SystemTime) -> String {
        let edits = evaluate(&keyspaces_cql::parse(text).unwrap(), now);
        StatementText { sent: text.into(), edits, table_edits: Vec::new() }.for_cassandra()
    }

    #[test]
    fn functions_are_replaced_by_their_values_and_nothing_else_changes() {
        let now = UNIX_EPOCH + Duration::new(86_400, 5_000_000);
        let values = "currentTimestamp(), tojson(1), currentDate(), currenttime()";
        let text = format!("INSERT INTO \"T\" (a, b, c, d) VALUES ({values}) -- now()");
        assert_eq!(
            text_of(&text, now),
            "INSERT INTO \"T\" (a, b, c, d) VALUES ((timestamp) 86400005, tojson(1), (date) '1970-01-02', (time) \
             '00:00:00.005000000') -- now()"
        );
    }

    #[test]
    fn a_time_uuid_has_its_time_and_is_unique() {
        let now = UNIX_EPOCH + Duration::new(1_700_000_000, 100);
        let [one, two] = [time_uuid(now), time_uuid(now)];
        assert_ne!(one, two);
        let (ticks, version) = one.get_timestamp().map(|time| (time.to_unix(), one.get_version_num())).unwrap();
        assert_eq!((ticks, version), ((1_700_000_000, 100), 1));
    }
}
