//! Scalar values, in the forms of file formats.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use keyspaces_cql::statement::NativeType;
use keyspaces_cql::value::{append_scalar, write_scalar};
use memchr::memchr;

use super::{Problem, excerpt};

/// The form of blobs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BlobForm {
    /// `0xcafe`
    Hexadecimal,
    /// `yv4=`, with its padding.
    Base64,
}

/// The form of timestamps.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TimestampForm {
    /// ISO 8601 with a time zone: `2026-01-31T13:30:54.123Z`. Reading also accepts a space instead of the `T`, a time
    /// without seconds, and `+0100`.
    Iso,
    /// As [`Iso`](Self::Iso), but a timestamp without a time zone is read as UTC.
    IsoOrUtc,
    /// Seconds since 1970. Writing refuses a timestamp with milliseconds, which the number would lose.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
    /// Microseconds since 1970. Reading refuses a number with microseconds, which the timestamp would lose.
    UnixMicros,
    /// A pattern of the crate [`chrono`](https://docs.rs/chrono/latest/chrono/format/strftime/index.html):
    /// `%d.%m.%Y %H:%M`. Without a time zone in the pattern, the timestamp is in UTC. Digits below a millisecond are cut
    /// off.
    Pattern(String),
}

impl TimestampForm {
    pub(super) fn is_iso(&self) -> bool {
        matches!(self, Self::Iso | Self::IsoOrUtc)
    }
}

/// The form of scalar values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::bulk) struct ScalarForm {
    pub(in crate::bulk) blobs: BlobForm,
    pub(in crate::bulk) timestamps: TimestampForm,
    /// The text between date and time, and the text after the time.
    pub(in crate::bulk) iso: (char, &'static str),
    /// Whether booleans are `True` and `False`.
    pub(in crate::bulk) capital_booleans: bool,
    /// Whether a value of no bytes may be read if the type is not text or blob.
    pub(in crate::bulk) empty_values: bool,
}

impl ScalarForm {
    pub(in crate::bulk) fn dsbulk() -> Self {
        Self {
            blobs: BlobForm::Base64,
            timestamps: TimestampForm::Iso,
            iso: ('T', "Z"),
            capital_booleans: false,
            empty_values: false,
        }
    }

    pub(in crate::bulk) fn cqlsh() -> Self {
        Self { blobs: BlobForm::Hexadecimal, iso: (' ', "+0000"), capital_booleans: true, ..Self::dsbulk() }
    }

    /// The form of `SELECT JSON`.
    pub(in crate::bulk) fn json() -> Self {
        Self { blobs: BlobForm::Hexadecimal, iso: (' ', "Z"), ..Self::dsbulk() }
    }

    pub(in crate::bulk) fn append(&self, native: NativeType, text: &str, out: &mut Vec<u8>) -> Result<(), Problem> {
        let is_text = matches!(native, NativeType::Text | NativeType::Varchar | NativeType::Ascii | NativeType::Blob);
        match native {
            _ if text.is_empty() && (self.empty_values || native == NativeType::Blob) => Ok(()),
            _ if text.is_empty() && !is_text => Err(format!("an empty text is not a valid {}", native.name())),
            NativeType::Blob if self.blobs == BlobForm::Base64 => {
                STANDARD.decode_vec(text, out).map_err(|_| format!("{} is not base64", excerpt(text)))
            }
            NativeType::Timestamp => self.append_timestamp(text, out),
            // Cassandra reads a bare number as days or nanoseconds, which is rarely what was meant.
            NativeType::Date if is_digits(text) && text.len() != 10 => {
                Err(format!("{} is not a date; write 2026-01-31", excerpt(text)))
            }
            NativeType::Time if is_digits(text) => Err(format!("{} is not a time; write 13:00:00", excerpt(text))),
            _ if append_scalar(native, text, out) => Ok(()),
            _ => Err(format!("{} is not a valid {}", excerpt(text), native.name())),
        }
    }

