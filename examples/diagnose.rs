//! Connects step by step and reports what each step found, with what to do beside what is not right.
//!
//! Without arguments it starts a local Keyspaces and reports on that. With `--region us-east-1` it reports on AWS, with
//! `--endpoint host:port` on anything that should be Keyspaces, with `--cassandra host:port` on a plain Cassandra.
//! Secrets come from the environment: `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, or `KEYSPACES_PASSWORD`. The
//! exit code is 1 if anything is wrong.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Parser};
use keyspaces::{Builder, Endpoint, Session};
use keyspaces_local::Local;

#[derive(Parser)]
#[command(about = "Report, step by step, on a connection to Amazon Keyspaces or to a local one")]
#[command(group(ArgGroup::new("place").args(["endpoint", "region", "cassandra"]).multiple(true)))]
struct Arguments {
    /// Where to connect; without a port, 9142
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "cassandra")]
    endpoint: Option<String>,
    /// The name that the certificate must carry; without it the region's, else the endpoint's host
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    server_name: Option<String>,
    /// The region to sign for and, without an endpoint, to connect to
    #[arg(long, conflicts_with = "cassandra")]
    region: Option<String>,
    /// A PEM file with roots to trust beside those that Keyspaces chains to
    #[arg(long, value_name = "FILE", requires = "place", conflicts_with = "cassandra")]
    ca: Option<PathBuf>,
    /// Sign with this access key; its secret is in AWS_SECRET_ACCESS_KEY, a session token in AWS_SESSION_TOKEN
    #[arg(long, value_name = "KEY", requires = "place", conflicts_with_all = ["cassandra", "user"])]
    access_key: Option<String>,
    /// Authenticate as this user; the password is in KEYSPACES_PASSWORD
    #[arg(long, requires = "place")]
    user: Option<String>,
    /// Report on a plain Cassandra; without a port, 9042
    #[arg(long, value_name = "HOST:PORT")]
    cassandra: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    // A local Keyspaces lives as long as this value.
    let mut local = None;
    let builder = if arguments.names_a_place() {
        arguments.builder()?
    } else {
        println!("Starting a local Keyspaces (the first time this downloads Apache Cassandra, 66 MB) ...");
        let local = local.insert(Local::builder().progress(|step| println!("  {step}")).start().await?);
        println!();
        let own = local.credentials();
        Session::builder()
            .endpoint(Endpoint::explicit(local.host(), local.port(), local.server_name())?)
            .region(local.region())
            .trust_pem(local.ca_pem())?
            .static_credentials(&own.access_key, &own.secret_key, own.session_token.as_deref())
    };
    let report = builder.diagnose().await;
    println!("{report}");
    if let Some(local) = local {
        local.close().await?;
    }
    Ok(if report.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Arguments {
    fn names_a_place(&self) -> bool {
        self.endpoint.is_some() || self.region.is_some() || self.cassandra.is_some()
    }

    fn builder(&self) -> Result<Builder, Box<dyn Error>> {
        let mut builder = Session::builder();
        if let Some(region) = &self.region {
            builder = builder.region(region);
        }
        if let Some(cassandra) = &self.cassandra {
            builder = builder.endpoint(Endpoint::cassandra(cassandra)?);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(self.explicit(endpoint)?);
        }
        if let Some(ca) = &self.ca {
            let pem = fs::read(ca).map_err(|error| format!("reading {}: {error}", ca.display()))?;
            builder = builder.trust_pem(pem)?;
        }
        if let Some(access_key) = &self.access_key {
            let token = env::var("AWS_SESSION_TOKEN").ok();
            builder = builder.static_credentials(access_key, &variable("AWS_SECRET_ACCESS_KEY")?, token.as_deref());
        }
        if let Some(user) = &self.user {
            builder = builder.password(user, variable("KEYSPACES_PASSWORD")?);
        }
        Ok(builder)
    }

    fn explicit(&self, endpoint: &str) -> Result<Endpoint, Box<dyn Error>> {
        let (host, port) = match endpoint.rsplit_once(':') {
            // What follows the last colon of an IPv6 address is a port only behind a bracket.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| format!("{port:?} is not a port"))?)
            }
            _ => (endpoint, 9142),
        };
        let standard = self.region.as_deref().map(Endpoint::region).transpose()?;
        let server_name = match (&self.server_name, &standard) {
            (Some(name), _) => name,
            (None, Some(standard)) => standard.server_name().unwrap_or(host),
            (None, None) => host,
        };
        Ok(Endpoint::explicit(host, port, server_name)?)
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set"))
}
