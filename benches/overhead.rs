//! The instructions, allocations, time and memory that this crate adds to the driver underneath.
//!
//! `cargo bench --bench overhead` prints one line for each measurement, `name: ours, bare, ratio`, and at the end the lines
//! that are over their bounds. Words after `--` select the lines that have one of them in their names. With `--check` it
//! measures only numbers that do not depend on the load of the machine, and fails if one is over its bound.
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

use client::{Implementation, Task};
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
    /// Passed by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// The role of a process that this one starts. Client and server are separate processes, so that the work of one is not
/// counted for the other.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Serve {
        delay_millis: u64,
        /// Delay every answer, also while connecting.
        #[arg(long)]
        always: bool,
    },
    #[command(hide = true)]
    Client { implementation: Implementation, task: Task, address: String, times: u64, run: usize },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        None => table::print(&arguments.words, arguments.check),
        Some(Role::Serve { delay_millis, always }) => {
            server::serve(Delay { duration: Duration::from_millis(delay_millis), applies_to_all: always })
        }
        Some(Role::Client { implementation, task, address, times, run }) => {
            let _heap = client::fragmented_heap(run);
            println!("{}", client::run(implementation, task, &address, times)?);
            Ok(())
        }
    }
}
