//! Binding: values to a prepared statement, held to the service's limits before anything is sent.

use std::time::{Duration, SystemTime};

use keyspaces_cql::rules::{MAX_PARTITION_KEY_BYTES, MAX_ROW_BYTES, MAX_TTL_SECONDS};
use scylla::frame::response::result::ColumnSpec;
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;

use super::about::About;
use super::cells::{Cells, Serialised};
use super::{Core, mismatch};
use crate::execute::Request;
use crate::stream::{Fingerprint, Read};
use crate::{Error, ErrorKind};

/// The bind markers of a prepared statement that mean something to this client.
#[derive(Debug)]
pub(crate) struct Markers {
    ttl: Option<usize>,
    timestamp: Option<usize>,
    limit: Option<usize>,
    /// Those of the partition key, if all of it is bound.
    key: Vec<usize>,
}

impl Markers {
    pub(super) fn of(prepared: &PreparedStatement) -> Self {
        // Cassandra calls the markers that belong to no column so.
        let at = |name| prepared.get_variable_col_specs().get_by_name(name).map(|(index, _)| index);
        Self {
            ttl: at("[ttl]"),
            timestamp: at("[timestamp]"),
            limit: at("[limit]"),
            key: prepared.get_variable_pk_indexes().iter().map(|key| key.index.into()).collect(),
        }
    }
}

impl Core {
    pub(crate) fn bind(&self, values: &impl SerializeRow) -> Result<Request, Error> {
        self.bind_serialised(&self.serialised(values)?)
    }

    /// A read about to be made.
    pub(super) fn read(&self, values: &impl SerializeRow) -> Result<Read, Error> {
        let values = self.serialised(values)?;
        let request = self.bind_serialised(&values)?;
        let fingerprint = Fingerprint::new(self.text, values.cells());
        Ok(Read { call: self.call.clone(), request, fingerprint })
    }

    pub(super) fn bind_serialised(&self, values: &Serialised) -> Result<Request, Error> {
        let cells = values.cells();
        let mut bound = self.prepared.clone().bind(&cells).map_err(|error| self.unbindable(error))?;
        if let Some(rows) = self.limit(cells) {
            bound.set_page_size(rows);
        }
        Ok(Request::Prepared(bound, cells.as_bytes().len()))
    }

    /// The values as they are sent, checked.
    pub(super) fn serialised(&self, values: &impl SerializeRow) -> Result<Serialised, Error> {
        let columns = self.prepared.get_variable_col_specs();
        let options = &self.call.options;
        let serialised = if options.ttl.is_none() && options.timestamp.is_none() {
            Serialised::new(columns.as_slice(), values)
        } else {
            let inserted = self.inserted()?;
            let given: Vec<ColumnSpec<'_>> = columns
                .iter()
                .enumerate()
                .filter(|(index, _)| inserted.iter().all(|(at, _)| at != index))
                .map(|(_, column)| column.clone())
                .collect();
            Serialised::new(&given, values).map(|given| given.with(&inserted))
        };
        let serialised = serialised.map_err(|error| self.unbindable(error))?;
        self.check(serialised.cells())?;
        Ok(serialised)
    }

    /// The values of `USING`, each with the index of its bind marker, in the order of the markers.
    fn inserted(&self) -> Result<Vec<(usize, Vec<u8>)>, Error> {
        let markers = &self.markers;
        let missing = |what: &str| {
            Error::new(
                ErrorKind::Type,
                self.call.about.attempted.clone(),
                format!("a {what} was given, and the statement has no bind marker for it"),
            )
            .with_advice(format!("Write USING {what} ? in the statement"))
        };
        let mut inserted = Vec::with_capacity(2);
        if let Some(ttl) = self.call.options.ttl {
            let seconds = i32::try_from(whole_seconds(ttl)).unwrap_or(i32::MAX);
            inserted.push((markers.ttl.ok_or_else(|| missing("TTL"))?, seconds.to_be_bytes().to_vec()));
        }
        if let Some(timestamp) = self.call.options.timestamp {
            inserted.push((markers.timestamp.ok_or_else(|| missing("TIMESTAMP"))?, timestamp.to_be_bytes().to_vec()));
        }
        inserted.sort_by_key(|(index, _)| *index);
        Ok(inserted)
    }

