//! Durations: months, days and nanoseconds, each as a variable-length integer with the sign in the last bit.

use std::fmt::Write;

const MINUTE: i128 = 60 * SECOND;
const SECOND: i128 = 1_000_000_000;

/// The units that Cassandra reads: letters, part, and multiple. A unit that begins with the letters of another one comes
/// before it.
const UNITS: [(&str, Part, i128); 11] = [
    ("mo", Part::Months, 1),
    ("ms", Part::Nanos, 1_000_000),
    ("us", Part::Nanos, 1_000),
    ("µs", Part::Nanos, 1_000),
    ("ns", Part::Nanos, 1),
    ("y", Part::Months, 12),
    ("w", Part::Days, 7),
    ("d", Part::Days, 1),
    ("h", Part::Nanos, 60 * MINUTE),
    ("m", Part::Nanos, MINUTE),
    ("s", Part::Nanos, SECOND),
];

#[derive(Clone, Copy, Eq, PartialEq)]
enum Part {
    Months,
    Days,
    Nanos,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Duration {
    months: i128,
    days: i128,
    nanos: i128,
}

impl Duration {
    fn add(&mut self, part: Part, amount: i128) -> Option<()> {
        let sum = match part {
            Part::Months => &mut self.months,
            Part::Days => &mut self.days,
            Part::Nanos => &mut self.nanos,
        };
        *sum = sum.checked_add(amount)?;
        Some(())
    }

    fn append_to(self, negative: bool, out: &mut Vec<u8>) -> Option<()> {
        let sign = if negative { -1 } else { 1 };
        let months = i32::try_from(sign * self.months).ok()?;
        let days = i32::try_from(sign * self.days).ok()?;
        let nanos = i64::try_from(sign * self.nanos).ok()?;
        append_integer(months.into(), out);
        append_integer(days.into(), out);
        append_integer(nanos, out);
        Some(())
    }
}

/// Appends the duration in `text`: `1y2mo3d4h`, `P1Y2M3DT4H`, `P3W` or `P0001-02-03T04:05:06`.
pub(super) fn append(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let duration = match text.strip_prefix(['P', 'p']) {
        Some(iso) => iso_8601(&iso.to_ascii_uppercase()),
        None => with_units(text),
    };
    duration?.append_to(negative, out)
}

fn with_units(text: &str) -> Option<Duration> {
    let mut duration = Duration::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let (unit, part, factor) = UNITS
            .iter()
            .find(|(unit, ..)| after.get(..unit.len()).is_some_and(|written| written.to_lowercase() == *unit))?;
        duration.add(*part, number.checked_mul(*factor)?)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(duration)
}

fn iso_8601(text: &str) -> Option<Duration> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    if date.contains('-') {
        return alternative(date, time);
    }
    let mut duration = Duration::default();
    let mut read = |text: &str, units: &[(char, Part, i128)]| {
        let mut rest = text;
        while !rest.is_empty() {
            let (number, after) = number(rest)?;
            let letter = after.chars().next()?;
            let (_, part, factor) = units.iter().find(|(unit, ..)| *unit == letter)?;
            duration.add(*part, number.checked_mul(*factor)?)?;
            rest = &after[letter.len_utf8()..];
        }
        Some(())
    };
    read(date, &[('Y', Part::Months, 12), ('M', Part::Months, 1), ('W', Part::Days, 7), ('D', Part::Days, 1)])?;
    let units = [('H', Part::Nanos, 60 * MINUTE), ('M', Part::Nanos, MINUTE), ('S', Part::Nanos, SECOND)];
    read(time.unwrap_or_default(), &units)?;
    let has_parts = !date.is_empty() || time.is_some_and(|time| !time.is_empty());
    has_parts.then_some(duration)
}

/// Reads `0001-02-03T04:05:06`.
fn alternative(date: &str, time: Option<&str>) -> Option<Duration> {
    let whole = |text: &str| number(text).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number);
    let parts = |text: &str, sign| text.split(sign).map(whole).collect::<Option<Vec<_>>>();
    let (date, time) = (parts(date, '-')?, parts(time?, ':')?);
    let ([years, months, days], [hours, minutes, seconds]) = (&date[..], &time[..]) else { return None };
    let nanos = hours.checked_mul(60)?.checked_add(*minutes)?.checked_mul(60)?.checked_add(*seconds)?;
    let months = years.checked_mul(12)?.checked_add(*months)?;
    Some(Duration { months, days: *days, nanos: nanos.checked_mul(SECOND)? })
}

