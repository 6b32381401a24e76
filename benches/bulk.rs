//! The cost of loading a file: by itself, compared with other tools, and on a table that throttles.
//!
//! `cargo bench --features bulk --bench bulk` prints four groups, and at the end the values that are not within their bounds.
//! Words after `--` select groups:
//!
//! - `instructions`: instructions and allocations for a line of ten columns, from the bytes of the file to values that can be
//!   bound, counted by Callgrind;
//! - `stub`: rows a CPU second and resident memory for `--megabytes` of CSV, on a server that answers at once;
//! - `compare`: this crate, DSBulk and cqlsh-expansion's COPY, one after the other, with the same file and a local Keyspaces.
//!   `tests/clients/run dsbulk cqlsh` installs both tools;
//! - `capacity`: the share of a table's 2,000 write units a second that is used, and the attempts a row.
//!
//! With `--check` it counts instructions and allocations only, and fails if there are more than their bounds.
#![expect(clippy::print_stdout, reason = "the lines printed are what the bench is for")]

mod callgrind;
#[path = "bulk/capacity.rs"]
mod capacity;
#[path = "bulk/client.rs"]
mod client;
#[path = "bulk/rows.rs"]
mod rows;
mod server;
#[path = "bulk/tools.rs"]
mod tools;
#[path = "bulk/usage.rs"]
mod usage;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Parser, Subcommand};

use testkit::instant::Delay;

use crate::server::Server;

/// Any error ends the bench.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const MOST_INSTRUCTIONS: f64 = 10_000.0;
const MOST_ALLOCATIONS: f64 = 2.0;
const MOST_MEMORY: u64 = 200 * 1024 * 1024;
/// The number of lines for which Callgrind counts instructions.
const LINES: u64 = 20_000;

#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Only these groups.
    words: Vec<String>,
    /// Only instructions and allocations; the program fails if they are over their bounds.
    #[arg(long)]
    check: bool,
    /// Megabytes of CSV, for `stub`.
    #[arg(long, default_value_t = 1_000)]
    megabytes: u64,
    /// For `compare`.
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// For `capacity`.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Passed by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// The role of a process that this one starts.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Serve {
        delay_millis: u64,
        #[arg(long)]
        always: bool,
    },
    /// Writes this number of rows to standard output.
    #[command(hide = true)]
    Generate { rows: u64 },
    /// Reads this number of lines without sending them.
    #[command(hide = true)]
    Parse { address: String, lines: u64 },
    /// Loads standard input.
    #[command(hide = true)]
    Load { address: Option<String> },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.role {
        Some(Role::Serve { delay_millis, always }) => {
            server::serve(Delay { duration: Duration::from_millis(*delay_millis), applies_to_all: *always })
        }
        Some(Role::Generate { rows }) => rows::write(*rows, &mut std::io::stdout().lock()),
        Some(Role::Parse { address, lines }) => client::parse(address, *lines),
        Some(Role::Load { address }) => client::load(address.as_deref()),
        None => measure(&arguments),
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let chosen = |group: &str| {
        let is_named = arguments.words.is_empty() || arguments.words.iter().any(|word| word == group);
        is_named && (!arguments.check || group == "instructions")
    };
    let mut over = Vec::new();
    if chosen("instructions") {
        over.extend(instructions()?);
    }
    if chosen("stub") {
        over.extend(on_stub(arguments.megabytes)?);
    }
    if chosen("compare") {
        over.extend(tools::compare(arguments.rows)?);
    }
    if chosen("capacity") {
        over.extend(capacity::measure_throttled_table(arguments.seconds)?);
    }
    if over.is_empty() {
        println!("all within their bounds");
        return Ok(());
    }
    println!("not within their bounds:\n{}", over.join("\n"));
    if arguments.check { Err("a line costs more than its bound".into()) } else { Ok(()) }
}

fn instructions() -> Result<Vec<String>> {
    let server = Server::start(Delay::default())?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callgrind");
    std::fs::create_dir_all(&folder)?;
    let arguments = ["parse".to_owned(), server.address.clone(), LINES.to_string()];
    let counts = callgrind::count(&arguments, &folder.join("bulk"))?;
    let [instructions, allocations] =
        [counts.instructions, counts.allocations].map(|count| count as f64 / LINES as f64);
    println!("a CSV line of ten columns: {instructions:.0} instructions, {allocations:.2} allocations");
    let mut over = Vec::new();
    if instructions > MOST_INSTRUCTIONS {
        over.push(format!("{instructions:.0} instructions a line, not {MOST_INSTRUCTIONS}"));
    }
    if allocations > MOST_ALLOCATIONS {
        over.push(format!("{allocations:.2} allocations a line, not {MOST_ALLOCATIONS}"));
    }
    Ok(over)
}

fn on_stub(megabytes: u64) -> Result<Vec<String>> {
    let server = Server::start(Delay::default())?;
    let rows = megabytes * 1_000_000 / rows::BYTES;
    let program = std::env::current_exe()?;
    let mut generating = Command::new(&program).args(["generate", &rows.to_string()]).stdout(Stdio::piped()).spawn()?;
    let input = generating.stdout.take().ok_or("standard output is a pipe")?;
    let mut load = Command::new(&program);
    load.args(["load", &server.address]).stdin(input);
    let usage = usage::measure(load)?;
    generating.wait()?;
    println!("on the stub, {megabytes} MB of CSV, {rows} rows: {}", usage.of_rows(rows));
    let is_over = usage.memory > MOST_MEMORY;
    Ok(is_over.then(|| format!("{} MB resident, not 200 MB", usage.memory >> 20)).into_iter().collect())
}
