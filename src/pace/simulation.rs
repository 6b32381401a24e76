//! Callers who do not wait for each other, and a table, in virtual time: what admission makes of them, by seed.

mod others;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::Duration;

use self::others::{Admit, Policy};
use super::admission::Answered;
use super::queue::{Answer, Ask};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A table as the service has it, and what happens to it.
#[derive(Clone)]
struct Table {
    /// Units a second from each moment on.
    capacity: Vec<(f64, f64)>,
    /// Seconds between which everything is throttled.
    outage: (f64, f64),
    /// Units a second of one partition (DG:troubleshooting.serverless).
    of_partition: f64,
}

/// Arrivals: a Poisson process.
#[derive(Clone)]
struct Load {
    seconds: f64,
    /// Calls a second from each moment on.
    arrivals: Vec<(f64, f64)>,
    deadline: Duration,
    units: f64,
    /// Of a hundred calls, those to one partition. The others go to 1,000 partitions.
    hot: u64,
}

/// A call of the simulation and what became of it.
#[derive(Clone, Debug)]
struct Call {
    came: Duration,
    partition: i64,
    attempts: u32,
    ended: Option<(Duration, End)>,
    sent: Duration,
    written: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Acknowledged,
    /// Failed, nothing was written.
    Refused,
    /// Failed, and written all the same.
    Unknown,
}

struct Server {
    table: Table,
    level: f64,
    partitions: Vec<(f64, f64)>,
    filled: f64,
}

impl Server {
    fn takes(&mut self, units: f64, partition: i64, now: f64) -> bool {
        let capacity = at(&self.table.capacity, now);
        // What is not used is kept for up to 300 seconds (DG:throughput-bursting).
        self.level = (self.level + (now - self.filled) * capacity).min(300.0 * capacity);
        self.filled = now;
        if (self.table.outage.0..self.table.outage.1).contains(&now) {
            return false;
        }
        let most = self.table.of_partition;
        let (level, filled) = self.partitions[partition as usize];
        let level = (level + (now - filled) * most).min(most);
        let takes = self.level >= units && level >= units;
        self.partitions[partition as usize] = (if takes { level - units } else { level }, now);
        if takes {
            self.level -= units;
        }
        takes
    }
}

fn at(steps: &[(f64, f64)], now: f64) -> f64 {
    steps.iter().rev().find(|(from, _)| *from <= now).map_or(0.0, |(_, value)| *value)
}

enum Event {
    Arrival(usize),
    Serve,
    Request(usize),
    Answer(usize, bool),
    Deadline(usize),
}

/// Runs a load against a table.
fn run(table: &Table, load: &Load, seed: u64) -> Vec<Call> {
    run_by(Policy::Chosen, table, load, seed)
}

fn run_by(policy: Policy, table: &Table, load: &Load, seed: u64) -> Vec<Call> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut calls = Vec::new();
    let mut time = 0.0;
    while time < load.seconds {
        let rate = at(&load.arrivals, time);
        time += -(1.0 - random.f64()).ln() / rate.max(0.001);
        let partition = if random.u64(0..100) < load.hot { 0 } else { random.i64(1..1_000) };
        let came = Duration::from_secs_f64(time);
        calls.push(Call { came, partition, attempts: 0, ended: None, sent: Duration::ZERO, written: false });
    }
    let first = at(&table.capacity, 0.0);
    let server =
        Server { level: first, partitions: vec![(table.of_partition, 0.0); 1_000], filled: 0.0, table: table.clone() };
    let mut run = Run {
        admission: others::admission(policy),
        server,
        calls,
        events: BinaryHeap::new(),
        happens: Vec::new(),
        now: Duration::ZERO,
        served_at: None,
        acknowledged: Vec::new(),
        load: load.clone(),
        random,
    };
    for call in 0..run.calls.len() {
        run.at(run.calls[call].came, Event::Arrival(call));
        run.at(run.calls[call].came + load.deadline, Event::Deadline(call));
    }
    while let Some(Reverse((now, happens))) = run.events.pop() {
        run.now = now;
        let Some(event) = run.happens[happens].take() else { continue };
        run.happen(event);
    }
    run.calls
}

