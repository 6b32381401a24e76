//! The defaults. `defaults.md` is the same table for the documentation; a test compares the two.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::handshake::HandshakeAttempt;
use crate::retry::Backoff;

/// The maximum timeout, a year: practically unlimited, and adding it to an instant does not overflow.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3_600);

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for a probe of one address: TCP, TLS and the answer to OPTIONS.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the driver may take before parallel probes find out what it waits for. The limit applies twice: until the
/// driver has read the list of peers, and until it has connected to them. Each takes about ten round trips.
pub(super) const PROBE_AFTER: Duration = Duration::from_millis(250);
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
pub(super) const BACKOFF: Backoff = Backoff { first: Duration::from_millis(10), max: Duration::from_secs(1) };
/// How many retries are allowed, in percent of the requests of the last ten seconds.
pub(super) const RETRY_PERCENT: u8 = 20;
pub(super) const MIN_RETRIES: u32 = 10;
/// The requests per second for each connection. The driver chooses among a peer's connections at random; with three,
/// none gets more than the 3,000 that the service accepts (DG:quotas), except in one of 10¹² seconds.
pub(super) const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(2_699);
pub(super) const IN_FLIGHT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
pub(super) const CONNECTIONS_PER_HOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);
pub(super) const PAGE_SIZE: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const TOPOLOGY_INTERVAL: Duration = Duration::from_secs(60);
/// The time for reading the topology. The driver's own time limits apply to single requests; it has none for a
/// handshake.
pub(super) const TOPOLOGY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the session may be without any connected peer before it reconnects.
pub(super) const RECONNECT_AFTER: Duration = Duration::from_secs(3);

/// The maximum number of peers, or of their addresses, that are remembered. The server chooses how many it lists.
pub(super) const MAX_REMEMBERED_PEERS: usize = 256;

/// The probe timeout for peers of an endpoint reached by these attempts: longer for a distant endpoint, whose peers
/// answer slowly.
pub(super) fn probe_timeout<'a>(attempts: impl IntoIterator<Item = &'a HandshakeAttempt>) -> Duration {
    PROBE_TIMEOUT.max(longest_probe(attempts) * 2)
}

/// The time of the slowest attempt.
pub(super) fn longest_probe<'a>(attempts: impl IntoIterator<Item = &'a HandshakeAttempt>) -> Duration {
    attempts.into_iter().map(HandshakeAttempt::probe_duration).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReadConsistency, ReadyWhen, WhenFull};

    fn rows() -> Vec<(&'static str, String, Option<&'static str>)> {
        let seconds = |duration: Duration| format!("{} s", duration.as_secs());
        vec![
            ("`connect()` in all", seconds(CONNECT_TIMEOUT), Some("connect_timeout")),
            ("`connect()` waits for", format!("{:?}", ReadyWhen::default()), Some("ready_when")),
            ("time before peers are probed", format!("{PROBE_AFTER:?}"), None),
            ("probe of a peer", seconds(PROBE_TIMEOUT), None),
            ("a call with all its attempts", seconds(CALL_TIMEOUT), Some("call_timeout")),
            ("one attempt", seconds(ATTEMPT_TIMEOUT), Some("attempt_timeout")),
            (
                "wait before a retry",
                format!("up to {:?}, doubling to {:?}", BACKOFF.first, BACKOFF.max),
                Some("backoff"),
            ),
            ("retries", format!("{RETRY_PERCENT} %"), Some("retry_budget")),
            ("retries in any case", format!("{MIN_RETRIES} in 10 s"), None),
            ("requests per second and connection", REQUESTS_PER_SECOND.to_string(), None),
            ("requests in flight per connection", IN_FLIGHT.to_string(), None),
            ("when that many are in flight", format!("{:?}", WhenFull::default()), Some("when_full")),
            ("connections per host", CONNECTIONS_PER_HOST.to_string(), Some("connections_per_host")),
            ("page size", format!("{PAGE_SIZE} rows"), Some("page_size")),
            ("consistency of reads", ReadConsistency::default().to_string(), Some("read_consistency")),
            ("keepalive", seconds(KEEPALIVE_INTERVAL), None),
            ("answer to a keepalive", seconds(KEEPALIVE_TIMEOUT), None),
            ("interval of reading the topology", seconds(TOPOLOGY_INTERVAL), Some("topology_interval")),
            ("one read of the topology", seconds(TOPOLOGY_TIMEOUT), None),
            ("time without a connected peer before reconnecting", seconds(RECONNECT_AFTER), None),
        ]
    }

    #[test]
    fn the_table_in_the_documentation_has_the_values_of_the_code() {
        let table: Vec<Vec<&str>> = include_str!("defaults.md")
            .lines()
            .skip(2)
            .map(|line| line.split('|').skip(1).map(str::trim).collect())
            .collect();
        assert_eq!(table.len(), rows().len());
        for (line, (setting, value, setter)) in table.iter().zip(rows()) {
            assert_eq!((line[0], line[1]), (setting, value.as_str()));
            let link = setter.map(|setter| format!("[`{setter}`](SessionBuilder::{setter})")).unwrap_or_default();
            assert_eq!(line[2], link);
        }
    }

    #[test]
    fn each_setter_documents_its_default() {
        let source = include_str!("builder.rs");
        for (_, value, setter) in rows() {
            let Some(setter) = setter else { continue };
            let (before, _) = source.split_once(&format!("    pub fn {setter}(")).unwrap();
            let doc: Vec<&str> = before
                .lines()
                .rev()
                .skip_while(|line| !line.contains("///"))
                .take_while(|l| l.contains("///"))
                .collect();
            assert!(doc.iter().any(|line| line.contains(&format!("Default: {value}."))), "{setter}: {value}: {doc:?}");
        }
    }
}
