//! The results of a client in a scenario, and their bounds.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use crate::load::{Call, LoadResults};
use crate::scenario::{SETTLED, Scenario};

pub(crate) struct Figures {
    /// Counted from the fifth second until the light load begins; with a changing capacity, from five seconds after each change.
    per_second: f64,
    of_capacity: f64,
    written_and_failed: f64,
    p50: Duration,
    p99: Duration,
    refused_after: Duration,
    attempts: f64,
    outage_attempts: f64,
    /// Calls that failed later than 5 s after the outage, or after the light load began.
    failed_late: usize,
    hot: Option<(f64, f64)>,
    /// The p99 of another table: in the best of three parts of the time, and during the light load.
    neighbour: (Duration, Duration),
    lost: usize,
}

impl Figures {
    pub(crate) const HEADER: &str = "acknowledged a second, share of the capacity, share of what was written that was \
        reported as failed, p50 and p99 of what was acknowledged, median time until a refused caller knew, attempts a \
        write, attempts a second in the outage, failures later than 5 s after the trouble, another table's p99 \
        beside that during the light load, acknowledged and absent";

    pub(crate) fn of(scenario: &Scenario, results: LoadResults, written: &HashSet<(i64, i64)>) -> Self {
        let calls = &results.calls;
        let main = Duration::from_secs(scenario.seconds.into());
        let (mut seconds, mut capacity, mut acknowledged) = (0.0, 0.0, 0_usize);
        for (index, (from, units)) in scenario.capacity.iter().enumerate() {
            let until = scenario.capacity.get(index + 1).map_or(scenario.seconds, |(until, _)| *until);
            let (from, until) = (Duration::from_secs((*from).into()) + SETTLED, Duration::from_secs(until.into()));
            let over = until.saturating_sub(from).as_secs_f64();
            seconds += over;
            capacity += over * f64::from(*units);
            acknowledged += acknowledged_in(calls.iter(), from, until);
        }
        let failed = || calls.iter().filter(|call| !call.is_acknowledged);
        let unknown = failed().filter(|call| written.contains(&(call.partition, call.row))).count();
        let calm = scenario.outage.map_or(main, |(_, until)| Duration::from_secs(until.into())) + SETTLED;
        let took = |calls: &[Call], is_acknowledged: bool| sorted(calls, is_acknowledged);
        let (good, bad) = (took(calls, true), took(calls, false));
        let hot = scenario.is_hot.then(|| {
            let is_settled = |call: &&Call| call.arrived > SETTLED && call.arrived < main;
            let hot = acknowledged_in(calls.iter().filter(|call| call.partition == 0), SETTLED, main);
            let cold: Vec<&Call> = calls.iter().filter(is_settled).filter(|call| call.partition != 0).collect();
            let done = cold.iter().filter(|call| call.is_acknowledged).count();
            (number(hot) / (main - SETTLED).as_secs_f64(), number(done) / number(cold.len().max(1)))
        });
        let outage_seconds = scenario.outage.map_or(1, |(from, until)| until - from);
        Self {
            per_second: number(acknowledged) / seconds,
            of_capacity: number(acknowledged) / capacity,
            written_and_failed: number(unknown) / number(written.len().max(1)),
            p50: percentile(&good, 50),
            p99: percentile(&good, 99),
            refused_after: percentile(&bad, 50),
            attempts: long(results.attempts) / number(good.len().max(1)),
            outage_attempts: long(results.attempts_of_outage) / f64::from(outage_seconds),
            failed_late: failed()
                .filter(|call| call.ended > calm && (scenario.outage.is_none() || light(scenario)))
                .count(),
            hot,
            neighbour: neighbour(&results.neighbours, main),
            lost: calls
                .iter()
                .filter(|call| call.is_acknowledged && !written.contains(&(call.partition, call.row)))
                .count(),
        }
    }

