//! What this crate adds to the driver underneath, in instructions, allocations, time and memory.
//!
//! `cargo bench --bench overhead` prints one line for each thing measured, `name: ours, bare, ratio`, and at the end
//! what is over its bound. Words after `--` choose the lines that have one of them in their names.
#![expect(clippy::print_stdout, reason = "the lines printed are what the bench is for")]

mod callgrind;
mod client;
mod server;
mod stub;
mod table;
mod work;

use clap::{Parser, Subcommand};

use client::{Task, Whose};
use work::Result;

#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Only lines with one of these words in their names.
    words: Vec<String>,
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
    Serve { delay_millis: u64 },
    #[command(hide = true)]
    Client { whose: Whose, task: Task, address: String, times: u64, run: usize },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        None => table::print(&arguments.words),
        Some(Part::Serve { delay_millis }) => server::serve(delay_millis),
        Some(Part::Client { whose, task, address, times, run }) => {
            let _holes = client::heap_of(run);
            println!("{}", client::run(whose, task, &address, times)?);
            Ok(())
        }
    }
}
