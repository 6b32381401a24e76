use std::fs::{self, File};
use std::path::{Path, PathBuf};

use keyspaces_cql::QualifiedName;
use proptest::prelude::*;

use super::files::read_row;
use super::open::OpenFile;
use super::write::ParquetFile;
use super::*;
use crate::bulk::encoder::Sink;
use crate::bulk::format::{Reason, RowCells};
use crate::bulk::row_file::RowFile;
use crate::bulk::table::Column;
use crate::bulk::table::tests::column;
use crate::bulk::value::tests::typed_value;
use crate::bulk::value::{NULL, ValueType, append_cell};
use crate::bulk::{Compression, Input, Nulls, TimestampForm};
use crate::{Error, ErrorKind};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn row(cells: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in cells {
        match value {
            Some(value) => append_cell(&mut bytes, |out| {
                out.extend_from_slice(value);
                Ok(())
            })
            .unwrap(),
            None => bytes.extend_from_slice(&NULL),
        }
    }
    bytes
}

fn open(path: &Path, columns: &[Column]) -> Result<OpenFile, Error> {
    let mut open = OpenFile::open(Input::file(path).into_files("reading").unwrap().pop().unwrap())?;
    open.bind(columns, &QualifiedName::new("shop", "sales"))?;
    Ok(open)
}

/// The rows of a file; an error says why a row can never be loaded.
fn read(open: &mut OpenFile, format: &Parquet, columns: &[Column]) -> Result<Vec<Result<Vec<u8>, Reason>>, Error> {
    let mut rows = Vec::new();
    while open.next_row()?.is_some() {
        let mut bytes = Vec::new();
        let reason = read_row(open, format, columns, Nulls::Null, &mut bytes)?;
        rows.push(reason.map_or(Ok(bytes), Err));
    }
    Ok(rows)
}

fn write(path: &Path, columns: &[Column], rows: &[Vec<u8>]) {
    let sink = Sink::File(File::create(path).unwrap());
    let mut file = ParquetFile::begin(columns, None, sink, None).unwrap();
    for row in rows {
        file.write(&RowCells { columns, bytes: row }).unwrap();
    }
    Box::new(file).finish().unwrap();
}

fn columns(types: &[(&str, &str)]) -> Vec<Column> {
    let plain = |of: &str| ValueType::resolve(&of.parse().unwrap(), &[]).unwrap();
    let address = ["street text", "zip list<int>", "country text"].map(|field| field.split_once(' ').unwrap());
    let address = address.map(|(name, of)| (name.to_owned(), plain(of)));
    let types = types.iter().map(|(name, of)| {
        let resolved = if *of == "address" { ValueType::UserDefined(address.to_vec()) } else { plain(of) };
        let mut column = column(name, resolved);
        (*of).clone_into(&mut column.type_name);
        column
    });
    types.collect()
}

proptest! {
    /// Rows of any types, with nulls among their values, read back the same after being written, in one row group or
    /// several.
    #[test]
    fn parquet_rows_round_trip(
        (types, rows) in proptest::collection::vec(typed_value(), 1..5).prop_flat_map(|values| {
            let types: Vec<_> = values.iter().map(|(of, _)| of.clone()).collect();
            let cells = types.iter().map(|of| proptest::option::of(crate::bulk::value::tests::value_of(of))).collect::<Vec<_>>();
            (Just(types), proptest::collection::vec(cells, 0..8))
        }),
        sync_after in 0..8_usize,
    ) {
        let folder = Folder::new();
        let path = folder.path("rows.parquet");
        let columns: Vec<_> =
            types.iter().enumerate().map(|(index, of)| column(&format!("Column {index}"), of.clone())).collect();
        let rows: Vec<_> = rows.iter().map(|cells| row(cells)).collect();
        let sink = Sink::File(File::create(&path).unwrap());
        let mut file = ParquetFile::begin(&columns, None, sink, None).unwrap();
        for (index, row) in rows.iter().enumerate() {
            file.write(&RowCells { columns: &columns, bytes: row }).unwrap();
            if index == sync_after {
                file.sync().unwrap();
            }
        }
        Box::new(file).finish().unwrap();
        let mut again = open(&path, &columns).unwrap();
        let expected: Vec<_> = rows.iter().cloned().map(Ok).collect();
        prop_assert_eq!(read(&mut again, &Parquet::new(), &columns).unwrap(), expected);
        // Reading can start at any row.
        for first in 0..rows.len() {
            let mut again = open(&path, &columns).unwrap();
            again.skip_to(first as u64);
            let expected: Vec<_> = rows[first..].iter().cloned().map(Ok).collect();
            prop_assert_eq!(read(&mut again, &Parquet::new(), &columns).unwrap(), expected);
        }
    }
}

