//! Simulates admission in virtual time: independent callers and one table, reproducible by seed.

mod bounds;
mod others;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::time::Duration;

use self::others::{Admit, Policy};
use super::admission::AnsweredAttempt;
use super::queue::{AdmissionDecision, Ticket};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A table as the service implements it, with its changes of capacity and an outage.
#[derive(Clone)]
struct SimulatedTable {
    /// Pairs of a time and the capacity from then on, in units per second.
    capacity: Vec<(f64, f64)>,
    /// The start and end, in seconds, of a time in which everything is throttled.
    outage: (f64, f64),
    /// The capacity of one partition, in units per second (DG:troubleshooting.serverless).
    partition_capacity: f64,
}

/// The load: calls that arrive as a Poisson process.
#[derive(Clone)]
struct Arrivals {
    seconds: f64,
    /// Pairs of a time and the arrivals from then on, in calls per second.
    arrivals: Vec<(f64, f64)>,
    deadline: Duration,
    units: f64,
    /// The percentage of calls that go to one hot partition. The others go to 1,000 partitions.
    hot: u64,
    /// The session's own limit for the table, in units per second.
    limit: Option<NonZeroU32>,
    /// The deadline of every other call.
    other_deadline: Option<Duration>,
}

impl Arrivals {
    fn deadline_of(&self, call: usize) -> Duration {
        self.other_deadline.filter(|_| call % 2 == 1).unwrap_or(self.deadline)
    }
}

/// A simulated call and its outcome.
#[derive(Clone, Debug)]
struct SimulatedCall {
    called_at: Duration,
    partition: i64,
    attempts: u32,
    ended: Option<(Duration, End)>,
    sent: Duration,
    written: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Acknowledged,
    /// The call failed, and nothing was written.
    Refused,
    /// The call failed, but its row was written.
    Unknown,
}

struct Server {
    table: SimulatedTable,
    level: f64,
    partitions: Vec<(f64, f64)>,
    refilled_at: f64,
}

impl Server {
    fn accepts(&mut self, units: f64, partition: i64, now: f64) -> bool {
        let capacity = at(&self.table.capacity, now);
        // Unused capacity is kept for up to 300 seconds (DG:throughput-bursting).
        self.level = (self.level + (now - self.refilled_at) * capacity).min(300.0 * capacity);
        self.refilled_at = now;
        if (self.table.outage.0..self.table.outage.1).contains(&now) {
            return false;
        }
        let rate = self.table.partition_capacity;
        let (level, refilled_at) = self.partitions[partition as usize];
        let level = (level + (now - refilled_at) * rate).min(rate);
        let accepts = self.level >= units && level >= units;
        self.partitions[partition as usize] = (if accepts { level - units } else { level }, now);
        if accepts {
            self.level -= units;
        }
        accepts
    }
}

fn at(steps: &[(f64, f64)], now: f64) -> f64 {
    steps.iter().rev().find(|(from, _)| *from <= now).map_or(0.0, |(_, value)| *value)
}

enum SimulationEvent {
    Arrival(usize),
    Serve,
    Request(usize),
    Answer(usize, bool),
    Deadline(usize),
}

/// Runs a load against a table.
fn run(table: &SimulatedTable, load: &Arrivals, seed: u64) -> Vec<SimulatedCall> {
    run_by(Policy::Session, table, load, seed)
}

fn run_by(policy: Policy, table: &SimulatedTable, load: &Arrivals, seed: u64) -> Vec<SimulatedCall> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut calls = Vec::new();
    let mut time = 0.0;
    while time < load.seconds {
        let rate = at(&load.arrivals, time);
        time += -(1.0 - random.f64()).ln() / rate.max(0.001);
        let partition = if random.u64(0..100) < load.hot { 0 } else { random.i64(1..1_000) };
        let called_at = Duration::from_secs_f64(time);
        calls.push(SimulatedCall {
            called_at,
            partition,
            attempts: 0,
            ended: None,
            sent: Duration::ZERO,
            written: false,
        });
    }
    let first = at(&table.capacity, 0.0);
    let server = Server {
        level: first,
        partitions: vec![(table.partition_capacity, 0.0); 1_000],
        refilled_at: 0.0,
        table: table.clone(),
    };
    let mut run = Simulation {
        admission: others::admission(policy, load.limit),
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
        run.at(run.calls[call].called_at, SimulationEvent::Arrival(call));
        run.at(run.calls[call].called_at + load.deadline_of(call), SimulationEvent::Deadline(call));
    }
    while let Some(Reverse((now, happens))) = run.events.pop() {
        run.now = now;
        let Some(event) = run.happens[happens].take() else { continue };
        run.happen(event);
    }
    run.calls
}

struct Simulation {
    admission: Box<dyn Admit>,
    server: Server,
    calls: Vec<SimulatedCall>,
    events: BinaryHeap<Reverse<(Duration, usize)>>,
    happens: Vec<Option<SimulationEvent>>,
    now: Duration,
    served_at: Option<Duration>,
    acknowledged: Vec<(Duration, f64)>,
    load: Arrivals,
    random: fastrand::Rng,
}

impl Simulation {
    fn at(&mut self, when: Duration, event: SimulationEvent) {
        self.events.push(Reverse((when, self.happens.len())));
        self.happens.push(Some(event));
    }

