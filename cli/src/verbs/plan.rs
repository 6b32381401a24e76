use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{input, output};

const EXAMPLE: &str = "\
Example:
  keyspaces plan schema.cql --region us-east-1

Exit status: 0 if the plan can be applied, 1 if it asks for something that Keyspaces cannot do.";

/// Show the statements that make the schema what files of CREATE statements say
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Plan {
    /// Files of CREATE statements; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Settings,
}

impl Plan {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let wanted = input::definitions(&self.files)?;
        let session = self.place.connect().await?;
        let plan = session.schema().plan(wanted).without_keyspaces_options_on_cassandra().await?;
        output::answer(format_args!("{plan}\n"))?;
        Ok(if plan.impossible().is_empty() { Status::Done } else { Status::No })
    }
}
