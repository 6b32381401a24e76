//! What this crate adds to the driver underneath, in instructions, allocations, time and memory.
//!
//! `cargo bench --bench overhead` prints one line for each thing measured, `name: ours, bare, ratio`, and at the end
//! what is over its bound. Words after `--` choose the lines that have one of them in their names. With `--check` it
//! measures only what does not depend on the load of the machine, once, and fails if something is over its bound.
#![expect(clippy::print_stdout, reason = "the lines printed are what the bench is for")]

mod callgrind;
mod client;
#[cfg(feature = "metrics")]
mod recorder;
mod server;
mod table;
mod work;

use std::time::Duration;

use clap::{Parser, Subcommand};

use client::{Task, Whose};
use testkit::instant::Delay;
use work::Result;

#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Only lines with one of these words in their names.
    words: Vec<String>,
    /// Only instructions, allocations and sizes, counted once; the program fails if one is over its bound.
    #[arg(long)]
    check: bool,
    /// Given by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What a process started by this one does: client and server are apart, so that one's work is not counted as the
/// other's.
#[derive(Subcommand)]
enum Part {
    #[command(hide = true)]
    Serve {
        delay_millis: u64,
        /// Every answer, those of connecting too.
        #[arg(long)]
        always: bool,
    },
    #[command(hide = true)]
    Client { whose: Whose, task: Task, address: String, times: u64, run: usize },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        None => table::print(&arguments.words, arguments.check),
        Some(Part::Serve { delay_millis, always }) => {
            server::serve(Delay { duration: Duration::from_millis(delay_millis), applies_to_all: always })
        }
        Some(Part::Client { whose, task, address, times, run }) => {
            let _holes = client::heap_of(run);
            println!("{}", client::run(whose, task, &address, times)?);
            Ok(())
        }
    }
}
