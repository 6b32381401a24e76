//! The lines that are printed: the task and the number of repetitions, the measurements, and their bounds.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;

use crate::callgrind;
use crate::client::{Implementation, Task};
use crate::server::Server;
use crate::work::Result;
use testkit::instant::Delay;

/// The number of runs for each line, alternating between both clients. The result is the median of instructions and
/// allocations, the shortest time, and the maximum of memory.
const RUNS: usize = 5;
/// A check counts each line once, and a line over its bound [`RUNS`] times, because a single count is sometimes off by some
/// percent. Medians differ with the addresses of allocations, by less than this share of the instructions.
const CHECK_TOLERANCE: f64 = 0.005;
const MEGABYTE: f64 = 1024.0 * 1024.0;

struct Row {
    name: &'static str,
    task: Task,
    times: u64,
    measures: &'static [Measure],
    /// Whether the bare driver is measured too.
    has_bare: bool,
}

/// The unit, with which the name of the line ends, and the bound.
struct Measure(Unit, Bound);

#[derive(Clone, Copy, Eq, PartialEq)]
enum Unit {
    /// For each repetition, or for each page.
    Instructions,
    Allocations,
    Nanoseconds,
    /// Growth, in bytes.
    Memory,
    /// The size of a future, in bytes.
    Size,
    /// The number of requests that wait for each other, computed from the times with a slow and a slower server.
    SequentialRequests,
}

#[derive(Clone, Copy)]
enum Bound {
    None,
    Ratio(f64),
    /// For a line over the required ratio (`BENCHMARKS.md` says why): slightly above the ratio that it has reached.
    Reached(f64),
    Difference(f64),
    Ours(f64),
}

const GOAL: f64 = 1.05;

const COUNTS_AND_TIME: &[Measure] = &[
    Measure(Unit::Instructions, Bound::Ratio(GOAL)),
    Measure(Unit::Allocations, Bound::Difference(2.0)),
    Measure(Unit::Nanoseconds, Bound::None),
];

const COUNTS: &[Measure] =
    &[Measure(Unit::Instructions, Bound::Ratio(GOAL)), Measure(Unit::Allocations, Bound::Difference(2.0))];

/// For lines that are within the required ratio by less than the allocator's share varies between runs.
const MANY_IN_FLIGHT: &[Measure] =
    &[Measure(Unit::Instructions, Bound::Reached(1.09)), Measure(Unit::Allocations, Bound::Difference(2.0))];

const TEN_ROWS: &[Measure] =
    &[Measure(Unit::Instructions, Bound::Reached(1.07)), Measure(Unit::Allocations, Bound::Difference(2.0))];

/// For a page of one row, where the driver itself does little work.
const ONE_ROW: &[Measure] =
    &[Measure(Unit::Instructions, Bound::Reached(1.09)), Measure(Unit::Allocations, Bound::Difference(2.0))];

/// For a batch, which keeps its values until it is sent, and then copies them.
const BATCH: &[Measure] =
    &[Measure(Unit::Instructions, Bound::Reached(1.2)), Measure(Unit::Allocations, Bound::Difference(2.0))];

/// For lines without a bound: their cost is for information that the user requests about each call, or for connecting.
const WITHOUT_BOUND: &[Measure] = &[Measure(Unit::Instructions, Bound::None), Measure(Unit::Allocations, Bound::None)];

const SIZES: &[Measure] = &[Measure(Unit::Size, Bound::None)];

const SEQUENTIAL_REQUESTS: &[Measure] = &[Measure(Unit::SequentialRequests, Bound::None)];

