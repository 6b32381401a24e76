//! Integers of any size, as in `varint` and `decimal`: big-endian two's complement of minimal length.

use std::fmt::Write;

/// The maximum number of digits that are read. Longer numbers are far beyond the service's limit, and would take long to
/// read.
pub(super) const MAX_PARSED_DIGITS: usize = 10_000;

/// Every number with this many digits fits an `i64`.
const DIGITS_OF_I64: usize = 18;

/// Appends the bytes of the integer whose decimal digits are `text` followed by `further`. Returns `None` if they are not
/// an integer. Digits after the first [`MAX_PARSED_DIGITS`] are ignored.
pub(super) fn append(text: &[u8], further: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let count = digits.len() + further.len();
    if count == 0 || ![digits, further].into_iter().flatten().all(u8::is_ascii_digit) {
        return None;
    }
    if count <= DIGITS_OF_I64 {
        let value = |number: i64, digit: &u8| 10 * number + i64::from(digit - b'0');
        let number = further.iter().fold(digits.iter().fold(0, value), value);
        let number = if negative { -number } else { number };
        out.extend_from_slice(strip_sign_bytes(&number.to_be_bytes()));
        return Some(());
    }
    let digits: Vec<u8> = digits.iter().chain(further).copied().take(MAX_PARSED_DIGITS).collect();
    let mut magnitude: Vec<u32> = Vec::new();
    for chunk in digits.chunks(9) {
        let value = chunk.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        multiply_and_add(&mut magnitude, chunk.iter().fold(1, |power, _| power * 10), value);
    }
    out.extend_from_slice(strip_sign_bytes(&twos_complement(&magnitude, negative)));
    Some(())
}

/// The number of decimal digits, without trailing zeros; 1 for 0.
pub(super) fn significant_digits(bytes: &[u8]) -> usize {
    let mut magnitude = magnitude(bytes);
    let (mut digits, mut significant) = (0, 1);
    while !magnitude.is_empty() {
        let digit = divide(&mut magnitude, 10);
        if digit == 0 && digits == 0 {
            continue;
        }
        digits += 1;
        significant = digits;
    }
    significant
}

/// The number of decimal digits; 1 for 0.
pub(super) fn digits(bytes: &[u8]) -> usize {
    let mut magnitude = magnitude(bytes);
    let mut digits = 0;
    while !magnitude.is_empty() {
        divide(&mut magnitude, 10);
        digits += 1;
    }
    digits.max(1)
}

/// Appends a number in decimal digits. An empty slice is 0, as in Cassandra.
pub(super) fn write(bytes: &[u8], out: &mut String) {
    let mut magnitude = magnitude(bytes);
    let mut parts = Vec::new();
    while !magnitude.is_empty() {
        parts.push(divide(&mut magnitude, 1_000_000_000));
    }
    if bytes.first().is_some_and(|first| *first >= 0x80) {
        out.push('-');
    }
    let _ = write!(out, "{}", parts.pop().unwrap_or_default());
    for part in parts.iter().rev() {
        let _ = write!(out, "{part:09}");
    }
}

/// The absolute value, little-endian, without leading zeros.
fn magnitude(bytes: &[u8]) -> Vec<u32> {
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let mut magnitude = Vec::with_capacity(bytes.len() / 4 + 1);
    let mut carry = u64::from(negative);
    for chunk in bytes.rchunks(4) {
        let value = chunk.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
        let width = 8 * chunk.len();
        let value = if negative { (!value & ((1 << width) - 1)) + carry } else { value };
        carry = u64::from(negative && value >> width != 0);
        magnitude.push(low(value & ((1 << width) - 1)));
    }
    if negative && carry == 1 {
        magnitude.push(1);
    }
    trim(&mut magnitude);
    magnitude
}

fn multiply_and_add(magnitude: &mut Vec<u32>, factor: u32, summand: u32) {
    let mut carry = u64::from(summand);
    for limb in magnitude.iter_mut() {
        let value = u64::from(*limb) * u64::from(factor) + carry;
        *limb = low(value);
        carry = value >> 32;
    }
    if carry > 0 {
        magnitude.push(low(carry));
    }
}

/// Divides in place and returns the remainder.
fn divide(magnitude: &mut Vec<u32>, by: u64) -> u64 {
    let mut remainder = 0;
    for limb in magnitude.iter_mut().rev() {
        let value = (remainder << 32) | u64::from(*limb);
        *limb = low(value / by);
        remainder = value % by;
    }
    trim(magnitude);
    remainder
}

fn trim(magnitude: &mut Vec<u32>) {
    while magnitude.last() == Some(&0) {
        magnitude.pop();
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default()
}

fn twos_complement(magnitude: &[u32], negative: bool) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        [0].into_iter().chain(magnitude.iter().rev().flat_map(|limb| limb.to_be_bytes())).collect();
    if negative {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            (*byte, carry) = if carry { (!*byte).overflowing_add(1) } else { (!*byte, false) };
        }
    }
    bytes
}

/// Strips the leading bytes that only repeat the sign.
fn strip_sign_bytes(bytes: &[u8]) -> &[u8] {
    let sign = |byte: u8| byte >= 0x80;
    let is_needless =
        |pair: &[u8]| matches!(pair, [0, next] if !sign(*next)) || matches!(pair, [0xff, next] if sign(*next));
    let spare = bytes.windows(2).take_while(|pair| is_needless(pair)).count();
    bytes.split_at(spare).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        append(text.as_bytes(), b"", &mut out).map(|()| out)
    }

    fn of_any_length() -> impl Strategy<Value = i128> {
        prop_oneof![any::<i128>(), any::<i64>().prop_map(i128::from), -70_000_i128..70_000]
    }

    proptest! {
        #[test]
        fn big_integer_has_minimal_bytes_and_the_right_digit_count(number in of_any_length()) {
            let mut expected = number.to_be_bytes().to_vec();
            while expected.len() > 1 && (expected[0] == 0 && expected[1] < 0x80 || expected[0] == 0xff && expected[1] >= 0x80) {
                expected.remove(0);
            }
            let found = bytes(&number.to_string()).unwrap();
            prop_assert_eq!(&found, &expected);
            let text = number.to_string();
            let (text, further) = text.split_at(text.len() / 2);
            let mut apart = vec![7];
            prop_assert_eq!(append(text.as_bytes(), further.as_bytes(), &mut apart), Some(()));
            prop_assert_eq!(&apart[1..], &expected);
            let written = number.unsigned_abs().to_string();
            prop_assert_eq!(digits(&found), written.len());
            prop_assert_eq!(significant_digits(&found), written.trim_end_matches('0').len().max(1));
            let mut text = String::new();
            write(&found, &mut text);
            prop_assert_eq!(text, number.to_string());
        }

        #[test]
        fn big_integer_digit_count_matches_its_text(number in "-?[1-9][0-9]{0,60}[1-9]") {
            let found = bytes(&number).unwrap();
            let written = number.trim_start_matches('-').len();
            prop_assert_eq!((digits(&found), significant_digits(&found)), (written, written));
        }
    }

    #[test]
    fn leading_sign_bytes_do_not_change_the_digit_count() {
        assert_eq!(digits(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]), 1);
        assert_eq!(digits(&[0xff; 30]), 1);
        assert_eq!(digits(&[]), 1);
        assert_eq!(bytes("1".repeat(1_000_000).as_str()).map(|bytes| bytes.len() > 16), Some(true));
    }
}
