use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use crate::connection;
use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{input, output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces apply schema.cql --region us-east-1          # shows the plan and asks
  keyspaces apply schema.cql --region us-east-1 --yes    # in a script

Exit status: 0 if the plan is applied or empty, 1 if it is declined or impossible.";

/// Change the schema to match schema files
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Apply {
    /// Files of CREATE statements; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Apply the plan without asking for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) connection: Settings,
}

impl Apply {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let definitions = input::definitions(&self.files)?;
        if !self.yes && !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "cannot ask for confirmation: standard input is not a terminal. Pass --yes to apply the plan",
            ));
        }
        let session = connection::connect(self.connection).await?;
        let plan = session.schema().plan(definitions).without_keyspaces_options_on_cassandra().await?;
        output::print(format_args!("{plan}\n"))?;
        if !plan.impossible().is_empty() {
            return Ok(Status::Negative);
        }
        if plan.is_empty() {
            return Ok(Status::Success);
        }
        if !self.yes && !is_confirmed()? {
            output::note("not applied: nothing was changed");
            return Ok(Status::Negative);
        }
        progress::show(plan.apply().without_keyspaces_options_on_cassandra().progress()).await?;
        output::note("applied");
        Ok(Status::Success)
    }
}

fn is_confirmed() -> Result<bool, Failure> {
    output::note("Apply this plan? Enter yes to confirm:");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::usage(format!("reading the answer failed: {error}")))?;
    Ok(answer.trim() == "yes")
}
