//! Options that several verbs for whole tables have.

use std::path::PathBuf;

use clap::Args;
use keyspaces::bulk::{Export, Format, Input, Load, Rate};
use keyspaces::{ReadConsistency, Session};

use super::format::{FileOptions, input};
use super::pace::Pace;
use super::run::SummaryFormat;
use crate::failure::Failure;
use crate::settings::Settings;

/// How fast an operation goes, how it goes on later, and where its table is.
#[derive(Args, Debug)]
pub(super) struct Operation {
    /// Capacity units a second, as 500, or a share of the provisioned capacity, as 80% [default: what the table takes]
    #[arg(long, value_name = "UNITS|PERCENT%")]
    rate: Option<Pace>,
    /// File that records how far it is
    #[arg(long, value_name = "FILE")]
    pub(super) checkpoint: Option<PathBuf>,
    /// How to write the summary
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: SummaryFormat,
    #[command(flatten)]
    place: Settings,
}

impl Operation {
    pub(super) async fn connect(&self) -> Result<Session, Failure> {
        self.place.clone().connect().await
    }

    pub(super) fn rate(&self) -> Rate {
        Pace::or_adaptive(self.rate)
    }
}

/// Which rows of a table are read, and how.
#[derive(Args, Debug)]
pub(super) struct Selection {
    /// Only the rows of which this is true: what follows WHERE in a SELECT
    #[arg(long = "where", value_name = "RELATIONS")]
    filter: Option<String>,
    /// Read at LOCAL_ONE, which costs half as much and may miss what was written a moment ago
    #[arg(long)]
    local_one: bool,
}

impl Selection {
    /// The same export or count, of these rows and as the operation says.
    pub(super) fn set(&self, mut export: Export, operation: &Operation) -> Export {
        export = export.rate(operation.rate());
        if let Some(filter) = &self.filter {
            export = export.filter(filter);
        }
        if self.local_one {
            export = export.consistency(ReadConsistency::LocalOne);
        }
        if let Some(path) = &operation.checkpoint {
            export = export.checkpoint(path);
        }
        export
    }
}

/// The files that rows or keys are in.
#[derive(Args, Debug)]
pub(super) struct Rows {
    /// Files or one pattern for them, .gz and .zst too; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Columns of the files, in the order of the fields, where no first line of CSV names them; of Parquet those to take
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    #[command(flatten)]
    format: FileOptions,
    /// File for rows that can never be taken, to be mended and given again [default: the first one ends the operation]
    #[arg(long, value_name = "FILE")]
    rejected_to: Option<PathBuf>,
    /// Read, check and measure everything, and send nothing
    #[arg(long)]
    dry_run: bool,
}

impl Rows {
    pub(super) fn format(&self) -> Result<Format, Failure> {
        self.format.format(&self.files[0], &self.columns)
    }

    pub(super) fn input(&self) -> Result<Input, Failure> {
        input(&self.files)
    }

    /// The same load or deletion, with these options and as the operation says.
    pub(super) fn set(&self, mut load: Load, operation: &Operation) -> Load {
        load = load.rate(operation.rate());
        if !self.columns.is_empty() {
            load = load.columns(&self.columns);
        }
        if let Some(path) = &operation.checkpoint {
            load = load.checkpoint(path);
        }
        if let Some(path) = &self.rejected_to {
            load = load.rejected_to(path);
        }
        if self.dry_run {
            load = load.dry_run();
        }
        load
    }
}
