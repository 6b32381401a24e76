//! Dates and times of the day.

use crate::calendar::{days_in_month, days_since_1970};

pub(super) const DAY_MILLIS: i64 = 86_400_000;

/// A date in the protocol's encoding: days, where 1970-01-01 is 2^31. Reads `2026-01-31`, or the number itself.
pub(super) fn date(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse::<u32>() {
        return Some(number);
    }
    u32::try_from(days(text.as_bytes())?.checked_add(1 << 31)?).ok()
}

/// Nanoseconds since midnight. Reads `13:30:54.123456789`, or the number itself.
pub(super) fn time(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(number);
    }
    time_of_day(text.as_bytes())
}

/// Milliseconds since 1970. Reads `2026-01-31 13:30:54.123+0000`, with or without the time of day, or the number itself.
/// Returns `None` without a zone: the time is in the server's zone, which is unknown here.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(number);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let (rest, offset) = zone(rest.as_bytes())?;
    let nanos = match rest {
        [] => 0,
        [b'T' | b' ', time @ ..] => time_of_day(time)?,
        _ => return None,
    };
    days(date.as_bytes())?.checked_mul(DAY_MILLIS)?.checked_add(nanos / 1_000_000)?.checked_sub(offset)
}

/// Splits the zone off, and returns its offset in milliseconds.
fn zone(text: &[u8]) -> Option<(&[u8], i64)> {
    if let [rest @ .., b'Z'] = text {
        return Some((rest, 0));
    }
    let at = text.iter().rposition(|byte| matches!(byte, b'+' | b'-'))?;
    let (rest, zone) = text.split_at(at);
    let (hours, minutes) = zone.get(1..)?.split_at_checked(2)?;
    let minutes = match minutes {
        [] => 0,
        [b':', minutes @ ..] | minutes => number(minutes).filter(|_| minutes.len() == 2)?,
    };
    let offset = (number(hours)? * 60 + minutes) * 60_000;
    Some((rest, if zone.starts_with(b"-") { -offset } else { offset }))
}

fn time_of_day(text: &[u8]) -> Option<i64> {
    let (text, fraction) = split_once(text, b'.').unwrap_or((text, b""));
    let mut parts = text.split(|byte| *byte == b':').map(number);
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = parts.next().unwrap_or(Some(0))?;
    let missing = u32::try_from(9_usize.checked_sub(fraction.len())?).ok()?;
    let nanos = if fraction.is_empty() { 0 } else { number(fraction)? * 10_i64.pow(missing) };
    let in_range = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
    in_range.then(|| ((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000 + nanos)
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(text: &[u8]) -> Option<i64> {
    let mut parts = text.split(|byte| *byte == b'-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let possible = (0..=9999).contains(&year) && (1..=12).contains(&month) && parts.next().is_none();
    (possible && (1..=days_in_month(year, month)).contains(&day)).then(|| days_since_1970(year, month, day))
}

/// Reads a text that consists of digits only.
fn number(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_i64, |number, digit| {
        let digit = Some(digit.wrapping_sub(b'0')).filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Splits at the first byte `at`. In such short texts a loop is faster than a search for a character.
pub(super) fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let found = text.iter().position(|byte| *byte == at)?;
    Some((&text[..found], &text[found + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_parse_to_protocol_integers() {
        assert_eq!(date("1970-01-01"), Some(1 << 31));
        assert_eq!(date("2000-03-01"), Some((1 << 31) + 11_017));
        assert_eq!(date("1969-12-31"), Some((1 << 31) - 1));
        assert_eq!(date("2147483648"), Some(1 << 31));
        assert_eq!([date("2026-02-29"), date("2026-13-01"), date("2026-01")], [None; 3]);
        assert_eq!(time("08:12:54.5"), Some(29_574_500_000_000));
        assert_eq!([time("24:00:00"), time("8"), time("1:2:3:4")], [None, Some(8), None]);
        for text in ["2026-01-31T13:30:54.120Z", "2026-01-31 14:30:54.12+01", "2026-01-31 12:00:54.120-01:30"] {
            assert_eq!(timestamp(text), Some(1_769_866_254_120), "{text}");
        }
        assert_eq!(timestamp("2026-01-31+0000"), Some(1_769_817_600_000));
        assert_eq!(["2026-01-31", "2026-01-31 13:30", "now", ""].map(timestamp), [None; 4]);
    }
}
