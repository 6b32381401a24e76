use std::path::PathBuf;

use clap::Args;

use crate::connection;
use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{input, output};

const EXAMPLE: &str = "\
Example:
  keyspaces plan schema.cql --region us-east-1

Exit status: 0 if the plan can be applied, 1 if it is impossible.";

/// Show the statements that change the schema to match schema files
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Plan {
    /// Files of CREATE statements; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) connection: Settings,
}

impl Plan {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let definitions = input::definitions(&self.files)?;
        let session = connection::connect(self.connection).await?;
        let plan = session.schema().plan(definitions).without_keyspaces_options_on_cassandra().await?;
        output::print(format_args!("{plan}\n"))?;
        Ok(if plan.impossible().is_empty() { Status::Success } else { Status::Negative })
    }
}
