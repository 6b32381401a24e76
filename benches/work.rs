//! The work that is measured. Both kinds of [`Client`], this crate and the bare driver, do the same.

pub(crate) mod bare;
pub(crate) mod ours;
pub(crate) mod signing;

use std::num::NonZeroUsize;

use chrono::{DateTime, NaiveDate, Utc};
use futures::Stream;
use keyspaces::Session;
use scylla::{DeserializeRow, SerializeRow};

/// Any error ends the bench.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A row of the `events` table, owned.
#[derive(Clone, Debug, DeserializeRow, SerializeRow)]
pub(crate) struct Event {
    pub(crate) device_id: String,
    pub(crate) event_date: NaiveDate,
    pub(crate) event_time: DateTime<Utc>,
    pub(crate) event_type: String,
    pub(crate) payload: String,
}

pub(crate) const INSERT: &str = "INSERT INTO bench.events (device_id, event_date, event_time, event_type, payload) \
                                 VALUES (?, ?, ?, ?, ?)";
pub(crate) const SELECT_ONE: &str = "SELECT device_id, event_date, event_time, event_type, payload FROM bench.events \
                                     WHERE device_id = ? AND event_date = ? AND event_time = ?";
pub(crate) const SELECT_DAY: &str = "SELECT device_id, event_date, event_time, event_type, payload FROM bench.events \
                                     WHERE device_id = ? AND event_date = ?";

pub(crate) const ROWS_PER_PAGE: u32 = 1_000;
/// The number of requests of a fan-out that are in flight at a time.
pub(crate) const IN_FLIGHT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// The primary key of one event.
pub(crate) type Key = (String, NaiveDate, DateTime<Utc>);

/// A client with its prepared statements.
pub(crate) trait Client: Sized {
    /// Connects and closes.
    async fn connect(address: &str) -> Result<()>;

    async fn new(session: &Session) -> Result<Self>;

    async fn insert(&self, event: &Event) -> Result<()>;

    /// Inserts several rows in one unlogged batch, which is built anew each time.
    async fn batch(&self, events: &[Event]) -> Result<()>;

    /// Reads the only row; an error if there are several.
    async fn select_one(&self, key: &Key) -> Result<Event>;

    /// Reads the first row, whether or not there are others.
    async fn select_first(&self, key: &Key) -> Result<Event>;

    /// Reads the rows of a partition that fits into one page.
    async fn select_few(&self, partition: &(String, NaiveDate)) -> Result<Vec<Event>>;

    /// The size in bytes of the future of an insert.
    fn size_of_insert(&self, event: &Event) -> usize;

    /// The size in bytes of the future of a read of one row.
    fn size_of_select_one(&self, key: &Key) -> usize;

    /// The size in bytes of the future that waits for the next row of a stream.
    async fn size_of_try_next(&self, partition: (String, NaiveDate)) -> Result<usize>;

    /// Reads all rows of one partition, page by page.
    async fn stream(&self, partition: (String, NaiveDate)) -> Result<impl Stream<Item = Result<Event>> + Unpin>;

    /// Reads one row for each key, with [`IN_FLIGHT`] requests at a time, in the order in which results arrive.
    fn fan_out(&self, keys: impl Iterator<Item = Key> + Send + 'static) -> impl Stream<Item = Result<Event>>;
}

impl Event {
    pub(crate) fn sample() -> Self {
        let event_time = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_454);
        Self {
            device_id: "device-001".to_owned(),
            event_date: event_time.date_naive(),
            event_time,
            event_type: "measurement".to_owned(),
            payload: r#"{"temperature":21.5,"humidity":48,"pressure":1013.2,"battery":97,"ok":true}"#.to_owned(),
        }
    }

    pub(crate) fn key(&self) -> Key {
        (self.device_id.clone(), self.event_date, self.event_time)
    }
}

/// The key of a partition for which the stub returns this number of rows.
pub(crate) fn partition_of(rows: u64) -> (String, NaiveDate) {
    (format!("{rows} rows"), Event::sample().event_date)
}