    /// Describes the values that are not within their bounds.
    pub(crate) fn over(&self, scenario: &Scenario) -> Vec<String> {
        let mut over = Vec::new();
        let mut bound = |is_within: bool, text: String| {
            if !is_within {
                over.push(text);
            }
        };
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        if scenario.is_full {
            let text = format!("{} of the capacity acknowledged, not 95 %", percent(self.of_capacity));
            bound(self.of_capacity >= 0.95, text);
        }
        let text = format!("{} of what was written reported as failed, not 1 %", percent(self.written_and_failed));
        bound(self.written_and_failed <= 0.01, text);
        bound(self.attempts <= 1.1, format!("{:.3} attempts a write, not 1.1", self.attempts));
        bound(self.outage_attempts <= 10.0, format!("{:.1} attempts a second in the outage", self.outage_attempts));
        if scenario.outage.is_none() || light(scenario) {
            let text = format!("refused callers knew after {:.0?} at the median, not 100 ms", self.refused_after);
            bound(scenario.outage.is_some() || self.refused_after <= Duration::from_millis(100), text);
            bound(self.failed_late == 0, format!("{} calls failed later than 5 s after the trouble", self.failed_late));
        }
        if let Some((hot, cold)) = self.hot {
            bound(hot >= 90.0, format!("{hot:.1} rows a second of the hot partition, not 90"));
            bound(cold >= 0.99, format!("{} of the cold ones acknowledged, not 99 %", percent(cold)));
        }
        let (under_load, calm) = self.neighbour;
        let text = format!("another table's p99 is {under_load:.1?}, not 1.5 times {calm:.1?} and 10 ms");
        bound(!scenario.is_steady() || under_load <= calm.mul_f64(1.5) + Duration::from_millis(10), text);
        bound(self.lost == 0, format!("{} rows acknowledged and absent", self.lost));
        over
    }
}

/// Whether arrivals are so few that no call has to fail once the outage is over.
fn light(scenario: &Scenario) -> bool {
    scenario.arrivals.iter().all(|(_, rate)| *rate <= 5.0)
}

fn acknowledged_in<'c>(calls: impl Iterator<Item = &'c Call>, from: Duration, until: Duration) -> usize {
    calls.filter(|call| call.is_acknowledged && (from..until).contains(&call.ended)).count()
}

/// The p99 of the other table's calls, under load and during the light load. Other activity of the machine can only make it
/// longer, so the best of three parts counts.
fn neighbour(calls: &[Call], main: Duration) -> (Duration, Duration) {
    let p99 = |from: Duration, until: Duration| {
        let between: Vec<Call> = calls.iter().filter(|call| (from..until).contains(&call.arrived)).copied().collect();
        percentile(&sorted(&between, true), 99)
    };
    let thirds = (0..3).map(|part| p99(main * part / 3, main * (part + 1) / 3));
    (thirds.min().unwrap_or_default(), p99(main + SETTLED, Duration::MAX))
}

fn sorted(calls: &[Call], is_acknowledged: bool) -> Vec<Duration> {
    let of_kind = calls.iter().filter(|call| call.is_acknowledged == is_acknowledged);
    let mut took: Vec<Duration> = of_kind.map(|call| call.ended.saturating_sub(call.arrived)).collect();
    took.sort_unstable();
    took
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn long(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1}, {:.1} %, {:.2} %, {:.1?}, {:.1?}, {:.1?}, {:.3}, {:.1}, {}, {:.1?} ({:.1?}), {}",
            self.per_second,
            100.0 * self.of_capacity,
            100.0 * self.written_and_failed,
            self.p50,
            self.p99,
            self.refused_after,
            self.attempts,
            self.outage_attempts,
            self.failed_late,
            self.neighbour.0,
            self.neighbour.1,
            self.lost,
        )?;
        match self.hot {
            Some((hot, cold)) => {
                write!(f, "; {hot:.1} rows a second of the hot partition, {:.2} % of the cold ones", 100.0 * cold)
            }
            None => Ok(()),
        }
    }
}
