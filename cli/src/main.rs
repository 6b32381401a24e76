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

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser};
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
that connects. They may stand before the command too. Without them, the settings come from the
environment, then from keyspaces.toml in this folder or the nearest folder above that has one.";

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
    let command = match with_leading_flags(command, &matches) {
        Ok(command) => command,
        Err(failure) => return exit_code(Err(failure)),
    };
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
    Arguments::command().args(connection_flags().map(|flag| flag.hide(true)))
}

fn connection_flags() -> impl Iterator<Item = clap::Arg> {
    let settings = Settings::augment_args(clap::Command::default());
    settings.get_arguments().cloned().collect::<Vec<_>>().into_iter()
}

/// Adds the connection flags before the command to those after it. They are refused before a command that does not connect,
/// even if it has a flag of the same name, which means something else.
fn with_leading_flags(mut command: Command, matches: &ArgMatches) -> Result<Command, Failure> {
    if let (Some(connection), Some((_, after))) = (command.connection(), matches.subcommand()) {
        for flags in [matches, after] {
            connection.update_from_arg_matches(flags).unwrap_or_else(|error| error.exit());
        }
        return Ok(command);
    }
    let given = connection_flags().filter(|flag| matches.contains_id(flag.get_id().as_str()));
    let given: Vec<_> = given.filter_map(|flag| flag.get_long().map(str::to_owned)).collect();
    if given.is_empty() {
        return Ok(command);
    }
    let name = matches.subcommand_name().unwrap_or_default();
    let arguments = Arguments::command();
    let own = arguments.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
    let own: Vec<_> = own.filter_map(clap::Arg::get_long).collect();
    let are_own = given.iter().all(|flag| own.contains(&flag.as_str()));
    let flags = given.iter().map(|flag| format!("--{flag}")).collect::<Vec<_>>().join(" and ");
    let advice = if are_own { format!("Write its own {flags} after the command") } else { format!("Remove {flags}") };
    Err(Failure::usage(format!("{name} does not connect to a service and accepts no connection flags. {advice}")))
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

    /// The parsed command as text, or the error.
    fn parsed(arguments: &[&str]) -> Result<String, String> {
        let matches = command_line().try_get_matches_from(["keyspaces"].iter().chain(arguments)).unwrap();
        let arguments = Arguments::from_arg_matches(&matches).unwrap();
        let command = with_leading_flags(arguments.command, &matches).map_err(|failure| failure.to_string())?;
        Ok(format!("{command:?}"))
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
        let flags: Vec<_> = connection_flags().filter_map(|flag| flag.get_long().map(str::to_owned)).collect();
        assert!(flags.iter().any(|flag| flag == "local"), "{flags:?}");
        for flag in flags.into_iter().map(|flag| format!("--{flag}")) {
            for command in [&["ping"][..], &["count", "shop.users"]] {
                let after = parsed(&[command, &[&flag, "here"]].concat()).unwrap();
                assert!(after.contains("Some(\"here\")"), "{after}");
                assert_eq!(parsed(&[&[&*flag, "here"], command].concat()).as_ref(), Ok(&after));
                assert_eq!(parsed(&[&[&*flag, "there"], command, &[&flag, "here"]].concat()), Ok(after));
            }
        }
    }

    #[test]
    fn commands_that_do_not_connect_refuse_connection_flags() {
        let refused = |arguments: &[&str]| parsed(arguments).unwrap_err();
        let lint = "lint does not connect to a service and accepts no connection flags. ";
        assert_eq!(refused(&["--region", "eu-west-1", "lint", "a.cql"]), format!("{lint}Remove --region"));
        let two = ["--user", "u", "--server-name", "s", "lint", "a.cql"];
        assert_eq!(refused(&two), format!("{lint}Remove --server-name and --user"));
        for command in [&["convert", "a.cql"][..], &["alarms", "a.cql"], &["man"], &["completions", "bash"]] {
            let name = command[0];
            let expected =
                format!("{name} does not connect to a service and accepts no connection flags. Remove --local");
            assert_eq!(refused(&[&["--local", "ready.json"], command].concat()), expected);
            let after = command_line().try_get_matches_from([&["keyspaces"], command, &["--region", "r"]].concat());
            let after = after.unwrap_err().to_string();
            assert!(after.starts_with("error: unexpected argument '--region' found\n"), "{after}");
        }
        let local = "local does not connect to a service and accepts no connection flags. ";
        for (flag, value) in [("--cassandra", "127.0.0.1:9042"), ("--region", "eu-west-1")] {
            let own = parsed(&["local", flag, value]).unwrap();
            assert!(own.contains(value), "{own}");
            assert_eq!(refused(&[flag, value, "local"]), format!("{local}Write its own {flag} after the command"));
        }
        assert_eq!(
            refused(&["--profile", "p", "--region", "r", "local"]),
            format!("{local}Remove --region and --profile")
        );
    }
}
