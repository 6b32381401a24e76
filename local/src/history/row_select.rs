//! Rows and static columns with their expiry times, as one SELECT gives them.

use bytes::Bytes;
use keyspaces_cql::statement::CqlTypeKind;

use super::entry::{ColumnValue, Expiry, HistoryEntry, Key, Marker};
use crate::names::quoted;
use crate::protocol::{Malformed, Reader};
use crate::upstream::{Column, Layout};

/// A SELECT of a table's columns, and how its rows are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowSelect<'a> {
    pub(super) layout: &'a Layout,
    /// Whether values may expire, so that their TTL is selected.
    pub(super) ttl: bool,
    pub(super) part: TablePart,
}

/// The part of a table that is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TablePart {
    Rows,
    Statics,
    /// Rows and static columns. A partition with static columns alone is a row without clustering columns.
    All,
}

/// When the rows were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadTimes {
    /// The second since 1970 in which the whole read took place, by the machine's clock, which is Cassandra's too.
    pub(super) second: u64,
    /// How many milliseconds the clock of the local service is ahead of the machine's.
    pub(super) offset_millis: i64,
}

impl ReadTimes {
    /// The time that many seconds after the read, by the service's clock.
    pub(super) fn at(self, seconds: u64) -> u64 {
        self.second.saturating_add(seconds).saturating_mul(1000).saturating_add_signed(self.offset_millis)
    }
}

/// Values with their key.
pub(super) type KeyedValues = (Key, Vec<ColumnValue>);

/// One row of the result.
#[derive(Debug)]
pub(super) struct ResultRow {
    /// `None` for a partition with static columns alone, and if rows are not read.
    pub(super) row: Option<KeyedValues>,
    /// `None` if static columns are not read.
    pub(super) statics: Option<KeyedValues>,
}

impl RowSelect<'_> {
    /// `a, b, c, ttl(c)` and so on.
    pub(super) fn selectors(&self) -> String {
        let key = self.key().map(|column| quoted(&column.name));
        let rest = self.cells().flat_map(|column| {
            let name = quoted(&column.name);
            let ttl = self.expires(column).then(|| format!("ttl({name})"));
            [Some(name), ttl].into_iter().flatten()
        });
        key.chain(rest).collect::<Vec<_>>().join(", ")
    }

    /// Reads a row of the result.
    pub(super) fn read(&self, content: &Bytes, row: &[u8], read_times: ReadTimes) -> Result<ResultRow, Malformed> {
        let mut reader = Reader::new(row);
        let owned = |value: Option<&[u8]>| value.map(|value| content.slice_ref(value));
        let mut key = Vec::new();
        for column in self.key() {
            key.push((column.name.clone(), owned(reader.bytes()?)));
        }
        let mut cells = |columns: &[Column]| -> Result<Vec<ColumnValue>, Malformed> {
            let mut cells = Vec::with_capacity(columns.len());
            for column in columns {
                let value = owned(reader.bytes()?);
                let expires =
                    if self.expires(column) { expiry(column, reader.bytes()?, read_times)? } else { Expiry::Never };
                cells.push(ColumnValue { column: column.name.clone(), value, expires });
            }
            Ok(cells)
        };
        let (statics, regular) = (cells(self.statics())?, cells(self.regular())?);
        let partition = key.iter().take(self.layout.partition_key.len());
        let partition = partition.cloned().map(non_null).collect::<Option<Vec<_>>>().ok_or(Malformed)?;
        let has_statics = !self.statics().is_empty();
        let key = key.into_iter().map(non_null).collect::<Option<Vec<_>>>();
        Ok(ResultRow {
            row: key.filter(|_| self.part != TablePart::Statics).map(|key| (key, regular)),
            statics: has_statics.then_some((partition, statics)),
        })
    }

    fn key(&self) -> impl Iterator<Item = &Column> {
        let clustering = if self.part == TablePart::Statics { [].as_slice() } else { &self.layout.clustering };
        self.layout.partition_key.iter().chain(clustering)
    }

    fn cells(&self) -> impl Iterator<Item = &Column> {
        self.statics().iter().chain(self.regular())
    }

    fn statics(&self) -> &[Column] {
        if self.part == TablePart::Rows { &[] } else { &self.layout.statics }
    }

    fn regular(&self) -> &[Column] {
        if self.part == TablePart::Statics { &[] } else { &self.layout.regular }
    }

    /// Counters never expire.
    fn expires(&self, column: &Column) -> bool {
        self.ttl && column.cql_type != "counter"
    }
}

fn non_null((name, value): (String, Option<Bytes>)) -> Option<(String, Bytes)> {
    Some((name, value?))
}

