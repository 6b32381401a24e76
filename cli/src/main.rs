//! `keyspaces`: Amazon Keyspaces from a shell.

mod cloudwatch;
mod color;
mod commands;
mod connection;
mod failure;
mod findings;
mod input;
mod output;
mod progress;
mod settings;

use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use tokio::runtime::Runtime;

use crate::color::Color;
use crate::commands::Command;
use crate::failure::{Failure, Status};
use crate::settings::Settings;

const AFTER_HELP: &str = "\
Exit status:
  0    success
  1    negative result: errors in a file, an unhealthy connection, rejected rows
  2    invalid command line, keyspaces.toml or input file
  3    refused by the service, or by this program because the service would
  4    not permitted: certificate, credentials or permissions
  5    temporary failure: the same command may succeed later
  6    unknown outcome: the statement may or may not have been applied
  130  interrupted by Ctrl-C

The flags that say where to connect, such as --region and --local, are in the help of each command
that connects. They may stand before the command too. Without them, the environment and then the
file keyspaces.toml in this folder or above it decide.";

/// Check, query and manage Amazon Keyspaces from a shell
#[derive(Debug, Parser)]
#[command(name = "keyspaces", version, after_help = AFTER_HELP, max_term_width = 110)]
struct Arguments {
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

/// How long background tasks may take to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let matches = command_line().get_matches();
    let Arguments { color, command } = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    color.set();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let problem = format!("starting the runtime failed: {error}");
            return exit_code(Err(Failure::new(Status::Unavailable, problem)));
        }
    };
    let code = exit_code(runtime.block_on(command.run()));
    shut_down(runtime);
    code
}

/// The commands and flags. The flags of [`Settings`] are also accepted before the command, where the help does not repeat them.
fn command_line() -> clap::Command {
    let settings = Settings::augment_args(clap::Command::default());
    let flags = settings.get_arguments().map(|flag| flag.clone().global(true).hide(true));
    Arguments::command().args(flags)
}

/// Prints the failure, if any, and returns the exit code.
fn exit_code(result: Result<Status, Failure>) -> ExitCode {
    match result {
        Ok(status) => status.into(),
        Err(failure) => {
            output::print_error(&failure);
            failure.status().into()
        }
    }
}

/// Ends background tasks. A task of the driver panics if it is cancelled before its first poll. The result has been printed
/// by then, so the panic is not reported.
fn shut_down(runtime: Runtime) {
    panic::set_hook(Box::new(|_| {}));
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parsed command line, as text.
    fn parsed(arguments: &[&str]) -> String {
        let matches = command_line().try_get_matches_from(["keyspaces"].iter().chain(arguments)).unwrap();
        format!("{:?}", Arguments::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn the_definition_holds_together() {
        command_line().debug_assert();
    }

    #[test]
    fn help_text_fits_into_100_columns() {
        let command_line = command_line();
        for command in command_line.get_subcommands().chain([&command_line]) {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let long = text.lines().find(|line| line.chars().count() > 100);
            assert_eq!(long, None, "{}", command.get_name());
        }
    }

    #[test]
    fn every_command_has_an_example_and_accepts_no_secret() {
        for command in command_line().get_subcommands() {
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(example.starts_with("Example"), "{} has no example", command.get_name());
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(argument.get_help().is_some(), "{name} of {} has no help", command.get_name());
                assert!(!["password", "secret", "token"].iter().any(|word| name.contains(word)), "{name}");
            }
        }
    }

    #[test]
    fn connection_flags_are_accepted_before_or_after_the_command() {
        let settings = Settings::augment_args(clap::Command::default());
        let flags: Vec<_> = settings.get_arguments().filter_map(clap::Arg::get_long).collect();
        assert!(flags.contains(&"local"), "{flags:?}");
        for flag in flags.into_iter().map(|flag| format!("--{flag}")) {
            let after = parsed(&["ping", &flag, "here"]);
            assert!(after.contains("Some(\"here\")"), "{after}");
            assert_eq!(parsed(&[&flag, "here", "ping"]), after);
            assert_eq!(parsed(&[&flag, "there", "ping", &flag, "here"]), after);
        }
        assert_eq!(parsed(&["--region", "eu-west-1", "local"]), parsed(&["local", "--region", "eu-west-1"]));
    }
}