const ROWS: &[Row] = &[
    Row { name: "insert", task: Task::Insert, times: 2_000, measures: COUNTS_AND_TIME, has_bare: true },
    Row {
        name: "insert, subscriber at INFO",
        task: Task::InsertAtInfo,
        times: 2_000,
        measures: COUNTS_AND_TIME,
        has_bare: true,
    },
    Row {
        name: "insert, subscriber at DEBUG",
        task: Task::InsertAtDebug,
        times: 500,
        measures: WITHOUT_BOUND,
        has_bare: true,
    },
    #[cfg(feature = "metrics")]
    Row {
        name: "insert, metrics recorded",
        task: Task::InsertMeasured,
        times: 2_000,
        measures: WITHOUT_BOUND,
        has_bare: true,
    },
    Row { name: "1 insert in flight", task: Task::InFlight1, times: 2_000, measures: COUNTS, has_bare: true },
    Row {
        name: "64 inserts in flight",
        task: Task::InFlight64,
        times: 2_048,
        measures: MANY_IN_FLIGHT,
        has_bare: true,
    },
    Row { name: "1024 inserts in flight", task: Task::InFlight1024, times: 4_096, measures: COUNTS, has_bare: true },
    Row {
        name: "10000 inserts in flight",
        task: Task::InFlight10000,
        times: 10_000,
        measures: MANY_IN_FLIGHT,
        has_bare: true,
    },
    Row { name: "batch of 10 inserts", task: Task::Batch, times: 500, measures: BATCH, has_bare: true },
    Row { name: "select one row", task: Task::SelectOne, times: 2_000, measures: COUNTS_AND_TIME, has_bare: true },
    Row { name: "select first row", task: Task::SelectFirst, times: 2_000, measures: COUNTS_AND_TIME, has_bare: true },
    Row { name: "rows of 1", task: Task::Rows1, times: 2_000, measures: ONE_ROW, has_bare: true },
    Row { name: "rows of 10", task: Task::Rows10, times: 1_000, measures: TEN_ROWS, has_bare: true },
    Row { name: "rows of 100", task: Task::Rows100, times: 500, measures: COUNTS, has_bare: true },
    Row { name: "connect", task: Task::Connect, times: 20, measures: WITHOUT_BOUND, has_bare: true },
    Row { name: "connect", task: Task::Connect, times: 1, measures: SEQUENTIAL_REQUESTS, has_bare: true },
    Row { name: "page of 1000 rows", task: Task::Pages, times: 50, measures: COUNTS_AND_TIME, has_bare: true },
    Row { name: "future of an insert", task: Task::SizeOfInsert, times: 1, measures: SIZES, has_bare: true },
    Row {
        name: "future of a select of one row",
        task: Task::SizeOfSelectOne,
        times: 1,
        measures: SIZES,
        has_bare: true,
    },
    Row { name: "future of a stream's next row", task: Task::SizeOfTryNext, times: 1, measures: SIZES, has_bare: true },
    Row {
        name: "stream of 1000000 rows",
        task: Task::PagesMemory,
        times: 1_000,
        measures: &[Measure(Unit::Memory, Bound::Ours(4.0 * MEGABYTE))],
        has_bare: true,
    },
    Row {
        name: "fan-out of 100000 keys",
        task: Task::FanOutMemory,
        times: 100_000,
        measures: &[Measure(Unit::Memory, Bound::Ours(16.0 * MEGABYTE))],
        has_bare: true,
    },
    Row {
        name: "between over 30 days beside one day",
        task: Task::Month,
        times: 50,
        measures: &[Measure(Unit::Nanoseconds, Bound::Ratio(1.5))],
        has_bare: true,
    },
    Row {
        name: "SigV4 answer",
        task: Task::Sigv4,
        times: 1_000,
        measures: &[
            Measure(Unit::Instructions, Bound::None),
            Measure(Unit::Allocations, Bound::Ours(20.0)),
            Measure(Unit::Nanoseconds, Bound::Ours(5_000.0)),
        ],
        has_bare: false,
    },
];

