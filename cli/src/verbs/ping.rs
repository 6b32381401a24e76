use std::time::{Duration, Instant};

use clap::Args;

use crate::failure::{Failure, Status};
use crate::output;
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces ping --region us-east-1";

/// Connect, make one request, and say in one line how long it took
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Ping {
    #[command(flatten)]
    place: Settings,
}

impl Ping {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let begun = Instant::now();
        let session = self.place.connect_to_one().await?;
        let connected = begun.elapsed();
        let begun = Instant::now();
        let rows: Vec<(String,)> =
            session.rows("SELECT key FROM system.local WHERE key = 'local'", ()).try_collect().await?;
        let answered = begun.elapsed();
        let endpoint = session.endpoint();
        if rows.len() != 1 {
            let problem = format!("{endpoint} answered with {} rows of system.local instead of one", rows.len());
            return Err(Failure::new(Status::NotNow, problem));
        }
        output::answer(format_args!("{endpoint}: connected in {connected:.1?}, answered in {answered:.1?}\n"))?;
        session.close(Duration::from_secs(1)).await?;
        Ok(Status::Done)
    }
}
