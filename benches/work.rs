//! What is measured: the same work for a [`Client`] of either kind, ours and the bare driver.

pub(crate) mod bare;
pub(crate) mod ours;
pub(crate) mod signing;

use std::num::NonZeroUsize;

use chrono::{DateTime, NaiveDate, Utc};
use futures::Stream;
use keyspaces::Session;
use scylla::{DeserializeRow, SerializeRow};

/// Whatever goes wrong ends the bench.
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
/// How many requests of a fan-out are in flight together.
pub(crate) const IN_FLIGHT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// The primary key of one event.
pub(crate) type Key = (String, NaiveDate, DateTime<Utc>);

/// The statements, prepared.
pub(crate) trait Client: Sized {
    /// Connects and closes.
    async fn connect(address: &str) -> Result<()>;

    async fn new(session: &Session) -> Result<Self>;

    async fn insert(&self, event: &Event) -> Result<()>;

    /// Several rows in one unlogged batch, built again each time.
    async fn batch(&self, events: &[Event]) -> Result<()>;

    /// The one row that there is.
    async fn select_one(&self, key: &Key) -> Result<Event>;

    /// The first row, whether or not there are others.
    async fn select_first(&self, key: &Key) -> Result<Event>;

    /// The rows of a partition that fits one page.
    async fn select_few(&self, partition: &(String, NaiveDate)) -> Result<Vec<Event>>;

    /// The size in bytes of the future that one insert is.
    fn size_of_insert(&self, event: &Event) -> usize;

    /// The size in bytes of the future that one read is.
    fn size_of_select_one(&self, key: &Key) -> usize;

    /// The size in bytes of the future that waits for the next row of a stream.
    async fn size_of_try_next(&self, partition: (String, NaiveDate)) -> Result<usize>;

    /// All rows of one partition, page by page.
    async fn stream(&self, partition: (String, NaiveDate)) -> Result<impl Stream<Item = Result<Event>> + Unpin>;

    /// One row for each key, [`IN_FLIGHT`] requests together, as they come.
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

/// A partition that the stub gives so many rows for.
pub(crate) fn partition_of(rows: u64) -> (String, NaiveDate) {
    (format!("{rows} rows"), Event::sample().event_date)
}
