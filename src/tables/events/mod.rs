mod delete_day;
mod latest;
mod partition;
mod planned;
mod range;
mod read;
mod schedule;
mod shards;
mod statements;
mod values;

use std::fmt;
use std::num::NonZeroU8;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use futures::stream::{self, StreamExt};
use keyspaces_cql::Name;
use tokio::time::{Instant, sleep_until};

pub use self::delete_day::DeleteDay;
pub use self::latest::LatestEvents;
use self::partition::{Days, Partition};
pub use self::range::EventRange;
use self::read::Reader;
use self::shards::Shards;
use self::statements::EventStatements;
use super::event::{Event, date_of, truncate_to_millis};
use crate::options::{CallOptions, call_options};
use crate::schema::{NativeType, SortOrder, TableBuilder, TableDefinition};
use crate::{Error, ErrorKind, Outcome, Session};

/// The maximum number of writes of [`Events::insert_many`] in flight.
const INSERTS_IN_FLIGHT: usize = 64;

/// The `events` table: the events of devices, newest first within each day.
///
/// ```sql
/// CREATE TABLE events (device_id text, event_date date, event_time timestamp, event_type text, payload text,
///     PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC)
/// ```
///
/// A partition holds the events of one device on one day. Every method uses the day of the event's time in UTC; the
/// machine's time zone has no effect. The column stores milliseconds, so all times are truncated to the millisecond, in
/// writes and in reads. An event is therefore found by the exact time with which it was created, and consecutive ranges
/// return each event once.
///
/// An `Events` is cheap to clone.
///
/// # Writing
///
/// [`insert`](Self::insert) overwrites an event of the same device and millisecond,
/// [`insert_if_absent`](Self::insert_if_absent) does not. [`insert_many`](Self::insert_many) writes many events without
/// overloading a partition. [`delete`](Self::delete) deletes one event, [`delete_day`](Self::delete_day) a whole day.
///
/// # Reading
///
/// [`get`](Self::get) reads one event. [`latest`](Self::latest) reads the latest events of a device, [`day`](Self::day) those of
/// a day, and [`between`](Self::between) those of a range of time, each as a stream.
#[derive(Clone)]
pub struct Events {
    table: Arc<EventTable>,
}

#[derive(Clone)]
struct EventTable {
    name: String,
    statements: EventStatements,
    shards: Shards,
}

impl Events {
    /// Creates the table `events` in `keyspace` if it does not exist, and waits until it can be used.
    ///
    /// The name of the keyspace is case-sensitive, and is quoted if CQL requires it.
    ///
    /// If the future is dropped, it no longer waits; a definition that was sent is still carried out.
    ///
    /// # Errors
    ///
    /// The errors of every change of the [`schema`](Session::schema).
    pub async fn create_table(session: &Session, keyspace: &str) -> Result<(), Error> {
        session.schema().create_table_if_not_exists(&Self::table(keyspace)?).await
    }

    /// Returns the definition of the table `events` in `keyspace`, so that options can be added before the table is
    /// created.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the name of the keyspace is invalid.
    pub fn table(keyspace: &str) -> Result<TableDefinition, Error> {
        Self::definition(TableDefinition::builder(keyspace, "events"), |table| table)
    }

    /// Returns the definition of the table `events_sharded` in `keyspace`: that of [`table`](Self::table), with a column
    /// `shard smallint` in the partition key.
    ///
    /// # Errors
    ///
    /// The errors of [`table`](Self::table).
    pub fn sharded_table(keyspace: &str) -> Result<TableDefinition, Error> {
        let table = TableDefinition::builder(keyspace, "events_sharded");
        Self::definition(table, |table| table.partition_key("shard", NativeType::Smallint))
    }

    fn definition(
        table: TableBuilder,
        extend_key: impl FnOnce(TableBuilder) -> TableBuilder,
    ) -> Result<TableDefinition, Error> {
        let table = table.partition_key("device_id", NativeType::Text).partition_key("event_date", NativeType::Date);
        let table = extend_key(table)
            .clustering_column("event_time", NativeType::Timestamp, SortOrder::Descending)
            .column("event_type", NativeType::Text)
            .column("payload", NativeType::Text);
        Ok(table.build()?)
    }

    /// Prepares all statements for the table `events` in `keyspace`.
    ///
    /// The future may be dropped at any time: statements being prepared are still finished and kept.
    ///
    /// # Errors
    ///
    /// The errors of [`Session::prepare`]: [`NotReady`](ErrorKind::NotReady) if the table does not exist,
    /// [`Type`](ErrorKind::Type) if its columns have other types.
    pub async fn new(session: &Session, keyspace: &str) -> Result<Self, Error> {
        Self::open(session, format!("{}.events", Name::new(keyspace)), Shards::NONE).await
    }

