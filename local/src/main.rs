//! `keyspaces-local`: a strict local Amazon Keyspaces to develop and test against.

mod arguments;

use std::error::Error as StdError;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use clap::Parser;
use keyspaces_local::Ready;
use keyspaces_local::program::{remove_file, shutdown_signal, write_file};
use tracing_subscriber::EnvFilter;

use arguments::Arguments;

/// glibc's allocator keeps much of the memory that clients used, because small allocations remain in between. A thread
/// of jemalloc frees memory that was not used for ten seconds.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The exit of Cassandra is printed as an error anyway.
    let filter = || EnvFilter::new("warn,keyspaces_local::client=info,keyspaces_local::cassandra=off");
    let filter = EnvFilter::try_from_env("KEYSPACES_LOCAL_LOG").unwrap_or_else(|_| filter());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_line(&format!("keyspaces-local: {}", error_chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// Starts the service, prints the connection parameters, and waits for the end.
async fn serve(arguments: Arguments) -> Result<(), Box<dyn StdError>> {
    let (ready_file, env_file) = (arguments.ready_file.clone(), arguments.env_file.clone());
    let remove_files = || env_file.iter().chain(&ready_file).try_for_each(|path| remove(path));
    // A process that waits for a file must not read that of an earlier start.
    remove_files()?;
    let builder = arguments.builder().progress(print_line);
    let mut shutdown_signal = pin!(shutdown_signal());
    let local = tokio::select! {
        started = builder.start() => started?,
        () = &mut shutdown_signal => return Err("stopped before it was ready".into()),
    };
    let json = local.ready().json();
    let environment = local.ready().environment();
    // The ready file is written last: a process that waits for it finds the other file, too.
    for (path, text) in [(&env_file, environment.trim_end()), (&ready_file, &json)] {
        if let Some(path) = path {
            write_file(path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        }
    }
    writeln!(io::stdout(), "{json}")?;
    print_line(&ready_line(local.ready()));

    let ended = tokio::select! {
        () = &mut shutdown_signal => Ok(()),
        error = local.ended() => Err(error.into()),
    };
    remove_files()?;
    local.close().await?;
    ended
}

fn ready_line(ready: &Ready) -> String {
    let Ready { host, port, region, .. } = ready;
    format!("ready: {host}:{port} acts as Amazon Keyspaces in {region}. Ctrl-C ends it.")
}

fn remove(path: &Path) -> Result<(), String> {
    remove_file(path).map_err(|error| format!("{} cannot be removed: {error}", path.display()))
}

/// Prints a line to standard error, if it is still open.
fn print_line(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The text of an error with its causes.
fn error_chain(error: &dyn StdError) -> String {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !chain.contains(&text) {
            chain += ": ";
            chain += &text;
        }
        cause = error.source();
    }
    chain
}
