//! How much of a throttled table's capacity clients make use of, and at what cost.
//!
//! `cargo bench --bench throttle` starts a local Keyspaces and prints one line for each client. All do the same: 256 tasks,
//! each of which writes one row after the other, against a table of 500 WCU whose bucket is empty, every call with a
//! deadline of 30 s; what is counted is the first 60 s. Words after `--` choose clients; `--seconds`, `--units` and
//! `--tasks` change the numbers.
#![expect(clippy::print_stdout, reason = "the lines printed are what the bench is for")]

#[path = "throttle/bare.rs"]
mod bare;
#[path = "throttle/client.rs"]
mod client;
#[path = "throttle/paced.rs"]
mod paced;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures::future::join_all;
use keyspaces::{Endpoint, Select, Session};
use keyspaces_local::{CapacityMode, Local, Operation};
use tokio::time::{Instant, timeout_at};

use client::{Client, Ended};

/// Whatever goes wrong ends the bench.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const KEYSPACE: &str = "bench";
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Arguments {
    /// Only clients with one of these words in their names.
    words: Vec<String>,
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Write units a second.
    #[arg(long, default_value_t = 500)]
    units: u64,
    #[arg(long, default_value_t = 256)]
    tasks: u64,
    /// Given by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What became of the calls of one client.
#[derive(Default)]
struct Tally {
    written: HashSet<(i64, i64)>,
    took: Vec<Duration>,
    gave_up: u64,
    past_deadline: u64,
    /// Still under way at the end.
    unfinished: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let local = Local::builder().start().await?;
    let session = connect(&local).await?;
    session
        .define(&format!(
            "CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH REPLICATION = {{'class': 'SingleRegionStrategy'}}"
        ))
        .await?;
    println!(
        "{} WCU, {} tasks, {} s; of each client: writes done, share of the capacity, attempts for a write, attempts throttled, \
         p50, p99, calls that gave up, calls past their deadline, writes acknowledged and absent",
        arguments.units, arguments.tasks, arguments.seconds
    );
    for (number, name) in client::NAMES.iter().enumerate() {
        if !arguments.words.is_empty() && !arguments.words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let table = format!("{KEYSPACE}.writes_{number}_{}", std::process::id());
        session.define(&format!("CREATE TABLE {table} (task bigint, write bigint, PRIMARY KEY (task, write))")).await?;
        // A session of its own: what one has learned does not help the next.
        let own = connect(&local).await?;
        let client = Client::new(name, &own, &table).await?;
        run(&arguments, &local, &session, name, Arc::new(client), &table).await?;
    }
    Ok(())
}

async fn connect(local: &Local) -> Result<Session> {
    let own = local.credentials();
    let builder = Session::builder()
        .region(local.region())
        .endpoint(Endpoint::explicit(local.host(), local.port(), local.server_name())?)
        .trust_pem(local.ca_pem())?
        .static_credentials(&own.access_key, &own.secret_key, own.session_token.as_deref())
        .attempt_timeout(DEADLINE);
    Ok(builder.connect().await?)
}

async fn run(
    arguments: &Arguments,
    local: &Local,
    session: &Session,
    name: &str,
    client: Arc<Client>,
    table: &str,
) -> Result<()> {
    let (_, bare_name) = table.split_once('.').ok_or("a table has a keyspace")?;
    let mode = provisioned(arguments.units);
    local.throttling().set_capacity(KEYSPACE, bare_name, Some(mode));
    let began = Instant::now();
    let until = began + Duration::from_secs(arguments.seconds);
    let tasks = (0..arguments.tasks).map(|task| tokio::spawn(work(Arc::clone(&client), task.cast_signed(), until)));
    let mut all = Tally::default();
    for tally in join_all(tasks).await {
        let tally = tally?;
        all.written.extend(tally.written);
        all.took.extend(tally.took);
        all.gave_up += tally.gave_up;
        all.past_deadline += tally.past_deadline;
        all.unfinished += tally.unfinished;
    }
    let metered = local.metering().of(KEYSPACE, bare_name, Operation::Insert);
    local.throttling().set_capacity(KEYSPACE, bare_name, None);
    let absent = absent(session, table, arguments.tasks, &all.written).await?;
    print(arguments, name, &mut all, metered.successful_request_count, metered.write_throttle_events, absent);
    Ok(())
}

fn provisioned(write: u64) -> CapacityMode {
    CapacityMode::Provisioned { read: write, write }
}

/// One write after the other until the time is over.
async fn work(client: Arc<Client>, task: i64, until: Instant) -> Tally {
    let mut tally = Tally::default();
    for write in 0.. {
        let asked = Instant::now();
        match timeout_at(until, client.write(task, write, asked + DEADLINE)).await {
            Err(_) => {
                tally.unfinished += 1;
                break;
            }
            Ok(Ended::Written) => {
                tally.written.insert((task, write));
                tally.took.push(asked.elapsed());
            }
            Ok(Ended::GaveUp) => tally.gave_up += 1,
            Ok(Ended::PastDeadline) => tally.past_deadline += 1,
        }
    }
    tally
}

/// Of what was acknowledged, how much is not there.
async fn absent(session: &Session, table: &str, tasks: u64, written: &HashSet<(i64, i64)>) -> Result<usize> {
    let there: Select<(i64,), (i64,)> = session.prepare(&format!("SELECT write FROM {table} WHERE task = ?")).await?;
    let mut found = HashSet::new();
    for task in 0..tasks.cast_signed() {
        let mut rows = there.rows((task,));
        while let Some((write,)) = rows.try_next().await? {
            found.insert((task, write));
        }
    }
    Ok(written.difference(&found).count())
}

fn print(arguments: &Arguments, name: &str, all: &mut Tally, applied: u64, throttled: u64, absent: usize) {
    all.took.sort_unstable();
    let percentile = |percent: usize| all.took.get(all.took.len() * percent / 100).copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
    let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
    let done = all.written.len() as u64;
    let attempts = applied + throttled;
    println!(
        "{name}: {done}, {:.1} %, {:.3}, {:.1} %, {:.2?}, {:.2?}, {}, {}, {absent}",
        100.0 * share(done, arguments.units * arguments.seconds),
        share(attempts, done),
        100.0 * share(throttled, attempts),
        percentile(50),
        percentile(99),
        all.gave_up,
        all.past_deadline,
    );
}
