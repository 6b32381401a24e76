//! Shreds rows into the columns of a row group, each value with its levels.

use keyspaces_cql::statement::NativeType;
use parquet::basic::Type as PhysicalType;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
};
use parquet::errors::Result;
use parquet::file::writer::SerializedColumnWriter;

use super::schema::{is_text, physical};
use crate::bulk::value::{Problem, ScalarForm, ValueType};

/// The rows that are not in a row group yet.
#[derive(Debug, Default)]
pub(super) struct Shredded {
    leaves: Vec<ShreddedLeaf>,
    pub(super) rows: usize,
    /// The bytes of the values and levels.
    pub(super) bytes: usize,
}

/// One leaf of a column.
#[derive(Debug)]
struct ShreddedLeaf {
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    is_repeated: bool,
    values: ShreddedValues,
}

#[derive(Debug)]
enum ShreddedValues {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    /// The values one after the other, and the end of each.
    Bytes(Vec<u8>, Vec<usize>),
    Uuid(Vec<u8>),
}

/// The levels of the path above a value.
#[derive(Clone, Copy, Default)]
struct ShreddedLevels {
    definition: i16,
    /// The repetition level of the value's first entry.
    repetition: i16,
    /// The number of lists around the value.
    lists: i16,
}

impl Shredded {
    /// Empty columns of these types.
    pub(super) fn new<'t>(types: impl Iterator<Item = &'t ValueType>) -> Self {
        let mut leaves = Vec::new();
        types.for_each(|value_type| append_leaves(value_type, false, &mut leaves));
        Self { leaves, rows: 0, bytes: 0 }
    }

    /// Adds the value of a column whose first leaf is `leaf`. Returns the first leaf of the next column.
    pub(super) fn push(&mut self, value_type: &ValueType, value: Option<&[u8]>, leaf: usize) -> Result<usize, Problem> {
        self.push_optional(value_type, value, ShreddedLevels::default(), leaf)
    }

    fn push_optional(
        &mut self,
        value_type: &ValueType,
        value: Option<&[u8]>,
        at: ShreddedLevels,
        leaf: usize,
    ) -> Result<usize, Problem> {
        match value {
            None => Ok(self.push_absent(value_type, at, leaf)),
            Some(value) => {
                self.push_present(value_type, value, ShreddedLevels { definition: at.definition + 1, ..at }, leaf)
            }
        }
    }

    /// Adds an entry without a value to each leaf of a type.
    fn push_absent(&mut self, value_type: &ValueType, at: ShreddedLevels, leaf: usize) -> usize {
        match value_type {
            ValueType::Native(_) => {
                self.push_levels(at, leaf);
                leaf + 1
            }
            ValueType::List(element) | ValueType::Set(element) => self.push_absent(element, at, leaf),
            ValueType::Map(key, value) => {
                let leaf = self.push_absent(key, at, leaf);
                self.push_absent(value, at, leaf)
            }
            ValueType::Tuple(types) => {
                types.iter().fold(leaf, |leaf, value_type| self.push_absent(value_type, at, leaf))
            }
            ValueType::UserDefined(fields) => {
                fields.iter().fold(leaf, |leaf, (_, value_type)| self.push_absent(value_type, at, leaf))
            }
        }
    }

    fn push_present(
        &mut self,
        value_type: &ValueType,
        value: &[u8],
        at: ShreddedLevels,
        leaf: usize,
    ) -> Result<usize, Problem> {
        let parts = match value_type {
            ValueType::Native(native) => {
                if let Some(leaf) = self.leaves.get_mut(leaf) {
                    self.bytes += leaf.values.push(*native, value)?;
                }
                self.push_levels(at, leaf);
                return Ok(leaf + 1);
            }
            _ => value_type.parts(value)?,
        };
        match value_type {
            ValueType::Native(_) | ValueType::Tuple(_) | ValueType::UserDefined(_) => {
                parts.iter().try_fold(leaf, |leaf, part| self.push_optional(part.value_type, part.value, at, leaf))
            }
            _ if parts.is_empty() => Ok(self.push_absent(value_type, at, leaf)),
            ValueType::List(_) | ValueType::Set(_) | ValueType::Map(..) => {
                let in_each = if matches!(value_type, ValueType::Map(..)) { 2 } else { 1 };
                let mut next = leaf;
                for (index, element) in parts.chunks(in_each).enumerate() {
                    let repetition = if index == 0 { at.repetition } else { at.lists + 1 };
                    let inside = ShreddedLevels { definition: at.definition + 1, repetition, lists: at.lists + 1 };
                    next = element.iter().try_fold(leaf, |leaf, part| {
                        let value = part.value.ok_or("has a null inside a collection")?;
                        self.push_present(part.value_type, value, inside, leaf)
                    })?;
                }
                Ok(next)
            }
        }
    }

    fn push_levels(&mut self, at: ShreddedLevels, leaf: usize) {
        if let Some(leaf) = self.leaves.get_mut(leaf) {
            leaf.definitions.push(at.definition);
            self.bytes += size_of::<i16>();
            if leaf.is_repeated {
                leaf.repetitions.push(at.repetition);
                self.bytes += size_of::<i16>();
            }
        }
    }

    /// Writes the next leaf, and empties it.
    pub(super) fn write_leaf(&mut self, leaf: usize, to: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let Some(leaf) = self.leaves.get_mut(leaf) else { return Ok(()) };
        let values = std::mem::replace(&mut leaf.values, ShreddedValues::Boolean(Vec::new()));
        leaf.values = values.emptied();
        match values {
            ShreddedValues::Boolean(values) => leaf.write::<BoolType>(&values, to),
            ShreddedValues::Int32(values) => leaf.write::<Int32Type>(&values, to),
            ShreddedValues::Int64(values) => leaf.write::<Int64Type>(&values, to),
            ShreddedValues::Float(values) => leaf.write::<FloatType>(&values, to),
            ShreddedValues::Double(values) => leaf.write::<DoubleType>(&values, to),
            ShreddedValues::Bytes(bytes, ends) => {
                let all = ByteArray::from(bytes);
                let mut begin = 0;
                let value = |end: usize| all.slice(begin, end - std::mem::replace(&mut begin, end));
                leaf.write::<ByteArrayType>(&ends.into_iter().map(value).collect::<Vec<_>>(), to)
            }
            ShreddedValues::Uuid(bytes) => {
                let all = ByteArray::from(bytes);
                let values = (0..all.len() / 16).map(|index| all.slice(16 * index, 16).into());
                leaf.write::<FixedLenByteArrayType>(&values.collect::<Vec<_>>(), to)
            }
        }
    }

    /// Resets the counts after all leaves were written.
    pub(super) fn clear(&mut self) {
        (self.rows, self.bytes) = (0, 0);
    }
}

