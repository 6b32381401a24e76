//! The verbs, one module each.

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

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
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

impl Verb {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        match self {
            Self::Lint(verb) => verb.run(),
            Self::Convert(verb) => verb.run(),
            Self::Ping(verb) => verb.run().await,
            Self::Diagnose(verb) => verb.run().await,
            Self::Query(verb) => verb.run().await,
            Self::Describe(verb) => verb.run().await,
            Self::Plan(verb) => verb.run().await,
            Self::Apply(verb) => verb.run().await,
            Self::Migrate(verb) => verb.run().await,
            Self::Restore(verb) => verb.run().await,
            Self::Load(verb) => verb.run().await,
            Self::Export(verb) => verb.run().await,
            Self::Count(verb) => verb.run().await,
            Self::Copy(verb) => verb.run().await,
            Self::Delete(verb) => verb.run().await,
            Self::Alarms(verb) => verb.run(),
            Self::Metrics(verb) => verb.run().await,
            Self::Local(verb) => verb.run().await,
            Self::Completions(verb) => verb.run(),
            Self::Man(verb) => verb.run(),
        }
    }
}
