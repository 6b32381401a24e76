//! Files of rows in whatever format.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::Nulls;
#[cfg(feature = "parquet")]
use super::ParquetFiles;
use super::checkpoint::Resume;
use super::chunk::Chunk;
use super::files::Files;
use super::format::Format;
use super::input::{FileIdentity, Input};
use super::table::{Column, DescribedTable};
use crate::Error;

/// Files opened so far that their columns are known.
pub(super) enum RowFiles {
    Text(Files),
    #[cfg(feature = "parquet")]
    Parquet(ParquetFiles),
}

impl RowFiles {
    /// Opens the first file. `columns` are those that the caller names.
    pub(super) fn open(
        input: Input,
        format: Format,
        attempted: &str,
        columns: Option<&[String]>,
    ) -> Result<Self, Error> {
        format.check()?;
        #[cfg(not(feature = "parquet"))]
        let _ = columns;
        match format {
            Format::Csv(csv) => Files::open(input, csv.into(), attempted).map(Self::Text),
            Format::JsonLines(lines) => Files::open(input, lines.into(), attempted).map(Self::Text),
            #[cfg(feature = "parquet")]
            Format::Parquet(parquet) => ParquetFiles::open(input, parquet, attempted, columns).map(Self::Parquet),
        }
    }

    /// The columns that the rows have, if the files or their format say it.
    pub(super) fn header(&self) -> Option<&[String]> {
        match self {
            Self::Text(files) => files.header(),
            #[cfg(feature = "parquet")]
            Self::Parquet(files) => Some(files.header()),
        }
    }

    /// Counts the bytes that were read, compressed ones where they are.
    pub(super) fn bytes_read(&self) -> Arc<AtomicU64> {
        match self {
            Self::Text(files) => files.bytes_read(),
            #[cfg(feature = "parquet")]
            Self::Parquet(files) => files.bytes_read(),
        }
    }

    pub(super) fn identities(&self) -> &[FileIdentity] {
        match self {
            Self::Text(files) => &files.identities,
            #[cfg(feature = "parquet")]
            Self::Parquet(files) => &files.identities,
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.identities().iter().map(|identity| identity.name.clone()).collect()
    }

    /// What the place of a row is counted in.
    pub(super) fn counted_in(&self) -> RowUnit {
        match self {
            Self::Text(_) => RowUnit::Line,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => RowUnit::Row,
        }
    }

    /// Sends all rows, chunk by chunk, until there are no more or nobody takes them.
    pub(super) fn send(
        self,
        table: &DescribedTable,
        columns: &[Column],
        nulls: Nulls,
        resume: Option<&Resume>,
        to: &mpsc::Sender<Result<Chunk, Error>>,
    ) {
        match self {
            Self::Text(files) => files.send(table, columns, nulls, resume, to),
            #[cfg(feature = "parquet")]
            Self::Parquet(files) => files.send(table, columns, nulls, resume, to),
        }
    }
}

/// What the place of a row in its input is counted in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RowUnit {
    Line,
    Row,
}
