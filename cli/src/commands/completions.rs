use clap::Args;
use clap_complete::Shell;

use crate::failure::{Failure, Status};
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces completions bash > ~/.local/share/bash-completion/completions/keyspaces";

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Completions {
    /// Shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<Status, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::command_line(), "keyspaces", &mut script);
        output::print(String::from_utf8_lossy(&script))?;
        Ok(Status::Success)
    }
}
