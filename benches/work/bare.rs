//! The bare `scylla` driver.

use std::num::NonZeroUsize;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use scylla::client::PoolSize;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::response::PagingState;
use scylla::response::query_result::QueryRowsResult;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;

use super::{Client, Event, IN_FLIGHT, INSERT, Key, ROWS_PER_PAGE, Result, SELECT_DAY, SELECT_ONE};

/// The default of `keyspaces`.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

pub(crate) struct Bare {
    session: Arc<Session>,
    insert: PreparedStatement,
    select_one: PreparedStatement,
    select_day: PreparedStatement,
}

impl Client for Bare {
    /// Uses those settings of this crate that change the number of requests.
    async fn connect(address: &str) -> Result<()> {
        let _session = SessionBuilder::new()
            .known_node(address)
            .fetch_schema_metadata(false)
            .auto_await_schema_agreement(false)
            .pool_size(PoolSize::PerHost(CONNECTIONS))
            .disallow_shard_aware_port(true)
            .build()
            .await?;
        Ok(())
    }

    /// Uses the driver session inside a session of this crate, so that both have the same settings.
    async fn new(session: &keyspaces::Session) -> Result<Self> {
        let session = session.dangerous_driver()?;
        let insert = session.prepare(INSERT).await?;
        let select_one = session.prepare(SELECT_ONE).await?;
        let mut select_day = session.prepare(SELECT_DAY).await?;
        select_day.set_page_size(i32::try_from(ROWS_PER_PAGE)?);
        Ok(Self { session, insert, select_one, select_day })
    }

    async fn insert(&self, event: &Event) -> Result<()> {
        self.session.execute_unpaged(&self.insert, event).await?;
        Ok(())
    }

    async fn batch(&self, events: &[Event]) -> Result<()> {
        let mut batch = Batch::new(BatchType::Unlogged);
        events.iter().for_each(|_| batch.append_statement(self.insert.clone()));
        self.session.batch(&batch, events).await?;
        Ok(())
    }

    async fn select_one(&self, key: &Key) -> Result<Event> {
        Ok(self.page_of_one(key).await?.single_row()?)
    }

    async fn select_first(&self, key: &Key) -> Result<Event> {
        Ok(self.page_of_one(key).await?.first_row()?)
    }

    async fn select_few(&self, partition: &(String, NaiveDate)) -> Result<Vec<Event>> {
        let (page, _) = self.session.execute_single_page(&self.select_day, partition, PagingState::start()).await?;
        let page = page.into_rows_result()?;
        Ok(page.rows()?.collect::<std::result::Result<_, _>>()?)
    }

    fn size_of_insert(&self, event: &Event) -> usize {
        size_of_val(&self.session.execute_unpaged(&self.insert, event))
    }

    fn size_of_select_one(&self, key: &Key) -> usize {
        size_of_val(&self.session.execute_single_page(&self.select_one, key, PagingState::start()))
    }

    async fn size_of_try_next(&self, partition: (String, NaiveDate)) -> Result<usize> {
        Ok(size_of_val(&self.stream(partition).await?.try_next()))
    }

    async fn stream(&self, partition: (String, NaiveDate)) -> Result<impl Stream<Item = Result<Event>> + Unpin> {
        let pager = self.session.execute_iter(self.select_day.clone(), partition).await?;
        Ok(pager.rows_stream::<Event>()?.map_err(Into::into))
    }

    fn fan_out(&self, keys: impl Iterator<Item = Key> + Send + 'static) -> impl Stream<Item = Result<Event>> {
        stream::iter(keys).map(async |key| self.select_one(&key).await).buffer_unordered(IN_FLIGHT.get())
    }
}

impl Bare {
    async fn page_of_one(&self, key: &Key) -> Result<QueryRowsResult> {
        let (page, _) = self.session.execute_single_page(&self.select_one, key, PagingState::start()).await?;
        Ok(page.into_rows_result()?)
    }
}
