//! Writes rows to a Parquet file, row group by row group.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::Compression as Codec;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;

use super::schema::schema;
use super::shred::Shredded;
use crate::bulk::Compression;
use crate::bulk::checkpoint::write_atomically;
use crate::bulk::encoder::Sink;
use crate::bulk::format::{Reason, RowCells};
use crate::bulk::row_file::RowFile;
use crate::bulk::table::Column;
use crate::saturated::saturated;

/// The bytes of rows, and the number of rows, at which a row group is written.
const GROUP_BYTES: usize = 32 * 1024 * 1024;
const GROUP_ROWS: usize = 1_000_000;

/// The length of the letters PAR1 at the beginning of a file.
const MAGIC: u64 = 4;

/// A file that is being written.
pub(in crate::bulk) struct ParquetFile {
    writer: SerializedFileWriter<SkippingSink>,
    properties: WriterPropertiesPtr,
    rows: Shredded,
    /// The path of the list of the row groups written so far, from which writing resumes.
    groups: Option<PathBuf>,
}

impl ParquetFile {
    /// Starts a new file.
    pub(in crate::bulk) fn begin(
        columns: &[Column],
        compression: Option<Compression>,
        sink: Sink,
        groups: Option<PathBuf>,
    ) -> io::Result<Self> {
        Self::new(columns, compression, SkippingSink { skipped: 0, sink }, groups)
    }

    fn new(
        columns: &[Column],
        compression: Option<Compression>,
        sink: SkippingSink,
        groups: Option<PathBuf>,
    ) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("keyspaces version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(match compression {
                None => Codec::SNAPPY,
                Some(Compression::None) => Codec::UNCOMPRESSED,
                Some(Compression::Gzip) => Codec::GZIP(Default::default()),
                Some(Compression::Zstd) => Codec::ZSTD(Default::default()),
            })
            .set_statistics_enabled(EnabledStatistics::Chunk)
            // The offset index would be kept in memory until the file is finished.
            .set_offset_index_disabled(true)
            .build();
        let properties = Arc::new(properties);
        let schema = schema(columns).map_err(failed)?;
        let writer = SerializedFileWriter::new(sink, schema, Arc::clone(&properties)).map_err(failed)?;
        let rows = Shredded::new(columns.iter().map(|column| &column.value_type));
        Ok(Self { writer, properties, rows, groups })
    }

    /// Resumes a file whose first `length` bytes are complete; `sink` writes after them.
    pub(in crate::bulk) fn resume(
        columns: &[Column],
        compression: Option<Compression>,
        (file, sink): (&File, Sink),
        groups: PathBuf,
        length: u64,
    ) -> io::Result<Self> {
        let written = read_groups(&groups, length)?;
        let mut parquet = Self::new(columns, compression, SkippingSink { skipped: length, sink }, Some(groups))?;
        for group in written {
            parquet.append_written_group(&group, file).map_err(failed)?;
        }
        parquet.writer.flush()?;
        let registered = parquet.writer.bytes_written() as u64;
        if registered != length {
            return Err(io::Error::other(format!(
                "its row groups have {registered} bytes, and the checkpoint says {length}"
            )));
        }
        Ok(parquet)
    }

    /// Registers a row group that is already in the file with the writer, which lists all row groups in the footer. The
    /// writer writes the row group again byte for byte, and [`SkippingSink`] drops those bytes.
    fn append_written_group(&mut self, group: &RowGroupMetaData, file: &File) -> Result<(), ParquetError> {
        let mut writer = self.writer.next_row_group()?;
        for column in group.columns() {
            let closed = ColumnCloseResult {
                bytes_written: column.compressed_size().cast_unsigned(),
                rows_written: group.num_rows().cast_unsigned(),
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            writer.append_column(file, closed)?;
        }
        writer.close().map(|_| ())
    }

    fn write_group(&mut self) -> io::Result<()> {
        if self.rows.rows == 0 {
            return Ok(());
        }
        let mut write = || {
            let mut group = self.writer.next_row_group()?;
            let mut leaf = 0;
            while let Some(mut column) = group.next_column()? {
                self.rows.write_leaf(leaf, &mut column)?;
                column.close()?;
                leaf += 1;
            }
            group.close().map(|_| ())
        };
        write().map_err(failed)?;
        self.rows.clear();
        Ok(())
    }

    /// Saves the list of the row groups.
    fn save_groups(&self) -> io::Result<()> {
        let Some(path) = &self.groups else { return Ok(()) };
        let groups = self.writer.flushed_row_groups().to_vec();
        let rows = groups.iter().map(RowGroupMetaData::num_rows).sum();
        let schema =
            Arc::new(parquet::schema::types::SchemaDescriptor::new(self.writer.schema_descr().root_schema_ptr()));
        let version = self.properties.writer_version().as_num();
        let metadata = ParquetMetaData::new(FileMetaData::new(version, rows, None, None, schema, None), groups);
        let mut bytes = Vec::new();
        ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().map_err(failed)?;
        write_atomically(path, &bytes)
    }
}

/// The row groups in the first `length` bytes of a file. A row group that was written after the checkpoint is left out.
fn read_groups(path: &PathBuf, length: u64) -> io::Result<Vec<RowGroupMetaData>> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&File::open(path)?).map_err(failed)?;
    let end = |group: &RowGroupMetaData| {
        let ends = group.columns().iter().map(|column| {
            let (start, length) = column.byte_range();
            start + length
        });
        ends.max().unwrap_or(MAGIC)
    };
    Ok(metadata.row_groups().iter().take_while(|group| end(group) <= length).cloned().collect())
}

impl RowFile for ParquetFile {
    fn write(&mut self, row: &RowCells<'_>) -> Result<(), Reason> {
        let mut leaf = 0;
        for (index, (column, value)) in row.iter().enumerate() {
            leaf =
                self.rows.push(&column.value_type, value, leaf).map_err(|problem| Reason::of_column(index, problem))?;
        }
        self.rows.rows += 1;
        Ok(())
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.rows.bytes >= GROUP_BYTES || self.rows.rows >= GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<u64> {
        self.write_group()?;
        self.writer.flush()?;
        let length = self.writer.inner_mut().sink.sync()?;
        self.save_groups()?;
        Ok(length)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_group()?;
        self.writer.finish().map_err(failed)?;
        self.writer.inner_mut().sink.sync()?;
        Ok(())
    }
}

/// A sink that drops the first bytes, which are already in the file.
struct SkippingSink {
    skipped: u64,
    sink: Sink,
}

impl Write for SkippingSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.skipped == 0 {
            return self.sink.write(bytes);
        }
        let skipped = saturated::<usize>(self.skipped).min(bytes.len());
        self.skipped -= skipped as u64;
        Ok(skipped)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        error => io::Error::other(error),
    }
}
