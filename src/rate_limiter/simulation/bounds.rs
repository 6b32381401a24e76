//! The bounds that admission has to meet in the simulation.

use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use super::others::Policy;
use super::{Arrivals, End, SimulatedCall, SimulatedTable, SimulationResults, run, run_by};

fn table(capacity: f64) -> SimulatedTable {
    SimulatedTable { capacity: vec![(0.0, capacity)], outage: (0.0, 0.0), partition_capacity: 1_000.0 }
}

fn load(arrivals: f64) -> Arrivals {
    let deadline = Duration::from_secs(4);
    Arrivals {
        seconds: 60.0,
        arrivals: vec![(0.0, arrivals)],
        deadline,
        units: 1.0,
        hot: 0,
        limit: None,
        other_deadline: None,
    }
}

fn called_at(between: Range<f64>) -> impl Fn(&&SimulatedCall) -> bool {
    move |call| between.contains(&call.called_at.as_secs_f64())
}

/// The acknowledgements per second, by the time at which they arrived.
fn acknowledged(calls: &[SimulatedCall], between: Range<f64>) -> f64 {
    let ends = calls.iter().filter_map(|call| call.ended);
    let is_in = |(at, end): &(Duration, End)| *end == End::Acknowledged && between.contains(&at.as_secs_f64());
    ends.filter(is_in).count() as f64 / (between.end - between.start)
}

#[test]
fn overloaded_table_reaches_its_capacity() {
    for (capacity, factors) in [(20.0, [1.1, 5.0]), (200.0, [1.1, 2.0]), (200.0, [1.5, 5.0]), (1_000.0, [1.1, 5.0])] {
        for (seed, factor) in factors.into_iter().enumerate() {
            let calls = run(&table(capacity), &load(factor * capacity), seed as u64);
            let figures = SimulationResults::from_calls(calls.iter().filter(called_at(5.0..60.0)), 55.0);
            let case = format!("{factor} times {capacity}: {figures:?}");
            assert!(acknowledged(&calls, 5.0..60.0) >= 0.95 * capacity, "{case}");
            assert!(figures.written_and_failed <= 0.01 && figures.attempts <= 1.1, "{case}");
            assert!(figures.refused_after <= Duration::from_millis(100), "{case}");
            // In a first-come queue, the served calls wait almost until their deadlines.
            assert!(figures.p50 <= figures.p99 && figures.p99 < Duration::from_secs(4), "{case}");
        }
    }
}

#[test]
fn table_below_its_capacity_delays_no_call() {
    let figures = SimulationResults::from_calls(run(&table(200.0), &load(100.0), 1).iter(), 60.0);
    assert!(figures.refused == 0 && figures.attempts == 1.0 && figures.p99 < Duration::from_millis(50), "{figures:?}");
}

#[test]
fn table_of_less_than_one_unit_per_second_reaches_its_capacity() {
    // The lower the rate, the larger the share by which it exceeds what is acknowledged.
    for (capacity, arrivals, max_attempts) in
        [(0.2, 1.0, 1.8), (0.5, 1.0, 1.5), (1.0, 2.0, 2.0), (1.0, 5.0, 2.0), (2.0, 10.0, 1.4)]
    {
        for seed in 0..20 {
            let calls = run(
                &table(capacity),
                &Arrivals { seconds: 300.0, deadline: Duration::from_secs(30), ..load(arrivals) },
                seed,
            );
            let (used, figures) =
                (acknowledged(&calls, 30.0..300.0), SimulationResults::from_calls(calls.iter(), 300.0));
            assert!(used >= 0.95 * capacity && figures.attempts <= max_attempts, "{used} of {capacity}: {figures:?}");
        }
    }
}

#[test]
fn no_call_fails_more_than_five_seconds_after_an_outage() {
    let light = [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0];
    for (seed, arrivals) in (0..20).flat_map(|seed| light.map(|arrivals| (seed, arrivals))).chain([(0, 250.0)]) {
        let outage = SimulatedTable { outage: (20.0, 25.0), ..table(200.0) };
        let calls = run(&outage, &load(arrivals), seed);
        let attempts: u32 = calls.iter().filter(called_at(20.0..25.0)).map(|call| call.attempts).sum();
        assert!(attempts <= 50, "{arrivals} a second, seed {seed}: {attempts} attempts in the 5 s of the outage");
        if arrivals <= 50.0 {
            let last = last_failure(&calls);
            assert!(
                last <= Duration::from_secs(30),
                "{arrivals} a second, seed {seed}: the last failure was at {last:?}"
            );
        }
    }
}

