//! Values in the wire format. They are serialized once; the same bytes are then measured and bound.

use std::cell::Cell;

use crate::saturated::saturated;
use scylla::frame::response::result::{CollectionType, ColumnSpec, ColumnType, NativeType};
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::{RowWriter, WrittenCellProof};
use scylla_cql_core::serialize::row::SerializedValues;

/// Larger buffers are freed after use, so that one large row does not occupy memory for ever.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// The size of the field for the number of values in a request.
const COUNT_BYTES: usize = 2;

const NULL: i32 = -1;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The values of one request, serialized into the thread's buffer. Dropping them returns the buffer to the thread.
pub(super) struct BoundValues {
    /// The wire format: the number of values in two bytes, then the values.
    buffer: Vec<u8>,
}

impl BoundValues {
    /// Creates the values with `serialize`, which appends them and returns their number.
    pub(super) fn serialize_with<E>(serialize: impl FnOnce(&mut Vec<u8>) -> Result<usize, E>) -> Result<Self, E> {
        let mut serialized = Self { buffer: BUFFER.take() };
        serialized.buffer.clear();
        serialized.buffer.extend_from_slice(&[0; COUNT_BYTES]);
        let count = serialize(&mut serialized.buffer)?;
        // The number of bind markers always fits two bytes.
        let count = saturated::<u16>(count);
        if let Some(first) = serialized.buffer.first_chunk_mut::<COUNT_BYTES>() {
            *first = count.to_be_bytes();
        }
        Ok(serialized)
    }

    pub(super) fn view(&self) -> SerializedView<'_> {
        let (count, bytes) = self.buffer.split_first_chunk::<COUNT_BYTES>().unwrap_or((&[0; COUNT_BYTES], &[]));
        SerializedView { bytes, count: u16::from_be_bytes(*count).into() }
    }
}

/// Binds all values with one copy. If they were appended one by one, the driver's buffer would grow several times.
impl SerializeRow for BoundValues {
    fn serialize(&self, _: &RowSerializationContext<'_>, writer: &mut RowWriter<'_>) -> Result<(), SerializationError> {
        let values = SerializedValues::new_from_frame(&mut self.buffer.as_slice()).map_err(SerializationError::new)?;
        writer.append_serialize_row(&values);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.view().count == 0
    }
}

impl Drop for BoundValues {
    fn drop(&mut self) {
        if self.buffer.capacity() <= MAX_KEPT_BYTES {
            BUFFER.set(std::mem::take(&mut self.buffer));
        }
    }
}

/// Appends `values` to `buffer` and returns their number.
#[inline]
pub(super) fn append(
    columns: &[ColumnSpec<'_>],
    values: &(impl SerializeRow + ?Sized),
    buffer: &mut Vec<u8>,
) -> Result<usize, SerializationError> {
    let mut writer = RowWriter::new(buffer);
    values.serialize(&RowSerializationContext::from_specs(columns), &mut writer)?;
    Ok(writer.value_count())
}

/// Serialized values in the protocol's format: each has a length of four bytes, negative for null or unset, and then
/// its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SerializedView<'b> {
    bytes: &'b [u8],
    count: usize,
}

impl<'b> SerializedView<'b> {
    pub(crate) fn new(bytes: &'b [u8], count: usize) -> Self {
        Self { bytes, count }
    }

    /// The number of values.
    pub(super) fn count(self) -> usize {
        self.count
    }

    pub(crate) fn as_bytes(self) -> &'b [u8] {
        self.bytes
    }

    /// The values in order.
    pub(super) fn iter(self) -> impl Iterator<Item = SerializedValue<'b>> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (value, after) = SerializedValue::read(rest)?;
            rest = after;
            Some(value)
        })
    }

    /// The bytes of the value at `index`; `None` if it is missing, null or unset.
    pub(super) fn value(self, index: usize) -> Option<&'b [u8]> {
        match self.iter().nth(index)? {
            SerializedValue::Bytes(bytes) => Some(bytes),
            SerializedValue::Null | SerializedValue::Unset => None,
        }
    }

    /// Appends these values with further values inserted, each at its index in the result. `using_values` must be sorted by
    /// index.
    pub(super) fn append_with(self, using_values: &[(usize, Vec<u8>)], all: &mut Vec<u8>) {
        let mut own = self.iter();
        let mut further = using_values.iter().peekable();
        for index in 0.. {
            if let Some((_, bytes)) = further.next_if(|(at, _)| *at == index) {
                SerializedValue::Bytes(bytes).append_to(all);
            } else if let Some(value) = own.next() {
                value.append_to(all);
            } else {
                break;
            }
        }
    }

    /// A lower bound of the size that the service computes for the values. The service computes the size differently
    /// for each type. Here, text and blobs count with their length, other native values as one byte, collections of
    /// text or blobs without the lengths of their elements, and all other values as zero.
    pub(super) fn min_size(self, columns: &[ColumnSpec<'_>]) -> usize {
        let sizes = columns.iter().zip(self.iter()).map(|(column, value)| match value {
            SerializedValue::Bytes(bytes) => min_value_size(column.typ(), bytes),
            SerializedValue::Null | SerializedValue::Unset => 0,
        });
        sizes.sum()
    }
}

