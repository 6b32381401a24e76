//! Scalar values.

use std::net::IpAddr;

use super::time::split_once;
use super::{Value, big_integer, duration, time};
use crate::statement::{CqlTypeKind, NativeType};

/// The value of a literal in a column of this type. The literal may be a string or a number, because JSON allows both.
///
/// Only the number of bytes is right if the text is not of the type, or if only the server can read it (`'now'`, a
/// timestamp without a zone).
#[must_use]
pub fn scalar(native: NativeType, text: &str) -> Value {
    let mut bytes = Vec::new();
    match append(native, text, &mut bytes) {
        Some(()) => Value::from_bytes(bytes),
        None => Value::of_type(&CqlTypeKind::Native(native)),
    }
}

/// Appends the bytes of a literal in a column of this type and returns `true`. Appends nothing and returns `false` if the
/// text is not a literal of the type. Numbers of more than 10,000 digits are refused, and so are floating-point numbers
/// beyond the largest of the type.
///
/// ```
/// use keyspaces_cql::statement::NativeType;
/// use keyspaces_cql::value::{append_scalar, write_scalar};
///
/// let mut bytes = Vec::new();
/// assert!(append_scalar(NativeType::Decimal, "-1.50", &mut bytes));
/// assert!(!append_scalar(NativeType::Int, "3000000000", &mut bytes));
/// let mut text = String::new();
/// assert!(write_scalar(NativeType::Decimal, &bytes, &mut text));
/// assert_eq!(text, "-1.50");
/// ```
#[must_use]
pub fn append_scalar(native: NativeType, text: &str, out: &mut Vec<u8>) -> bool {
    let is_number = matches!(native, NativeType::Varint | NativeType::Decimal);
    if is_number && text.len() > big_integer::MAX_PARSED_DIGITS {
        return false;
    }
    let length = out.len();
    let is_valid = append(native, text, out).is_some();
    if !is_valid {
        out.truncate(length);
    }
    is_valid
}

fn append(native: NativeType, text: &str, out: &mut Vec<u8>) -> Option<()> {
    match native {
        NativeType::Text | NativeType::Varchar => out.extend_from_slice(text.as_bytes()),
        NativeType::Ascii => out.extend_from_slice(Some(text).filter(|text| text.is_ascii())?.as_bytes()),
        NativeType::Blob => hexadecimal(text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?, out)?,
        NativeType::Boolean if text.eq_ignore_ascii_case("true") => out.push(1),
        NativeType::Boolean if text.eq_ignore_ascii_case("false") => out.push(0),
        NativeType::Boolean => return None,
        NativeType::Tinyint => out.extend_from_slice(&text.parse::<i8>().ok()?.to_be_bytes()),
        NativeType::Smallint => out.extend_from_slice(&text.parse::<i16>().ok()?.to_be_bytes()),
        NativeType::Int => out.extend_from_slice(&text.parse::<i32>().ok()?.to_be_bytes()),
        NativeType::Bigint | NativeType::Counter => out.extend_from_slice(&text.parse::<i64>().ok()?.to_be_bytes()),
        NativeType::Float => {
            let number = text.parse::<f32>().ok().filter(|number| number.is_finite() || !has_digits(text))?;
            out.extend_from_slice(&number.to_be_bytes());
        }
        NativeType::Double => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite() || !has_digits(text))?;
            out.extend_from_slice(&number.to_be_bytes());
        }
        NativeType::Varint => big_integer::append(text.as_bytes(), b"", out)?,
        NativeType::Decimal => decimal(text, out)?,
        NativeType::Uuid => uuid(text, out)?,
        // Cassandra accepts only version 1 UUIDs as `timeuuid`.
        NativeType::Timeuuid => uuid(Some(text).filter(|text| text.as_bytes().get(14) == Some(&b'1'))?, out)?,
        NativeType::Inet => match text.parse().ok()? {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        },
        NativeType::Date => out.extend_from_slice(&time::date(text)?.to_be_bytes()),
        NativeType::Time => out.extend_from_slice(&time::time(text)?.to_be_bytes()),
        NativeType::Timestamp => out.extend_from_slice(&time::timestamp(text)?.to_be_bytes()),
        NativeType::Duration => duration::append(text, out)?,
    }
    Some(())
}

