//! Writes scalar values as text that reads back as the same bytes.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::time::DAY_MILLIS;
use super::{big_integer, duration};
use crate::calendar;
use crate::statement::NativeType;

/// Appends the text of a value in the encoding of protocol version 4 and returns `true`. Appends nothing and returns
/// `false` if the bytes are not of the type. [`append_scalar`](super::append_scalar) reads the same bytes from the text.
///
/// Floating-point numbers have the fewest digits that read back as the same number, decimals keep their scale, timestamps
/// are `2026-01-31 13:30:54.123+0000`, and times have nine digits after the second. Dates and timestamps outside of the
/// years 0 to 9999 are written as the number that the protocol sends, a date in ten digits. A NaN is `NaN`, whatever its
/// bit pattern.
#[must_use]
pub fn write_scalar(native: NativeType, bytes: &[u8], out: &mut String) -> bool {
    let length = out.len();
    let is_valid = write(native, bytes, out).is_some();
    if !is_valid {
        out.truncate(length);
    }
    is_valid
}

fn write(native: NativeType, bytes: &[u8], out: &mut String) -> Option<()> {
    match native {
        NativeType::Text | NativeType::Varchar | NativeType::Ascii => out.push_str(std::str::from_utf8(bytes).ok()?),
        NativeType::Blob => {
            out.push_str("0x");
            hexadecimal(bytes, out);
        }
        NativeType::Boolean => {
            out.push_str(if *bytes.first().filter(|_| bytes.len() == 1)? == 0 { "false" } else { "true" })
        }
        NativeType::Tinyint => write_display(out, i8::from_be_bytes(bytes.try_into().ok()?)),
        NativeType::Smallint => write_display(out, i16::from_be_bytes(bytes.try_into().ok()?)),
        NativeType::Int => write_display(out, i32::from_be_bytes(bytes.try_into().ok()?)),
        NativeType::Bigint | NativeType::Counter => write_display(out, i64::from_be_bytes(bytes.try_into().ok()?)),
        NativeType::Float => {
            let number = f32::from_be_bytes(bytes.try_into().ok()?);
            floating(out, &format_args!("{number:?}"), number.into());
        }
        NativeType::Double => {
            let number = f64::from_be_bytes(bytes.try_into().ok()?);
            floating(out, &format_args!("{number:?}"), number);
        }
        NativeType::Varint => big_integer::write(Some(bytes).filter(|bytes| !bytes.is_empty())?, out),
        NativeType::Decimal => decimal(bytes, out)?,
        NativeType::Uuid | NativeType::Timeuuid => uuid(bytes.try_into().ok()?, out),
        NativeType::Inet => match *bytes {
            [a, b, c, d] => write_display(out, Ipv4Addr::new(a, b, c, d)),
            _ => write_display(out, Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        },
        NativeType::Date => date(u32::from_be_bytes(bytes.try_into().ok()?), out),
        NativeType::Time => time(i64::from_be_bytes(bytes.try_into().ok()?), out),
        NativeType::Timestamp => timestamp(i64::from_be_bytes(bytes.try_into().ok()?), out),
        NativeType::Duration => duration::write(bytes, out)?,
    }
    Some(())
}

fn write_display(out: &mut String, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

fn floating(out: &mut String, finite: &dyn std::fmt::Debug, number: f64) {
    let _ = match number {
        number if number.is_nan() => write!(out, "NaN"),
        f64::INFINITY => write!(out, "Infinity"),
        f64::NEG_INFINITY => write!(out, "-Infinity"),
        _ => write!(out, "{finite:?}"),
    };
}

fn hexadecimal(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)].into());
        out.push(DIGITS[usize::from(byte & 15)].into());
    }
}

fn uuid(bytes: [u8; 16], out: &mut String) {
    for (index, part) in [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]].into_iter().enumerate()
    {
        if index > 0 {
            out.push('-');
        }
        hexadecimal(part, out);
    }
}

/// Appends a decimal as Java's `BigDecimal` writes it: with an exponent if it would have many zeros.
fn decimal(bytes: &[u8], out: &mut String) -> Option<()> {
    let (scale, unscaled) = bytes.split_first_chunk::<4>()?;
    let scale = i64::from(i32::from_be_bytes(*scale));
    let mut number = String::new();
    big_integer::write(Some(unscaled).filter(|bytes| !bytes.is_empty())?, &mut number);
    let digits = number.strip_prefix('-').unwrap_or(&number);
    if digits.len() < number.len() {
        out.push('-');
    }
    let length = i64::try_from(digits.len()).ok()?;
    let exponent = length - 1 - scale;
    let before_point = usize::try_from(length - scale).ok();
    match before_point.filter(|before| *before > 0 && *before <= digits.len()) {
        Some(before) => {
            out.push_str(&digits[..before]);
            if before < digits.len() {
                let _ = write!(out, ".{}", &digits[before..]);
            }
        }
        None if scale > 0 && exponent >= -6 => {
            let zeros = usize::try_from(scale - length).ok()?;
            let _ = write!(out, "0.{:0>width$}", digits, width = zeros + digits.len());
        }
        None => {
            out.push_str(&digits[..1]);
            if digits.len() > 1 {
                let _ = write!(out, ".{}", &digits[1..]);
            }
            let _ = write!(out, "E{exponent:+}");
        }
    }
    Some(())
}

