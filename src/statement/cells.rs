//! Values as they go over the wire: serialised once, measured, and bound from there.

use std::cell::Cell;

use scylla::frame::response::result::{CollectionType, ColumnSpec, ColumnType, NativeType};
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::{RowWriter, WrittenCellProof};

/// Buffers that grew larger than this are given back, so that one large row does not stay in memory for ever.
const KEPT: usize = 64 * 1024;

const NULL: i32 = -1;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Values serialised into this thread's buffer, which is given back when this is dropped.
pub(super) struct Serialised {
    buffer: Vec<u8>,
    count: usize,
}

impl Serialised {
    pub(super) fn new(columns: &[ColumnSpec<'_>], values: &impl SerializeRow) -> Result<Self, SerializationError> {
        let mut serialised = Self { buffer: BUFFER.take(), count: 0 };
        serialised.buffer.clear();
        let mut writer = RowWriter::new(&mut serialised.buffer);
        values.serialize(&RowSerializationContext::from_specs(columns), &mut writer)?;
        serialised.count = writer.value_count();
        Ok(serialised)
    }

    pub(super) fn cells(&self) -> Cells<'_> {
        Cells { bytes: &self.buffer, count: self.count }
    }

    /// These values with further ones put in, each at its index in what comes of it; `inserted` in the order of indexes.
    pub(super) fn with(self, inserted: &[(usize, Vec<u8>)]) -> Self {
        let mut all = Vec::with_capacity(self.buffer.len() + inserted.len() * 12);
        let mut own = self.cells().iter();
        let mut further = inserted.iter().peekable();
        for index in 0.. {
            if let Some((_, bytes)) = further.next_if(|(at, _)| *at == index) {
                Value::Bytes(bytes).append_to(&mut all);
            } else if let Some(value) = own.next() {
                value.append_to(&mut all);
            } else {
                break;
            }
        }
        Self { buffer: all, count: self.count + inserted.len() }
    }
}

impl Drop for Serialised {
    fn drop(&mut self) {
        if self.buffer.capacity() <= KEPT {
            BUFFER.set(std::mem::take(&mut self.buffer));
        }
    }
}

/// Serialised values, each as the protocol has it: four bytes of length, or a negative number for null or unset, and as
/// many bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells<'b> {
    bytes: &'b [u8],
    count: usize,
}

impl<'b> Cells<'b> {
    pub(crate) fn of(bytes: &'b [u8], count: usize) -> Self {
        Self { bytes, count }
    }

    /// How many values.
    pub(super) fn count(self) -> usize {
        self.count
    }

    pub(crate) fn as_bytes(self) -> &'b [u8] {
        self.bytes
    }

    /// The values in their order.
    pub(super) fn iter(self) -> impl Iterator<Item = Value<'b>> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (value, after) = Value::read(rest)?;
            rest = after;
            Some(value)
        })
    }

    /// The bytes of the value at `index`, if it is there and not null.
    pub(super) fn value(self, index: usize) -> Option<&'b [u8]> {
        match self.iter().nth(index)? {
            Value::Bytes(bytes) => Some(bytes),
            Value::Null | Value::Unset => None,
        }
    }

    /// How many bytes of data the values surely are for the service, which has a size of its own for each type: text and
    /// blobs count as they are, numbers as one byte, collections of text or blobs without the lengths of their elements.
    pub(super) fn surely_at_least(self, columns: &[ColumnSpec<'_>]) -> usize {
        let sizes = columns.iter().zip(self.iter()).map(|(column, value)| match value {
            Value::Bytes(bytes) => at_least(column.typ(), bytes),
            Value::Null | Value::Unset => 0,
        });
        sizes.sum()
    }
}

/// One value in [`Cells`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value<'b> {
    Null,
    Unset,
    Bytes(&'b [u8]),
}

impl<'b> Value<'b> {
    fn read(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        match i32::from_be_bytes(*length) {
            NULL => Some((Self::Null, rest)),
            negative if negative < 0 => Some((Self::Unset, rest)),
            length => {
                rest.split_at_checked(usize::try_from(length).ok()?).map(|(value, rest)| (Self::Bytes(value), rest))
            }
        }
    }

    fn append_to(self, all: &mut Vec<u8>) {
        match self {
            Self::Null => all.extend_from_slice(&NULL.to_be_bytes()),
            Self::Unset => all.extend_from_slice(&(-2_i32).to_be_bytes()),
            Self::Bytes(bytes) => {
                // It was an i32 where it was read, or is a number of eight bytes.
                all.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
                all.extend_from_slice(bytes);
            }
        }
    }
}

