//! This crate.

use chrono::NaiveDate;
use futures::{Stream, StreamExt, TryStreamExt};
use keyspaces::{Endpoint, Select, Session, UnloggedBatch, Write};

use super::{Client, Event, IN_FLIGHT, INSERT, Key, Result, SELECT_DAY, SELECT_ONE};

pub(crate) struct Ours {
    session: Session,
    insert: Write<Event>,
    select_one: Select<Key, Event>,
    select_day: Select<(String, NaiveDate), Event>,
}

impl Client for Ours {
    async fn connect(address: &str) -> Result<()> {
        let _session = Session::builder().endpoint(Endpoint::cassandra(address)?).connect().await?;
        Ok(())
    }

    async fn new(session: &Session) -> Result<Self> {
        Ok(Self {
            session: session.clone(),
            insert: session.prepare(INSERT).await?,
            select_one: session.prepare(SELECT_ONE).await?,
            select_day: session.prepare(SELECT_DAY).await?,
        })
    }

    async fn insert(&self, event: &Event) -> Result<()> {
        Ok(self.insert.execute(event).await?)
    }

    async fn select_one(&self, key: &Key) -> Result<Event> {
        Ok(self.select_one.one(key).await?.ok_or("there is no such event")?)
    }

    async fn batch(&self, events: &[Event]) -> Result<()> {
        let mut batch = UnloggedBatch::new(&self.session);
        for event in events {
            batch.push(&self.insert, event)?;
        }
        Ok(batch.execute().await?)
    }

    async fn select_first(&self, key: &Key) -> Result<Event> {
        Ok(self.select_one.first(key).await?.ok_or("there is no such event")?)
    }

    async fn select_few(&self, partition: &(String, NaiveDate)) -> Result<Vec<Event>> {
        Ok(self.select_day.rows(partition).try_collect().await?)
    }

    fn size_of_insert(&self, event: &Event) -> usize {
        size_of_val(&self.insert.execute(event))
    }

    fn size_of_select_one(&self, key: &Key) -> usize {
        size_of_val(&self.select_one.one(key))
    }

    async fn size_of_try_next(&self, partition: (String, NaiveDate)) -> Result<usize> {
        Ok(size_of_val(&self.select_day.rows(&partition).try_next()))
    }

    async fn stream(&self, partition: (String, NaiveDate)) -> Result<impl Stream<Item = Result<Event>> + Unpin> {
        Ok(self.select_day.rows(&partition).map_err(Into::into))
    }

    fn fan_out(&self, keys: impl Iterator<Item = Key> + Send + 'static) -> impl Stream<Item = Result<Event>> {
        let found = self.select_one.one_for_each(keys).in_flight(IN_FLIGHT).unordered();
        found.map(|(_, row)| row?.ok_or_else(|| "there is no such event".into()))
    }
}
