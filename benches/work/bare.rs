//! The `scylla` driver as it is.

use std::sync::Arc;

use chrono::NaiveDate;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;

use super::{Client, Event, IN_FLIGHT, INSERT, Key, ROWS_PER_PAGE, Result, SELECT_DAY, SELECT_ONE};

pub(crate) struct Bare {
    session: Arc<Session>,
    insert: PreparedStatement,
    select_one: PreparedStatement,
    select_day: PreparedStatement,
}

impl Client for Bare {
    /// The driver's own session out of ours: its settings are the same because it is the same.
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

    async fn select_one(&self, key: &Key) -> Result<Event> {
        let answer = self.session.execute_unpaged(&self.select_one, key).await?;
        Ok(answer.into_rows_result()?.single_row()?)
    }

    async fn stream(&self, partition: (String, NaiveDate)) -> Result<impl Stream<Item = Result<Event>> + Unpin> {
        let pager = self.session.execute_iter(self.select_day.clone(), partition).await?;
        Ok(pager.rows_stream::<Event>()?.map_err(Into::into))
    }

    fn fan_out(&self, keys: impl Iterator<Item = Key> + Send + 'static) -> impl Stream<Item = Result<Event>> {
        stream::iter(keys).map(async |key| self.select_one(&key).await).buffer_unordered(IN_FLIGHT.get())
    }
}