/// `ttl` is an int or, for a column that is stored element by element, a list of ints; null for a value that does not
/// expire.
fn expiry(column: &Column, ttl: Option<&[u8]>, read_times: ReadTimes) -> Result<Expiry, Malformed> {
    let Some(ttl) = ttl else { return Ok(Expiry::Never) };
    let at = |seconds: &[u8]| {
        let seconds = i32::from_be_bytes(seconds.try_into().map_err(|_| Malformed)?);
        Ok(read_times.at(u64::try_from(seconds).map_err(|_| Malformed)?))
    };
    if !is_multi_cell(&column.kind) {
        return Ok(Expiry::At(at(ttl)?));
    }
    let mut reader = Reader::new(ttl);
    let times = (0..reader.count()?).map(|_| reader.bytes()?.map(at).transpose());
    Ok(Expiry::each(times.collect::<Result<_, _>>()?))
}

/// Whether Cassandra stores each element or field of the value as a cell of its own.
fn is_multi_cell(kind: &CqlTypeKind) -> bool {
    matches!(kind, CqlTypeKind::List(_) | CqlTypeKind::Set(_) | CqlTypeKind::Map(..) | CqlTypeKind::UserDefined(_))
}

/// The entry of a row that was read without a known write, so that it is not known whether the row has a marker. It is
/// assumed that the row was inserted, and that it expires with its last value.
pub(super) fn found_row(key: Key, cells: Vec<ColumnValue>) -> HistoryEntry {
    let mut expires = Some(0);
    for cell in cells.iter().filter(|cell| cell.value.is_some()) {
        let last = match &cell.expires {
            Expiry::Never => None,
            Expiry::At(at) => Some(*at),
            Expiry::Each(times) => {
                times.iter().copied().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max())
            }
        };
        expires = expires.zip(last).map(|(one, other)| one.max(other));
    }
    HistoryEntry::Row { marker: Marker::Written { expires: expires.filter(|last| *last > 0) }, key, cells }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;
    use crate::protocol::Writer;

    fn layout() -> Layout {
        let column = |name: &str, cql_type: &str| Column::new(name.into(), cql_type.into());
        Layout {
            partition_key: vec![column("p", "int")],
            clustering: vec![column("C", "int")],
            statics: vec![column("s", "text")],
            regular: vec![column("r", "text"), column("m", "map<int, int>"), column("n", "counter")],
            ..Layout::default()
        }
    }

    #[test]
    fn all_values_and_their_expiries_are_read() {
        let layout = layout();
        let selectors = |ttl, part| RowSelect { layout: &layout, ttl, part }.selectors();
        assert_eq!(selectors(false, TablePart::Rows), r#""p", "C", "r", "m", "n""#);
        assert_eq!(selectors(true, TablePart::Rows), r#""p", "C", "r", ttl("r"), "m", ttl("m"), "n""#);
        assert_eq!(selectors(true, TablePart::Statics), r#""p", "s", ttl("s")"#);
        assert_eq!(selectors(false, TablePart::All), r#""p", "C", "s", "r", "m", "n""#);
    }

    #[test]
    fn row_image_includes_the_expiry_of_its_values() {
        let layout = layout();
        let mut row = BytesMut::new();
        let mut ttls = BytesMut::new();
        ttls.put_i32(2);
        ttls.bytes(Some(&5_i32.to_be_bytes()));
        ttls.bytes(None);
        let five = 5_i32.to_be_bytes();
        for value in [Some(&b"1"[..]), Some(b"2"), Some(b"x"), Some(&five), Some(b"map"), Some(&ttls), None] {
            row.bytes(value);
        }
        let row = row.freeze();
        let select = RowSelect { layout: &layout, ttl: true, part: TablePart::Rows };
        let row_read = select.read(&row, &row, ReadTimes { second: 100, offset_millis: -7 }).unwrap();
        let (key, cells) = row_read.row.unwrap();
        assert_eq!(key, [("p".into(), Bytes::from_static(b"1")), ("C".into(), Bytes::from_static(b"2"))]);
        let expiries: Vec<_> = cells.iter().map(|cell| cell.expires.clone()).collect();
        assert_eq!(expiries, [Expiry::At(104_993), Expiry::Each(vec![Some(104_993), None]), Expiry::Never]);
        assert!(row_read.statics.is_none());
    }

    #[test]
    fn row_found_by_a_baseline_expires_with_its_last_value() {
        let cell = |expires| ColumnValue { column: "a".into(), value: Some(Bytes::new()), expires };
        let marker = |cells: Vec<ColumnValue>| match found_row(Vec::new(), cells) {
            HistoryEntry::Row { marker, .. } => marker,
            other => panic!("{other:?}"),
        };
        let written = |expires| Marker::Written { expires };
        assert_eq!(marker(vec![]), written(None));
        assert_eq!(marker(vec![cell(Expiry::At(5)), cell(Expiry::At(7))]), written(Some(7)));
        assert_eq!(marker(vec![cell(Expiry::At(5)), cell(Expiry::Never)]), written(None));
        assert_eq!(marker(vec![cell(Expiry::Each(vec![Some(1), Some(9)]))]), written(Some(9)));
        assert_eq!(marker(vec![cell(Expiry::Each(vec![Some(1), None]))]), written(None));
    }
}
