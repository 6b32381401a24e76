//! The scenarios: the capacity of the table over time, outages, and the arrivals of calls.

use std::time::Duration;

use crate::KEYSPACE;

/// The capacity, in write units a second.
pub(crate) const CAPACITY: u32 = 200;

/// The light load after each scenario: arrivals a second, and its duration.
const LIGHT: f64 = 3.0;
const LIGHT_SECONDS: u32 = 20;

/// The time after the start, an outage or a change of the capacity that the figures leave out.
pub(crate) const SETTLED: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// The duration, without the light load after it.
    pub(crate) seconds: u32,
    /// The second from which a rate applies, and the rate in calls a second.
    pub(crate) arrivals: Vec<(u32, f64)>,
    /// The second from which a capacity applies, and the capacity in units a second.
    pub(crate) capacity: Vec<(u32, u32)>,
    /// Every write is throttled between these seconds.
    pub(crate) outage: Option<(u32, u32)>,
    /// Whether three of four calls go to one partition, with rows of ten units.
    pub(crate) is_hot: bool,
    /// Whether the acknowledged writes have to use the capacity.
    pub(crate) is_full: bool,
}

impl Scenario {
    pub(crate) fn all(seconds: u32) -> Vec<Self> {
        let plain = |name: String, arrivals: f64| Self {
            name,
            seconds,
            arrivals: vec![(0, arrivals), (seconds, LIGHT)],
            capacity: vec![(0, CAPACITY)],
            outage: None,
            is_hot: false,
            is_full: false,
        };
        let times = |factor: f64| Self {
            is_full: factor > 1.0,
            ..plain(format!("{factor} times the capacity"), factor * f64::from(CAPACITY))
        };
        let mut all: Vec<Self> = [0.5, 1.0, 1.1, 2.0, 5.0].map(times).into();
        // 150 rows of ten units a second to a partition that takes 100 (DG:troubleshooting.serverless), 50 to the others.
        all.push(Self { is_hot: true, capacity: vec![(0, 4_000)], ..plain("a hot partition".to_owned(), 200.0) });
        let outage = Some((seconds / 3, seconds / 3 + 5));
        for arrivals in [5.0, 250.0] {
            all.push(Self { outage, ..plain(format!("an outage of 5 s, {arrivals} a second"), arrivals) });
        }
        let (rises, falls) = (seconds / 3, 2 * seconds / 3);
        let capacity = vec![(0, CAPACITY), (rises, 10 * CAPACITY), (falls, CAPACITY)];
        let arrivals = capacity.iter().map(|(from, units)| (*from, 1.5 * f64::from(*units))).chain([(seconds, LIGHT)]);
        let changing = plain("the capacity rises and falls tenfold".to_owned(), 0.0);
        all.push(Self { is_full: true, arrivals: arrivals.collect(), capacity, ..changing });
        all
    }

    /// Whether nothing changes until the light load.
    pub(crate) fn is_steady(&self) -> bool {
        self.outage.is_none() && self.capacity.len() == 1
    }

    pub(crate) fn all_seconds(&self) -> u32 {
        self.seconds + LIGHT_SECONDS
    }

    pub(crate) fn payload(&self) -> String {
        // With keys and metadata, a row is within ten units, or one (cql's `units`).
        "x".repeat(if self.is_hot { 9_800 } else { 100 })
    }
}

pub(crate) fn definition(table: &str) -> String {
    format!(
        "CREATE TABLE {KEYSPACE}.{table} (partition bigint, row bigint, payload text, PRIMARY KEY (partition, row))"
    )
}