/// A file that pyarrow wrote: tests/bulk/parquet.py.
const SALES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bulk/sales.parquet");

const SALES_COLUMNS: [(&str, &str); 16] = [
    ("id", "bigint"),
    ("name", "text"),
    ("price", "decimal"),
    ("sold", "timestamp"),
    ("local", "timestamp"),
    ("day", "date"),
    ("hour", "time"),
    ("small", "int"),
    ("ratio", "double"),
    ("flag", "boolean"),
    ("raw", "blob"),
    ("key", "uuid"),
    ("tags", "set<text>"),
    ("counts", "map<text, varint>"),
    ("address", "address"),
    ("json", "map<text, int>"),
];

#[test]
fn parquet_file_written_by_pyarrow_is_read() {
    let columns = columns(&SALES_COLUMNS);
    let utc = Parquet::new().timestamps(TimestampForm::IsoOrUtc);
    let rows = read(&mut open(Path::new(SALES), &columns).unwrap(), &utc, &columns).unwrap();
    let texts: Vec<String> = rows
        .into_iter()
        .map(|row| {
            let mut text = String::new();
            let lines = crate::bulk::format::TextFormat::from(crate::bulk::JsonLines::new());
            lines.write(&RowCells { columns: &columns, bytes: &row.unwrap() }, &mut text).unwrap();
            text
        })
        .collect();
    assert_eq!(
        texts.concat(),
        r#"{"id": 1, "name": "a", "price": 1.50, "sold": "2026-01-31 13:30:54.123Z", "local": "2026-01-31 13:30:00.000Z", "day": "2026-01-31", "hour": "13:30:54.123456000", "small": 255, "ratio": 0.1, "flag": true, "raw": "0xcafe", "key": "00010203-0405-0607-0809-0a0b0c0d0e0f", "tags": ["x", "y"], "counts": {"x": 1, "y": 2}, "address": {"street": "Main", "zip": [1, 2], "country": null}, "json": {"a": 1}}
{"id": 2, "name": "", "price": -0.01, "sold": "1969-12-31 23:59:59.999Z", "local": null, "day": "1969-12-31", "hour": "00:00:00.000000000", "small": 0, "ratio": "-Infinity", "flag": false, "raw": "", "key": "10111213-1415-1617-1819-1a1b1c1d1e1f", "tags": [], "counts": {}, "address": {"street": null, "zip": null, "country": null}, "json": {}}
{"id": 3, "name": null, "price": null, "sold": null, "local": null, "day": null, "hour": null, "small": null, "ratio": null, "flag": null, "raw": null, "key": null, "tags": null, "counts": null, "address": null, "json": null}
"#
    );
}

