use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;
use keyspaces::bulk::Output;

use super::TableName;
use super::format::FormatOptions;
use super::options::{OperationOptions, ReadOptions};
use super::run::{finish, run};
use crate::failure::{Failure, Status};

const EXAMPLE: &str = "\
Example:
  keyspaces export shop.sales sales.csv.zst --checkpoint sales.export
  keyspaces export shop.sales - --data-format jsonl --where \"day = '2026-01-31'\" | jq .price

To resume after Ctrl-C or a kill, run the same command with --checkpoint again.
Exit status: 0 if all rows are exported, 130 if the export was stopped.";

/// Export the rows of a table to CSV, JSON Lines or Parquet
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Export {
    /// Table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// File to write, also .gz and .zst; - writes to standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    format: FormatOptions,
    /// Columns to write, in this order [default: all, key columns first]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// Overwrite an existing file
    #[arg(long)]
    overwrite: bool,
    /// Split into files of this many rows: sales-00001.csv and so on for sales.csv
    #[arg(long, value_name = "ROWS")]
    rows_per_file: Option<NonZeroU64>,
    #[command(flatten)]
    read: ReadOptions,
    #[command(flatten)]
    pub(crate) operation: OperationOptions,
}

impl Export {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let data_format = self.format.format(&self.file, &[])?;
        let is_stdout = self.file == Path::new("-");
        let mut output = if is_stdout { Output::stdout() } else { Output::file(&self.file) };
        if self.overwrite {
            output = output.overwrite();
        }
        if let Some(rows) = self.rows_per_file {
            output = output.rows_per_file(rows);
        }
        let session = self.operation.connect().await?;
        let (keyspace, table) = (&self.table.keyspace, &self.table.table);
        let export = session.bulk().export(keyspace, table, output, data_format);
        let mut export = self.read.configure(export, &self.operation);
        if !self.columns.is_empty() {
            export = export.columns(self.columns);
        }
        let summary = run(export.progress(), |signal| export.stop_when(signal).into_future()).await?;
        finish(&summary, self.operation.format, !is_stdout)
    }
}
