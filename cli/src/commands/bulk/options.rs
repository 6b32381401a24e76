//! Options that several commands on whole tables share.

use std::path::PathBuf;

use clap::Args;
use keyspaces::bulk::{Export, Format, Input, Load, Rate};
use keyspaces::{ReadConsistency, Session};

use super::format::{FormatOptions, input};
use super::rate::RateArgument;
use crate::connection;
use crate::failure::Failure;
use crate::output::SummaryFormat;
use crate::settings::Settings;

/// The rate, the checkpoint, the summary and the connection of an operation.
#[derive(Args, Debug)]
pub(crate) struct OperationOptions {
    /// Capacity units a second, such as 500, or a share of the provisioned capacity, such as 80% [default: adapts to throttling]
    #[arg(long, value_name = "UNITS|PERCENT%")]
    rate: Option<RateArgument>,
    /// File that records the progress, to resume from
    #[arg(long, value_name = "FILE")]
    pub(super) checkpoint: Option<PathBuf>,
    /// Output format of the summary
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: SummaryFormat,
    #[command(flatten)]
    pub(crate) connection: Settings,
}

impl OperationOptions {
    pub(super) async fn connect(&self) -> Result<Session, Failure> {
        connection::connect(self.connection.clone()).await
    }

    pub(super) fn rate(&self) -> Rate {
        RateArgument::or_adaptive(self.rate)
    }
}

/// Which rows are read, and at which consistency.
#[derive(Args, Debug)]
pub(super) struct ReadOptions {
    /// Read only the rows that match these relations, written as after WHERE in a SELECT, without the word WHERE
    #[arg(long = "where", value_name = "RELATIONS")]
    filter: Option<String>,
    /// Read at LOCAL_ONE: half the cost, and the most recent writes may be missing
    #[arg(long)]
    local_one: bool,
}

impl ReadOptions {
    /// Applies these options and those of the operation to an export or a count.
    pub(super) fn configure(&self, mut export: Export, operation: &OperationOptions) -> Export {
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

/// The files with the rows or keys.
#[derive(Args, Debug)]
pub(super) struct InputOptions {
    /// Files or one pattern, also .gz and .zst; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Columns in the order of the fields of CSV files without a header row; columns to take from Parquet files
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    #[command(flatten)]
    format: FormatOptions,
    /// File for rejected rows, to correct and load again; without it, the first rejected row stops all but a dry run
    #[arg(long, value_name = "FILE")]
    rejected_file: Option<PathBuf>,
    /// Read and check all rows, and send nothing
    #[arg(long)]
    dry_run: bool,
}

impl InputOptions {
    pub(super) fn format(&self) -> Result<Format, Failure> {
        self.format.format(&self.files[0], &self.columns)
    }

    pub(super) fn files(&self) -> Result<Input, Failure> {
        input(&self.files)
    }

    /// Applies these options and those of the operation to a load or a deletion.
    pub(super) fn configure(&self, mut load: Load, operation: &OperationOptions) -> Load {
        load = load.rate(operation.rate());
        if !self.columns.is_empty() {
            load = load.columns(&self.columns);
        }
        if let Some(path) = &operation.checkpoint {
            load = load.checkpoint(path);
        }
        if let Some(path) = &self.rejected_file {
            load = load.rejected_file(path);
        }
        if self.dry_run {
            load = load.dry_run();
        }
        load
    }
}