struct Run {
    admission: Box<dyn Admit>,
    server: Server,
    calls: Vec<Call>,
    events: BinaryHeap<Reverse<(Duration, usize)>>,
    happens: Vec<Option<Event>>,
    now: Duration,
    served_at: Option<Duration>,
    acknowledged: Vec<(Duration, f64)>,
    load: Load,
    random: fastrand::Rng,
}

impl Run {
    fn at(&mut self, when: Duration, event: Event) {
        self.events.push(Reverse((when, self.happens.len())));
        self.happens.push(Some(event));
    }

    fn ask_of(&self, call: usize) -> Ask {
        let came = self.calls[call].came;
        Ask {
            units: self.load.units,
            place: (came, call as u64),
            deadline: came + self.load.deadline,
            partition: Some(self.calls[call].partition),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival(call) => self.ask(call),
            Event::Serve => {
                if self.served_at == Some(self.now) {
                    self.served_at = None;
                    self.serve();
                }
            }
            Event::Request(call) => {
                let partition = self.calls[call].partition;
                let taken = self.server.takes(self.load.units, partition, self.now.as_secs_f64());
                self.calls[call].written |= taken;
                let back = self.latency();
                self.at(self.now + back, Event::Answer(call, taken));
            }
            Event::Answer(call, taken) => self.answer(call, taken),
            Event::Deadline(call) => {
                if self.calls[call].ended.is_none() {
                    let ask = self.ask_of(call);
                    self.admission.leave(ask);
                    let end = if self.calls[call].written { End::Unknown } else { End::Refused };
                    self.calls[call].ended = Some((self.now, end));
                }
            }
        }
    }

    fn ask(&mut self, call: usize) {
        let ask = self.ask_of(call);
        match if self.admission.is_free() { Answer::Go } else { self.admission.ask(ask, self.now, call) } {
            Answer::Go => self.send(call),
            Answer::Wait => self.serve(),
            Answer::TooLate(_) => self.calls[call].ended = Some((self.now, End::Refused)),
        }
    }

    fn serve(&mut self) {
        let mut given = Vec::new();
        let next = self.admission.serve(self.now, &mut |call, is_its_turn| given.push((call, is_its_turn)));
        for (call, is_its_turn) in given {
            if self.calls[call].ended.is_some() {
                continue;
            }
            if is_its_turn {
                self.send(call);
            } else {
                self.calls[call].ended = Some((self.now, End::Refused));
            }
        }
        if let Some(next) = next
            && self.served_at.is_none_or(|at| next < at)
        {
            // As a timer of milliseconds has it.
            let next = Duration::from_millis(next.as_millis() as u64 + 1);
            self.served_at = Some(next);
            self.at(next, Event::Serve);
        }
    }

    fn send(&mut self, call: usize) {
        self.calls[call].attempts += 1;
        self.calls[call].sent = self.now;
        let there = self.latency();
        self.at(self.now + there, Event::Request(call));
    }

    /// One way: 1 ms and more, now and then much more.
    fn latency(&mut self) -> Duration {
        let more = -(1.0 - self.random.f64()).ln();
        let slow = if self.random.u32(0..100) == 0 { 20.0 } else { 1.0 };
        MILLISECOND + MILLISECOND.mul_f64(more * slow)
    }

    fn answer(&mut self, call: usize, taken: bool) {
        let (units, partition, sent) = (self.load.units, self.calls[call].partition, self.calls[call].sent);
        let answered = Answered { units, partition: Some(partition), sent, now: self.now };
        if taken {
            self.acknowledged.push((self.now, units));
            if !self.admission.is_free() && self.admission.acknowledged(answered) {
                self.serve();
            }
            self.calls[call].ended.get_or_insert((self.now, End::Acknowledged));
            return;
        }
        let (now, before) = (self.now, &self.acknowledged);
        let recent = before.iter().rev().take_while(|(at, _)| *at + Duration::from_secs(1) > now);
        let before: f64 = recent.map(|(_, units)| units).sum();
        let mut late = Vec::new();
        let sooner = self.admission.throttled(answered, before, &mut |call| late.push(call));
        for call in late {
            self.calls[call].ended.get_or_insert((self.now, End::Refused));
        }
        if sooner {
            self.serve();
        }
        if self.calls[call].ended.is_none() {
            self.ask(call);
        }
    }
}

/// Figures of a run, from a moment on.
#[derive(Debug)]
struct Figures {
    per_second: f64,
    written_and_failed: f64,
    attempts: f64,
    p50: Duration,
    p99: Duration,
    refused_after: Duration,
    refused: usize,
}

