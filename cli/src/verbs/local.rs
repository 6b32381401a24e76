use std::path::{Path, PathBuf};
use std::pin::pin;
use std::str::FromStr;

use clap::Args;
use keyspaces::Endpoint;
use keyspaces::Session;
use keyspaces::bulk::{Format, Input};
use keyspaces_local::Local as Service;
use keyspaces_local::program::{asked_to_end, remove_file, write_file};

use super::bulk::TableName;
use crate::failure::{Failure, Status};
use crate::output;

const EXAMPLE: &str = "\
Example:
  keyspaces local --schema schema.cql --load shop.users=users.csv --ready-file ready.json &
  keyspaces ping --local ready.json

When it is ready, it prints a line of JSON that says how to connect. Ctrl-C ends it, and all that it
started.
The program keyspaces-local has more settings.";

/// Start a local Keyspaces over a real Apache Cassandra, with a schema and data
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Local {
    /// File of CREATE statements to carry out before it is ready
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// File of rows to load before it is ready; can be given several times
    #[arg(long, value_name = "KEYSPACE.TABLE=FILE")]
    load: Vec<Rows>,
    /// File to write the line of JSON to when it is ready; removed at the end
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Port to listen at with TLS; 0 takes any that is free
    #[arg(long, default_value_t = 9142)]
    port: u16,
    /// Region to stand for
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Running Cassandra to use instead of starting one
    #[arg(long, value_name = "HOST:PORT")]
    cassandra: Option<String>,
    /// Throttle nothing
    #[arg(long)]
    no_throttling: bool,
}

/// `shop.users=users.csv`
#[derive(Clone, Debug)]
struct Rows {
    table: TableName,
    file: PathBuf,
}

impl FromStr for Rows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (table, file) = text.split_once('=').ok_or("write the table, =, and the file, as shop.users=users.csv")?;
        Ok(Self { table: table.parse()?, file: file.into() })
    }
}

impl Local {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        // A program that waits for the file must not find that of an earlier start.
        remove(self.ready_file.as_deref())?;
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
        let mut asked_to_end = pin!(asked_to_end());
        let service = tokio::select! {
            started = builder.start() => started?,
            () = &mut asked_to_end => return Ok(Status::Interrupted),
        };
        tokio::select! {
            loaded = load(&service, &self.load) => loaded?,
            () = &mut asked_to_end => return Ok(Status::Interrupted),
        }
        let json = service.ready().json();
        if let Some(path) = &self.ready_file {
            write_file(path, &json)
                .map_err(|error| Failure::usage(format!("writing {} failed: {error}", path.display())))?;
        }
        output::answer(format_args!("{json}\n"))?;
        output::note(format_args!("ready: {}:{}. Ctrl-C ends it.", service.host(), service.port()));
        let ended = tokio::select! {
            () = &mut asked_to_end => Ok(Status::Done),
            error = service.ended() => Err(error.into()),
        };
        remove(self.ready_file.as_deref())?;
        service.close().await?;
        ended
    }
}

async fn load(service: &Service, all: &[Rows]) -> Result<(), Failure> {
    if all.is_empty() {
        return Ok(());
    }
    let own = service.credentials();
    let session = Session::builder()
        .region(service.region())
        .endpoint(Endpoint::explicit(service.host(), service.port(), service.server_name())?)
        .trust_pem(service.ca_pem())?
        .static_credentials(&own.access_key, &own.secret_key, own.session_token.as_deref())
        .connect()
        .await?;
    for Rows { table, file } in all {
        let format = Format::of_path(file)
            .ok_or_else(|| Failure::usage(format!("the name of {} says no format", file.display())))?;
        let summary = session.bulk().load(&table.keyspace, &table.table, Input::file(file), format).await?;
        output::note(format_args!("{table}: {}", output::counted(summary.rows, "row")));
    }
    Ok(())
}

fn remove(path: Option<&Path>) -> Result<(), Failure> {
    let removed = path.map_or(Ok(()), remove_file);
    removed.map_err(|error| Failure::usage(format!("removing the ready file failed: {error}")))
}
