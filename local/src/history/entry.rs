//! Entries of a history: a row, the static columns of a partition, or a range of rows as it was after a write.

use bytes::{BufMut, Bytes, BytesMut};

use crate::protocol::{Binding, Malformed, Reader, Writer};
use crate::saturated::saturated;

/// The values of some columns of a primary key, by their names.
pub(super) type Key = Vec<(String, Bytes)>;

/// One entry of a history. Times are in milliseconds since 1970, by the clock of the local service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum HistoryEntry {
    /// A row. Columns of the table that it does not name were added later.
    Row { marker: Marker, key: Key, cells: Vec<ColumnValue> },
    /// The static columns of a partition.
    Statics { key: Key, cells: Vec<ColumnValue> },
    /// There is no row for which this relation holds. If columns are named, such rows have no values in these columns.
    Deleted { columns: Vec<String>, range: WhereClause },
}

/// The rows for which a relation of a WHERE holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct WhereClause {
    /// The text after WHERE.
    pub(crate) text: String,
    pub(crate) values: Binding,
}

/// What a write did to a row's marker. Only INSERT writes a marker. With a marker, a row exists even without a value in
/// any column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Marker {
    Kept,
    Written { expires: Option<u64> },
}

/// The value of a column.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ColumnValue {
    pub(super) column: String,
    pub(super) value: Option<Bytes>,
    pub(super) expires: Expiry,
}

/// When a value expires.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Expiry {
    Never,
    At(u64),
    /// The elements of a collection or the fields of a user-defined type, each at its own time or never.
    Each(Vec<Option<u64>>),
}

impl Expiry {
    /// The times of elements; one time for the whole where all are the same.
    pub(super) fn each(times: Vec<Option<u64>>) -> Self {
        match times.first() {
            None => Self::Never,
            Some(first) if times.iter().all(|time| time == first) => first.map_or(Self::Never, Self::At),
            Some(_) => Self::Each(times),
        }
    }
}

const ROW: u8 = 1;
const STATICS: u8 = 2;
const DELETED: u8 = 3;

/// Written for a value that never expires.
const NEVER: i64 = -1;
/// Written for a marker that was kept as it was.
const KEPT: i64 = -2;

mod expiry {
    pub(super) const NEVER: u8 = 0;
    pub(super) const AT: u8 = 1;
    pub(super) const EACH: u8 = 2;
}

impl HistoryEntry {
    pub(super) fn write(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Row { marker, key, cells } => {
                out.put_u8(ROW);
                out.put_i64(match marker {
                    Marker::Kept => KEPT,
                    Marker::Written { expires } => time(*expires),
                });
                write_key(&mut out, key);
                write_cells(&mut out, cells);
            }
            Self::Statics { key, cells } => {
                out.put_u8(STATICS);
                write_key(&mut out, key);
                write_cells(&mut out, cells);
            }
            Self::Deleted { columns, range } => {
                out.put_u8(DELETED);
                out.put_u16(short(columns.len()));
                columns.iter().for_each(|column| out.string(column));
                out.long_string(&range.text);
                out.put_u8(u8::from(range.values.named));
                out.bytes(Some(&range.values.values));
            }
        }
        out.freeze()
    }

    pub(super) fn read(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        match reader.byte()? {
            ROW => {
                let marker = match reader.long()? {
                    KEPT => Marker::Kept,
                    time => Marker::Written { expires: u64::try_from(time).ok() },
                };
                Ok(Self::Row { marker, key: read_key(bytes, &mut reader)?, cells: read_cells(bytes, &mut reader)? })
            }
            STATICS => Ok(Self::Statics { key: read_key(bytes, &mut reader)?, cells: read_cells(bytes, &mut reader)? }),
            DELETED => {
                let columns = reader.string_list()?.into_iter().map(str::to_owned).collect();
                let text = reader.long_string()?.to_owned();
                let named = reader.byte()? != 0;
                let values = bytes.slice_ref(reader.bytes()?.ok_or(Malformed)?);
                Ok(Self::Deleted { columns, range: WhereClause { text, values: Binding { values, named } } })
            }
            _ => Err(Malformed),
        }
    }
}

fn write_key(out: &mut BytesMut, key: &[(String, Bytes)]) {
    out.put_u16(short(key.len()));
    for (name, value) in key {
        out.string(name);
        out.bytes(Some(value));
    }
}