#[test]
fn mismatched_parquet_columns_and_values_are_refused() {
    let outcome = |name, of| {
        let columns = columns(&[(name, of)]);
        open(Path::new(SALES), &columns).err().map(|error| error.to_string())
    };
    let expected = |problem: &str| Some(format!("reading {SALES} failed: {problem}"));
    for (name, of, found) in [
        ("name", "frozen<list<int>>", None),
        ("ratio", "int", Some("DOUBLE")),
        ("flag", "text", Some("BOOLEAN")),
        ("sold", "date", Some("TIMESTAMP(MICROS)")),
        ("local", "bigint", Some("TIMESTAMP(NANOS) without a time zone")),
        ("tags", "text", Some("LIST")),
        ("tags", "list<int>", None),
        ("counts", "map<text, boolean>", Some("INTEGER")),
        ("address", "tuple<text>", Some("a group of street, zip")),
        ("small", "uuid", Some("unsigned INTEGER")),
    ] {
        let problem = found.map(|found| format!("the column {name:?} is {found}, and that of shop.sales is {of}"));
        assert_eq!(outcome(name, of), problem.and_then(|problem| expected(&problem)), "{name} {of}");
    }
    assert_eq!(
        outcome("pric", "int"),
        expected(&format!(
            "the file has no column \"pric\". Its columns are {}",
            SALES_COLUMNS.map(|(name, _)| name).join(", ")
        ))
    );
    for (name, of, problem) in [
        ("id", "tinyint", None),
        ("small", "tinyint", Some("\"255\" is not a valid tinyint")),
        ("price", "int", Some("has digits after the decimal point, and is not a valid int")),
        ("local", "timestamp", Some("has no time zone: read timestamps as UTC if they are")),
        ("ratio", "float", Some("0.1 has more digits than a float")),
        ("name", "ascii", None),
        ("json", "int", Some("\"{\\\"a\\\": 1}\" is not a valid int")),
        ("key", "timeuuid", Some("\"0x000102030405060708090a0b0c0d0e0f\" is not a valid timeuuid")),
        ("raw", "text", Some("is not valid UTF-8")),
        ("tags", "list<int>", Some("\"x\" is not a valid int")),
    ] {
        let columns = columns(&[(name, of)]);
        let rows = read(&mut open(Path::new(SALES), &columns).unwrap(), &Parquet::new(), &columns).unwrap();
        let found = rows[0].as_ref().err().map(|reason| reason.problem.as_str());
        assert_eq!(found, problem, "{name} {of}");
    }
}

/// A truncated file, or one with a changed byte, is an error or has the rows that it claims to have. It never causes a
/// panic or an endless read.
#[test]
fn damaged_parquet_file_is_an_error() {
    let folder = Folder::new();
    let path = folder.path("rows.parquet");
    let whole = fs::read(SALES).unwrap();
    let columns = columns(&SALES_COLUMNS);
    let outcome = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let rows = open(&path, &columns).and_then(|mut open| read(&mut open, &Parquet::new(), &columns));
        rows.map(|rows| rows.len()).map_err(|error| error.to_string())
    };
    assert_eq!(outcome(&whole), Ok(3));
    let problem = |problem: &str| {
        let advice = "Write it or copy it again";
        Err(format!("reading {} failed: the file is not a complete Parquet file: {problem}. {advice}", path.display()))
    };
    assert_eq!(outcome(&[]), problem("Parquet file too small. Size is 0 but need 8"));
    assert_eq!(outcome(&whole[..whole.len() - 1]), problem("Invalid Parquet file. Corrupt footer"));
    assert_eq!(outcome(b"id,name\n1,a\n"), problem("Invalid Parquet file. Corrupt footer"));
    for length in (0..whole.len()).step_by(97) {
        assert!(outcome(&whole[..length]).is_err(), "{length}");
    }
    for index in (0..whole.len()).step_by(11) {
        for bits in [0x01, 0xff] {
            let mut bytes = whole.clone();
            bytes[index] ^= bits;
            let _ = outcome(&bytes);
        }
    }
}

#[test]
fn parquet_bytes_read_cover_all_decoded_rows_at_every_row() {
    let folder = Folder::new();
    let path = folder.path("rows.parquet");
    let columns = columns(&[("id", "int")]);
    let rows: Vec<_> = (0..3_000_i32).map(|id| row(&[Some(id.to_be_bytes().to_vec())])).collect();
    write(&path, &columns, &rows);
    let bytes = fs::metadata(&path).unwrap().len();
    for first in [0, 1_500] {
        let mut open = open(&path, &columns).unwrap();
        open.skip_to(first);
        let (mut of_batch, mut batches) = (0, 0);
        while let Some(next) = open.next_row().unwrap() {
            if next.is_first_of_batch {
                assert!(open.bytes_read() > of_batch);
                (of_batch, batches) = (open.bytes_read(), batches + 1);
            }
            assert_eq!(open.bytes_read(), of_batch, "row {}", next.index);
            open.skip_row().unwrap();
        }
        assert_eq!((of_batch, open.bytes_read()), (bytes, bytes));
        assert!(batches > 1);
    }
}

