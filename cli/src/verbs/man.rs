use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

use crate::failure::{Failure, Status};
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces man > ~/.local/share/man/man1/keyspaces.1
  keyspaces man load | man -l -";

/// Print the man page of this program or of a verb
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Man {
    /// The verb [default: the whole program]
    verb: Option<String>,
}

impl Man {
    pub(crate) fn run(self) -> Result<Status, Failure> {
        let mut command = crate::Arguments::command();
        command.build();
        if let Some(verb) = &self.verb {
            let Some(found) = command.find_subcommand(verb) else {
                return Err(Failure::usage(format!("there is no verb {verb}. keyspaces --help lists them")));
            };
            command = found.clone();
        }
        let mut page = Vec::new();
        output::written(Page::new(command).render(&mut page))?;
        output::answer(String::from_utf8_lossy(&page))?;
        Ok(Status::Done)
    }
}
