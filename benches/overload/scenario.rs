//! What happens to the table, and how calls arrive.

use std::time::Duration;

use crate::KEYSPACE;

/// Write units a second.
pub(crate) const CAPACITY: u32 = 200;

/// Arrivals a second after each scenario, and for how long.
const LIGHT: f64 = 3.0;
const LIGHT_SECONDS: u32 = 20;

/// How long after its start, an outage or a change a scenario is not settled: figures leave that time out.
pub(crate) const SETTLED: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// Without the light load after it.
    pub(crate) seconds: u32,
    /// Calls a second from each second on.
    pub(crate) arrivals: Vec<(u32, f64)>,
    /// Units a second from each second on.
    pub(crate) capacity: Vec<(u32, u32)>,
    /// Every write is throttled between these seconds.
    pub(crate) outage: Option<(u32, u32)>,
    /// Three calls of four are to one partition, and rows are of ten units.
    pub(crate) is_hot: bool,
    /// Whether what is acknowledged is held to the capacity.
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

    /// Whether all of it is alike until the light load.
    pub(crate) fn is_steady(&self) -> bool {
        self.outage.is_none() && self.capacity.len() == 1
    }

    pub(crate) fn all_seconds(&self) -> u32 {
        self.seconds + LIGHT_SECONDS
    }

    pub(crate) fn payload(&self) -> String {
        // With keys and metadata within ten units, or one (cql's `units`).
        "x".repeat(if self.is_hot { 9_800 } else { 100 })
    }
}

pub(crate) fn definition(table: &str) -> String {
    format!(
        "CREATE TABLE {KEYSPACE}.{table} (partition bigint, row bigint, payload text, PRIMARY KEY (partition, row))"
    )
}