/// Resumes a file whose last row groups are newer than the checkpoint, for every compression of pages.
#[test]
fn parquet_file_is_resumed_from_a_checkpoint() {
    for compression in [None, Some(Compression::None), Some(Compression::Gzip), Some(Compression::Zstd)] {
        let folder = Folder::new();
        let (path, groups) = (folder.path("rows.parquet"), folder.path("groups"));
        let columns = columns(&[("id", "int"), ("tags", "list<text>")]);
        let rows: Vec<_> = (0..9_i32)
            .map(|id| row(&[Some(id.to_be_bytes().to_vec()), (id % 2 == 0).then(|| 0_i32.to_be_bytes().to_vec())]))
            .collect();
        let add = |file: &mut ParquetFile, from: usize, to: usize| {
            for row in &rows[from..to] {
                file.write(&RowCells { columns: &columns, bytes: row }).unwrap();
            }
            file.sync().unwrap()
        };
        let sink = Sink::File(File::create(&path).unwrap());
        let mut file = ParquetFile::begin(&columns, compression, sink, Some(groups.clone())).unwrap();
        let mut checkpoint = file.sync().unwrap();
        // Each run writes two row groups, and ends before the checkpoint includes the second one.
        for from in [0, 3, 6] {
            drop(file);
            let mut written = File::options().read(true).write(true).open(&path).unwrap();
            written.set_len(checkpoint).unwrap();
            std::io::Seek::seek(&mut written, std::io::SeekFrom::End(0)).unwrap();
            let earlier = File::open(&path).unwrap();
            let sink = Sink::File(written);
            file = ParquetFile::resume(&columns, compression, (&earlier, sink), groups.clone(), checkpoint).unwrap();
            checkpoint = add(&mut file, from, from + 3);
            if from < 6 {
                add(&mut file, 0, 5);
            }
        }
        Box::new(file).finish().unwrap();
        let found = read(&mut open(&path, &columns).unwrap(), &Parquet::new(), &columns).unwrap();
        assert_eq!(found, rows.into_iter().map(Ok).collect::<Vec<_>>(), "{compression:?}");
    }
}

#[test]
fn parquet_export_refuses_zero_length_value() {
    let folder = Folder::new();
    for of in ["int", "uuid", "decimal", "boolean"] {
        let columns = columns(&[("v", of)]);
        let sink = Sink::File(File::create(folder.path(of)).unwrap());
        let mut file = ParquetFile::begin(&columns, None, sink, None).unwrap();
        let reason = file.write(&RowCells { columns: &columns, bytes: &row(&[Some(Vec::new())]) }).unwrap_err();
        let problem = format!("has no bytes, which Parquet cannot express for {of}: export it as CSV or JSON Lines");
        assert_eq!(reason, Reason::of_column(0, problem));
    }
}

#[test]
fn parquet_input_must_be_an_uncompressed_file() {
    let folder = Folder::new();
    let path = folder.path("rows.parquet.gz");
    write(&path, &columns(&[("id", "int")]), &[]);
    let outcome = |input: Input| {
        let file = input.into_files("reading").unwrap().pop().unwrap();
        let error = OpenFile::open(file).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.to_string()
    };
    assert_eq!(
        outcome(Input::stdin()),
        "reading standard input failed: a Parquet file is read from its end, so it cannot be read from a stream. Write it to \
         a file on a disk first"
    );
    assert_eq!(
        outcome(Input::file("/dev/null")),
        "reading /dev/null failed: a Parquet file is read from its end, and this is not a file on a disk. Write it to a file \
         on a disk first"
    );
    assert_eq!(
        outcome(Input::file(&path)),
        format!(
            "reading {} failed: a Parquet file compresses its pages itself and is not read through another compression. \
             Decompress it first",
            path.display()
        )
    );
}