/// Binds what is serialised already; what the columns are was checked when it was.
impl SerializeRow for Cells<'_> {
    fn serialize(&self, _: &RowSerializationContext<'_>, writer: &mut RowWriter<'_>) -> Result<(), SerializationError> {
        for value in self.iter() {
            let cell = writer.make_cell_writer();
            let _: WrittenCellProof<'_> = match value {
                Value::Null => cell.set_null(),
                Value::Unset => cell.set_unset(),
                Value::Bytes(bytes) => cell.set_value(bytes).map_err(SerializationError::new)?,
            };
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

fn at_least(column: &ColumnType<'_>, bytes: &[u8]) -> usize {
    let elements = || bytes.first_chunk::<4>().map_or(0, |count| u32::from_be_bytes(*count) as usize);
    let without_lengths = |lengths: usize| bytes.len().saturating_sub(4 + 4 * lengths);
    match column {
        ColumnType::Native(NativeType::Text | NativeType::Ascii | NativeType::Blob) => bytes.len(),
        ColumnType::Native(_) => bytes.len().min(1),
        ColumnType::Collection { typ: CollectionType::List(of) | CollectionType::Set(of), .. } if is_bytes(of) => {
            without_lengths(elements())
        }
        ColumnType::Collection { typ: CollectionType::Map(key, value), .. } if is_bytes(key) && is_bytes(value) => {
            without_lengths(2 * elements())
        }
        _ => 0,
    }
}

fn is_bytes(column: &ColumnType<'_>) -> bool {
    matches!(column, ColumnType::Native(NativeType::Text | NativeType::Ascii | NativeType::Blob))
}

#[cfg(test)]
mod tests {
    use scylla::frame::response::result::TableSpec;
    use scylla::value::Unset;

    use super::*;

    fn column(name: &'static str, typ: ColumnType<'static>) -> ColumnSpec<'static> {
        ColumnSpec::borrowed(name, typ, TableSpec::borrowed("ks", "t"))
    }

    fn columns() -> [ColumnSpec<'static>; 4] {
        let native = |name, native| column(name, ColumnType::Native(native));
        [
            native("id", NativeType::Int),
            native("name", NativeType::Text),
            native("note", NativeType::Text),
            native("size", NativeType::BigInt),
        ]
    }

    #[test]
    fn values_are_bound_again_as_they_were_serialised() {
        let values = (7_i32, "Ada", None::<String>, Unset);
        let serialised = Serialised::new(&columns(), &values).expect("they fit");
        let cells = serialised.cells();
        let read: Vec<_> = cells.iter().collect();
        assert_eq!(read, [Value::Bytes(&[0, 0, 0, 7]), Value::Bytes(b"Ada"), Value::Null, Value::Unset]);
        assert_eq!((cells.count(), cells.value(1), cells.value(2)), (4, Some(&b"Ada"[..]), None));
        let again = Serialised::new(&columns(), &cells).expect("they were serialised");
        assert_eq!(cells.as_bytes(), again.cells().as_bytes());
    }

    #[test]
    fn further_values_are_put_in_where_their_bind_markers_stand() {
        let with = |inserted: &[(usize, &[u8])]| {
            let inserted: Vec<_> = inserted.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect();
            let all = Serialised::new(&columns()[..2], &(7_i32, "Ada")).expect("they fit").with(&inserted);
            assert_eq!(all.cells().count(), 2 + inserted.len());
            all.cells().iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" ")
        };
        let (id, name) = ("Bytes([0, 0, 0, 7])", "Bytes([65, 100, 97])");
        assert_eq!(with(&[(0, &[1])]), format!("Bytes([1]) {id} {name}"));
        assert_eq!(with(&[(2, &[1]), (3, &[2])]), format!("{id} {name} Bytes([1]) Bytes([2])"));
        assert_eq!(with(&[(0, &[1]), (2, &[2])]), format!("Bytes([1]) {id} Bytes([2]) {name}"));
    }

    #[test]
    fn what_is_large_for_cql_only_is_not_counted_as_large_for_the_service() {
        let list =
            |of| ColumnType::Collection { frozen: false, typ: CollectionType::List(Box::new(ColumnType::Native(of))) };
        let columns = [column("n", list(NativeType::Int)), column("t", list(NativeType::Text))];
        let values = (vec![1_i32; 100], vec!["ab".to_owned(); 100]);
        let serialised = Serialised::new(&columns, &values).expect("they fit");
        assert_eq!(serialised.cells().surely_at_least(&columns), 200);
    }
}