    fn append_timestamp(&self, text: &str, out: &mut Vec<u8>) -> Result<(), Problem> {
        let number = || text.parse::<i64>().map_err(|_| format!("{} is not a whole number", excerpt(text)));
        let millis = match &self.timestamps {
            TimestampForm::Iso | TimestampForm::IsoOrUtc => return self.append_iso_timestamp(text, out),
            TimestampForm::UnixSeconds => {
                number()?.checked_mul(1_000).ok_or_else(|| format!("{} is not a timestamp", excerpt(text)))?
            }
            TimestampForm::UnixMillis => number()?,
            TimestampForm::UnixMicros => match number()? {
                micros if micros % 1_000 == 0 => micros / 1_000,
                _ => return Err(format!("{} has more digits than the milliseconds of a timestamp", excerpt(text))),
            },
            TimestampForm::Pattern(pattern) => pattern_timestamp(text, pattern)
                .ok_or_else(|| format!("{} does not fit the pattern {pattern:?}", excerpt(text)))?,
        };
        out.extend_from_slice(&millis.to_be_bytes());
        Ok(())
    }

    fn append_iso_timestamp(&self, text: &str, out: &mut Vec<u8>) -> Result<(), Problem> {
        if let Ok(number) = text.parse::<i64>() {
            // Only timestamps outside the years 0 to 9999 are written as numbers, so a number inside this range has no
            // known unit.
            if (FIRST_YEAR..=LAST_YEAR).contains(&number) {
                return Err(format!(
                    "{} is a number: say with the form of timestamps whether it counts seconds, milliseconds or microseconds",
                    excerpt(text)
                ));
            }
            out.extend_from_slice(&number.to_be_bytes());
            return Ok(());
        }
        let fraction = memchr(b'.', text.as_bytes()).and_then(|at| text.as_bytes().get(at + 1..)).unwrap_or_default();
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
        if digits.skip(3).any(|digit| *digit != b'0') {
            return Err(format!("{} has more digits than the milliseconds of a timestamp", excerpt(text)));
        }
        let begin = out.len();
        if append_scalar(NativeType::Timestamp, text, out) {
            return Ok(());
        }
        if !append_scalar(NativeType::Timestamp, &format!("{text}Z"), out) {
            return Err(format!("{} is not a timestamp", excerpt(text)));
        }
        if self.timestamps == TimestampForm::Iso {
            out.truncate(begin);
            return Err(format!("{} has no time zone: write one, or read timestamps as UTC", excerpt(text)));
        }
        Ok(())
    }

    pub(in crate::bulk) fn write(&self, native: NativeType, bytes: &[u8], out: &mut String) -> Result<(), Problem> {
        match native {
            _ if bytes.is_empty() => return Ok(()),
            NativeType::Blob if self.blobs == BlobForm::Base64 => {
                STANDARD.encode_string(bytes, out);
                return Ok(());
            }
            NativeType::Boolean if self.capital_booleans => {
                out.push_str(if bytes == [0] { "False" } else { "True" });
                return Ok(());
            }
            NativeType::Timestamp => return self.write_timestamp(bytes, out),
            _ => {}
        }
        if write_scalar(native, bytes, out) { Ok(()) } else { Err(format!("is not a valid {}", native.name())) }
    }