fn date(days: u32, out: &mut String) {
    let (year, month, day) = calendar::date(i64::from(days) - (1 << 31));
    let _ = match year {
        0..=9999 => write!(out, "{year:04}-{month:02}-{day:02}"),
        _ => write!(out, "{days:010}"),
    };
}

fn time(nanos: i64, out: &mut String) {
    let seconds = nanos / 1_000_000_000;
    let _ = match seconds {
        0..86_400 if nanos >= 0 => {
            let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
            write!(out, "{hour:02}:{minute:02}:{second:02}.{:09}", nanos % 1_000_000_000)
        }
        _ => write!(out, "{nanos}"),
    };
}

fn timestamp(millis: i64, out: &mut String) {
    let (days, millis_of_day) = (millis.div_euclid(DAY_MILLIS), millis.rem_euclid(DAY_MILLIS));
    let (year, month, day) = calendar::date(days);
    let seconds = millis_of_day / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let _ = match year {
        0..=9999 => {
            write!(
                out,
                "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{:03}+0000",
                millis_of_day % 1_000
            )
        }
        _ => write!(out, "{millis}"),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::append_scalar;
    use super::*;

    fn text(native: NativeType, bytes: &[u8]) -> String {
        let mut text = String::new();
        assert!(write_scalar(native, bytes, &mut text), "{native:?} {bytes:?}");
        text
    }

    fn again(native: NativeType, bytes: &[u8]) -> Vec<u8> {
        let text = text(native, bytes);
        let mut again = Vec::new();
        assert!(append_scalar(native, &text, &mut again), "{native:?} {text}");
        again
    }

    /// The expected texts are Java's own: `new BigDecimal(new BigInteger("150"), scale).toString()`.
    #[test]
    fn decimal_text_matches_javas_big_decimal() {
        for (scale, expected) in [
            (0, "150"),
            (1, "15.0"),
            (2, "1.50"),
            (3, "0.150"),
            (8, "0.00000150"),
            (9, "1.50E-7"),
            (-1, "1.50E+3"),
            (i32::MAX, "1.50E-2147483645"),
            (i32::MIN, "1.50E+2147483650"),
        ] {
            let bytes = [&i32::to_be_bytes(scale)[..], &[0, 150]].concat();
            assert_eq!(text(NativeType::Decimal, &bytes), expected, "{scale}");
        }
    }

    #[test]
    fn bytes_invalid_for_their_type_have_no_text() {
        for (native, bytes) in [
            (NativeType::Int, &[0, 1][..]),
            (NativeType::Text, &[0xff]),
            (NativeType::Boolean, &[]),
            (NativeType::Varint, &[]),
            (NativeType::Decimal, &[0, 0, 0, 1]),
            (NativeType::Inet, &[1, 2, 3]),
            (NativeType::Duration, &[0, 0]),
        ] {
            let mut out = "kept".to_owned();
            assert!(!write_scalar(native, bytes, &mut out), "{native:?}");
            assert_eq!(out, "kept");
        }
    }

    proptest! {
        #[test]
        fn scalar_text_parses_back_to_the_same_bytes(eight: [u8; 8], sixteen: [u8; 16], scale in -2_147_483_000_i32..2_147_483_000, large: i128) {
            use NativeType::*;
            for (native, width) in [(Tinyint, 1), (Smallint, 2), (Int, 4), (Date, 4), (Bigint, 8), (Timestamp, 8)] {
                prop_assert_eq!(&again(native, &eight[..width]), &eight[..width], "{:?}", native);
            }
            for (native, bytes) in [(Uuid, &sixteen[..]), (Inet, &sixteen), (Inet, &eight[..4]), (Blob, &sixteen)] {
                prop_assert_eq!(&again(native, bytes)[..], bytes, "{:?}", native);
            }
            let nanos = (u64::from_be_bytes(eight) % 86_400_000_000_000).to_be_bytes();
            prop_assert_eq!(again(Time, &nanos), nanos);
            if !f64::from_be_bytes(eight).is_nan() {
                prop_assert_eq!(again(Double, &eight), eight);
            }
            if !f32::from_be_bytes([eight[0], eight[1], eight[2], eight[3]]).is_nan() {
                prop_assert_eq!(&again(Float, &eight[..4]), &eight[..4]);
            }
            let mut varint = Vec::new();
            big_integer::append(large.to_string().as_bytes(), b"", &mut varint).unwrap();
            prop_assert_eq!(again(Varint, &varint), &varint[..]);
            let decimal = [&scale.to_be_bytes()[..], &varint].concat();
            prop_assert_eq!(again(Decimal, &decimal), decimal);
        }
    }
}
