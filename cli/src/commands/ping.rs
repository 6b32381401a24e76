use std::time::{Duration, Instant};

use clap::Args;

use crate::connection;
use crate::failure::{Failure, Status};
use crate::output;
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces ping --region us-east-1";

/// Connect, send one request, and print how long both took
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Ping {
    #[command(flatten)]
    pub(super) connection: Settings,
}

impl Ping {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let started = Instant::now();
        let session = connection::connect_to_one_peer(self.connection).await?;
        let connected = started.elapsed();
        let started = Instant::now();
        let rows: Vec<(String,)> =
            session.rows("SELECT key FROM system.local WHERE key = 'local'", ()).try_collect().await?;
        let answered = started.elapsed();
        let endpoint = session.endpoint();
        if rows.len() != 1 {
            let problem = format!("{endpoint} answered with {} rows of system.local instead of one", rows.len());
            return Err(Failure::new(Status::Unavailable, problem));
        }
        output::print(format_args!("{endpoint}: connected in {connected:.1?}, answered in {answered:.1?}\n"))?;
        session.close(Duration::from_secs(1)).await?;
        Ok(Status::Success)
    }
}
