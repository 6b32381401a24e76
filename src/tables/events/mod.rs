mod delete_day;
mod latest;
mod partition;
mod planned;
mod range;
mod read;
mod shards;
mod spread;
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
use super::event::{Event, cut, date_of};
use crate::options::{CallOptions, call_options};
use crate::schema::{NativeType, Order, TableBuilder, TableDefinition};
use crate::{Error, ErrorKind, Outcome, Session};

/// How many writes of [`Events::insert_many`] are in flight together.
const INSERTS_IN_FLIGHT: usize = 64;

/// The `events` table: what devices reported, newest first within each day.
///
/// ```sql
/// CREATE TABLE events (device_id text, event_date date, event_time timestamp, event_type text, payload text,
///     PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC)
/// ```
///
/// A partition is a day of a device. The day is that of the event's time in UTC, here and wherever a date is asked for; time
/// zones are never involved, nor is the machine's. Times are whole milliseconds, as the column holds them: what is finer is
/// cut off from what is written and from what is asked for alike. So an event is found by the very time it was made with, and
/// ranges that follow each other give each event once.
///
/// Cheap to clone.
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
    /// Creates the table `events` in `keyspace` unless it is there, and waits until it can be used.
    ///
    /// The keyspace's name is taken as it is, in capitals or not, and quoted where CQL needs it.
    ///
    /// Dropped, it waits no more: a definition that was sent is carried out all the same.
    ///
    /// # Errors
    ///
    /// As [`Session::schema`].
    pub async fn create_table(session: &Session, keyspace: &str) -> Result<(), Error> {
        session.schema().create_table_if_not_exists(&Self::table(keyspace)?).await
    }

    /// The definition of the table `events` in `keyspace`, to be created with options of its own.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the keyspace cannot have such a name.
    pub fn table(keyspace: &str) -> Result<TableDefinition, Error> {
        Self::definition(TableDefinition::builder(keyspace, "events"), |table| table)
    }

    /// The definition of the table `events_sharded` in `keyspace`. As [`table`](Self::table), with a column
    /// `shard smallint` in its partition key.
    ///
    /// # Errors
    ///
    /// As [`table`](Self::table).
    pub fn sharded_table(keyspace: &str) -> Result<TableDefinition, Error> {
        let table = TableDefinition::builder(keyspace, "events_sharded");
        Self::definition(table, |table| table.partition_key("shard", NativeType::Smallint))
    }

    fn definition(
        table: TableBuilder,
        more: impl FnOnce(TableBuilder) -> TableBuilder,
    ) -> Result<TableDefinition, Error> {
        let table = table.partition_key("device_id", NativeType::Text).partition_key("event_date", NativeType::Date);
        let table = more(table)
            .clustering_column("event_time", NativeType::Timestamp, Order::Descending)
            .column("event_type", NativeType::Text)
            .column("payload", NativeType::Text);
        Ok(table.build()?)
    }

    /// The table `events` in `keyspace`, with all its statements prepared.
    ///
    /// It may be dropped: what is being prepared is kept when it is done.
    ///
    /// # Errors
    ///
    /// As [`Session::prepare`]: [`NotReady`](ErrorKind::NotReady) if the table is not there, [`Type`](ErrorKind::Type) if it is
    /// another one.
    pub async fn new(session: &Session, keyspace: &str) -> Result<Self, Error> {
        Self::open(session, format!("{}.events", Name::new(keyspace)), Shards::NONE).await
    }

    /// Creates the table `events_sharded` in `keyspace` unless it is there, and waits until it can be used. As
    /// [`create_table`](Self::create_table), with a column `shard smallint` in its partition key.
    ///
    /// Dropped, it waits no more: a definition that was sent is carried out all the same.
    ///
    /// # Errors
    ///
    /// As [`Session::schema`].
    pub async fn create_sharded_table(session: &Session, keyspace: &str) -> Result<(), Error> {
        session.schema().create_table_if_not_exists(&Self::sharded_table(keyspace)?).await
    }

    /// The table `events_sharded` in `keyspace`, for devices that write more than a partition bears, which is 1,000 write
    /// units, so as many events of 1 KB, a second (DG:bp-partition-key-design): each day is split into `shards` partitions.
    ///
    /// All else is as with the table `events`. A read of a day is one of each of its shards, merged, so have no more of them
    /// than are needed. The shard of an event is computed from its time and the number of shards, which therefore belongs to
    /// the table: with another number, [`get`](Self::get) and [`delete`](Self::delete) do not find what was written, and with
    /// a smaller one nothing does.
    ///
    /// It may be dropped: what is being prepared is kept when it is done.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn sharded(session: &Session, keyspace: &str, shards: NonZeroU8) -> Result<Self, Error> {
        Self::open(session, format!("{}.events_sharded", Name::new(keyspace)), Shards::new(shards)).await
    }

    async fn open(session: &Session, name: String, shards: Shards) -> Result<Self, Error> {
        let statements = EventStatements::prepare(session, &name, shards != Shards::NONE).await?;
        Ok(Self { table: Arc::new(EventTable { name, statements, shards }) })
    }

    /// Writes an event.
    ///
    /// One that the device already has at the same millisecond is overwritten, without a word: the time is the key. Where
    /// that can be, [`insert_if_absent`](Self::insert_if_absent) tells.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if the device id is empty. Else as [`Write::execute`](crate::Write::execute).
    pub async fn insert(&self, event: &Event) -> Result<(), Error> {
        let table = &*self.table;
        table.statements.insert(&table.partition("INSERT INTO", &event.device_id, event.event_time)?, event).await
    }

    /// Writes an event unless the device already has one at the same millisecond, which then is the answer.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert), but for a lost or throttled answer, which is [`Outcome::Unknown`].
    pub async fn insert_if_absent(&self, event: &Event) -> Result<Outcome<Option<Event>>, Error> {
        let table = &*self.table;
        let partition = table.partition("INSERT INTO", &event.device_id, event.event_time)?;
        table.statements.insert_if_absent(&partition, event).await
    }

    /// Writes many events, up to 64 in flight together, and gives the result of each, in their order.
    ///
    /// No partition is written to faster than at 900 write units a second from the start on, of the 1,000 that it bears: a day
    /// of one device is written as slowly as that, days and devices side by side. (What has fallen behind, because answers
    /// were slow, is caught up with.) Two events with the same device and millisecond are one
    /// row; which of them stays is not determined.
    ///
    /// Nothing is undone when an event fails, and none is left out because another failed.
    ///
    /// Dropped before it is done, those in flight may be carried out, and no other is sent.
    ///
    /// # Errors
    ///
    /// In place of each event's result, as [`insert`](Self::insert).
    pub async fn insert_many(&self, events: &[Event]) -> Vec<Result<(), Error>> {
        let start = Instant::now();
        let writes = spread::schedule(events, self.table.shards).into_iter().map(|(due, index)| async move {
            sleep_until(start + due).await;
            (index, self.insert(&events[index]).await)
        });
        let mut results: Vec<(usize, Result<(), Error>)> =
            stream::iter(writes).buffer_unordered(INSERTS_IN_FLIGHT).collect().await;
        results.sort_unstable_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Deletes the event that the device has at this millisecond, if there is one.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub async fn delete(&self, device_id: &str, event_time: DateTime<Utc>) -> Result<(), Error> {
        let table = &*self.table;
        let partition = table.partition("DELETE FROM", device_id, event_time)?;
        table.statements.delete(&partition, cut(event_time)).await
    }

    /// Deletes all that is filed under a day of a device, and waits until nothing of it is read any more.
    ///
    /// Keyspaces deletes at most 1,000 rows at once, and since July 2026 after it has answered (DG:functional-differences).
    /// So it is done in slices of up to 900, and then again until the day is empty. It reads the whole day to know the
    /// slices, and can be repeated.
    ///
    /// ```no_run
    /// # async fn run(events: keyspaces::tables::Events, date: chrono::NaiveDate) -> Result<(), keyspaces::Error> {
    /// events.delete_day("device-001", date).with_deadline(std::time::Duration::from_secs(60)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert), and [`Timeout`](ErrorKind::Timeout) if the day is not empty within the deadline, 5 minutes
    /// unless [`with_deadline`](DeleteDay::with_deadline) says otherwise.
    pub fn delete_day(&self, device_id: &str, date: NaiveDate) -> DeleteDay {
        DeleteDay::new(Arc::clone(&self.table), self.table.device("DELETE FROM", device_id), date)
    }

    /// The latest `count` events of a device, or fewer if it has not as many in the last days, newest first.
    ///
    /// # Errors
    ///
    /// As items of the stream, which ends there: [`Value`](ErrorKind::Value) if the device id is empty, else
    /// as [`Select::rows`](crate::Select::rows).
    pub fn latest(&self, device_id: &str, count: usize) -> LatestEvents {
        LatestEvents::new(self.reader(device_id), count)
    }

    /// All that is filed under a day of a device, newest first: also what another program filed there although its time is
    /// of another day in UTC.
    ///
    /// # Errors
    ///
    /// As [`latest`](Self::latest).
    pub fn on(&self, device_id: &str, date: NaiveDate) -> EventRange {
        EventRange::new(self.reader(device_id), Ok(Days::Whole(date)))
    }

    /// The events of a device from the start of a range to before its end, newest first, over as many days as it takes.
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
    /// As [`latest`](Self::latest), and [`Value`](ErrorKind::Value) if the range ends before it begins.
    pub fn between(&self, device_id: &str, range: Range<DateTime<Utc>>) -> EventRange {
        let days = Days::of(&range).ok_or_else(|| {
            let problem = format!("the range ends at {} before it begins at {}", text(range.end), text(range.start));
            Error::new(ErrorKind::Value, self.table.attempted("SELECT FROM"), problem)
                .with_advice("Give the earlier time first; oldest_first() and newest first are about the order only")
        });
        EventRange::new(self.reader(device_id), days)
    }

    /// The event that the device has at this millisecond.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if the device id is empty. Else as [`Select::one`](crate::Select::one).
    pub async fn get(&self, device_id: &str, event_time: DateTime<Utc>) -> Result<Option<Event>, Error> {
        let table = &*self.table;
        let partition = table.partition("SELECT FROM", device_id, event_time)?;
        table.statements.get(&partition, cut(event_time)).await
    }

    fn reader(&self, device_id: &str) -> Result<Reader, Error> {
        Ok(Reader {
            device: self.table.device("SELECT FROM", device_id)?,
            table: Arc::clone(&self.table),
            newest_first: true,
            event_type: None,
            at_most: None,
        })
    }

    fn with_changed_options(&self, change: impl Fn(&mut CallOptions)) -> Self {
        let mut table = EventTable::clone(&self.table);
        table.statements = table.statements.with_changed_options(change);
        Self { table: Arc::new(table) }
    }
}

// The first page of a day has 100 rows unless a page size is set.
call_options!(impl [] Events, self: [&self], all, read, repeat);

impl EventTable {
    /// The partition of an event.
    fn partition(&self, verb: &str, device_id: &str, time: DateTime<Utc>) -> Result<Partition, Error> {
        Ok(Partition { device: self.device(verb, device_id)?, date: date_of(time), shard: self.shards.of(cut(time)) })
    }

    fn device(&self, verb: &str, device_id: &str) -> Result<Arc<str>, Error> {
        if device_id.is_empty() {
            return Err(Error::new(ErrorKind::Value, self.attempted(verb), "the device id is empty").with_advice(
                "Give each device an id of its own: the events of all that have none would share a partition",
            ));
        }
        Ok(Arc::from(device_id))
    }

    fn attempted(&self, verb: &str) -> String {
        format!("{verb} {}", self.name)
    }
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("table", &self.table.name).field("shards", &self.table.shards.count()).finish()
    }
}