    /// Creates the table `events_sharded` in `keyspace` if it does not exist, and waits until it can be used. It differs from
    /// [`create_table`](Self::create_table) by a column `shard smallint` in the partition key.
    ///
    /// If the future is dropped, it no longer waits; a definition that was sent is still carried out.
    ///
    /// # Errors
    ///
    /// The errors of every change of the [`schema`](Session::schema).
    pub async fn create_sharded_table(session: &Session, keyspace: &str) -> Result<(), Error> {
        session.schema().create_table_if_not_exists(&Self::sharded_table(keyspace)?).await
    }

    /// Prepares all statements for the table `events_sharded` in `keyspace`, in which each day of a device is split
    /// into `shards` partitions. Use it for devices that write more than one partition accepts: 1,000 write units a
    /// second, or 1,000 events of up to 1 KB (DG:bp-partition-key-design).
    ///
    /// Otherwise it works like the table `events`. Reading a day reads and merges all its shards, so use no more shards than
    /// needed. The shard of an event is computed from its time and the number of shards, so the number must never change for
    /// a table: with another number, [`get`](Self::get) and [`delete`](Self::delete) miss events, and with a smaller number
    /// all reads do.
    ///
    /// The future may be dropped at any time: statements being prepared are still finished and kept.
    ///
    /// # Errors
    ///
    /// The errors of [`new`](Self::new).
    pub async fn sharded(session: &Session, keyspace: &str, shards: NonZeroU8) -> Result<Self, Error> {
        Self::open(session, format!("{}.events_sharded", Name::new(keyspace)), Shards::new(shards)).await
    }

    async fn open(session: &Session, name: String, shards: Shards) -> Result<Self, Error> {
        let statements = EventStatements::prepare(session, &name, shards != Shards::NONE).await?;
        Ok(Self { table: Arc::new(EventTable { name, statements, shards }) })
    }

    /// Writes an event.
    ///
    /// An event of the same device and millisecond is silently overwritten, because the time is part of the key. If
    /// that can happen, use [`insert_if_absent`](Self::insert_if_absent).
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if the device id is empty; otherwise the errors of
    /// [`Write::execute`](crate::Write::execute).
    pub async fn insert(&self, event: &Event) -> Result<(), Error> {
        let table = &*self.table;
        table.statements.insert(&table.partition("INSERT INTO", &event.device_id, event.event_time)?, event).await
    }

    /// Writes an event unless the device already has one at the same millisecond, which is then returned.
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// The errors of [`insert`](Self::insert), except that a lost or throttled answer is [`Outcome::Unknown`].
    pub async fn insert_if_absent(&self, event: &Event) -> Result<Outcome<Option<Event>>, Error> {
        let table = &*self.table;
        let partition = table.partition("INSERT INTO", &event.device_id, event.event_time)?;
        table.statements.insert_if_absent(&partition, event).await
    }