impl Figures {
    fn of<'c>(calls: impl Iterator<Item = &'c Call>, seconds: f64) -> Self {
        let calls: Vec<&Call> = calls.collect();
        let times = |end: End| {
            let mut times: Vec<Duration> = calls
                .iter()
                .filter_map(|call| call.ended.filter(|(_, how)| *how == end).map(|(at, _)| at - call.came))
                .collect();
            times.sort_unstable();
            times
        };
        let (acknowledged, refused, unknown) = (times(End::Acknowledged), times(End::Refused), times(End::Unknown));
        let of =
            |times: &[Duration], percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        Self {
            per_second: acknowledged.len() as f64 / seconds,
            written_and_failed: unknown.len() as f64 / (acknowledged.len() + unknown.len()).max(1) as f64,
            attempts: calls.iter().map(|call| f64::from(call.attempts)).sum::<f64>() / acknowledged.len().max(1) as f64,
            p50: of(&acknowledged, 50),
            p99: of(&acknowledged, 99),
            refused_after: of(&refused, 50),
            refused: refused.len(),
        }
    }
}

fn table(capacity: f64) -> Table {
    Table { capacity: vec![(0.0, capacity)], outage: (0.0, 0.0), of_partition: 1_000.0 }
}

fn load(arrivals: f64) -> Load {
    let deadline = Duration::from_secs(4);
    Load { seconds: 60.0, arrivals: vec![(0.0, arrivals)], deadline, units: 1.0, hot: 0 }
}

fn came(between: Range<f64>) -> impl Fn(&&Call) -> bool {
    move |call| between.contains(&call.came.as_secs_f64())
}

/// Acknowledged a second, by when the acknowledgement came.
fn acknowledged(calls: &[Call], between: Range<f64>) -> f64 {
    let ends = calls.iter().filter_map(|call| call.ended);
    let is_in = |(at, end): &(Duration, End)| *end == End::Acknowledged && between.contains(&at.as_secs_f64());
    ends.filter(is_in).count() as f64 / (between.end - between.start)
}

#[test]
fn a_table_that_is_asked_for_more_than_it_takes_is_used_to_its_capacity() {
    for (capacity, factors) in [(20.0, [1.1, 5.0]), (200.0, [1.1, 2.0]), (200.0, [1.5, 5.0]), (1_000.0, [1.1, 5.0])] {
        for (seed, factor) in factors.into_iter().enumerate() {
            let calls = run(&table(capacity), &load(factor * capacity), seed as u64);
            let figures = Figures::of(calls.iter().filter(came(5.0..60.0)), 55.0);
            let case = format!("{factor} times {capacity}: {figures:?}");
            assert!(acknowledged(&calls, 5.0..60.0) >= 0.95 * capacity, "{case}");
            assert!(figures.written_and_failed <= 0.01 && figures.attempts <= 1.1, "{case}");
            assert!(figures.refused_after <= Duration::from_millis(100), "{case}");
            // Those who are served wait almost as long as they are ready to: a queue in the order of coming.
            assert!(figures.p50 <= figures.p99 && figures.p99 < Duration::from_secs(4), "{case}");
        }
    }
}

#[test]
fn a_table_that_has_room_makes_nobody_wait() {
    let figures = Figures::of(run(&table(200.0), &load(100.0), 1).iter(), 60.0);
    assert!(figures.refused == 0 && figures.attempts == 1.0 && figures.p99 < Duration::from_millis(50), "{figures:?}");
}

#[test]
fn a_table_that_takes_one_request_in_several_seconds_is_used() {
    for (capacity, arrivals) in [(0.2, 1.0), (1.0, 2.0), (1.0, 5.0)] {
        let calls =
            run(&table(capacity), &Load { seconds: 300.0, deadline: Duration::from_secs(30), ..load(arrivals) }, 1);
        let used = acknowledged(&calls, 30.0..300.0);
        assert!(used >= 0.9 * capacity, "{used} of {capacity}");
    }
}

