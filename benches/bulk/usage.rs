//! The CPU time and memory that a process and its descendants use.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Result;

/// The interval at which memory is measured.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

/// The unit in which Linux reports CPU time to programs.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: u64 = 4_096;

pub(crate) struct Usage {
    pub(crate) elapsed: Duration,
    pub(crate) cpu_seconds: f64,
    /// The maximum of the resident memory of all processes together.
    pub(crate) memory: u64,
}

impl Usage {
    pub(crate) fn rows_per_cpu_second(&self, rows: u64) -> f64 {
        rows as f64 / self.cpu_seconds
    }

    pub(crate) fn of_rows(&self, rows: u64) -> String {
        format!(
            "{:.0} rows a second, {:.0} rows a CPU second, {:.1} µs of CPU a row, {} MB resident",
            rows as f64 / self.elapsed.as_secs_f64(),
            self.rows_per_cpu_second(rows),
            1e6 * self.cpu_seconds / rows as f64,
            self.memory >> 20,
        )
    }
}

/// Runs a program to its end. A program that fails is an error.
pub(crate) fn measure(mut command: Command) -> Result<Usage> {
    let before = cpu_of_children()?;
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut memory = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = memory.max(resident(child.id()));
        std::thread::sleep(SAMPLE_INTERVAL);
    };
    let elapsed = began.elapsed();
    if !status.success() {
        // Only the program: the environment of the command contains secrets.
        return Err(format!("{} ended with {status}", command.get_program().display()).into());
    }
    Ok(Usage { elapsed, cpu_seconds: cpu_of_children()? - before, memory })
}

/// The fields of `/proc/PID/stat` from the third, the state, on.
fn stat(process: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// The CPU seconds of the child processes that have ended, and of their children.
fn cpu_of_children() -> Result<f64> {
    let fields = stat("self").ok_or("this process cannot be read")?;
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((field(16) + field(17)) / TICKS_PER_SECOND)
}

/// The current resident bytes of a process and its descendants.
fn resident(process: u32) -> u64 {
    let Ok(all) = std::fs::read_dir("/proc") else { return 0 };
    let names = all.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let processes: HashMap<u32, (u32, u64)> = names
        .filter_map(|name| {
            let fields = stat(&name)?;
            Some((name.parse().ok()?, (fields.get(1)?.parse().ok()?, fields.get(21)?.parse().ok()?)))
        })
        .collect();
    let descends = |of: &u32| {
        let parents = std::iter::successors(Some(*of), |of| processes.get(of).map(|(parent, _)| *parent));
        parents.take(100).any(|of| of == process)
    };
    processes.iter().filter(|(of, _)| descends(of)).map(|(_, (_, pages))| pages * PAGE_BYTES).sum()
}
