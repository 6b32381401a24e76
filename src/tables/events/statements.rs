//! The statements of an event table. The guide's table and the one with the shard in its partition key have the same
//! statements, but for the column `shard`: values are bound by the names of their columns.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::partition::{Partition, Slice};
use super::values::ColumnValues;
use crate::execute::Call;
use crate::options::CallOptions;
use crate::tables::Event;
use crate::{Conditional, Error, Outcome, Pages, PagingState, ReadConsistency, Select, Session, Write};

/// Statements that are prepared for one table.
#[derive(Clone, Debug)]
pub(super) struct EventStatements {
    insert: Write<ColumnValues<'static>>,
    insert_if_absent: Conditional<ColumnValues<'static>, Event>,
    get: Select<ColumnValues<'static>, Event>,
    delete: Write<ColumnValues<'static>>,
    delete_slice: Write<ColumnValues<'static>>,
    times: Select<ColumnValues<'static>, (DateTime<Utc>,)>,
    newest_first: Select<ColumnValues<'static>, Event>,
    oldest_first: Select<ColumnValues<'static>, Event>,
    newest_first_of_type: Select<ColumnValues<'static>, Event>,
    oldest_first_of_type: Select<ColumnValues<'static>, Event>,
}

/// What is read of a partition.
#[derive(Clone, Debug)]
pub(super) struct PartitionQuery {
    pub(super) slice: Slice,
    pub(super) newest_first: bool,
    pub(super) event_type: Option<Arc<str>>,
}

