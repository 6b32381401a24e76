//! The `scylla` driver as it is, set up as ours sets it up.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::client::PoolSize;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;

use super::{Client, Event, IN_FLIGHT, INSERT, Key, ROWS_PER_PAGE, Result, SELECT_DAY, SELECT_ONE};

pub(crate) struct Bare {
    session: Session,
    insert: PreparedStatement,
    select_one: PreparedStatement,
    select_day: PreparedStatement,
}

impl Client for Bare {
    async fn connect(address: &str) -> Result<Self> {
        let policy = DefaultPolicy::builder().token_aware(false).build();
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .serial_consistency(None)
            .retry_policy(Arc::new(FallthroughRetryPolicy))
            .load_balancing_policy(policy)
            .request_timeout(Some(Duration::from_secs(2)))
            .build();
        let connections = NonZeroUsize::MIN.saturating_add(2);
        let session = SessionBuilder::new()
            .known_node(address)
            .fetch_schema_metadata(false)
            .fetch_full_schema_metadata(false)
            .auto_await_schema_agreement(false)
            .driver_config_reporting(false)
            .pool_size(PoolSize::PerHost(connections))
            .disallow_shard_aware_port(true)
            .keepalive_interval(Duration::from_secs(5))
            .keepalive_timeout(Duration::from_secs(5))
            .default_execution_profile_handle(profile.into_handle())
            .build()
            .await?;
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

    fn fan_out(&self, keys: impl Iterator<Item = Key>) -> impl Stream<Item = Result<Event>> {
        stream::iter(keys).map(async |key| self.select_one(&key).await).buffer_unordered(IN_FLIGHT)
    }
}
