use std::path::{Path, PathBuf};
use std::pin::pin;
use std::str::FromStr;

use clap::Args;
use keyspaces::Endpoint;
use keyspaces::Session;
use keyspaces::bulk::{Format, Input};
use keyspaces_local::Local as Service;
use keyspaces_local::program::{remove_file, shutdown_signal, write_file};

use super::bulk::TableName;
use crate::failure::{Failure, Status};
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces local --schema schema.cql --load shop.users=users.csv --ready-file ready.json &
  keyspaces ping --local ready.json

When the service is ready, the command prints how to connect, as one line of JSON. Ctrl-C stops the
service and everything that it started. The program keyspaces-local has more settings.";

/// Start a local Keyspaces that stores in Apache Cassandra, with a schema and data
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Local {
    /// File of CREATE statements to run before the service is ready
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// File of rows to load before the service is ready; may be repeated
    #[arg(long, value_name = "KEYSPACE.TABLE=FILE")]
    load: Vec<LoadArgument>,
    /// File to write the line of JSON to when the service is ready; removed at the end
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Port to listen on with TLS; 0 picks a free port
    #[arg(long, default_value_t = 9142)]
    port: u16,
    /// Region to emulate
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Running Cassandra to store in, instead of starting one
    #[arg(long, value_name = "HOST:PORT")]
    cassandra: Option<String>,
    /// Turn off throttling
    #[arg(long)]
    no_throttling: bool,
}

/// `shop.users=users.csv`
#[derive(Clone, Debug)]
struct LoadArgument {
    table: TableName,
    file: PathBuf,
}

impl FromStr for LoadArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (table, file) = text.split_once('=').ok_or("expected KEYSPACE.TABLE=FILE, such as shop.users=users.csv")?;
        Ok(Self { table: table.parse()?, file: file.into() })
    }
}

impl Local {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        // A program that waits for the file must not find the file of an earlier run.
        remove_ready_file(self.ready_file.as_deref())?;
        let mut builder = Service::builder()
            .port(self.port)
            .region(&self.region)
            .throttling(!self.no_throttling)
            .progress(|line: &str| output::note(format_args!("  {line}")));
        if let Some(file) = &self.schema {
            builder = builder.schema(file);
        }
        if let Some(address) = &self.cassandra {
            builder = builder.cassandra(address);
        }
        let mut shutdown_signal = pin!(shutdown_signal());
        let service = tokio::select! {
            started = builder.start() => started?,
            () = &mut shutdown_signal => return Ok(Status::Interrupted),
        };
        tokio::select! {
            loaded = load(&service, &self.load) => loaded?,
            () = &mut shutdown_signal => return Ok(Status::Interrupted),
        }
        let json = service.ready().json();
        if let Some(path) = &self.ready_file {
            write_file(path, &json)
                .map_err(|error| Failure::usage(format!("writing {} failed: {error}", path.display())))?;
        }
        output::print(format_args!("{json}\n"))?;
        output::note(format_args!("ready: {}:{}. Press Ctrl-C to stop.", service.host(), service.port()));
        let result = tokio::select! {
            () = &mut shutdown_signal => Ok(Status::Success),
            error = service.ended() => Err(error.into()),
        };
        remove_ready_file(self.ready_file.as_deref())?;
        service.close().await?;
        result
    }
}

async fn load(service: &Service, arguments: &[LoadArgument]) -> Result<(), Failure> {
    if arguments.is_empty() {
        return Ok(());
    }
    let key = service.credentials();
    let session = Session::builder()
        .region(service.region())
        .endpoint(Endpoint::explicit(service.host(), service.port(), service.server_name())?)
        .trust_pem(service.ca_pem())?
        .static_credentials(&key.access_key, &key.secret_key, key.session_token.as_deref())
        .connect()
        .await?;
    for LoadArgument { table, file } in arguments {
        let format = Format::from_path(file).ok_or_else(|| {
            Failure::usage(format!(
                "cannot tell the format of {} from its name. Use a name that ends with .csv, .jsonl or .parquet",
                file.display()
            ))
        })?;
        let summary = session.bulk().load(&table.keyspace, &table.table, Input::file(file), format).await?;
        output::note(format_args!("{table}: {}", output::counted(summary.rows, "row")));
    }
    Ok(())
}

fn remove_ready_file(path: Option<&Path>) -> Result<(), Failure> {
    path.map_or(Ok(()), remove_file).map_err(|error| Failure::usage(format!("removing the ready file failed: {error}")))
}
