//! `keyspaces`: Amazon Keyspaces from a shell.

mod cloudwatch;
mod color;
mod connection;
mod failure;
mod findings;
mod input;
mod output;
mod progress;
mod settings;
mod verbs;

use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;

use crate::color::Color;
use crate::failure::{Failure, Status};
use crate::verbs::Verb;

const AFTER_HELP: &str = "\
Exit status:
  0    done
  1    the answer is no: errors in a file, an unhealthy connection, rejected rows
  2    the command line, keyspaces.toml or a file is wrong
  3    refused by the service, or by this program because the service would
  4    not permitted: certificate, credentials or permissions
  5    not now: the same command may succeed later
  6    unknown: the statement may or may not have been applied
  130  interrupted by Ctrl-C

The place to connect to comes from --region, --endpoint, --local or --cassandra,
else from the environment, else from keyspaces.toml in this folder or above it.";

/// Amazon Keyspaces from a shell: schemas, queries and data.
#[derive(Debug, Parser)]
#[command(name = "keyspaces", version, after_help = AFTER_HELP, max_term_width = 110)]
struct Arguments {
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    #[command(subcommand)]
    verb: Verb,
}

/// How long what still runs in the background may take to end.
const LONGEST_END: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let Arguments { color, verb } = Arguments::parse();
    color.set();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return told(Err(Failure::new(Status::NotNow, format!("starting failed: {error}")))),
    };
    let status = told(runtime.block_on(verb.run()));
    end(runtime);
    status
}

/// Tells a failure, and gives the status to end with.
fn told(ended: Result<Status, Failure>) -> ExitCode {
    match ended {
        Ok(status) => status.into(),
        Err(failure) => {
            output::error(&failure);
            failure.status().into()
        }
    }
}

/// Ends what still runs in the background. The driver has a task that panics if the work it waits for is cancelled before it
/// has begun; everything has been told by now, and that is not worth a word.
fn end(runtime: Runtime) {
    panic::set_hook(Box::new(|_| {}));
    runtime.shutdown_timeout(LONGEST_END);
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_fits_into_a_hundred_columns() {
        let command = Arguments::command();
        for verb in command.get_subcommands().chain([&command]) {
            let text = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let long = text.lines().find(|line| line.chars().count() > 100);
            assert_eq!(long, None, "{}", verb.get_name());
        }
    }

    #[test]
    fn every_verb_has_an_example_and_takes_no_secret() {
        for verb in Arguments::command().get_subcommands() {
            let example = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(example.starts_with("Example"), "{} has no example", verb.get_name());
            for argument in verb.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(argument.get_help().is_some(), "{name} of {} has no help", verb.get_name());
                assert!(!["password", "secret", "token"].iter().any(|word| name.contains(word)), "{name}");
            }
        }
    }
}
