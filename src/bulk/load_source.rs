//! The source of the rows of a load: files, or a stream.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::checkpoint::{FileSignature, ResumePoint};
use super::chunk::Chunk;
use super::format::{Format, JsonLines};
use super::input::Input;
use super::row_files::{RowFiles, RowUnit};
use super::row_statement::RowStatement;
use super::stream::{RowStream, send_rows};
use super::table::{Column, DescribedTable};
use super::{Nulls, task_failed};
use crate::Error;

/// The source of the rows.
pub(super) enum LoadSource {
    Files(Input, Format),
    Rows(RowStream),
}

/// A source of rows whose first file, if it has files, is open.
pub(super) enum OpenLoadSource {
    Files(Box<RowFiles>),
    Rows(RowStream),
}

impl LoadSource {
    /// The format of the rows. Rejected rows of a stream are written as JSON lines.
    pub(super) fn format(&self) -> Format {
        match self {
            Self::Files(_, format) => format.clone(),
            Self::Rows(_) => JsonLines::new().into(),
        }
    }

    /// Opens the first file. `columns` are the columns that the caller names.
    pub(super) async fn open(self, columns: Option<Vec<String>>, attempted: &str) -> Result<OpenLoadSource, Error> {
        let (input, format) = match self {
            Self::Files(input, format) => (input, format),
            Self::Rows(rows) => return Ok(OpenLoadSource::Rows(rows)),
        };
        let reading = attempted.to_owned();
        let files = spawn_blocking(move || RowFiles::open(input, format, &reading, columns.as_deref())).await;
        files.map_err(|error| task_failed(attempted, error))?.map(|files| OpenLoadSource::Files(Box::new(files)))
    }
}

impl std::fmt::Debug for LoadSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files(input, format) => f.debug_tuple("Files").field(input).field(format).finish(),
            Self::Rows(_) => f.debug_tuple("Rows").finish(),
        }
    }
}

impl OpenLoadSource {
    /// The columns of the rows, if the files or their format name them.
    pub(super) fn header(&self) -> Option<&[String]> {
        self.files().and_then(RowFiles::header)
    }

    /// The files, by which a checkpoint identifies the source.
    pub(super) fn signatures(&self) -> Vec<FileSignature> {
        self.files().iter().flat_map(|files| files.identities()).map(Into::into).collect()
    }

    /// The size of the files; `None` for a stream, or if one of the files has no size.
    pub(super) fn total_bytes(&self) -> Option<u64> {
        self.files()?.identities().iter().map(|file| file.bytes).sum()
    }

    /// The counter of the bytes that were read; for compressed files, of the compressed bytes.
    pub(super) fn bytes_read(&self) -> Arc<AtomicU64> {
        self.files().map(RowFiles::bytes_read).unwrap_or_default()
    }

    /// The names of the files in error texts.
    pub(super) fn file_names(&self) -> Vec<String> {
        self.files().map_or_else(|| vec!["the stream".to_owned()], RowFiles::names)
    }

    /// The unit of a row's position.
    pub(super) fn position_unit(&self) -> RowUnit {
        self.files().map_or(RowUnit::Row, RowFiles::position_unit)
    }

    /// Starts a task that reads the rows and sends them. It ends when the receiver is dropped.
    pub(super) fn start_reading(
        self,
        table: DescribedTable,
        columns: Arc<[Column]>,
        statement: RowStatement,
        nulls: Nulls,
        resume: Option<ResumePoint>,
        sender: mpsc::Sender<Result<Chunk, Error>>,
    ) -> JoinHandle<()> {
        match self {
            Self::Files(files) => spawn_blocking(move || files.send(&table, &columns, nulls, resume.as_ref(), &sender)),
            Self::Rows(rows) => tokio::spawn(send_rows(rows, statement, columns, table.units, sender)),
        }
    }

    fn files(&self) -> Option<&RowFiles> {
        match self {
            Self::Files(files) => Some(files),
            Self::Rows(_) => None,
        }
    }
}