impl ShreddedLeaf {
    fn write<T: DataType>(&mut self, values: &[T::T], to: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let repetitions = self.is_repeated.then_some(self.repetitions.as_slice());
        to.typed::<T>().write_batch(values, Some(&self.definitions), repetitions)?;
        self.definitions.clear();
        self.repetitions.clear();
        Ok(())
    }
}

/// Appends the leaves of a type.
fn append_leaves(value_type: &ValueType, is_repeated: bool, leaves: &mut Vec<ShreddedLeaf>) {
    match value_type {
        ValueType::Native(native) => leaves.push(ShreddedLeaf {
            definitions: Vec::new(),
            repetitions: Vec::new(),
            is_repeated,
            values: ShreddedValues::of(*native),
        }),
        ValueType::List(element) | ValueType::Set(element) => append_leaves(element, true, leaves),
        ValueType::Map(key, value) => {
            append_leaves(key, true, leaves);
            append_leaves(value, true, leaves);
        }
        ValueType::Tuple(types) => types.iter().for_each(|value_type| append_leaves(value_type, is_repeated, leaves)),
        ValueType::UserDefined(fields) => {
            fields.iter().for_each(|(_, value_type)| append_leaves(value_type, is_repeated, leaves))
        }
    }
}

impl ShreddedValues {
    fn of(native: NativeType) -> Self {
        match physical(native) {
            PhysicalType::BOOLEAN => Self::Boolean(Vec::new()),
            PhysicalType::INT32 => Self::Int32(Vec::new()),
            PhysicalType::INT64 | PhysicalType::INT96 => Self::Int64(Vec::new()),
            PhysicalType::FLOAT => Self::Float(Vec::new()),
            PhysicalType::DOUBLE => Self::Double(Vec::new()),
            PhysicalType::BYTE_ARRAY => Self::Bytes(Vec::new(), Vec::new()),
            PhysicalType::FIXED_LEN_BYTE_ARRAY => Self::Uuid(Vec::new()),
        }
    }

