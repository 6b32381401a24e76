//! `keyspaces-local`: a strict local Amazon Keyspaces to develop and test against.

mod arguments;

use std::error::Error as StdError;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use clap::Parser;
use keyspaces_local::Ready;
use keyspaces_local::program::{asked_to_end, remove_file, write_file};
use tracing_subscriber::EnvFilter;

use arguments::Arguments;

/// glibc's allocator keeps much of what clients used, between small allocations that stay. A thread of this one gives back
/// what was not used for ten seconds.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Of Cassandra's end there is a word at the end anyway.
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
            say(&format!("keyspaces-local: {}", story(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// Starts, says so, and waits to be ended.
async fn serve(arguments: Arguments) -> Result<(), Box<dyn StdError>> {
    let (ready_file, env_file) = (arguments.ready_file.clone(), arguments.env_file.clone());
    let remove_files = || env_file.iter().chain(&ready_file).try_for_each(|path| remove(path));
    // Who waits for a file must not take one that a start before this left behind.
    remove_files()?;
    let builder = arguments.builder().progress(say);
    let mut asked_to_end = pin!(asked_to_end());
    let local = tokio::select! {
        started = builder.start() => started?,
        () = &mut asked_to_end => return Err("ended before it was ready".into()),
    };
    let json = local.ready().json();
    let environment = local.ready().environment();
    // The ready file last: who has waited for it finds the other.
    for (path, text) in [(&env_file, environment.trim_end()), (&ready_file, &json)] {
        if let Some(path) = path {
            write_file(path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        }
    }
    writeln!(io::stdout(), "{json}")?;
    say(&welcome(local.ready()));

    let ended = tokio::select! {
        () = &mut asked_to_end => Ok(()),
        error = local.ended() => Err(error.into()),
    };
    remove_files()?;
    local.close().await?;
    ended
}

fn welcome(ready: &Ready) -> String {
    let Ready { host, port, region, .. } = ready;
    format!("ready: {host}:{port} stands for Amazon Keyspaces in {region}. Ctrl-C ends it.")
}

fn remove(path: &Path) -> Result<(), String> {
    remove_file(path).map_err(|error| format!("{} cannot be removed: {error}", path.display()))
}

/// To standard error; where that is gone, to nobody.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// An error and what caused it.
fn story(error: &dyn StdError) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !story.contains(&text) {
            story += ": ";
            story += &text;
        }
        cause = error.source();
    }
    story
}
