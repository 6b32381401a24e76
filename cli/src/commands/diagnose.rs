use clap::Args;

use crate::connection;
use crate::failure::{Failure, Status};
use crate::output;
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces diagnose --region us-east-1
  keyspaces diagnose --endpoint vpce-0a1b2c3d.cassandra.us-east-1.vpce.amazonaws.com

Exit status: 0 if all checks pass, 1 if any check fails.";

/// Check the connection step by step, and explain how to fix what fails
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Diagnose {
    #[command(flatten)]
    pub(super) connection: Settings,
}

impl Diagnose {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let report = connection::session_builder(self.connection).await?.diagnose().await;
        output::print(format_args!("{report}\n"))?;
        Ok(if report.is_healthy() { Status::Success } else { Status::Negative })
    }
}
