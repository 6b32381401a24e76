//! This crate in a separate process.

use std::pin::Pin;

use keyspaces::bulk::{Csv, Input, Load};
use keyspaces::{Endpoint, Session};
use tokio::runtime::Runtime;

use crate::{Result, rows};

/// The variable with the parameters to connect to a local Keyspaces: host, port, name, access key, secret and CA, a line each.
pub(crate) const LOCAL: &str = "KEYSPACES_BENCH_LOCAL";

/// Reads lines and converts them to values, while Callgrind counts.
pub(crate) fn parse(address: &str, lines: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let session = runtime.block_on(Session::builder().endpoint(Endpoint::cassandra(address)?).connect())?;
    let dry_run = |lines| -> Result<Load> {
        let mut text = Vec::new();
        rows::write(lines, &mut text)?;
        Ok(session
            .bulk()
            .load("bench", "sales", Input::reader("lines", std::io::Cursor::new(text)), Csv::new())
            .dry_run())
    };
    // One-time initialization is done before the count.
    runtime.block_on(dry_run(100)?.into_future())?;
    let counted = dry_run(lines)?;
    counted_by_callgrind(&runtime, Box::pin(expect(lines, counted)))
}

/// Callgrind counts while this function runs, and finds it by its name, so it must not be inlined.
#[inline(never)]
fn counted_by_callgrind(runtime: &Runtime, task: Pin<Box<dyn Future<Output = Result<()>> + '_>>) -> Result<()> {
    runtime.block_on(task)
}

async fn expect(rows: u64, load: Load) -> Result<()> {
    let done = load.await?.rows;
    if done == rows { Ok(()) } else { Err(format!("{done} of {rows} rows were read").into()) }
}

/// Loads standard input, to the stub at this address or to the local Keyspaces that the environment names.
pub(crate) fn load(address: Option<&str>) -> Result<()> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let session = match address {
            Some(address) => Session::builder().endpoint(Endpoint::cassandra(address)?).connect().await?,
            None => connect().await?,
        };
        let table = if address.is_some() { "sales" } else { "ours" };
        let summary = session.bulk().load("bench", table, Input::stdin(), Csv::new()).await?;
        print_summary(&summary.to_string());
        Ok(())
    })
}

#[expect(clippy::print_stderr, reason = "it stands beside what other tools print")]
fn print_summary(summary: &str) {
    eprintln!("{summary}");
}

async fn connect() -> Result<Session> {
    let known = std::env::var(LOCAL)?;
    let parts: Vec<_> = known.splitn(6, '\n').collect();
    let [host, port, name, access_key, secret_key, ca] = parts[..] else { return Err("six lines".into()) };
    let endpoint = Endpoint::explicit(host, port.parse()?, name)?;
    let builder = Session::builder().endpoint(endpoint).trust_pem(ca)?;
    Ok(builder.static_credentials(access_key, secret_key, None).connect().await?)
}
