//! Where a program of this folder runs: on AWS, on a plain Cassandra, or on a local Keyspaces that it starts.

#![expect(clippy::print_stdout, reason = "what it does is for people to read")]

use std::error::Error;
use std::time::Duration;

use keyspaces::{Endpoint, Session, SessionBuilder};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;

/// What is said of it on the command line.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// Run against AWS, in this region
    #[arg(long, conflicts_with = "cassandra")]
    region: Option<String>,
    /// Run against a plain Cassandra
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) cassandra: Option<String>,
}

impl Place {
    /// What a session is built with there, and the local Keyspaces that was started if no place was given, whose definitions
    /// take so long. It lives as long as the value.
    pub(crate) async fn find(&self, ddl_delay: Duration) -> Result<(SessionBuilder, Option<Local>), Box<dyn Error>> {
        Ok(match (&self.region, &self.cassandra) {
            (Some(region), _) => (Session::builder().region(region), None),
            (None, Some(cassandra)) => (Session::builder().endpoint(Endpoint::cassandra(cassandra)?), None),
            (None, None) => {
                println!("Starting a local Keyspaces (the first time this downloads Apache Cassandra, 66 MB) ...");
                let builder = Local::builder().ddl_delay(ddl_delay).progress(|step| println!("  {step}"));
                let local = builder.start().await?;
                (Session::builder().local(&local)?, Some(local))
            }
        })
    }
}