impl EventStatements {
    pub(super) async fn prepare(session: &Session, table: &str, sharded: bool) -> Result<Self, Error> {
        let partition_key: &[&str] =
            if sharded { &["device_id", "event_date", "shard"] } else { &["device_id", "event_date"] };
        let columns = format!("{}, event_time, event_type, payload", partition_key.join(", "));
        let markers = vec!["?"; partition_key.len() + 3].join(", ");
        let partition = partition_key.iter().map(|column| format!("{column} = ?")).collect::<Vec<_>>().join(" AND ");
        let slice = format!("{partition} AND event_time >= ? AND event_time <= ?");

        let insert = format!("INSERT INTO {table} ({columns}) VALUES ({markers})");
        let insert_if_absent = format!("{insert} IF NOT EXISTS");
        let select = |what: &str, rest: &str| format!("SELECT {what} FROM {table} WHERE {rest}");
        let row = "device_id, event_time, event_type, payload";
        let get = select(row, &format!("{partition} AND event_time = ?"));
        let delete = format!("DELETE FROM {table} WHERE {partition} AND event_time = ?");
        let delete_slice = format!("DELETE FROM {table} WHERE {slice}");
        let times = select("event_time", &format!("{slice} ORDER BY event_time DESC"));
        let newest = select(row, &format!("{slice} ORDER BY event_time DESC"));
        let oldest = select(row, &format!("{slice} ORDER BY event_time ASC"));
        let typed = format!("{slice} AND event_type = ?");
        let newest_typed = select(row, &format!("{typed} ORDER BY event_time DESC ALLOW FILTERING"));
        let oldest_typed = select(row, &format!("{typed} ORDER BY event_time ASC ALLOW FILTERING"));

        let (writes, reads) = tokio::join!(
            session.prepare_all([insert.as_str(), &insert_if_absent, &delete, &delete_slice]),
            session.prepare_all([get.as_str(), &times, &newest, &oldest, &newest_typed, &oldest_typed]),
        );
        let (insert, insert_if_absent, delete, delete_slice): (Write<ColumnValues<'static>>, _, _, _) = writes?;
        let sample = Event::new("", DateTime::UNIX_EPOCH, "", "");
        let partition = Partition { device: "".into(), date: sample.date(), shard: 0 };
        // Other than of a tuple, its type does not tell.
        insert.untyped.check_sample(&ColumnValues::of_event(&partition, &sample))?;
        let (get, times, newest_first, oldest_first, newest_first_of_type, oldest_first_of_type) = reads?;
        let statements = Self {
            insert,
            insert_if_absent,
            get,
            delete,
            delete_slice,
            times,
            newest_first,
            oldest_first,
            newest_first_of_type,
            oldest_first_of_type,
        };
        Ok(statements.with_changed_options(|_| {}))
    }

    pub(super) async fn insert(&self, to: &Partition, event: &Event) -> Result<(), Error> {
        self.insert.execute(ColumnValues::of_event(to, event)).await
    }

    pub(super) async fn insert_if_absent(
        &self,
        to: &Partition,
        event: &Event,
    ) -> Result<Outcome<Option<Event>>, Error> {
        self.insert_if_absent.execute(ColumnValues::of_event(to, event)).await
    }

    pub(super) async fn get(&self, from: &Partition, time: DateTime<Utc>) -> Result<Option<Event>, Error> {
        self.get.one(ColumnValues::of_time(from, time)).await
    }

    pub(super) async fn delete(&self, from: &Partition, time: DateTime<Utc>) -> Result<(), Error> {
        self.delete.execute(ColumnValues::of_time(from, time)).await
    }

    pub(super) async fn delete_slice(&self, from: &Partition, slice: Slice) -> Result<(), Error> {
        self.delete_slice.execute(ColumnValues::of_slice(from, slice)).await
    }

    /// All times in a partition, newest first, at most `rows` in a page.
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub(super) fn times(&self, partition: &Partition, rows: NonZeroU32) -> Pages<(DateTime<Utc>,)> {
        self.times.with_page_size(rows).pages(ColumnValues::of_slice(partition, Slice::ALL))
    }

    /// For a page, all its attempts together.
    pub(super) fn deadline(&self) -> Duration {
        self.call().deadline()
    }

    /// Rows in a page, where it is not the session's.
    pub(super) fn page_size(&self) -> Option<NonZeroU32> {
        self.call().options.page_size
    }

    /// What is wanted of a partition, from the first page, with at most `rows` rows in a page.
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub(super) fn pages(&self, of: &Partition, wanted: &PartitionQuery, rows: Option<NonZeroU32>) -> Pages<Event> {
        let (select, values) = (self.select(wanted), ColumnValues::of_wanted(of, wanted));
        match rows {
            Some(rows) => select.with_page_size(rows).pages(values),
            None => select.pages(values),
        }
    }

    /// The same, from a page on, in pages of the usual size.
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub(super) fn pages_from(&self, of: &Partition, wanted: &PartitionQuery, state: &PagingState) -> Pages<Event> {
        self.select(wanted).pages_from(ColumnValues::of_wanted(of, wanted), state)
    }

    pub(super) fn with_changed_options(&self, change: impl Fn(&mut CallOptions)) -> Self {
        Self {
            insert: self.insert.with_changed_options(&change),
            insert_if_absent: self.insert_if_absent.with_changed_options(&change),
            get: self.get.with_changed_options(&change),
            delete: self.delete.with_changed_options(&change),
            delete_slice: self.delete_slice.with_changed_options(&change),
            // Whether a partition is empty is never left to one replica.
            times: self.times.with_changed_options(&change).with_consistency(ReadConsistency::LocalQuorum),
            newest_first: self.newest_first.with_changed_options(&change),
            oldest_first: self.oldest_first.with_changed_options(&change),
            newest_first_of_type: self.newest_first_of_type.with_changed_options(&change),
            oldest_first_of_type: self.oldest_first_of_type.with_changed_options(&change),
        }
    }

    fn select(&self, wanted: &PartitionQuery) -> &Select<ColumnValues<'static>, Event> {
        match (wanted.newest_first, wanted.event_type.is_some()) {
            (true, false) => &self.newest_first,
            (false, false) => &self.oldest_first,
            (true, true) => &self.newest_first_of_type,
            (false, true) => &self.oldest_first_of_type,
        }
    }

    fn call(&self) -> &Call {
        &self.newest_first.untyped.call
    }
}