    /// Writes many events, up to 64 of them in flight, and returns the result of each, in the order of the events.
    ///
    /// Each partition is written at 900 of the 1,000 write units a second that it accepts, so many events of one device
    /// on one day take time; other days and devices are written in parallel. The rate is an average from the start:
    /// writes delayed by slow answers are sent faster afterwards. Two events with the same device and millisecond are
    /// one row; which of them stays is undefined.
    ///
    /// An event that fails neither undoes nor stops the others.
    ///
    /// If the future is dropped before it completes, writes in flight may be executed, and no other is sent.
    ///
    /// # Errors
    ///
    /// The result of each event has the errors of [`insert`](Self::insert).
    pub async fn insert_many(&self, events: &[Event]) -> Vec<Result<(), Error>> {
        let start = Instant::now();
        let writes = schedule::schedule(events, self.table.shards).into_iter().map(|(due, index)| async move {
            sleep_until(start + due).await;
            (index, self.insert(&events[index]).await)
        });
        let mut results: Vec<(usize, Result<(), Error>)> =
            stream::iter(writes).buffer_unordered(INSERTS_IN_FLIGHT).collect().await;
        results.sort_unstable_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Deletes the event of a device at this millisecond, if it exists.
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// The errors of [`insert`](Self::insert).
    pub async fn delete(&self, device_id: &str, event_time: DateTime<Utc>) -> Result<(), Error> {
        let table = &*self.table;
        let partition = table.partition("DELETE FROM", device_id, event_time)?;
        table.statements.delete(&partition, truncate_to_millis(event_time)).await
    }

    /// Deletes all events of a device on a day, and waits until none of them can be read any more.
    ///
    /// A range delete in Keyspaces deletes at most 1,000 rows, and since July 2026 it deletes them after the answer
    /// (DG:functional-differences). So this method reads the day, deletes it in slices of up to 900 events, and repeats
    /// both until the day is empty. It may be called again after an error.
    ///
    /// ```no_run
    /// # async fn run(events: keyspaces::tables::Events, date: chrono::NaiveDate) -> Result<(), keyspaces::Error> {
    /// events.delete_day("device-001", date).with_deadline(std::time::Duration::from_secs(60)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`insert`](Self::insert), and [`Timeout`](ErrorKind::Timeout) if the day is not empty within the deadline:
    /// 5 minutes unless set by [`with_deadline`](DeleteDay::with_deadline).
    pub fn delete_day(&self, device_id: &str, date: NaiveDate) -> DeleteDay {
        DeleteDay::new(Arc::clone(&self.table), self.table.device("DELETE FROM", device_id), date)
    }

    /// Returns the latest `count` events of a device, newest first; fewer if today and the 30 days before have fewer.
    ///
    /// # Errors
    ///
    /// The stream ends with an error: [`Value`](ErrorKind::Value) if the device id is empty; otherwise the errors of
    /// [`Select::rows`](crate::Select::rows).
    pub fn latest(&self, device_id: &str, count: usize) -> LatestEvents {
        LatestEvents::new(self.reader(device_id), count)
    }

    /// Returns all events in the partition of a day, newest first, including events that another program wrote there although
    /// their time belongs to another day in UTC.
    ///
    /// # Errors
    ///
    /// The errors of [`latest`](Self::latest).
    pub fn day(&self, device_id: &str, date: NaiveDate) -> EventRange {
        EventRange::new(self.reader(device_id), Ok(Days::Whole(date)))
    }

    /// Returns the events of a device from the start of a range up to, but not including, its end, newest first.
    ///
    /// ```no_run
    /// # async fn run(events: keyspaces::tables::Events) -> Result<(), keyspaces::Error> {
    /// use chrono::{NaiveDate, NaiveTime};
    ///
    /// let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap_or_default().and_time(NaiveTime::MIN).and_utc();
    /// let mut week = events.between("device-001", day(16)..day(23)).oldest_first().of_type("temperature");
    /// while let Some(event) = week.try_next().await? {
    ///     println!("{} {}", event.event_time, event.payload);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`latest`](Self::latest), and [`Value`](ErrorKind::Value) if the range ends before it begins.
    pub fn between(&self, device_id: &str, range: Range<DateTime<Utc>>) -> EventRange {
        let days = Days::in_range(&range).ok_or_else(|| {
            let problem =
                format!("the range ends at {} before it begins at {}", time_text(range.end), time_text(range.start));
            Error::new(ErrorKind::Value, self.table.attempted("SELECT FROM"), problem)
                .with_advice("Pass the earlier time first; oldest_first() sets only the order of the events")
        });
        EventRange::new(self.reader(device_id), days)
    }

    /// Returns the event of a device at this millisecond, if it exists.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if the device id is empty; otherwise the errors of [`Select::one`](crate::Select::one).
    pub async fn get(&self, device_id: &str, event_time: DateTime<Utc>) -> Result<Option<Event>, Error> {
        let table = &*self.table;
        let partition = table.partition("SELECT FROM", device_id, event_time)?;
        table.statements.get(&partition, truncate_to_millis(event_time)).await
    }

    fn reader(&self, device_id: &str) -> Result<Reader, Error> {
        Ok(Reader {
            device: self.table.device("SELECT FROM", device_id)?,
            table: Arc::clone(&self.table),
            newest_first: true,
            event_type: None,
            max_rows: None,
        })
    }

    fn with_changed_options(&self, change: impl Fn(&mut CallOptions)) -> Self {
        let mut table = EventTable::clone(&self.table);
        table.statements = table.statements.with_changed_options(change);
        Self { table: Arc::new(table) }
    }
}

// The first page of a day has 100 rows, or fewer if a smaller page size is set.
call_options!(impl [] Events, self: [&self], all, read, retry);

impl EventTable {
    /// The partition of an event.
    fn partition(&self, verb: &str, device_id: &str, time: DateTime<Utc>) -> Result<Partition, Error> {
        Ok(Partition {
            device: self.device(verb, device_id)?,
            date: date_of(time),
            shard: self.shards.shard_of(truncate_to_millis(time)),
        })
    }

    fn device(&self, verb: &str, device_id: &str) -> Result<Arc<str>, Error> {
        if device_id.is_empty() {
            return Err(Error::new(ErrorKind::Value, self.attempted(verb), "the device id is empty")
                .with_advice("Give each device its own id: all devices without an id would share a partition"));
        }
        Ok(Arc::from(device_id))
    }

    fn attempted(&self, verb: &str) -> String {
        format!("{verb} {}", self.name)
    }
}

fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("table", &self.table.name).field("shards", &self.table.shards.count()).finish()
    }
}