#[test]
fn calls_of_any_deadline_recover_after_an_outage_of_any_length() {
    for (seconds, deadline, units) in
        [(1.0, 1, 1.0), (1.0, 4, 10.0), (3.0, 2, 1.0), (20.0, 4, 1.0), (60.0, 2, 1.0), (20.0, 30, 10.0)]
    {
        for seed in 0..10 {
            let outage = SimulatedTable { outage: (20.0, 20.0 + seconds), ..table(200.0) };
            let load = Arrivals { seconds: 110.0, deadline: Duration::from_secs(deadline), units, ..load(5.0) };
            let last = last_failure(&run(&outage, &load, seed));
            let case = format!("{seconds} s, a deadline of {deadline} s, {units} units, seed {seed}");
            assert!(last <= Duration::from_secs_f64(25.0 + seconds), "{case}: the last failure was at {last:?}");
        }
    }
}

fn last_failure(calls: &[SimulatedCall]) -> Duration {
    let failures = calls.iter().filter_map(|call| call.ended).filter(|(_, end)| *end != End::Acknowledged);
    failures.map(|(at, _)| at).max().unwrap_or_default()
}

#[test]
fn limiter_adapts_to_tenfold_capacity_changes_within_ten_seconds() {
    for (seed, low) in [20.0, 20.0, 200.0].into_iter().enumerate() {
        let changing = SimulatedTable { capacity: vec![(0.0, low), (20.0, 10.0 * low), (40.0, low)], ..table(low) };
        let arrivals = vec![(0.0, 1.5 * low), (20.0, 15.0 * low), (40.0, 1.5 * low)];
        let calls = run(&changing, &Arrivals { arrivals, ..load(low) }, seed as u64);
        for (from, capacity) in [(5.0, low), (30.0, 10.0 * low), (50.0, low)] {
            let used = acknowledged(&calls, from..from + 10.0);
            assert!(used >= 0.95 * capacity, "{used} of {capacity} from {from} s on");
        }
        let figures = SimulationResults::from_calls(calls.iter(), 60.0);
        assert!(figures.attempts <= 1.1 && figures.written_and_failed <= 0.01, "{figures:?}");
    }
}

#[test]
fn hot_partition_reaches_its_limit_without_slowing_others() {
    for seed in 0..3 {
        // 150 requests a second, of ten units each, to a partition with capacity for 100 of them.
        let calls = run(&table(4_000.0), &Arrivals { units: 10.0, hot: 75, ..load(200.0) }, seed);
        let of = |is_hot: bool| {
            let of_kind = calls.iter().filter(called_at(5.0..60.0)).filter(|call| (call.partition == 0) == is_hot);
            SimulationResults::from_calls(of_kind, 55.0)
        };
        let (hot, cold) = (of(true), of(false));
        assert!(hot.per_second >= 90.0 && hot.attempts <= 1.1, "{hot:?}");
        assert!(cold.refused == 0 && cold.p99 < Duration::from_millis(100), "{cold:?}");
    }
}

#[test]
fn rate_limiter_reaches_table_capacity_despite_a_hot_partition() {
    // 1,500 units a second go to the hot partition, which accepts 1,000, and 1,500 to the others, for which 1,000 are left.
    let calls = run(&table(2_000.0), &Arrivals { units: 10.0, hot: 50, ..load(300.0) }, 1);
    let figures = SimulationResults::from_calls(calls.iter().filter(called_at(5.0..60.0)), 55.0);
    assert!(acknowledged(&calls, 5.0..60.0) >= 190.0 && figures.attempts <= 1.2, "{figures:?}");
    let cold = SimulationResults::from_calls(
        calls.iter().filter(called_at(5.0..60.0)).filter(|call| call.partition != 0),
        55.0,
    );
    assert!(cold.per_second >= 70.0, "{cold:?}");
}

