//! `keyspaces`: Amazon Keyspaces from a shell.

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

use crate::color::Color;
use crate::verbs::Verb;

const AFTER_HELP: &str = "\
Exit status:
  0    done
  1    the answer is no: findings that are errors, an unhealthy connection, a plan that cannot be applied
  2    the command line, keyspaces.toml or a file is wrong
  3    refused by the service, or by this program because the service would
  4    not permitted: certificate, credentials or permissions
  5    not now: the same command may succeed later
  6    unknown: the statement may or may not have been applied
  130  interrupted by Ctrl-C

Where to connect is said by --region, --endpoint, --local or --cassandra, else by the environment, else by the file
keyspaces.toml of this folder or one above it.";

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

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { color, verb } = Arguments::parse();
    color.set();
    match verb.run().await {
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
    fn every_verb_has_an_example_and_takes_no_secret() {
        for verb in Arguments::command().get_subcommands() {
            let example = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(example.starts_with("Example"), "{} has no example", verb.get_name());
            for argument in verb.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(!["password", "secret", "token"].iter().any(|word| name.contains(word)), "{name}");
            }
        }
    }
}