    fn emptied(&self) -> Self {
        match self {
            Self::Boolean(_) => Self::Boolean(Vec::new()),
            Self::Int32(_) => Self::Int32(Vec::new()),
            Self::Int64(_) => Self::Int64(Vec::new()),
            Self::Float(_) => Self::Float(Vec::new()),
            Self::Double(_) => Self::Double(Vec::new()),
            Self::Bytes(..) => Self::Bytes(Vec::new(), Vec::new()),
            Self::Uuid(_) => Self::Uuid(Vec::new()),
        }
    }

    /// Adds a value, and returns its size in bytes.
    fn push(&mut self, native: NativeType, value: &[u8]) -> Result<usize, Problem> {
        match self {
            Self::Boolean(values) => values.push(bytes::<1>(native, value)? != [0]),
            Self::Int32(values) => values.push(match native {
                NativeType::Tinyint => i8::from_be_bytes(bytes(native, value)?).into(),
                NativeType::Smallint => i16::from_be_bytes(bytes(native, value)?).into(),
                // A CQL date is unsigned, with 1970-01-01 in the middle of the range.
                NativeType::Date => (u32::from_be_bytes(bytes(native, value)?) ^ 1 << 31).cast_signed(),
                _ => i32::from_be_bytes(bytes(native, value)?),
            }),
            Self::Int64(values) => values.push(i64::from_be_bytes(bytes(native, value)?)),
            Self::Float(values) => values.push(f32::from_be_bytes(bytes(native, value)?)),
            Self::Double(values) => values.push(f64::from_be_bytes(bytes(native, value)?)),
            Self::Uuid(values) => values.extend_from_slice(&bytes::<16>(native, value)?),
            Self::Bytes(values, ends) => {
                let before = values.len();
                if is_text(native) {
                    let mut text = String::new();
                    if value.is_empty() && !matches!(native, NativeType::Ascii | NativeType::Text | NativeType::Varchar)
                    {
                        return Err(no_bytes(native));
                    }
                    ScalarForm::json().write(native, value, &mut text)?;
                    values.extend_from_slice(text.as_bytes());
                } else {
                    values.extend_from_slice(value);
                }
                ends.push(values.len());
                return Ok(values.len() - before + size_of::<usize>());
            }
        }
        Ok(value.len())
    }
}

fn bytes<const N: usize>(native: NativeType, value: &[u8]) -> Result<[u8; N], Problem> {
    value
        .try_into()
        .map_err(|_| if value.is_empty() { no_bytes(native) } else { format!("is not a valid {}", native.name()) })
}

/// Cassandra has values of zero bytes for most types, Parquet only for text and bytes.
fn no_bytes(native: NativeType) -> Problem {
    format!("has no bytes, which Parquet cannot express for {}: export it as CSV or JSON Lines", native.name())
}