/// Prints the lines with one of the words in their names. A check measures only numbers that do not depend on the load of the
/// machine.
pub(crate) fn print(words: &[String], is_check: bool) -> Result<()> {
    let servers = Servers::start()?;
    let (runs, tolerance) = if is_check { (1, CHECK_TOLERANCE) } else { (RUNS, 0.0) };
    let mut over = Vec::new();
    for row in ROWS {
        let name = |unit: Unit| format!("{} {}", row.name, unit.name());
        let chosen = |unit: Unit| {
            let is_named = words.is_empty() || words.iter().any(|word| name(unit).contains(word.as_str()));
            is_named && (!is_check || unit.is_exact())
        };
        let measures: Vec<&Measure> = row.measures.iter().filter(|measure| chosen(measure.0)).collect();
        let units: Vec<Unit> = measures.iter().map(|measure| measure.0).collect();
        let mut measured = row.measure(&units, &servers, if units.is_empty() { 0 } else { runs })?;
        let is_over = |Measure(unit, bound): &&Measure| {
            let [ours, bare] = measured.of(*unit);
            bound.exceeded_by(ours, bare, tolerance).is_some()
        };
        if is_check && measures.iter().any(is_over) {
            measured = row.measure(&units, &servers, RUNS)?;
        }
        for Measure(unit, bound) in measures {
            let [ours, bare] = measured.of(*unit);
            let ratio = bare.filter(|bare| *bare > 0.0).zip(ours).map(|(bare, ours)| ours / bare);
            let goal = match (bound, ratio) {
                (Bound::Reached(_), Some(ratio)) if ratio > GOAL => format!(" (goal: {GOAL})"),
                _ => String::new(),
            };
            let ratio = shown(ratio, 3);
            let line = format!("{}: {}, {}, {ratio}{goal}", name(*unit), unit.show(ours), unit.show(bare));
            println!("{line}");
            if let Some(bound) = bound.exceeded_by(ours, bare, tolerance) {
                over.push(format!("over its bound, {bound}: {line}"));
            }
        }
    }
    println!();
    over.iter().for_each(|line| println!("{line}"));
    if over.is_empty() {
        println!("all within their bounds");
    } else if is_check {
        return Err(format!("{} lines are over their bounds", over.len()).into());
    }
    Ok(())
}

struct Servers {
    at_once: Server,
    after_5_millis: Server,
    /// `slow` and `slower` delay every answer, by different times.
    slow: Server,
    slower: Server,
}

const SLOW: Duration = Duration::from_millis(20);
const SLOWER: Duration = Duration::from_millis(70);

impl Servers {
    fn start() -> Result<Self> {
        let start = |duration, applies_to_all| Server::start(Delay { duration, applies_to_all });
        Ok(Self {
            at_once: start(Duration::ZERO, false)?,
            after_5_millis: start(Duration::from_millis(5), false)?,
            slow: start(SLOW, true)?,
            slower: start(SLOWER, true)?,
        })
    }

    fn of(&self, task: Task) -> &str {
        match task {
            Task::Month => &self.after_5_millis.address,
            _ => &self.at_once.address,
        }
    }
}

/// The measurements of each run, for this crate and for the bare driver.
#[derive(Default)]
struct Measured {
    instructions: [Vec<f64>; 2],
    allocations: [Vec<f64>; 2],
    /// Measured by the client itself.
    by_client: [Vec<f64>; 2],
}

impl Measured {
    fn of(&self, unit: Unit) -> [Option<f64>; 2] {
        match unit {
            Unit::Instructions => self.instructions.each_ref().map(|runs| median(runs)),
            Unit::Allocations => self.allocations.each_ref().map(|runs| median(runs)),
            // Other activity of the machine can only make it longer.
            Unit::Nanoseconds | Unit::SequentialRequests => {
                self.by_client.each_ref().map(|runs| runs.iter().copied().reduce(f64::min))
            }
            Unit::Memory | Unit::Size => self.by_client.each_ref().map(|runs| runs.iter().copied().reduce(f64::max)),
        }
    }
}