/// One value of a [`SerializedView`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SerializedValue<'b> {
    Null,
    Unset,
    Bytes(&'b [u8]),
}

impl<'b> SerializedValue<'b> {
    #[inline]
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

    pub(super) fn append_to(self, all: &mut Vec<u8>) {
        match self {
            Self::Null => all.extend_from_slice(&NULL.to_be_bytes()),
            Self::Unset => all.extend_from_slice(&(-2_i32).to_be_bytes()),
            Self::Bytes(bytes) => {
                // The length fits: it was read as an i32, or the value is a number of eight bytes.
                all.extend_from_slice(&saturated::<i32>(bytes.len()).to_be_bytes());
                all.extend_from_slice(bytes);
            }
        }
    }
}

/// Binds values that are already serialized. They were checked against the columns when they were serialized.
impl SerializeRow for SerializedView<'_> {
    fn serialize(&self, _: &RowSerializationContext<'_>, writer: &mut RowWriter<'_>) -> Result<(), SerializationError> {
        let mut rest = self.bytes;
        while let Some((value, after)) = SerializedValue::read(rest) {
            rest = after;
            let cell = writer.make_cell_writer();
            let _: WrittenCellProof<'_> = match value {
                SerializedValue::Null => cell.set_null(),
                SerializedValue::Unset => cell.set_unset(),
                SerializedValue::Bytes(bytes) => cell.set_value(bytes).map_err(SerializationError::new)?,
            };
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

fn min_value_size(column: &ColumnType<'_>, bytes: &[u8]) -> usize {
    let elements = || bytes.first_chunk::<4>().map_or(0, |count| u32::from_be_bytes(*count) as usize);
    let without_lengths = |lengths: usize| bytes.len().saturating_sub(4 + 4 * lengths);
    match column {
        ColumnType::Native(NativeType::Text | NativeType::Ascii | NativeType::Blob) => bytes.len(),
        ColumnType::Native(_) => bytes.len().min(1),
        ColumnType::Collection { typ: CollectionType::List(element) | CollectionType::Set(element), .. }
            if is_bytes(element) =>
        {
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
    fn serialized_values_can_be_bound_again_unchanged() {
        let values = (7_i32, "Ada", None::<String>, Unset);
        let serialized = BoundValues::serialize_with(|buffer| append(&columns(), &values, buffer)).expect("they fit");
        let view = serialized.view();
        let read: Vec<_> = view.iter().collect();
        assert_eq!(
            read,
            [
                SerializedValue::Bytes(&[0, 0, 0, 7]),
                SerializedValue::Bytes(b"Ada"),
                SerializedValue::Null,
                SerializedValue::Unset
            ]
        );
        assert_eq!((view.count(), view.value(1), view.value(2)), (4, Some(&b"Ada"[..]), None));
        let (mut together, mut singly) = (Vec::new(), Vec::new());
        assert_eq!(append(&columns(), &serialized, &mut together).expect("they were serialised"), 4);
        assert_eq!(append(&columns(), &view, &mut singly).expect("they were serialised"), 4);
        assert_eq!((view.as_bytes(), view.as_bytes()), (together.as_slice(), singly.as_slice()));
    }

    #[test]
    fn using_values_are_inserted_at_their_bind_markers() {
        let with = |using_values: &[(usize, &[u8])]| {
            let using_values: Vec<_> = using_values.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect();
            let (mut given, mut all) = (Vec::new(), Vec::new());
            let count = append(&columns()[..2], &(7_i32, "Ada"), &mut given).expect("they fit");
            SerializedView::new(&given, count).append_with(&using_values, &mut all);
            let all = SerializedView::new(&all, count + using_values.len());
            assert_eq!(all.iter().count(), all.count());
            all.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" ")
        };
        let (id, name) = ("Bytes([0, 0, 0, 7])", "Bytes([65, 100, 97])");
        assert_eq!(with(&[(0, &[1])]), format!("Bytes([1]) {id} {name}"));
        assert_eq!(with(&[(2, &[1]), (3, &[2])]), format!("{id} {name} Bytes([1]) Bytes([2])"));
        assert_eq!(with(&[(0, &[1]), (2, &[2])]), format!("Bytes([1]) {id} Bytes([2]) {name}"));
    }

    #[test]
    fn protocol_overhead_does_not_count_towards_the_service_size() {
        let list = |element| ColumnType::Collection {
            frozen: false,
            typ: CollectionType::List(Box::new(ColumnType::Native(element))),
        };
        let columns = [column("n", list(NativeType::Int)), column("t", list(NativeType::Text))];
        let values = (vec![1_i32; 100], vec!["ab".to_owned(); 100]);
        let mut bytes = Vec::new();
        let count = append(&columns, &values, &mut bytes).expect("they fit");
        assert_eq!(SerializedView::new(&bytes, count).min_size(&columns), 200);
    }
}
