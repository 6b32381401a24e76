use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;
use keyspaces::bulk::Output;

use super::TableName;
use super::format::FileOptions;
use super::options::{Operation, Selection};
use super::run::{end, run};
use crate::failure::{Failure, Status};

const EXAMPLE: &str = "\
Example:
  keyspaces export shop.sales sales.csv.zst --checkpoint sales.export
  keyspaces export shop.sales - --data-format jsonl --where \"day = '2026-01-31'\" | jq .price

After Ctrl-C or a kill the same command with --checkpoint goes on where it was.
Exit status: 0 if all rows are exported, 130 if it was stopped.";

/// Write the rows of a table to CSV, JSON Lines or Parquet
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Export {
    /// The table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// File to write, .gz and .zst too; - is standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    format: FileOptions,
    /// Columns to write, in this order [default: all, those of the key first]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// Replace a file that is there
    #[arg(long)]
    overwrite: bool,
    /// Write files of so many rows each: sales-00001.csv and so on for sales.csv
    #[arg(long, value_name = "ROWS")]
    rows_per_file: Option<NonZeroU64>,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    operation: Operation,
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
        let mut export = self.selection.set(export, &self.operation);
        if !self.columns.is_empty() {
            export = export.columns(self.columns);
        }
        let summary = run(export.progress(), |signal| export.until(signal).into_future()).await?;
        end(&summary, self.operation.format, !is_stdout)
    }
}