    fn write_timestamp(&self, bytes: &[u8], out: &mut String) -> Result<(), Problem> {
        use std::fmt::Write;
        let millis = bytes.try_into().map(i64::from_be_bytes).map_err(|_| "is not a timestamp".to_owned())?;
        let written = match &self.timestamps {
            TimestampForm::Iso | TimestampForm::IsoOrUtc => {
                let from = out.len();
                let written = write_scalar(NativeType::Timestamp, bytes, out);
                let (separator, zone) = self.iso;
                if out.ends_with("+0000") {
                    out.truncate(out.len() - "+0000".len());
                    out.push_str(zone);
                    out.replace_range(from + 10..=from + 10, separator.encode_utf8(&mut [0; 4]));
                }
                return if written { Ok(()) } else { Err("is not a timestamp".to_owned()) };
            }
            TimestampForm::UnixSeconds if millis % 1_000 != 0 => {
                return Err(format!("{millis} ms since 1970 is not a whole second"));
            }
            TimestampForm::UnixSeconds => write!(out, "{}", millis / 1_000),
            TimestampForm::UnixMillis => write!(out, "{millis}"),
            TimestampForm::UnixMicros => write!(out, "{}", i128::from(millis) * 1_000),
            TimestampForm::Pattern(pattern) => {
                let Some(at) = DateTime::from_timestamp_millis(millis) else {
                    return Err(format!(
                        "{millis} ms since 1970 are in no year that the pattern {pattern:?} can write"
                    ));
                };
                write!(out, "{}", at.format(pattern))
            }
        };
        written.map_err(|_| format!("the pattern of timestamps {:?} cannot be written", self.timestamps))
    }
}

/// The first and the last millisecond that are written as a date.
const FIRST_YEAR: i64 = -62_167_219_200_000;
const LAST_YEAR: i64 = 253_402_300_799_999;

fn is_digits(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit())
}

fn pattern_timestamp(text: &str, pattern: &str) -> Option<i64> {
    if let Ok(at) = DateTime::parse_from_str(text, pattern) {
        return Some(at.timestamp_millis());
    }
    let at = NaiveDateTime::parse_from_str(text, pattern)
        .or_else(|_| NaiveDate::parse_from_str(text, pattern).map(|date| date.and_time(chrono::NaiveTime::MIN)));
    Some(at.ok()?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_timestamp_format_round_trips() {
        let at = 1_769_866_254_000_i64;
        for (form, text) in [
            (TimestampForm::Iso, "2026-01-31T13:30:54.000Z"),
            (TimestampForm::UnixSeconds, "1769866254"),
            (TimestampForm::UnixMillis, "1769866254000"),
            (TimestampForm::UnixMicros, "1769866254000000"),
            (TimestampForm::Pattern("%d.%m.%Y %H:%M:%S".to_owned()), "31.01.2026 13:30:54"),
            (TimestampForm::Pattern("%Y-%m-%d %H:%M:%S %:z".to_owned()), "2026-01-31 13:30:54 +00:00"),
        ] {
            let form = ScalarForm { timestamps: form, ..ScalarForm::dsbulk() };
            let mut written = String::new();
            form.write(NativeType::Timestamp, &at.to_be_bytes(), &mut written).unwrap();
            assert_eq!(written, text);
            let mut read = Vec::new();
            form.append(NativeType::Timestamp, text, &mut read).unwrap();
            assert_eq!(read, at.to_be_bytes(), "{text}");
        }
        let millis = |timestamps: TimestampForm, text: &str| {
            let mut read = Vec::new();
            ScalarForm { timestamps, ..ScalarForm::dsbulk() }.append(NativeType::Timestamp, text, &mut read).unwrap();
            i64::from_be_bytes(read.try_into().unwrap())
        };
        assert_eq!(millis(TimestampForm::Pattern("%d.%m.%Y".to_owned()), "02.01.1970"), 86_400_000);
        assert_eq!(millis(TimestampForm::IsoOrUtc, "1970-01-02"), 86_400_000);
        assert_eq!(millis(TimestampForm::IsoOrUtc, "1970-01-02 00:00:01"), 86_401_000);
    }

    #[test]
    fn zero_length_value_is_read_only_if_enabled() {
        let strict = ScalarForm::dsbulk();
        assert_eq!(
            strict.append(NativeType::Int, "", &mut Vec::new()),
            Err("an empty text is not a valid int".to_owned())
        );
        assert_eq!(strict.append(NativeType::Text, "", &mut Vec::new()), Ok(()));
        assert_eq!(strict.append(NativeType::Blob, "", &mut Vec::new()), Ok(()));
        let lenient = ScalarForm { empty_values: true, ..strict };
        assert_eq!(lenient.append(NativeType::Int, "", &mut Vec::new()), Ok(()));
    }
}