/// Whether the text has digits: a number with digits that is read as infinite was too large, and `Infinity` has no digits.
fn has_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Appends a scale of four bytes and the unscaled number.
fn decimal(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (number, exponent) = match text.bytes().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = split_once(number.as_bytes(), b'.').unwrap_or((number.as_bytes(), b""));
    let scale = i32::try_from(i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?).ok()?;
    out.extend_from_slice(&scale.to_be_bytes());
    big_integer::append(whole, fraction, out)
}

/// Reads `5132b130-ae79-11e4-ab27-0800200c9a66`.
fn uuid(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if [8, 13, 18, 23].into_iter().any(|at: usize| text[at] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    let mut invalid = 0;
    for (byte, at) in bytes.iter_mut().zip([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]) {
        let (high, low) = (digit(text[at]), digit(text[at + 1]));
        *byte = (high << 4) | low;
        invalid |= high | low;
    }
    out.extend_from_slice(&bytes);
    (invalid <= 15).then_some(())
}

fn hexadecimal(text: &str, out: &mut Vec<u8>) -> Option<()> {
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = *pair else { return None };
        let (high, low) = (digit(high), digit(low));
        out.push((high << 4) | low);
        if (high | low) > 15 {
            return None;
        }
    }
    Some(())
}

/// The value of a hexadecimal digit; more than 15 if it is none.
fn digit(letter: u8) -> u8 {
    match letter {
        b'0'..=b'9' => letter - b'0',
        b'a'..=b'f' => letter - b'a' + 10,
        b'A'..=b'F' => letter - b'A' + 10,
        _ => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_serializes_like_a_bound_value() {
        use NativeType::*;
        for (native, text, bytes) in [
            (Text, "ä'", "ä'".as_bytes().to_vec()),
            (Int, "-2", vec![0xff, 0xff, 0xff, 0xfe]),
            (Bigint, "1", vec![0, 0, 0, 0, 0, 0, 0, 1]),
            (Boolean, "TRUE", vec![1]),
            (Blob, "0xCAFE", vec![0xca, 0xfe]),
            (Uuid, "00000000-0000-0001-0000-000000000002", [[0; 7].as_slice(), &[1], &[0; 7], &[2]].concat()),
            (Varint, "-129", vec![0xff, 0x7f]),
            (Decimal, "-1.50", vec![0, 0, 0, 2, 0xff, 0x6a]),
            (Decimal, "12e3", vec![0xff, 0xff, 0xff, 0xfd, 12]),
            (Double, "1", 1_f64.to_be_bytes().to_vec()),
            (Inet, "127.0.0.1", vec![127, 0, 0, 1]),
            (Date, "1970-01-02", vec![0x80, 0, 0, 1]),
            (Timestamp, "1970-01-01T00:00:01+0000", vec![0, 0, 0, 0, 0, 0, 0x03, 0xe8]),
            (Timestamp, "1000", vec![0, 0, 0, 0, 0, 0, 0x03, 0xe8]),
            (Time, "00:00:00.000000001", vec![0, 0, 0, 0, 0, 0, 0, 1]),
        ] {
            assert_eq!(scalar(native, text), Value::from_bytes(bytes), "{text}");
        }
    }

    #[test]
    fn literals_only_the_server_can_evaluate_have_their_types_width() {
        for (native, text, width) in [
            (NativeType::Timestamp, "now", 8),
            (NativeType::Timestamp, "2026-01-01", 8),
            (NativeType::Date, "today", 4),
            (NativeType::Int, "x", 4),
            (NativeType::Uuid, "5", 16),
            (NativeType::Blob, "0xabc", 0),
        ] {
            assert_eq!(scalar(native, text), Value { bytes: Some(vec![0; width]), is_exact: false }, "{text}");
        }
    }
}