fn read_key(bytes: &Bytes, reader: &mut Reader<'_>) -> Result<Key, Malformed> {
    (0..reader.short()?)
        .map(|_| Ok((reader.string()?.to_owned(), bytes.slice_ref(reader.bytes()?.ok_or(Malformed)?))))
        .collect()
}

fn write_cells(out: &mut BytesMut, cells: &[ColumnValue]) {
    out.put_u16(short(cells.len()));
    for ColumnValue { column, value, expires } in cells {
        out.string(column);
        out.bytes(value.as_deref());
        match expires {
            Expiry::Never => out.put_u8(expiry::NEVER),
            Expiry::At(at) => {
                out.put_u8(expiry::AT);
                out.put_i64(time(Some(*at)));
            }
            Expiry::Each(times) => {
                out.put_u8(expiry::EACH);
                out.put_i32(saturated::<i32>(times.len()));
                times.iter().for_each(|at| out.put_i64(time(*at)));
            }
        }
    }
}

fn read_cells(bytes: &Bytes, reader: &mut Reader<'_>) -> Result<Vec<ColumnValue>, Malformed> {
    (0..reader.short()?)
        .map(|_| {
            let column = reader.string()?.to_owned();
            let value = reader.bytes()?.map(|value| bytes.slice_ref(value));
            let expires = match reader.byte()? {
                expiry::NEVER => Expiry::Never,
                expiry::AT => Expiry::At(u64::try_from(reader.long()?).map_err(|_| Malformed)?),
                expiry::EACH => {
                    let times = (0..reader.count()?).map(|_| Ok(u64::try_from(reader.long()?).ok()));
                    Expiry::Each(times.collect::<Result<_, _>>()?)
                }
                _ => return Err(Malformed),
            };
            Ok(ColumnValue { column, value, expires })
        })
        .collect()
}

fn time(at: Option<u64>) -> i64 {
    at.map_or(NEVER, saturated::<i64>)
}

fn short(count: usize) -> u16 {
    saturated::<u16>(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..8).prop_map(Bytes::from)
    }

    fn moment() -> impl Strategy<Value = u64> {
        0..u64::from(u32::MAX) * 1000
    }

    fn cell() -> impl Strategy<Value = ColumnValue> {
        let expires = prop_oneof![
            Just(Expiry::Never),
            moment().prop_map(Expiry::At),
            prop::collection::vec(prop::option::of(moment()), 0..4).prop_map(Expiry::Each),
        ];
        ("[a-z]{1,4}", prop::option::of(bytes()), expires).prop_map(|(column, value, expires)| ColumnValue {
            column,
            value,
            expires,
        })
    }

    fn entry() -> impl Strategy<Value = HistoryEntry> {
        let marker = prop_oneof![
            Just(Marker::Kept),
            prop::option::of(moment()).prop_map(|expires| Marker::Written { expires }),
        ];
        let key = || prop::collection::vec(("[a-z]{1,4}", bytes()), 0..3);
        let cells = || prop::collection::vec(cell(), 0..4);
        let gone = (prop::collection::vec("[a-z]{1,4}", 0..3), ".{0,9}", bytes(), any::<bool>());
        prop_oneof![
            (marker, key(), cells()).prop_map(|(marker, key, cells)| HistoryEntry::Row { marker, key, cells }),
            (key(), cells()).prop_map(|(key, cells)| HistoryEntry::Statics { key, cells }),
            gone.prop_map(|(columns, text, values, named)| HistoryEntry::Deleted {
                columns,
                range: WhereClause { text, values: Binding { values, named } },
            }),
        ]
    }

    #[test]
    fn equal_element_expiries_collapse_to_one() {
        assert_eq!(Expiry::each(vec![Some(5), Some(5)]), Expiry::At(5));
        assert_eq!(Expiry::each(vec![None, None]), Expiry::Never);
        assert_eq!(Expiry::each(Vec::new()), Expiry::Never);
        assert_eq!(Expiry::each(vec![None, Some(5)]), Expiry::Each(vec![None, Some(5)]));
    }

    proptest! {
        #[test]
        fn entries_round_trip(entry in entry()) {
            prop_assert_eq!(HistoryEntry::read(&entry.write()), Ok(entry));
        }

        #[test]
        fn arbitrary_bytes_are_a_history_entry_or_refused(bytes: Vec<u8>) {
            let _ = HistoryEntry::read(&Bytes::from(bytes));
        }
    }
}
