use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{input, output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces apply schema.cql --region us-east-1          # shows the plan and asks
  keyspaces apply schema.cql --region us-east-1 --yes    # in a script

Exit status: 0 if it is applied or nothing is to be done, 1 if you said no or it is impossible.";

/// Make the schema what files of CREATE statements say
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Apply {
    /// Files of CREATE statements
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Apply the plan without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Settings,
}

impl Apply {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let wanted = input::definitions(&self.files)?;
        if !self.yes && !io::stdin().is_terminal() {
            return Err(Failure::usage("standard input is not a terminal to ask at. Give --yes to apply the plan"));
        }
        let session = self.place.connect().await?;
        let plan = session.schema().plan(wanted).without_keyspaces_options_on_cassandra().await?;
        output::answer(format_args!("{plan}\n"))?;
        if !plan.impossible().is_empty() {
            return Ok(Status::No);
        }
        if plan.is_empty() {
            return Ok(Status::Done);
        }
        if !self.yes && !is_agreed()? {
            output::note("nothing was changed");
            return Ok(Status::No);
        }
        progress::follow(plan.apply().without_keyspaces_options_on_cassandra().progress()).await?;
        output::note("applied");
        Ok(Status::Done)
    }
}

fn is_agreed() -> Result<bool, Failure> {
    output::note("Apply this plan? Type yes:");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::usage(format!("reading the answer failed: {error}")))?;
    Ok(answer.trim() == "yes")
}