    fn check(&self, cells: Cells<'_>) -> Result<(), Error> {
        let refused = |kind: ErrorKind, problem: String, advice: &'static str| {
            Err(Error::new(kind, self.call.about.attempted.clone(), problem).with_advice(advice))
        };
        let columns = self.prepared.get_variable_col_specs();
        if cells.count() != columns.len() {
            let problem =
                format!("{} values were given, the statement has {} bind markers", cells.count(), columns.len());
            return Err(Error::new(ErrorKind::Type, self.call.about.attempted.clone(), problem));
        }
        if cells.as_bytes().len() > MAX_PARTITION_KEY_BYTES {
            let key: usize = self.markers.key.iter().filter_map(|index| cells.value(*index)).map(<[u8]>::len).sum();
            if key > MAX_PARTITION_KEY_BYTES {
                return refused(
                    ErrorKind::TooLarge,
                    format!("the partition key is {key} bytes, Keyspaces takes at most {MAX_PARTITION_KEY_BYTES}"),
                    "Make the key shorter, of a hash for instance, and keep the long value in another column",
                );
            }
        }
        if cells.as_bytes().len() > MAX_ROW_BYTES && self.call.about.writes_values() {
            let row = cells.surely_at_least(columns.as_slice());
            if row > MAX_ROW_BYTES {
                return refused(
                    ErrorKind::TooLarge,
                    format!("the row is at least {row} bytes, Keyspaces takes at most {MAX_ROW_BYTES}"),
                    "Store the large value elsewhere, in S3 for instance, or in parts, each a row of its own",
                );
            }
        }
        if let Some(ttl) = self.markers.ttl.and_then(|index| number(cells.value(index)?))
            && !u64::try_from(ttl).is_ok_and(|ttl| ttl <= MAX_TTL_SECONDS)
        {
            return refused(
                ErrorKind::Value,
                format!("a TTL of {ttl} s, Keyspaces takes 0 to {MAX_TTL_SECONDS}, which is 20 years"),
                "Leave the TTL away where rows are to stay",
            );
        }
        match self.markers.timestamp.and_then(|index| number(cells.value(index)?)) {
            Some(timestamp) => self.call.about.check_timestamp(timestamp, SystemTime::now()),
            None => Ok(()),
        }
    }

    /// The page size that a bound LIMIT asks for.
    fn limit(&self, cells: Cells<'_>) -> Option<i32> {
        let rows = number(cells.value(self.markers.limit?)?)?;
        let page = i64::from(self.prepared.get_page_size());
        i32::try_from(rows.clamp(1, page))
            .ok()
            .filter(|_| self.call.options.page_size.is_none() && !self.call.about.filters())
    }

    fn unbindable(&self, error: scylla::serialize::SerializationError) -> Error {
        Error::new(ErrorKind::Type, self.call.about.attempted.clone(), mismatch::of_values(&error)).with_source(error)
    }
}

impl About {
    /// Refuses a timestamp in microseconds that the service would refuse at `now`.
    fn check_timestamp(&self, timestamp: i64, now: SystemTime) -> Result<(), Error> {
        if keyspaces_cql::rules::takes_timestamp(timestamp, now) {
            return Ok(());
        }
        let problem = format!(
            "a timestamp of {timestamp} µs since 1970, Keyspaces takes those between two days ago and five minutes ahead"
        );
        Err(Error::new(ErrorKind::Value, self.attempted.clone(), problem).with_advice(
            "Timestamps are microseconds; check this machine's clock if it is meant to be the time of now",
        ))
    }
}

/// Rounded up: a TTL of 0 is none, and what was to live for half a second would live for ever.
fn whole_seconds(ttl: Duration) -> u64 {
    ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0))
}

fn number(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => bytes.try_into().ok().map(i32::from_be_bytes).map(i64::from),
        8 => bytes.try_into().ok().map(i64::from_be_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_ttl_is_rounded_up_to_whole_seconds_so_that_none_becomes_for_ever() {
        for (given, seconds) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(given)), seconds, "{given} ms");
        }
        assert_eq!(whole_seconds(Duration::from_nanos(1)), 1);
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }

    #[test]
    fn a_timestamp_is_held_to_the_services_window() {
        let about = About::unread("INSERT INTO ks.t");
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let micros = 1_700_000_000_000_000_i64;
        let (day, minute) = (86_400_000_000, 60_000_000);
        for allowed in [micros, micros - 2 * day, micros + 5 * minute] {
            about.check_timestamp(allowed, now).expect("within the window");
        }
        for refused in [micros - 2 * day - 1, micros + 5 * minute + 1, 1_700_000_000_000] {
            let error = about.check_timestamp(refused, now).expect_err("outside");
            assert_eq!(
                error.to_string(),
                format!(
                    "INSERT INTO ks.t failed: a timestamp of {refused} µs since 1970, Keyspaces takes those between two \
                     days ago and five minutes ahead. Timestamps are microseconds; check this machine's clock if it is \
                     meant to be the time of now"
                )
            );
        }
    }
}
