//! A workload of many tasks on three tables while faults of every kind are injected, and a checker of the results.
//!
//! `CHAOS_SEEDS=n cargo test --test it chaos` runs `n` seeds, five by default. `CHAOS_SEED=seed` repeats a single seed, with the
//! same faults at the same times and the same work; which calls a fault strikes depends on the machine. A run takes some 15 s.

mod checker;
mod faults;
mod history;
mod registers;
mod workload;

use std::fmt::Write as _;
use std::time::Duration;

use keyspaces::Session;
use keyspaces_local::Local;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use self::history::{History, Tables};
use crate::local::signed;

/// The deadline of a call, all attempts together.
const DEADLINE: Duration = Duration::from_secs(4);
/// The time that a busy machine may add to the deadline.
const MARGIN: Duration = Duration::from_secs(4);
/// Five times the time that `Session::health` states for the slowest recovery.
const RECOVERY: Duration = Duration::from_secs(5 * 20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_run_has_no_lost_doubled_or_misreported_results() {
    let local = Local::builder().peers(3).ddl_delay(Duration::from_millis(100)).start().await.expect("it starts");
    for seed in seeds() {
        let violations = run(&local, seed).await;
        assert!(violations.is_empty(), "{}", describe(seed, &violations));
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text} is no number")))
    };
    number("CHAOS_SEED").map_or_else(|| (1..=number("CHAOS_SEEDS").unwrap_or(5)).collect(), |seed| vec![seed])
}

/// Describes the violations, and how to repeat the run.
fn describe(seed: u64, violations: &[String]) -> String {
    let mut text = format!("CHAOS_SEED={seed} cargo test --test it chaos: {} violations\n", violations.len());
    for violation in violations.iter().take(30) {
        let _ = writeln!(text, "  {violation}");
    }
    let _ = writeln!(text, "the faults were:");
    for event in faults::schedule(seed) {
        let _ = writeln!(text, "  {event:?}");
    }
    text
}

/// Makes one run, and returns the violations.
async fn run(local: &Local, seed: u64) -> Vec<String> {
    let began = Instant::now();
    let tables = Tables::create(local, seed).await;
    local.journal().clear();
    let tasks_before = Handle::current().metrics().num_alive_tasks();
    let session = signed(local)
        .call_timeout(DEADLINE)
        .attempt_timeout(Duration::from_secs(1))
        .topology_interval(Duration::from_secs(1))
        .connect()
        .await
        .expect("a session");
    let history = History::default();
    let statements = workload::Statements::prepare(&session, &tables).await;
    let load = workload::Load::start(seed, &statements, &history);
    let strikes = faults::inject_all(local, seed, &session, &tables, &statements, &history).await;
    load.stop().await;
    check_recovery(&session, &statements, &history).await;

    if let Err(error) = session.close(Duration::from_secs(5)).await {
        history.violation(format!("something is left in flight: {error}"));
    }
    drop(statements);
    drop(session);
    check_no_tasks_are_left(tasks_before, &history).await;
    // Closes the connections that were silenced, because the service does not notice that the client closed them.
    local.close_connections().await.expect("closed");

    let summary = checker::check(local, &tables, &history, &strikes).await;
    print_summary(&format!("chaos, seed {seed}: {summary}, {:.1?}", began.elapsed()));
    history.violations()
}

/// Checks that the session recovers after the last fault, and that calls succeed.
async fn check_recovery(session: &Session, statements: &workload::Statements, history: &History) {
    let well = async {
        while session.health().is_degraded() {
            sleep(Duration::from_millis(50)).await;
        }
        while !workload::is_served(statements).await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(RECOVERY, well).await.is_err() {
        history.violation(format!("not well again within {RECOVERY:?}: {}", session.health()));
    }
}

/// Checks that the tasks of a dropped session end.
async fn check_no_tasks_are_left(tasks_before: usize, history: &History) {
    let gone = async {
        while Handle::current().metrics().num_alive_tasks() > tasks_before {
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(Duration::from_secs(30), gone).await.is_err() {
        let left = Handle::current().metrics().num_alive_tasks() - tasks_before;
        history.violation(format!("{left} tasks are left of a session that was closed and dropped"));
    }
}

#[expect(clippy::print_stderr, reason = "how much was done, for who asks with --nocapture")]
fn print_summary(line: &str) {
    eprintln!("{line}");
}
