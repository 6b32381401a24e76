use clap::Args;
use clap_mangen::Man as Page;

use crate::failure::{Failure, Status};
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces man > ~/.local/share/man/man1/keyspaces.1
  keyspaces man load | man -l -";

/// Print the man page of this program or of a command
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Man {
    /// Command to describe [default: the program]
    command: Option<String>,
}

impl Man {
    pub(crate) fn run(self) -> Result<Status, Failure> {
        let mut command_line = crate::command_line();
        command_line.build();
        if let Some(name) = &self.command {
            let Some(command) = command_line.find_subcommand(name) else {
                let problem = format!("unknown command {name}. keyspaces --help lists the commands");
                return Err(Failure::usage(problem));
            };
            command_line = command.clone();
        }
        let mut page = Vec::new();
        output::check_written(Page::new(command_line).render(&mut page))?;
        output::print(String::from_utf8_lossy(&page))?;
        Ok(Status::Success)
    }
}
