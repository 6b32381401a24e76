//! The target of the examples: AWS, a plain Cassandra, or a local Keyspaces that the example starts.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::error::Error;
use std::time::Duration;

use keyspaces::{Endpoint, Session, SessionBuilder};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;

/// The target, from the command line.
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
    /// Returns a builder for a session to the target. Without a target it starts a local Keyspaces, in which definitions take
    /// `ddl_delay`, and which ends when the returned value is dropped.
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
