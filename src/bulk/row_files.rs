//! Input files of any format.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::Nulls;
#[cfg(feature = "parquet")]
use super::ParquetFiles;
use super::checkpoint::ResumePoint;
use super::chunk::Chunk;
use super::files::Files;
use super::format::Format;
use super::input::{FileIdentity, Input};
use super::table::{Column, DescribedTable};
use crate::Error;

/// The input files. The first is open, so that the columns are known.
pub(super) enum RowFiles {
    Text(Files),
    #[cfg(feature = "parquet")]
    Parquet(ParquetFiles),
}

impl RowFiles {
    /// Opens the first file. `columns` are the columns that the caller names.
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

    /// The columns of the rows, if the files or their format name them.
    pub(super) fn header(&self) -> Option<&[String]> {
        match self {
            Self::Text(files) => files.header(),
            #[cfg(feature = "parquet")]
            Self::Parquet(files) => Some(files.header()),
        }
    }

    /// The counter of the bytes that were read; for compressed files, of the compressed bytes.
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

    /// The unit of a row's position.
    pub(super) fn position_unit(&self) -> RowUnit {
        match self {
            Self::Text(_) => RowUnit::Line,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => RowUnit::Row,
        }
    }

    /// Sends all rows, chunk by chunk, until the files or the receiver end.
    pub(super) fn send(
        self,
        table: &DescribedTable,
        columns: &[Column],
        nulls: Nulls,
        resume: Option<&ResumePoint>,
        to: &mpsc::Sender<Result<Chunk, Error>>,
    ) {
        let sent = match self {
            Self::Text(files) => files.send(table, columns, nulls, resume, to),
            #[cfg(feature = "parquet")]
            Self::Parquet(files) => files.send(table, columns, nulls, resume, to),
        };
        if let Err(error) = sent {
            // A failed send means that the receiver has ended and needs no error.
            let _ = to.blocking_send(Err(error));
        }
    }
}

/// The unit of a row's position in its input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RowUnit {
    Line,
    Row,
}