/// Reads the leading digits, and returns the number and the rest.
fn number(text: &str) -> Option<(i128, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// Appends the text of a serialised duration, as Cassandra writes it; an empty duration is `0ns`.
pub(super) fn write(bytes: &[u8], out: &mut String) -> Option<()> {
    let mut rest = bytes;
    let (months, days, nanos) = (integer(&mut rest)?, integer(&mut rest)?, integer(&mut rest)?);
    if !rest.is_empty() {
        return None;
    }
    if (months, days, nanos) == (0, 0, 0) {
        out.push_str("0ns");
        return Some(());
    }
    if months < 0 || days < 0 || nanos < 0 {
        out.push('-');
    }
    let mut units = |amount: i64, units: &[(&str, u64)]| {
        let mut left = amount.unsigned_abs();
        for (unit, size) in units {
            if left / size > 0 {
                let _ = write!(out, "{}{unit}", left / size);
            }
            left %= size;
        }
    };
    units(months, &[("y", 12), ("mo", 1)]);
    units(days, &[("d", 1)]);
    let (second, minute) = (1_000_000_000, 60_000_000_000);
    let parts = [("h", 60 * minute), ("m", minute), ("s", second), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    units(nanos, &parts);
    Some(())
}

/// The leading one bits of the first byte count the bytes that follow it.
fn append_integer(value: i64, out: &mut Vec<u8>) {
    let zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let bits = 64 - (zigzag | 1).leading_zeros();
    let further = (bits.saturating_sub(1) / 7).min(8);
    let bytes = zigzag.to_be_bytes();
    if further == 8 {
        out.push(0xff);
        out.extend_from_slice(&bytes);
        return;
    }
    let from = 7 - further as usize;
    let ones = !(0xff_u8 >> further);
    out.push(bytes[from] | ones);
    out.extend_from_slice(&bytes[from + 1..]);
}

fn integer(rest: &mut &[u8]) -> Option<i64> {
    let (first, after) = rest.split_first()?;
    let further = first.leading_ones() as usize;
    let (bytes, after) = after.split_at_checked(further)?;
    *rest = after;
    let first = if further >= 7 { 0 } else { u64::from(first & (0x7f >> further)) };
    let zigzag = bytes.iter().fold(first, |value, byte| (value << 8) | u64::from(*byte));
    Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        append(text, &mut bytes).map(|()| bytes)
    }

    fn serialised(months: i32, days: i32, nanos: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        append_integer(months.into(), &mut bytes);
        append_integer(days.into(), &mut bytes);
        append_integer(nanos, &mut bytes);
        bytes
    }

    /// The expected bytes follow the protocol's description: a zigzag integer with its length in the first byte.
    #[test]
    fn duration_is_encoded_as_three_varints() {
        assert_eq!(bytes("0ns"), Some(vec![0, 0, 0]));
        assert_eq!(bytes("1mo2d3ns"), Some(vec![2, 4, 6]));
        assert_eq!(bytes("-1mo"), Some(vec![1, 0, 0]));
        assert_eq!(bytes("64d"), Some(vec![0, 0x80, 0x80, 0]));
        assert_eq!(serialised(0, 0, i64::MAX)[2..], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
    }

    #[test]
    fn every_duration_syntax_is_parsed() {
        let whole = serialised(14, 3, 14_706_000_000_000);
        for text in ["1y2mo3d4h5m6s", "1Y2MO3D4H5M6S", "P1Y2M3DT4H5M6S", "P0001-02-03T04:05:06"] {
            assert_eq!(bytes(text), Some(whole.clone()), "{text}");
        }
        assert_eq!(bytes("P2W"), bytes("14d"));
        assert_eq!(bytes("7µs"), bytes("7us"));
        assert_eq!(["", "5", "h", "1x", "P", "PT", "1h2", "9999999999mo", "--1h"].map(bytes), [const { None }; 9]);
    }

    proptest! {
        #[test]
        fn duration_round_trips_through_text(months: i32, days: i32, nanos: i64, negative: bool) {
            let sign = if negative { -1 } else { 1 };
            let (months, days) = (sign * (months.saturating_abs()), sign * days.saturating_abs());
            let nanos = i64::from(sign) * nanos.saturating_abs();
            let all = serialised(months, days, nanos);
            let mut text = String::new();
            write(&all, &mut text).unwrap();
            prop_assert_eq!(bytes(&text), Some(all), "{}", text);
        }
    }
}
