//! The number of digits of the numbers in a value.

use super::big_integer;
use crate::UserTypes;
use crate::statement::{CqlType, CqlTypeKind, NativeType};

/// Far more bytes than a number within the limit has. The digits of a longer number are not counted exactly.
const MAX_COUNTED_BYTES: usize = 128;

/// The largest number of digits of any number in a serialised value: all digits of a `varint`, the digits of a `decimal`
/// without trailing zeros, 0 if there is no such number.
#[must_use]
pub fn max_digits(cql_type: &CqlTypeKind, bytes: &[u8], user_types: &UserTypes) -> usize {
    match cql_type {
        CqlTypeKind::Native(NativeType::Varint) if bytes.len() <= MAX_COUNTED_BYTES => big_integer::digits(bytes),
        CqlTypeKind::Native(NativeType::Decimal) if bytes.len() <= MAX_COUNTED_BYTES => {
            bytes.get(4..).map_or(0, big_integer::significant_digits)
        }
        CqlTypeKind::Native(NativeType::Varint | NativeType::Decimal) => bytes.len(),
        CqlTypeKind::Frozen(inner) => max_digits(&inner.kind, bytes, user_types),
        CqlTypeKind::List(element) | CqlTypeKind::Set(element) => max_in_elements(&[element], bytes, user_types),
        CqlTypeKind::Map(key, value) => max_in_elements(&[key, value], bytes, user_types),
        CqlTypeKind::Tuple(elements) => max_in_parts(elements.iter(), bytes, user_types),
        CqlTypeKind::UserDefined(name) => {
            let fields = user_types.fields(name).unwrap_or_default();
            max_in_parts(fields.iter().map(|(_, field_type)| field_type), bytes, user_types)
        }
        CqlTypeKind::Native(_) | CqlTypeKind::Vector(..) | CqlTypeKind::Custom(_) => 0,
    }
}

fn max_in_elements(types: &[&CqlType], bytes: &[u8], user_types: &UserTypes) -> usize {
    let has_numbers = types.iter().any(|cql_type| may_have_numbers(&cql_type.kind));
    let Some((_, rest)) = bytes.split_first_chunk::<4>().filter(|_| has_numbers) else { return 0 };
    max_in_parts(types.iter().copied().cycle(), rest, user_types)
}

fn may_have_numbers(cql_type: &CqlTypeKind) -> bool {
    match cql_type {
        CqlTypeKind::Native(native) => matches!(native, NativeType::Varint | NativeType::Decimal),
        _ => true,
    }
}

/// The largest number of digits in a sequence of length-prefixed values, which may end early.
fn max_in_parts<'t>(types: impl Iterator<Item = &'t CqlType>, bytes: &[u8], user_types: &UserTypes) -> usize {
    let (mut rest, mut max) = (bytes, 0);
    for cql_type in types {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { break };
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            rest = after;
            continue;
        };
        let Some((part, after)) = after.split_at_checked(length) else { break };
        max = max.max(max_digits(&cql_type.kind, part, user_types));
        rest = after;
    }
    max
}

#[cfg(test)]
mod tests {
    use super::super::{Value, scalar};
    use super::*;

    fn digits(type_name: &str, value: &Value) -> usize {
        let kind = type_name.parse::<CqlType>().unwrap().kind;
        let mut user_types = UserTypes::default();
        user_types.insert(
            "price",
            vec![("currency".into(), NativeType::Text.into()), ("amount".into(), NativeType::Decimal.into())],
        );
        max_digits(&kind, value.bytes.as_deref().unwrap(), &user_types)
    }

    #[test]
    fn digit_count_of_a_value_is_that_of_its_longest_number() {
        let (varint, decimal) = (scalar(NativeType::Varint, "-1234567890"), scalar(NativeType::Decimal, "1234.5000"));
        let text = scalar(NativeType::Text, "x");
        assert_eq!(digits("varint", &varint), 10);
        assert_eq!(digits("decimal", &decimal), 5);
        assert_eq!(digits("text", &text), 0);
        assert_eq!(digits("frozen<list<decimal>>", &Value::list(vec![Value::null(), decimal.clone()])), 5);
        assert_eq!(digits("map<text, varint>", &Value::map(vec![(text.clone(), varint.clone())])), 10);
        assert_eq!(digits("tuple<text, varint>", &Value::tuple(&[text.clone(), varint.clone()])), 10);
        assert_eq!(digits("price", &Value::tuple(&[text.clone(), decimal])), 5);
        assert_eq!(digits("list<text>", &Value::list(vec![text])), 0);
        let long = scalar(NativeType::Varint, &"9".repeat(5000));
        assert!(digits("varint", &long) > 38);
        assert_eq!(digits("list<varint>", &Value::from_bytes([0xff; 9])), 0);
    }
}
