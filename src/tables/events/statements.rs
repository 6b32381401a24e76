//! The statements of an event table. The table with shards has the same statements as the one without, plus the column `shard`,
//! so values are bound by the names of their columns.

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

/// The prepared statements for a table.
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

/// The part of a partition to read.
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
        let select = |columns: &str, condition: &str| format!("SELECT {columns} FROM {table} WHERE {condition}");
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
        // Unlike the types of a tuple, those of `ColumnValues` are only checked when a sample is bound.
        insert.untyped.check_sample(&ColumnValues::for_event(&partition, &sample))?;
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

    pub(super) async fn insert(&self, partition: &Partition, event: &Event) -> Result<(), Error> {
        self.insert.execute(ColumnValues::for_event(partition, event)).await
    }

    pub(super) async fn insert_if_absent(
        &self,
        partition: &Partition,
        event: &Event,
    ) -> Result<Outcome<Option<Event>>, Error> {
        self.insert_if_absent.execute(ColumnValues::for_event(partition, event)).await
    }

    pub(super) async fn get(&self, partition: &Partition, time: DateTime<Utc>) -> Result<Option<Event>, Error> {
        self.get.one(ColumnValues::for_time(partition, time)).await
    }

    pub(super) async fn delete(&self, partition: &Partition, time: DateTime<Utc>) -> Result<(), Error> {
        self.delete.execute(ColumnValues::for_time(partition, time)).await
    }

    pub(super) async fn delete_slice(&self, partition: &Partition, slice: Slice) -> Result<(), Error> {
        self.delete_slice.execute(ColumnValues::for_slice(partition, slice)).await
    }

    /// The times of all rows of a partition, newest first, with at most `rows` rows in a page.
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub(super) fn times(&self, partition: &Partition, rows: NonZeroU32) -> Pages<(DateTime<Utc>,)> {
        self.times.with_page_size(rows).pages(ColumnValues::for_slice(partition, Slice::ALL))
    }

    /// The deadline of a page, over all attempts.
    pub(super) fn deadline(&self) -> Duration {
        self.call().deadline()
    }

    /// The number of rows in a page, if it differs from the session's.
    pub(super) fn page_size(&self) -> Option<NonZeroU32> {
        self.call().options.page_size
    }

    /// Reads a part of a partition from its first page, with at most `rows` rows in a page.
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub(super) fn pages(
        &self,
        partition: &Partition,
        query: &PartitionQuery,
        rows: Option<NonZeroU32>,
    ) -> Pages<Event> {
        let (select, values) = (self.select(query), ColumnValues::for_query(partition, query));
        match rows {
            Some(rows) => select.with_page_size(rows).pages(values),
            None => select.pages(values),
        }
    }

    /// Reads a part of a partition from a paging state, in pages of the usual size.
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub(super) fn pages_from(
        &self,
        partition: &Partition,
        query: &PartitionQuery,
        state: &PagingState,
    ) -> Pages<Event> {
        self.select(query).pages_from(ColumnValues::for_query(partition, query), state)
    }

    pub(super) fn with_changed_options(&self, change: impl Fn(&mut CallOptions)) -> Self {
        Self {
            insert: self.insert.with_changed_options(&change),
            insert_if_absent: self.insert_if_absent.with_changed_options(&change),
            get: self.get.with_changed_options(&change),
            delete: self.delete.with_changed_options(&change),
            delete_slice: self.delete_slice.with_changed_options(&change),
            // A read of one replica does not prove that a partition is empty.
            times: self.times.with_changed_options(&change).with_consistency(ReadConsistency::LocalQuorum),
            newest_first: self.newest_first.with_changed_options(&change),
            oldest_first: self.oldest_first.with_changed_options(&change),
            newest_first_of_type: self.newest_first_of_type.with_changed_options(&change),
            oldest_first_of_type: self.oldest_first_of_type.with_changed_options(&change),
        }
    }

    fn select(&self, query: &PartitionQuery) -> &Select<ColumnValues<'static>, Event> {
        match (query.newest_first, query.event_type.is_some()) {
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
