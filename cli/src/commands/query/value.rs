//! Formats values of any CQL type as text and as JSON.

use keyspaces::value::CqlValue;
use keyspaces_cql::statement::NativeType;
use keyspaces_cql::value::write_scalar;
use serde_json::{Map, Number, Value};

/// The value as CQL writes it, without quotes.
pub(super) fn text(value: &CqlValue) -> String {
    match value {
        CqlValue::Text(text) | CqlValue::Ascii(text) => text.clone(),
        CqlValue::Empty => String::new(),
        CqlValue::Varint(number) => digits(value, NativeType::Varint, number.as_signed_bytes_be_slice()),
        CqlValue::Decimal(number) => {
            let (unscaled, scale) = number.as_signed_be_bytes_slice_and_exponent();
            digits(value, NativeType::Decimal, &[&scale.to_be_bytes(), unscaled].concat())
        }
        value => literal(value),
    }
}

fn literal(value: &CqlValue) -> String {
    let literal = value.to_string();
    // Timestamps, dates and times are quoted in CQL.
    match literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.to_owned(),
        None => literal,
    }
}

/// The decimal digits of a number, which the driver prints as a blob; the blob if there are too many digits.
fn digits(value: &CqlValue, native: NativeType, bytes: &[u8]) -> String {
    let mut digits = String::new();
    if write_scalar(native, bytes, &mut digits) { digits } else { literal(value) }
}

/// Numbers that JSON readers hold exactly are JSON numbers; larger ones and other types are text as in CQL.
pub(super) fn json(value: &CqlValue) -> Value {
    match value {
        CqlValue::Boolean(value) => Value::Bool(*value),
        CqlValue::TinyInt(value) => Value::from(*value),
        CqlValue::SmallInt(value) => Value::from(*value),
        CqlValue::Int(value) => Value::from(*value),
        CqlValue::BigInt(value) => Value::from(*value),
        CqlValue::Counter(value) => Value::from(value.0),
        CqlValue::Double(number) => Number::from_f64(*number).map_or_else(|| Value::from(text(value)), Value::Number),
        // Printed as a float, because a conversion to a double adds digits.
        CqlValue::Float(number) => number.to_string().parse().map_or_else(|_| Value::from(text(value)), Value::Number),
        CqlValue::List(items) | CqlValue::Set(items) => items.iter().map(json).collect(),
        CqlValue::Tuple(items) => items.iter().map(|item| item.as_ref().map_or(Value::Null, json)).collect(),
        CqlValue::Map(entries) => Value::Object(entries.iter().map(|(key, value)| (text(key), json(value))).collect()),
        CqlValue::UserDefinedType { fields, .. } => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), value.as_ref().map_or(Value::Null, json)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        value => Value::from(text(value)),
    }
}

#[cfg(test)]
mod tests {
    use keyspaces::value::{CqlDecimal, CqlVarint};

    use super::*;

    #[test]
    fn decimal_and_varint_are_printed_in_digits() {
        let decimal = CqlDecimal::from_signed_be_bytes_and_exponent(vec![0xff, 0x85], 2);
        assert_eq!(text(&CqlValue::Decimal(decimal)), "-1.23");
        let varint = CqlVarint::from_signed_bytes_be(vec![1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(text(&CqlValue::Varint(varint)), "18446744073709551616");
    }

    #[test]
    fn json_numbers_keep_their_precision() {
        assert_eq!(json(&CqlValue::Float(0.1)).to_string(), "0.1");
        assert_eq!(json(&CqlValue::BigInt(i64::MAX)).to_string(), "9223372036854775807");
        assert_eq!(json(&CqlValue::Double(f64::NAN)), Value::from("NaN"));
    }
}
