//! What files are written in.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use keyspaces::bulk::{Csv, Format, Input, JsonLines, Parquet, TimestampForm};

use crate::failure::Failure;

/// What files are written in, and what of it is not as usual.
#[derive(Args, Debug)]
pub(super) struct FileOptions {
    /// What files are written in [default: by their names]
    #[arg(long, value_name = "FORMAT")]
    data_format: Option<FileFormat>,
    /// Character between two fields of CSV [default: a comma]
    #[arg(long, value_name = "CHARACTER", value_parser = byte)]
    delimiter: Option<u8>,
    /// What null is in CSV [default: an empty field without quotes]
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// How timestamps are written: iso, iso-or-utc, seconds, millis, micros, or a pattern as "%d.%m.%Y %H:%M" [default: iso]
    #[arg(long, value_name = "FORM")]
    timestamps: Option<Timestamps>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FileFormat {
    /// RFC 4180 with a header; null is an empty field, an empty text is quoted
    Csv,
    /// CSV as cqlsh's COPY writes it
    Cqlsh,
    /// One JSON object in each line
    Jsonl,
    /// Apache Parquet; with --timestamps iso-or-utc those without a time zone, which pandas writes, are in UTC
    Parquet,
}

impl FileOptions {
    /// The format that is asked for, else the one that the file's name says. With `columns`, no first line of CSV names them.
    pub(super) fn format(&self, path: &Path, columns: &[String]) -> Result<Format, Failure> {
        let asked = match self.data_format {
            Some(FileFormat::Csv) => Csv::new().into(),
            Some(FileFormat::Cqlsh) => Csv::cqlsh().into(),
            Some(FileFormat::Jsonl) => JsonLines::new().into(),
            Some(FileFormat::Parquet) => Parquet::new().into(),
            None => Format::of_path(path).ok_or_else(|| {
                Failure::usage(format!("the name of {} says no format. Give --data-format", path.display()))
            })?,
        };
        let timestamps = self.timestamps.as_ref().map(|Timestamps(form)| form.clone());
        match asked {
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
                Err(Failure::usage("--delimiter and --null are for CSV. Leave them out, or give --data-format csv"))
            }
            Format::JsonLines(lines) => Ok(timestamps.into_iter().fold(lines, JsonLines::timestamps).into()),
            Format::Parquet(parquet) => Ok(timestamps.into_iter().fold(parquet, Parquet::timestamps).into()),
            other => Ok(other),
        }
    }
}

/// A character of one byte; `\t` is a tabulator.
fn byte(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] => Ok(*byte),
        _ => Err("write one character of ASCII, or \\t".to_owned()),
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
            _ => return Err("write iso, iso-or-utc, seconds, millis, micros, or a pattern with % in it".to_owned()),
        }))
    }
}

/// Standard input for `-`, files otherwise. A pattern that the shell has left, as `'2026-*.csv'`, is each file that fits it.
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
    fn a_delimiter_is_one_byte_and_a_form_of_timestamps_has_a_name_or_is_a_pattern() {
        assert_eq!((byte(";"), byte("\\t")), (Ok(b';'), Ok(b'\t')));
        assert_eq!(byte("ä"), Err("write one character of ASCII, or \\t".to_owned()));
        assert_eq!("millis".parse(), Ok(Timestamps(TimestampForm::UnixMillis)));
        assert_eq!("%d.%m.%Y".parse(), Ok(Timestamps(TimestampForm::Pattern("%d.%m.%Y".to_owned()))));
        assert_eq!(
            "days".parse::<Timestamps>().unwrap_err(),
            "write iso, iso-or-utc, seconds, millis, micros, or a pattern with % in it"
        );
    }

    #[test]
    fn what_is_for_csv_is_refused_for_json() {
        let options = FileOptions { data_format: None, delimiter: Some(b';'), null: None, timestamps: None };
        let error = options.format(Path::new("a.jsonl"), &[]).unwrap_err();
        assert_eq!(error.to_string(), "--delimiter and --null are for CSV. Leave them out, or give --data-format csv");
        assert_eq!(options.format(Path::new("a.csv"), &[]).unwrap(), Csv::new().delimiter(b';').into());
    }
}