    fn ticket(&self, call: usize) -> Ticket {
        let called_at = self.calls[call].called_at;
        Ticket {
            units: self.load.units,
            place: (called_at, call as u64),
            deadline: called_at + self.load.deadline_of(call),
            partition: Some(self.calls[call].partition),
        }
    }

    fn happen(&mut self, event: SimulationEvent) {
        match event {
            SimulationEvent::Arrival(call) => self.try_acquire(call),
            SimulationEvent::Serve => {
                if self.served_at == Some(self.now) {
                    self.served_at = None;
                    self.serve();
                }
            }
            SimulationEvent::Request(call) => {
                let partition = self.calls[call].partition;
                let taken = self.server.accepts(self.load.units, partition, self.now.as_secs_f64());
                self.calls[call].written |= taken;
                let back = self.latency();
                self.at(self.now + back, SimulationEvent::Answer(call, taken));
            }
            SimulationEvent::Answer(call, taken) => self.answer(call, taken),
            SimulationEvent::Deadline(call) => {
                if self.calls[call].ended.is_none() {
                    let ticket = self.ticket(call);
                    self.admission.remove(ticket);
                    let end = if self.calls[call].written { End::Unknown } else { End::Refused };
                    self.calls[call].ended = Some((self.now, end));
                }
            }
        }
    }

    fn try_acquire(&mut self, call: usize) {
        let ticket = self.ticket(call);
        match if self.admission.is_unlimited() {
            AdmissionDecision::Admitted
        } else {
            self.admission.try_acquire(ticket, self.now, call)
        } {
            AdmissionDecision::Admitted => self.send(call),
            AdmissionDecision::Wait => self.serve(),
            AdmissionDecision::TooLate(_) => self.calls[call].ended = Some((self.now, End::Refused)),
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
            // A timer with a resolution of one millisecond fires in the next millisecond.
            let next = Duration::from_millis(next.as_millis() as u64 + 1);
            self.served_at = Some(next);
            self.at(next, SimulationEvent::Serve);
        }
    }

    fn send(&mut self, call: usize) {
        self.calls[call].attempts += 1;
        self.calls[call].sent = self.now;
        let latency = self.latency();
        self.at(self.now + latency, SimulationEvent::Request(call));
    }

    /// The one-way latency: at least 1 ms, and occasionally much more.
    fn latency(&mut self) -> Duration {
        let more = -(1.0 - self.random.f64()).ln();
        let slow = if self.random.u32(0..100) == 0 { 20.0 } else { 1.0 };
        MILLISECOND + MILLISECOND.mul_f64(more * slow)
    }

    fn answer(&mut self, call: usize, taken: bool) {
        let (units, partition, sent) = (self.load.units, self.calls[call].partition, self.calls[call].sent);
        let answered = AnsweredAttempt { units, partition: Some(partition), sent, now: self.now };
        if taken {
            self.acknowledged.push((self.now, units));
            if !self.admission.is_unlimited() && self.admission.record_acknowledged(answered) {
                self.serve();
            }
            self.calls[call].ended.get_or_insert((self.now, End::Acknowledged));
            return;
        }
        let (now, before) = (self.now, &self.acknowledged);
        let recent = before.iter().rev().take_while(|(at, _)| *at + Duration::from_secs(1) > now);
        let before: f64 = recent.map(|(_, units)| units).sum();
        let mut late = Vec::new();
        let turns_come_sooner = self.admission.record_throttled(answered, before, &mut |call| late.push(call));
        for call in late {
            self.calls[call].ended.get_or_insert((self.now, End::Refused));
        }
        if turns_come_sooner {
            self.serve();
        }
        if self.calls[call].ended.is_none() {
            self.try_acquire(call);
        }
    }
}

/// The results of a run.
#[derive(Debug)]
struct SimulationResults {
    per_second: f64,
    written_and_failed: f64,
    attempts: f64,
    p50: Duration,
    p99: Duration,
    refused_after: Duration,
    refused: usize,
}

impl SimulationResults {
    fn from_calls<'c>(calls: impl Iterator<Item = &'c SimulatedCall>, seconds: f64) -> Self {
        let calls: Vec<&SimulatedCall> = calls.collect();
        let times = |end: End| {
            let mut times: Vec<Duration> = calls
                .iter()
                .filter_map(|call| call.ended.filter(|(_, how)| *how == end).map(|(at, _)| at - call.called_at))
                .collect();
            times.sort_unstable();
            times
        };
        let (acknowledged, refused, unknown) = (times(End::Acknowledged), times(End::Refused), times(End::Unknown));
        let percentile =
            |times: &[Duration], percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        Self {
            per_second: acknowledged.len() as f64 / seconds,
            written_and_failed: unknown.len() as f64 / (acknowledged.len() + unknown.len()).max(1) as f64,
            attempts: calls.iter().map(|call| f64::from(call.attempts)).sum::<f64>() / acknowledged.len().max(1) as f64,
            p50: percentile(&acknowledged, 50),
            p99: percentile(&acknowledged, 99),
            refused_after: percentile(&refused, 50),
            refused: refused.len(),
        }
    }
}
