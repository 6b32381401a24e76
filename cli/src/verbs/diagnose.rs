use clap::Args;

use crate::failure::{Failure, Status};
use crate::output;
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces diagnose --region us-east-1
  keyspaces diagnose --endpoint vpce-0a1b2c3d.cassandra.us-east-1.vpce.amazonaws.com

Exit status: 0 if everything is right, 1 if anything is wrong.";

/// Connect step by step and report what each step found, with what to do about what is wrong
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Diagnose {
    #[command(flatten)]
    place: Settings,
}

impl Diagnose {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let report = self.place.builder().await?.diagnose().await;
        output::answer(format_args!("{report}\n"))?;
        Ok(if report.is_healthy() { Status::Done } else { Status::No })
    }
}