#[test]
fn after_an_outage_nothing_fails_later_than_five_seconds() {
    for (seed, arrivals) in [1.0, 2.0, 3.0, 5.0, 250.0].into_iter().enumerate() {
        let outage = Table { outage: (20.0, 25.0), ..table(200.0) };
        let calls = run(&outage, &load(arrivals), seed as u64);
        let attempts: u32 = calls.iter().filter(came(20.0..25.0)).map(|call| call.attempts).sum();
        assert!(attempts <= 50, "{arrivals} a second: {attempts} attempts in the 5 s of the outage");
        if arrivals <= 5.0 {
            let failures = calls.iter().filter_map(|call| call.ended).filter(|(_, end)| *end != End::Acknowledged);
            let last = failures.map(|(at, _)| at).max().unwrap_or_default();
            assert!(last <= Duration::from_secs(30), "{arrivals} a second: the last failure came at {last:?}");
        }
    }
}

#[test]
fn a_capacity_that_rises_and_falls_tenfold_is_found_within_ten_seconds() {
    for low in [20.0, 200.0] {
        let changing = Table { capacity: vec![(0.0, low), (20.0, 10.0 * low), (40.0, low)], ..table(low) };
        let arrivals = vec![(0.0, 1.5 * low), (20.0, 15.0 * low), (40.0, 1.5 * low)];
        let calls = run(&changing, &Load { arrivals, ..load(low) }, 1);
        for (from, capacity) in [(5.0, low), (30.0, 10.0 * low), (50.0, low)] {
            let used = acknowledged(&calls, from..from + 10.0);
            assert!(used >= 0.95 * capacity, "{used} of {capacity} from {from} s on");
        }
        let figures = Figures::of(calls.iter(), 60.0);
        assert!(figures.attempts <= 1.1 && figures.written_and_failed <= 0.01, "{figures:?}");
    }
}

#[test]
fn a_hot_partition_is_used_to_its_limit_and_slows_no_other() {
    for seed in 0..3 {
        // 150 a second of ten units each to a partition that takes 100 of them.
        let calls = run(&table(4_000.0), &Load { units: 10.0, hot: 75, ..load(200.0) }, seed);
        let of = |is_hot: bool| {
            let of_kind = calls.iter().filter(came(5.0..60.0)).filter(|call| (call.partition == 0) == is_hot);
            Figures::of(of_kind, 55.0)
        };
        let (hot, cold) = (of(true), of(false));
        assert!(hot.per_second >= 90.0 && hot.attempts <= 1.1, "{hot:?}");
        assert!(cold.refused == 0 && cold.p99 < Duration::from_millis(100), "{cold:?}");
    }
}

#[test]
fn the_capacity_of_a_table_is_found_beside_a_hot_partition() {
    // 1,500 units a second to the hot partition, of which it takes 1,000, and 1,500 to others, for which 1,000 are left.
    let calls = run(&table(2_000.0), &Load { units: 10.0, hot: 50, ..load(300.0) }, 1);
    let figures = Figures::of(calls.iter().filter(came(5.0..60.0)), 55.0);
    assert!(acknowledged(&calls, 5.0..60.0) >= 190.0 && figures.attempts <= 1.2, "{figures:?}");
    let cold = Figures::of(calls.iter().filter(came(5.0..60.0)).filter(|call| call.partition != 0), 55.0);
    assert!(cold.per_second >= 70.0, "{cold:?}");
}

/// What the other ways come to under a lasting overload: `BENCHMARKS.md` has the figures.
#[test]
fn who_is_served_decides_how_long_the_served_wait_and_when_the_others_know() {
    let figures = |policy| {
        let calls = run_by(policy, &table(200.0), &load(400.0), 1);
        let figures = Figures::of(calls.iter().filter(came(5.0..56.0)), 51.0);
        println!("{policy:?}: {figures:?}");
        figures
    };
    let (chosen, fifo) = (figures(Policy::Chosen), figures(Policy::Fifo));
    let (lifo, codel) = (figures(Policy::Lifo), figures(Policy::CoDel));
    // Served until nobody can be served in time.
    assert!(fifo.written_and_failed > 0.01 || fifo.per_second < 0.95 * 200.0, "{fifo:?}");
    assert!(chosen.per_second >= 190.0 && chosen.refused_after <= Duration::from_millis(100), "{chosen:?}");
    // The newest first is soon done, and the others wait for their whole deadline to learn that they are not.
    assert!(lifo.p50 < chosen.p50 && lifo.refused_after > Duration::from_secs(3), "{lifo:?}");
    assert!(codel.p50 < chosen.p50 && codel.refused_after >= Duration::from_millis(100), "{codel:?}");
}
