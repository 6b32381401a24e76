//! How many bytes a value has where the service keeps it.

use crate::statement::{CqlType, CqlTypeKind, NativeType};

/// The size of a value, and what its metadata depends on.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ValueSize {
    /// Its bytes.
    pub bytes: usize,
    /// How many elements a collection that is not frozen has, or how many fields a user-defined type has.
    pub elements: usize,
}

/// The size of a value that was serialised as the protocol's version 4 sends it; `None` is null.
///
/// A number has a byte for every two significant digits, zeros at its end not counted, and one more. Types that the page
/// does not name (dates, UUIDs, floating-point numbers, `decimal`) are taken to have the bytes that they are sent with. A
/// value that is not of its type counts as it came.
#[must_use]
pub fn value_size(of: &CqlTypeKind, serialised: Option<&[u8]>) -> ValueSize {
    let Some(bytes) = serialised else { return ValueSize { bytes: 1, elements: 0 } };
    let read = match of {
        CqlTypeKind::List(element) | CqlTypeKind::Set(element) => collection(bytes, &[element]),
        CqlTypeKind::Map(key, value) => collection(bytes, &[key, value]),
        CqlTypeKind::UserDefined(_) => fields(bytes),
        _ => None,
    };
    read.unwrap_or_else(|| ValueSize { bytes: part(of, bytes), elements: 0 })
}

/// The bytes of a collection or a user-defined type itself, and of each element or field.
const COLLECTION: usize = 3;
const ELEMENT: usize = 1;

/// A list, a set or a map that is not frozen; of a map a pair is one element.
fn collection(bytes: &[u8], parts: &[&CqlType]) -> Option<ValueSize> {
    let (count, mut rest) = bytes.split_first_chunk::<4>()?;
    let elements = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let mut size = COLLECTION;
    // The number is not believed: elements that are not there end it.
    for _ in 0..elements {
        size += ELEMENT;
        for of in parts {
            size += part(&of.kind, taken(&mut rest)??);
        }
    }
    Some(ValueSize { bytes: size, elements })
}

/// A user-defined type that is not frozen, whose fields' types are not known here. The name of a field is kept as a
/// column's is.
fn fields(bytes: &[u8]) -> Option<ValueSize> {
    let (mut rest, mut size, mut elements) = (bytes, COLLECTION, 0_usize);
    while !rest.is_empty() {
        size += ELEMENT + taken(&mut rest)?.map_or(1, <[u8]>::len);
        elements += 1;
    }
    Some(ValueSize { bytes: size + elements * super::row::name_bytes(elements), elements })
}

/// A value that is kept as a whole.
fn part(of: &CqlTypeKind, bytes: &[u8]) -> usize {
    match of {
        CqlTypeKind::Native(
            NativeType::Int | NativeType::Bigint | NativeType::Smallint | NativeType::Tinyint | NativeType::Varint,
        ) => number(bytes),
        CqlTypeKind::Frozen(inner) => match inner.kind {
            // Without the number of elements, which is sent before them.
            CqlTypeKind::List(_) | CqlTypeKind::Set(_) | CqlTypeKind::Map(..) => bytes.len().saturating_sub(4),
            ref other => part(other, bytes),
        },
        _ => bytes.len(),
    }
}

/// A big-endian two's complement number.
fn number(bytes: &[u8]) -> usize {
    let Some(number) = integer(bytes) else {
        // More than the 38 significant digits that a number may have.
        return MOST_DIGITS.div_ceil(2) + 1;
    };
    let mut number = number.unsigned_abs();
    while number != 0 && number.is_multiple_of(10) {
        number /= 10;
    }
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    digits.min(MOST_DIGITS).div_ceil(2) + 1
}

const MOST_DIGITS: usize = 38;

fn integer(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first().unwrap_or(&0);
    let mut wide = [if first >= 0x80 { 0xff } else { 0 }; 16];
    let from = wide.len().checked_sub(bytes.len())?;
    wide[from..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// The next value with its length before it; `Some(None)` is a null.
#[expect(clippy::option_option, reason = "no value, and a value that is null, are two things")]
fn taken<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
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

    fn size(of: &str, bytes: &[u8]) -> (usize, usize) {
        let ValueSize { bytes, elements } = value_size(&cql_type(of), Some(bytes));
        (bytes, elements)
    }

    #[test]
    fn a_number_has_a_byte_for_two_significant_digits_and_one_more() {
        for (number, bytes) in [(0, 2), (7, 2), (10, 2), (-99, 2), (100, 2), (101, 3), (-1_234, 3), (1_200_000, 2)] {
            assert_eq!(size("int", &i32::to_be_bytes(number)).0, bytes, "{number}");
            assert_eq!(size("bigint", &i64::to_be_bytes(number.into())).0, bytes, "{number}");
        }
        assert_eq!(size("bigint", &i64::MAX.to_be_bytes()).0, 11);
        assert_eq!(size("varint", &[0x7f; 40]).0, 20);
        assert_eq!(size("varint", &[]).0, 2);
    }

    #[test]
    fn strings_and_blobs_have_their_bytes_and_null_and_booleans_one() {
        assert_eq!(size("text", "ä".as_bytes()).0, 2);
        assert_eq!(size("blob", &[0; 300]).0, 300);
        assert_eq!(size("boolean", &[1]).0, 1);
        assert_eq!(size("uuid", &[1; 16]).0, 16);
        assert_eq!(value_size(&cql_type("text"), None).bytes, 1);
    }

    #[test]
    fn a_collection_has_three_bytes_and_one_for_each_element_beside_their_own() {
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
    fn what_is_not_of_its_type_counts_as_it_came() {
        for bytes in [&[][..], &[0x7f, 0xff, 0xff, 0xff], &[0, 0, 0, 1, 0, 0, 0, 9, 1], &[0xff; 7]] {
            assert_eq!(size("list<text>", bytes), (bytes.len(), 0));
        }
    }
}