fn median(runs: &[f64]) -> Option<f64> {
    let mut runs = runs.to_owned();
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied()
}

impl Row {
    fn measure(&self, units: &[Unit], servers: &Servers, runs: usize) -> Result<Measured> {
        let mut measured = Measured::default();
        let implementations = &[Implementation::Ours, Implementation::Bare][..if self.has_bare { 2 } else { 1 }];
        let has = |unit| units.contains(&unit);
        for run in 0..runs {
            for (index, implementation) in implementations.iter().enumerate() {
                let arguments = self.arguments(*implementation, servers.of(self.task), run)?;
                if has(Unit::Instructions) || has(Unit::Allocations) {
                    let times = self.times as f64;
                    let counted = callgrind::count(&arguments, &self.profile(*implementation, run)?)?;
                    measured.instructions[index].push(counted.instructions as f64 / times);
                    measured.allocations[index].push(counted.allocations as f64 / times);
                }
                if has(Unit::Nanoseconds) || has(Unit::Memory) || has(Unit::Size) {
                    measured.by_client[index].push(run_client(&arguments)?);
                }
                if has(Unit::SequentialRequests) {
                    let slow = run_client(&self.arguments(*implementation, &servers.slow.address, run)?)?;
                    let slower = run_client(&self.arguments(*implementation, &servers.slower.address, run)?)?;
                    measured.by_client[index].push((slower - slow) / (SLOWER - SLOW).as_nanos() as f64);
                }
            }
        }
        Ok(measured)
    }

    fn arguments(&self, implementation: Implementation, address: &str, run: usize) -> Result<[String; 6]> {
        let (implementation, task) = (word(&implementation)?, word(&self.task)?);
        Ok(["client".to_owned(), implementation, task, address.to_owned(), self.times.to_string(), run.to_string()])
    }

    fn profile(&self, implementation: Implementation, run: usize) -> Result<PathBuf> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callgrind");
        std::fs::create_dir_all(&directory)?;
        Ok(directory.join(format!("{}.{}.{run}", word(&self.task)?, word(&implementation)?)))
    }
}

/// The value as the command line spells it.
fn word(value: &impl ValueEnum) -> Result<String> {
    let value = value.to_possible_value().ok_or("a value without a name")?;
    Ok(value.get_name().to_owned())
}

fn run_client(arguments: &[String]) -> Result<f64> {
    let ended = Command::new(std::env::current_exe()?).args(arguments).stderr(Stdio::inherit()).output()?;
    if !ended.status.success() {
        return Err(format!("{arguments:?} ended with {}", ended.status).into());
    }
    Ok(String::from_utf8(ended.stdout)?.trim().parse()?)
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::Nanoseconds => "nanoseconds",
            Self::Memory => "memory",
            Self::Size => "size",
            Self::SequentialRequests => "requests in a row",
        }
    }

    /// Whether the value does not depend on the load of the machine.
    fn is_exact(self) -> bool {
        matches!(self, Self::Instructions | Self::Allocations | Self::Size)
    }

    fn show(self, value: Option<f64>) -> String {
        let digits = match self {
            Self::Allocations => 2,
            Self::SequentialRequests => 1,
            _ => 0,
        };
        shown(value, digits)
    }
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

impl Bound {
    fn exceeded_by(self, ours: Option<f64>, bare: Option<f64>, tolerance: f64) -> Option<String> {
        let ours = ours?;
        let (is_exceeded, text) = match self {
            Self::None => return None,
            Self::Ratio(most) | Self::Reached(most) => {
                (ours > bare? * (most + tolerance), format!("{most} times the bare driver's"))
            }
            // An allocation that is made once in a run is a fraction for each repetition.
            Self::Difference(most) => ((ours - bare?).round() > most, format!("{most} more than the bare driver's")),
            Self::Ours(most) => (ours > most, format!("{most}")),
        };
        is_exceeded.then_some(text)
    }
}
