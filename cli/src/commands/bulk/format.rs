//! File formats.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use keyspaces::bulk::{Csv, Format, Input, JsonLines, Parquet, TimestampForm};

use crate::failure::Failure;

/// The format of files, and its options.
#[derive(Args, Debug)]
pub(super) struct FormatOptions {
    /// Format of the files [default: by the file name]
    #[arg(long, value_name = "FORMAT")]
    data_format: Option<FileFormat>,
    /// Character between the fields of CSV [default: a comma]
    #[arg(long, value_name = "CHARACTER", value_parser = ascii_character)]
    delimiter: Option<u8>,
    /// Text of null in CSV [default: an empty field without quotes]
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Form of timestamps: iso, iso-or-utc, seconds, millis, micros, or a pattern such as "%d.%m.%Y %H:%M" [default: iso]
    #[arg(long, value_name = "FORM")]
    timestamps: Option<Timestamps>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FileFormat {
    /// RFC 4180 with a header row; null is an empty field, an empty text is quoted
    Csv,
    /// CSV of cqlsh's COPY
    Cqlsh,
    /// JSON Lines: one JSON object on each line
    Jsonl,
    /// Apache Parquet; --timestamps iso-or-utc reads timestamps without a time zone as UTC
    Parquet,
}

impl FormatOptions {
    /// The given format, else that of the file name. With `columns`, CSV has no header row.
    pub(super) fn format(&self, path: &Path, columns: &[String]) -> Result<Format, Failure> {
        let format = match self.data_format {
            Some(FileFormat::Csv) => Csv::new().into(),
            Some(FileFormat::Cqlsh) => Csv::cqlsh().into(),
            Some(FileFormat::Jsonl) => JsonLines::new().into(),
            Some(FileFormat::Parquet) => Parquet::new().into(),
            None => Format::from_path(path).ok_or_else(|| {
                Failure::usage(format!(
                    "cannot tell the format of {} from its name. Pass --data-format",
                    path.display()
                ))
            })?,
        };
        let timestamps = self.timestamps.as_ref().map(|Timestamps(form)| form.clone());
        match format {
            Format::Csv(mut csv) => {
                if let Some(delimiter) = self.delimiter {
                    csv = csv.delimiter(delimiter);
                }
                if let Some(null) = &self.null {
                    csv = csv.null(null);
                }
                if !columns.is_empty() {
                    csv = csv.columns(columns);
                }
                Ok(timestamps.into_iter().fold(csv, Csv::timestamps).into())
            }
            _ if self.delimiter.is_some() || self.null.is_some() => {
                Err(Failure::usage("--delimiter and --null apply to CSV only. Remove them, or pass --data-format csv"))
            }
            Format::JsonLines(lines) => Ok(timestamps.into_iter().fold(lines, JsonLines::timestamps).into()),
            Format::Parquet(parquet) => Ok(timestamps.into_iter().fold(parquet, Parquet::timestamps).into()),
            other => Ok(other),
        }
    }
}

/// Parses an ASCII character; `\t` is a tab.
fn ascii_character(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] => Ok(*byte),
        _ => Err("expected one ASCII character, or \\t".to_owned()),
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Timestamps(TimestampForm);

impl FromStr for Timestamps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text {
            "iso" => TimestampForm::Iso,
            "iso-or-utc" => TimestampForm::IsoOrUtc,
            "seconds" => TimestampForm::UnixSeconds,
            "millis" => TimestampForm::UnixMillis,
            "micros" => TimestampForm::UnixMicros,
            pattern if pattern.contains('%') => TimestampForm::Pattern(pattern.to_owned()),
            _ => return Err("expected iso, iso-or-utc, seconds, millis, micros, or a pattern with %".to_owned()),
        }))
    }
}

/// Standard input for `-`, else the files. A quoted pattern such as `'2026-*.csv'` stands for all files that match it.
pub(super) fn input(paths: &[PathBuf]) -> Result<Input, Failure> {
    match paths {
        [path] if path == Path::new("-") => Ok(Input::stdin()),
        [path] if !path.exists() && path.to_string_lossy().contains('*') => Ok(Input::glob(&path.to_string_lossy())?),
        paths => Ok(Input::files(paths)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiter_and_timestamp_format_arguments_are_parsed() {
        assert_eq!((ascii_character(";"), ascii_character("\\t")), (Ok(b';'), Ok(b'\t')));
        assert_eq!(ascii_character("ä"), Err("expected one ASCII character, or \\t".to_owned()));
        assert_eq!("millis".parse(), Ok(Timestamps(TimestampForm::UnixMillis)));
        assert_eq!("%d.%m.%Y".parse(), Ok(Timestamps(TimestampForm::Pattern("%d.%m.%Y".to_owned()))));
        assert_eq!(
            "days".parse::<Timestamps>().unwrap_err(),
            "expected iso, iso-or-utc, seconds, millis, micros, or a pattern with %"
        );
    }

    #[test]
    fn csv_options_are_refused_for_json() {
        let options = FormatOptions { data_format: None, delimiter: Some(b';'), null: None, timestamps: None };
        let error = options.format(Path::new("a.jsonl"), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--delimiter and --null apply to CSV only. Remove them, or pass --data-format csv"
        );
        assert_eq!(options.format(Path::new("a.csv"), &[]).unwrap(), Csv::new().delimiter(b';').into());
    }
}
