//! The lines that are printed.

use std::path::PathBuf;
use std::process::Command;

use clap::ValueEnum;

use crate::callgrind;
use crate::client::{Task, Whose};
use crate::server::Server;
use crate::work::Result;

pub(crate) fn print(words: &[String]) -> Result<()> {
    let server = Server::start(0)?;
    for whose in [Whose::Bare] {
        for task in Task::value_variants() {
            let times = match task { Task::Insert | Task::SelectOne => 1000, Task::Pages => 30, Task::PagesMemory => 1000, Task::FanOutMemory => 100_000 };
            let args = ["client".to_owned(), format!("{whose:?}").to_lowercase(), task.to_possible_value().unwrap().get_name().to_owned(), server.address.clone(), times.to_string()];
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            for _ in 0..3 {
            let o = Command::new(std::env::current_exe()?).args(&args).output()?;
            println!("{task:?} {} {}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr));
            }
            if matches!(task, Task::Insert | Task::SelectOne | Task::Pages) {
                let c = callgrind::count("counted_by_callgrind", &args, &PathBuf::from(format!("/tmp/cg.{task:?}")))?;
                println!("{} {}", c.instructions as f64 / times as f64, c.allocations as f64 / times as f64);
            }
        }
    }
    Ok(())
}
