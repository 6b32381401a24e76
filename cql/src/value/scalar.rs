//! Values without parts.

use std::net::IpAddr;

use super::{Value, big_integer, time};
use crate::statement::{CqlTypeKind, NativeType};

/// The value that a literal of this text is in a column of this type, be it written as a string or as a number; JSON writes
/// either.
///
/// Where the text is none of the type, or one that only the server can read (`'now'`, a timestamp without a zone), only the
/// number of bytes is right.
#[must_use]
pub fn scalar(of: NativeType, text: &str) -> Value {
    bytes(of, text).map_or_else(|| Value::of_type(&CqlTypeKind::Native(of)), Value::exact)
}

fn bytes(of: NativeType, text: &str) -> Option<Vec<u8>> {
    Some(match of {
        NativeType::Ascii | NativeType::Text | NativeType::Varchar => text.as_bytes().to_vec(),
        NativeType::Blob => hexadecimal(text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?)?,
        NativeType::Boolean => vec![u8::from(text.to_ascii_lowercase().parse::<bool>().ok()?)],
        NativeType::Tinyint => text.parse::<i8>().ok()?.to_be_bytes().to_vec(),
        NativeType::Smallint => text.parse::<i16>().ok()?.to_be_bytes().to_vec(),
        NativeType::Int => text.parse::<i32>().ok()?.to_be_bytes().to_vec(),
        NativeType::Bigint | NativeType::Counter => text.parse::<i64>().ok()?.to_be_bytes().to_vec(),
        NativeType::Float => text.parse::<f32>().ok()?.to_be_bytes().to_vec(),
        NativeType::Double => text.parse::<f64>().ok()?.to_be_bytes().to_vec(),
        NativeType::Varint => big_integer::bytes(text)?,
        NativeType::Decimal => decimal(text)?,
        NativeType::Uuid | NativeType::Timeuuid => {
            hexadecimal(&text.replace('-', "")).filter(|bytes| bytes.len() == 16)?
        }
        NativeType::Inet => match text.parse().ok()? {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        },
        NativeType::Date => time::date(text)?.to_be_bytes().to_vec(),
        NativeType::Time => time::time(text)?.to_be_bytes().to_vec(),
        NativeType::Timestamp => time::timestamp(text)?.to_be_bytes().to_vec(),
        NativeType::Duration => return None,
    })
}

/// A scale of four bytes, and the number without its decimal point.
fn decimal(text: &str) -> Option<Vec<u8>> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let mut bytes = scale.to_be_bytes().to_vec();
    bytes.extend(big_integer::bytes(&format!("{whole}{fraction}"))?);
    Some(bytes)
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from((*high as char).to_digit(16)? * 16 + (*low as char).to_digit(16)?).ok(),
        _ => None,
    };
    digits.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_what_would_be_bound() {
        use NativeType::*;
        for (of, text, bytes) in [
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
            assert_eq!(scalar(of, text), Value::exact(bytes), "{text}");
        }
    }

    #[test]
    fn what_only_the_server_can_read_has_the_size_of_its_type() {
        for (of, text, width) in [
            (NativeType::Timestamp, "now", 8),
            (NativeType::Timestamp, "2026-01-01", 8),
            (NativeType::Date, "today", 4),
            (NativeType::Int, "x", 4),
            (NativeType::Uuid, "5", 16),
            (NativeType::Blob, "0xabc", 0),
        ] {
            assert_eq!(scalar(of, text), Value { bytes: Some(vec![0; width]), exact: false }, "{text}");
        }
    }
}
