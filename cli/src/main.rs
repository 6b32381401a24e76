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

use std::process::ExitCode;

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

fn main() -> ExitCode {
    let Arguments { color, verb } = Arguments::parse();
    color.set();
    let ended = Runtime::new().map_err(|error| Failure::new(Status::NotNow, format!("starting failed: {error}")));
    let ended = ended.and_then(|runtime| {
        let ended = runtime.block_on(verb.run());
        // A runtime that is dropped cancels the driver's tasks, and one of them panics where another is cancelled.
        std::mem::forget(runtime);
        ended
    });
    match ended {
        Ok(status) => status.into(),
        Err(failure) => {
            output::error(&failure);
            failure.status().into()
        }
    }
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
