//! The statements of the two event tables, which differ in their partition keys only.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::partition::{Partition, Slice};
use crate::execute::Call;
use crate::options::CallOptions;
use crate::tables::Event;
use crate::{
    Conditional, Error, Outcome, OwnedRow, Pages, PagingState, ReadConsistency, Select, SerializeRow, Session, Write,
};

/// One of the tables: the guide's, or the one with the shard in its partition key.
#[derive(Clone, Debug)]
pub(super) enum Statements {
    Plain(Plain),
    Sharded(Sharded),
}

type Plain = Of<
    (&'static str, NaiveDate, DateTime<Utc>, &'static str, &'static str),
    (&'static str, NaiveDate, DateTime<Utc>),
    (&'static str, NaiveDate, DateTime<Utc>, DateTime<Utc>),
    (&'static str, NaiveDate, DateTime<Utc>, DateTime<Utc>, &'static str),
>;

type Sharded = Of<
    (&'static str, NaiveDate, i16, DateTime<Utc>, &'static str, &'static str),
    (&'static str, NaiveDate, i16, DateTime<Utc>),
    (&'static str, NaiveDate, i16, DateTime<Utc>, DateTime<Utc>),
    (&'static str, NaiveDate, i16, DateTime<Utc>, DateTime<Utc>, &'static str),
>;

/// Prepared for values that name a whole row, its key, a slice of a partition, and a slice with an event type.
#[derive(Clone, Debug)]
pub(super) struct Of<Row, Key, Part, Typed> {
    insert: Write<Row>,
    insert_if_absent: Conditional<Row, Event>,
    get: Select<Key, Event>,
    delete: Write<Key>,
    delete_slice: Write<Part>,
    times: Select<Part, (DateTime<Utc>,)>,
    newest_first: Select<Part, Event>,
    oldest_first: Select<Part, Event>,
    newest_first_of_type: Select<Typed, Event>,
    oldest_first_of_type: Select<Typed, Event>,
}

/// What is read of a partition.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) slice: Slice,
    pub(super) newest_first: bool,
    pub(super) event_type: Option<Arc<str>>,
}

impl Statements {
    pub(super) async fn prepare(session: &Session, table: &str, sharded: bool) -> Result<Self, Error> {
        Ok(if sharded {
            Self::Sharded(Of::prepare(session, table, &["device_id", "event_date", "shard"]).await?)
        } else {
            Self::Plain(Of::prepare(session, table, &["device_id", "event_date"]).await?)
        })
    }

    pub(super) async fn insert(&self, to: &Partition, event: &Event) -> Result<(), Error> {
        let (device, date, time) = (&*to.device, to.date, event.event_time);
        let (event_type, payload) = (event.event_type.as_str(), event.payload.as_str());
        match self {
            Self::Plain(of) => of.insert.execute((device, date, time, event_type, payload)).await,
            Self::Sharded(of) => of.insert.execute((device, date, to.shard, time, event_type, payload)).await,
        }
    }

    pub(super) async fn insert_if_absent(
        &self,
        to: &Partition,
        event: &Event,
    ) -> Result<Outcome<Option<Event>>, Error> {
        let (device, date, time) = (&*to.device, to.date, event.event_time);
        let (event_type, payload) = (event.event_type.as_str(), event.payload.as_str());
        match self {
            Self::Plain(of) => of.insert_if_absent.execute((device, date, time, event_type, payload)).await,
            Self::Sharded(of) => of.insert_if_absent.execute((device, date, to.shard, time, event_type, payload)).await,
        }
    }

    pub(super) async fn get(&self, from: &Partition, time: DateTime<Utc>) -> Result<Option<Event>, Error> {
        match self {
            Self::Plain(of) => of.get.one((&*from.device, from.date, time)).await,
            Self::Sharded(of) => of.get.one((&*from.device, from.date, from.shard, time)).await,
        }
    }

    pub(super) async fn delete(&self, from: &Partition, time: DateTime<Utc>) -> Result<(), Error> {
        match self {
            Self::Plain(of) => of.delete.execute((&*from.device, from.date, time)).await,
            Self::Sharded(of) => of.delete.execute((&*from.device, from.date, from.shard, time)).await,
        }
    }

    pub(super) async fn delete_slice(&self, from: &Partition, slice: Slice) -> Result<(), Error> {
        let Slice { first, last } = slice;
        match self {
            Self::Plain(of) => of.delete_slice.execute((&*from.device, from.date, first, last)).await,
            Self::Sharded(of) => of.delete_slice.execute((&*from.device, from.date, from.shard, first, last)).await,
        }
    }

    /// All times in a partition, newest first, at most `rows` in a page.
    pub(super) fn times(&self, of_partition: &Partition, rows: NonZeroU32) -> Pages<(DateTime<Utc>,)> {
        let Partition { device, date, shard } = of_partition;
        let Slice { first, last } = Slice::ALL;
        match self {
            Self::Plain(of) => of.times.with_page_size(rows).pages((&**device, *date, first, last)),
            Self::Sharded(of) => of.times.with_page_size(rows).pages((&**device, *date, *shard, first, last)),
        }
    }

    fn call(&self) -> &Call {
        match self {
            Self::Plain(of) => &of.newest_first.core.call,
            Self::Sharded(of) => &of.newest_first.core.call,
        }
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
    pub(super) fn pages(&self, of: &Partition, wanted: &Wanted, rows: Option<NonZeroU32>) -> Pages<Event> {
        self.read(of, wanted, Reading { rows, from: None })
    }

    /// The same, from a page on, in pages of the usual size.
    pub(super) fn pages_from(&self, of: &Partition, wanted: &Wanted, state: &PagingState) -> Pages<Event> {
        self.read(of, wanted, Reading { rows: None, from: Some(state) })
    }

    fn read(&self, of: &Partition, wanted: &Wanted, reading: Reading<'_>) -> Pages<Event> {
        let Partition { device, date, shard } = of;
        let (device, date, shard) = (&**device, *date, *shard);
        let Slice { first, last } = wanted.slice;
        match (self, wanted.event_type.as_deref()) {
            (Self::Plain(of), None) => reading.of(of.ordered(wanted), (device, date, first, last)),
            (Self::Sharded(of), None) => reading.of(of.ordered(wanted), (device, date, shard, first, last)),
            (Self::Plain(of), Some(only)) => reading.of(of.typed(wanted), (device, date, first, last, only)),
            (Self::Sharded(of), Some(only)) => reading.of(of.typed(wanted), (device, date, shard, first, last, only)),
        }
    }
}

/// How a read begins.
struct Reading<'a> {
    rows: Option<NonZeroU32>,
    from: Option<&'a PagingState>,
}

impl Reading<'_> {
    fn of<V: SerializeRow, R: OwnedRow>(&self, select: &Select<V, R>, values: V) -> Pages<R> {
        match (self.from, self.rows) {
            (Some(state), _) => select.pages_from(values, state),
            (None, Some(rows)) => select.with_page_size(rows).pages(values),
            (None, None) => select.pages(values),
        }
    }
}

impl<Row, Key, Part, Typed> Of<Row, Key, Part, Typed>
where
    Row: Clone + SerializeRow,
    Key: Clone + SerializeRow,
    Part: Clone + SerializeRow,
    Typed: Clone + SerializeRow,
{
    async fn prepare(session: &Session, table: &str, partition_key: &[&str]) -> Result<Self, Error> {
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

        let texts = [
            &insert,
            &insert_if_absent,
            &delete,
            &delete_slice,
            &get,
            &times,
            &newest,
            &oldest,
            &newest_typed,
            &oldest_typed,
        ];
        let (
            insert,
            insert_if_absent,
            delete,
            delete_slice,
            get,
            times,
            newest_first,
            oldest_first,
            newest_first_of_type,
            oldest_first_of_type,
        ) = session.prepare_all(texts.map(String::as_str)).await?;
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
}

impl<Row: Clone, Key: Clone, Part: Clone, Typed: Clone> Of<Row, Key, Part, Typed> {
    fn ordered(&self, wanted: &Wanted) -> &Select<Part, Event> {
        if wanted.newest_first { &self.newest_first } else { &self.oldest_first }
    }

    fn typed(&self, wanted: &Wanted) -> &Select<Typed, Event> {
        if wanted.newest_first { &self.newest_first_of_type } else { &self.oldest_first_of_type }
    }

    fn with_changed_options(&self, change: impl Fn(&mut CallOptions)) -> Self {
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
}

impl Statements {
    pub(super) fn with_changed_options(&self, change: impl Fn(&mut CallOptions)) -> Self {
        match self {
            Self::Plain(of) => Self::Plain(of.with_changed_options(change)),
            Self::Sharded(of) => Self::Sharded(of.with_changed_options(change)),
        }
    }
}