/// Compares the policies under a lasting overload; `BENCHMARKS.md` has the figures.
#[test]
fn queue_policy_determines_waiting_time_and_time_to_refusal() {
    let figures = |policy| {
        let calls = run_by(policy, &table(200.0), &load(400.0), 1);
        SimulationResults::from_calls(calls.iter().filter(called_at(5.0..56.0)), 51.0)
    };
    let (chosen, fifo) = (figures(Policy::Session), figures(Policy::Fifo));
    let (lifo, codel) = (figures(Policy::Lifo), figures(Policy::CoDel));
    // FIFO serves calls so late that their answers miss the deadlines.
    assert!(fifo.written_and_failed > 0.01 || fifo.per_second < 0.95 * 200.0, "{fifo:?}");
    assert!(chosen.per_second >= 190.0 && chosen.refused_after <= Duration::from_millis(100), "{chosen:?}");
    // LIFO serves the newest calls soon; the other calls fail only at their deadlines.
    assert!(lifo.p50 < chosen.p50 && lifo.refused_after > Duration::from_secs(3), "{lifo:?}");
    assert!(codel.p50 < chosen.p50 && codel.refused_after >= Duration::from_millis(100), "{codel:?}");
}

/// Regression cases: each asserts the correct figure for a load at which the rate was once wrong.
#[test]
fn overloaded_table_reaches_its_capacity_with_four_second_deadlines() {
    let calls = run(&table(100.0), &Arrivals { seconds: 40.0, ..load(250.0) }, 1);
    let figures = SimulationResults::from_calls(calls.iter(), 40.0);
    assert!(acknowledged(&calls, 20.0..40.0) >= 95.0, "{figures:?}");
    assert!(figures.written_and_failed <= 0.01 && figures.refused_after <= Duration::from_millis(100), "{figures:?}");
}

#[test]
fn overloaded_session_reaches_its_limit_on_an_unthrottled_table() {
    let calls = run(&table(1e6), &Arrivals { seconds: 40.0, limit: NonZeroU32::new(100), ..load(250.0) }, 1);
    let figures = SimulationResults::from_calls(calls.iter(), 40.0);
    assert!(acknowledged(&calls, 20.0..40.0) >= 95.0 && figures.attempts <= 1.0, "{figures:?}");
    assert!(figures.written_and_failed <= 0.01 && figures.refused_after <= Duration::from_millis(100), "{figures:?}");
}

#[test]
fn sustained_load_slightly_over_capacity_keeps_throughput() {
    let calls = run(&table(500.0), &Arrivals { seconds: 120.0, deadline: Duration::from_secs(10), ..load(550.0) }, 1);
    for from in [10, 40, 80, 100] {
        let used = acknowledged(&calls, f64::from(from)..f64::from(from + 20));
        assert!(used >= 475.0, "{used} of 500 from {from} s on");
    }
    let figures = SimulationResults::from_calls(calls.iter(), 120.0);
    assert!(figures.written_and_failed <= 0.01 && figures.attempts <= 1.1, "{figures:?}");
}

#[test]
fn light_load_fails_only_around_a_four_second_outage() {
    let calls = run(&SimulatedTable { outage: (20.0, 24.0), ..table(200.0) }, &load(5.0), 1);
    let failed = |between: Range<f64>| {
        let of_time = calls.iter().filter(called_at(between)).filter_map(|call| call.ended);
        of_time.filter(|(_, end)| *end != End::Acknowledged).count()
    };
    assert_eq!((failed(0.0..15.0), failed(25.0..60.0)), (0, 0));
}

#[test]
fn calls_with_short_deadlines_get_a_fair_share_beside_long_ones() {
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(30));
    let calls = run(&table(200.0), &Arrivals { deadline: short, other_deadline: Some(long), ..load(600.0) }, 1);
    let figures = |first: usize| {
        SimulationResults::from_calls(calls.iter().skip(first).step_by(2).filter(called_at(5.0..30.0)), 25.0)
    };
    let (short, long) = (figures(0), figures(1));
    assert!(short.per_second >= 80.0 && long.per_second >= 80.0, "{short:?}, {long:?}");
    assert!(acknowledged(&calls, 5.0..60.0) >= 190.0, "{short:?}, {long:?}");
    assert!(short.refused_after.max(long.refused_after) <= Duration::from_millis(100), "{short:?}, {long:?}");
}
