//! The stored size of a value.

use crate::rules;
use crate::statement::{CqlType, CqlTypeKind, NativeType};

/// The size of a value, and the number of elements on which its metadata depends.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ValueSize {
    /// The number of bytes.
    pub bytes: usize,
    /// The number of elements of a collection or fields of a user-defined type that is not frozen.
    pub elements: usize,
}

/// The size of a value in the encoding of protocol version 4; `None` is null.
///
/// An integer has one byte for every two significant digits, without trailing zeros, and one more. Types that
/// `DG:calculating-row-size` does not name (dates, UUIDs, floating-point numbers, `decimal`) are assumed to have the size
/// of their encoding, and so are values that are not valid for their type.
#[must_use]
pub fn value_size(cql_type: &CqlTypeKind, serialized: Option<&[u8]>) -> ValueSize {
    let Some(bytes) = serialized else { return ValueSize { bytes: 1, elements: 0 } };
    let read = match cql_type {
        CqlTypeKind::List(element) | CqlTypeKind::Set(element) => collection_size(bytes, &[element]),
        CqlTypeKind::Map(key, value) => collection_size(bytes, &[key, value]),
        CqlTypeKind::UserDefined(_) => fields_size(bytes),
        _ => None,
    };
    read.unwrap_or_else(|| ValueSize { bytes: stored_size(cql_type, bytes), elements: 0 })
}

/// The bytes of a collection or a user-defined type itself, and of each element or field.
const COLLECTION: usize = 3;
const ELEMENT: usize = 1;

/// The size of a list, a set or a map that is not frozen. The pairs of a map are its elements.
fn collection_size(bytes: &[u8], parts: &[&CqlType]) -> Option<ValueSize> {
    let (count, mut rest) = bytes.split_first_chunk::<4>()?;
    let elements = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let mut size = COLLECTION;
    // The count is not trusted: a missing element ends the loop.
    for _ in 0..elements {
        size += ELEMENT;
        for cql_type in parts {
            size += stored_size(&cql_type.kind, take_value(&mut rest)??);
        }
    }
    Some(ValueSize { bytes: size, elements })
}

/// The size of a user-defined type that is not frozen. The types of its fields are not known here. A field is stored with an
/// identifier, like a column.
fn fields_size(bytes: &[u8]) -> Option<ValueSize> {
    let (mut rest, mut size, mut elements) = (bytes, COLLECTION, 0_usize);
    while !rest.is_empty() {
        size += ELEMENT + take_value(&mut rest)?.map_or(1, <[u8]>::len);
        elements += 1;
    }
    Some(ValueSize { bytes: size + elements * super::row::column_id_bytes(elements), elements })
}

/// The size of a value that is stored as a whole.
fn stored_size(cql_type: &CqlTypeKind, bytes: &[u8]) -> usize {
    match cql_type {
        CqlTypeKind::Native(
            NativeType::Int | NativeType::Bigint | NativeType::Smallint | NativeType::Tinyint | NativeType::Varint,
        ) => integer_size(bytes),
        CqlTypeKind::Frozen(inner) => match inner.kind {
            // The protocol sends the number of elements before them, which is not stored.
            CqlTypeKind::List(_) | CqlTypeKind::Set(_) | CqlTypeKind::Map(..) => bytes.len().saturating_sub(4),
            ref other => stored_size(other, bytes),
        },
        _ => bytes.len(),
    }
}

/// The size of a big-endian two's complement integer.
fn integer_size(bytes: &[u8]) -> usize {
    let Some(number) = integer(bytes) else {
        // The number has more than the 38 significant digits that are allowed.
        return rules::MAX_DIGITS.div_ceil(2) + 1;
    };
    let mut number = number.unsigned_abs();
    while number != 0 && number.is_multiple_of(10) {
        number /= 10;
    }
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    digits.min(rules::MAX_DIGITS).div_ceil(2) + 1
}

fn integer(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first().unwrap_or(&0);
    let mut wide = [if first >= 0x80 { 0xff } else { 0 }; 16];
    let from = wide.len().checked_sub(bytes.len())?;
    wide[from..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// Takes the next length-prefixed value; `Some(None)` is null.
#[expect(clippy::option_option, reason = "no value, and a value that is null, are two things")]
fn take_value<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
        *rest = after;
        return Some(None);
    };
    let (value, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Statement, parse};

    pub(super) fn cql_type(text: &str) -> CqlTypeKind {
        let Ok(Statement::CreateTable(create)) = parse(&format!("CREATE TABLE t (c {text} PRIMARY KEY)")) else {
            panic!("{text}")
        };
        create.columns[0].column_type.kind.clone()
    }

    fn size(type_name: &str, bytes: &[u8]) -> (usize, usize) {
        let ValueSize { bytes, elements } = value_size(&cql_type(type_name), Some(bytes));
        (bytes, elements)
    }

    #[test]
    fn number_size_is_one_byte_per_two_significant_digits_plus_one() {
        for (number, bytes) in [(0, 2), (7, 2), (10, 2), (-99, 2), (100, 2), (101, 3), (-1_234, 3), (1_200_000, 2)] {
            assert_eq!(size("int", &i32::to_be_bytes(number)).0, bytes, "{number}");
            assert_eq!(size("bigint", &i64::to_be_bytes(number.into())).0, bytes, "{number}");
        }
        assert_eq!(size("bigint", &i64::MAX.to_be_bytes()).0, 11);
        assert_eq!(size("varint", &[0x7f; 40]).0, 20);
        assert_eq!(size("varint", &[]).0, 2);
    }

    #[test]
    fn texts_and_blobs_count_their_bytes_and_null_and_booleans_one() {
        assert_eq!(size("text", "ä".as_bytes()).0, 2);
        assert_eq!(size("blob", &[0; 300]).0, 300);
        assert_eq!(size("boolean", &[1]).0, 1);
        assert_eq!(size("uuid", &[1; 16]).0, 16);
        assert_eq!(value_size(&cql_type("text"), None).bytes, 1);
    }

    #[test]
    fn collection_size_is_3_bytes_plus_1_per_element_plus_the_elements() {
        let list = [0, 0, 0, 2, 0, 0, 0, 2, b'a', b'b', 0, 0, 0, 1, b'c'];
        assert_eq!(size("list<text>", &list), (3 + 1 + 2 + 1 + 1, 2));
        assert_eq!(size("set<text>", &list), (8, 2));
        assert_eq!(size("frozen<list<text>>", &list), (4 + 2 + 4 + 1, 0));
        let map = [0, 0, 0, 1, 0, 0, 0, 1, b'k', 0, 0, 0, 4, 0, 0, 0, 5];
        assert_eq!(size("map<text, int>", &map), (3 + 1 + 1 + 2, 1));
        assert_eq!(size("frozen<map<text, int>>", &map), (4 + 1 + 4 + 4, 0));
        let user_type = [0, 0, 0, 1, b'x', 0xff, 0xff, 0xff, 0xff];
        assert_eq!(size("address", &user_type), (3 + (1 + 1 + 1) + (1 + 1 + 1), 2));
        assert_eq!(size("frozen<address>", &user_type), (9, 0));
    }

    #[test]
    fn malformed_collection_counts_its_raw_bytes() {
        for bytes in [&[][..], &[0x7f, 0xff, 0xff, 0xff], &[0, 0, 0, 1, 0, 0, 0, 9, 1], &[0xff; 7]] {
            assert_eq!(size("list<text>", bytes), (bytes.len(), 0));
        }
    }
}
