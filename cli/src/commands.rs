//! The commands, one module each.

mod alarms;
mod apply;
mod bulk;
mod completions;
mod convert;
mod describe;
mod diagnose;
mod lint;
mod local;
mod man;
mod metrics;
mod migrate;
mod ping;
mod plan;
mod query;
mod restore;

use clap::Subcommand;

use crate::failure::{Failure, Status};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Lint(lint::Lint),
    Convert(convert::Convert),
    Ping(ping::Ping),
    Diagnose(diagnose::Diagnose),
    Query(query::Query),
    Describe(describe::Describe),
    Plan(plan::Plan),
    Apply(apply::Apply),
    Migrate(migrate::Migrate),
    Restore(restore::Restore),
    Load(bulk::Load),
    Export(bulk::Export),
    Count(bulk::Count),
    Copy(bulk::Copy),
    Delete(bulk::Delete),
    Alarms(alarms::Alarms),
    Metrics(metrics::Metrics),
    Local(local::Local),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    /// The connection flags of the command; `None` for a command that does not connect.
    pub(crate) fn connection(&mut self) -> Option<&mut Settings> {
        match self {
            Self::Lint(_)
            | Self::Convert(_)
            | Self::Alarms(_)
            | Self::Local(_)
            | Self::Completions(_)
            | Self::Man(_) => None,
            Self::Ping(command) => Some(&mut command.connection),
            Self::Diagnose(command) => Some(&mut command.connection),
            Self::Query(command) => Some(&mut command.connection),
            Self::Describe(command) => Some(&mut command.connection),
            Self::Plan(command) => Some(&mut command.connection),
            Self::Apply(command) => Some(&mut command.connection),
            Self::Migrate(command) => Some(&mut command.connection),
            Self::Restore(command) => Some(&mut command.connection),
            Self::Load(command) => Some(&mut command.operation.connection),
            Self::Export(command) => Some(&mut command.operation.connection),
            Self::Count(command) => Some(&mut command.operation.connection),
            Self::Copy(command) => Some(&mut command.operation.connection),
            Self::Delete(command) => Some(&mut command.operation.connection),
            Self::Metrics(command) => Some(&mut command.connection),
        }
    }

    pub(crate) async fn run(self) -> Result<Status, Failure> {
        match self {
            Self::Lint(command) => command.run(),
            Self::Convert(command) => command.run(),
            Self::Ping(command) => command.run().await,
            Self::Diagnose(command) => command.run().await,
            Self::Query(command) => command.run().await,
            Self::Describe(command) => command.run().await,
            Self::Plan(command) => command.run().await,
            Self::Apply(command) => command.run().await,
            Self::Migrate(command) => command.run().await,
            Self::Restore(command) => command.run().await,
            Self::Load(command) => command.run().await,
            Self::Export(command) => command.run().await,
            Self::Count(command) => command.run().await,
            Self::Copy(command) => command.run().await,
            Self::Delete(command) => command.run().await,
            Self::Alarms(command) => command.run(),
            Self::Metrics(command) => command.run().await,
            Self::Local(command) => command.run().await,
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(),
        }
    }
}
