//! The clients that are compared: this crate, and the driver with two retry policies.

use std::sync::Arc;
use std::time::Duration;

use keyspaces::Write;
use scylla::client::session::Session as DriverSession;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::{DefaultRetryPolicy, FallthroughRetryPolicy};
use scylla::statement::prepared::PreparedStatement;
use tokio::time::{sleep, timeout};

use crate::{DEADLINE, KEYSPACE, Result};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Policy {
    Ours,
    Driver,
    /// `AmazonKeyspacesExponentialRetryPolicy` of aws-samples/amazon-keyspaces-java-driver-helpers, with its defaults:
    /// three repeats, each after `10 ms + rand[n, 2^n)`, at most 50 ms, whatever the error.
    JavaHelper,
}

impl Policy {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Driver, Self::JavaHelper];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Driver => "driver: its default policy",
            Self::JavaHelper => "driver: the policy of AWS's Java helper",
        }
    }
}

const MOST_REPEATS: u32 = 3;
const SHORTEST_WAIT: u64 = 10;
const LONGEST_WAIT: u64 = 50;

pub(crate) enum Client {
    Ours(Box<Write<(i64, i64, String)>>),
    Driver { session: Arc<DriverSession>, insert: Box<PreparedStatement>, repeats: u32 },
}

impl Client {
    pub(crate) async fn new(policy: Policy, session: &keyspaces::Session, table: &str) -> Result<Self> {
        let text = format!("INSERT INTO {KEYSPACE}.{table} (partition, row, payload) VALUES (?, ?, ?)");
        if policy == Policy::Ours {
            let insert: Write<(i64, i64, String)> = session.prepare(&text).await?;
            return Ok(Self::Ours(Box::new(insert.with_deadline(DEADLINE))));
        }
        let session = session.dangerous_driver()?;
        let mut insert = session.prepare(text).await?;
        insert.set_is_idempotent(true);
        insert.set_request_timeout(Some(DEADLINE));
        insert.set_load_balancing_policy(Some(DefaultPolicy::builder().build()));
        let is_default = policy == Policy::Driver;
        if is_default {
            insert.set_retry_policy(Some(Arc::new(DefaultRetryPolicy::new())));
        } else {
            insert.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy)));
        }
        Ok(Self::Driver { session, insert: Box::new(insert), repeats: if is_default { 0 } else { MOST_REPEATS } })
    }

    /// Returns whether the write was acknowledged.
    pub(crate) async fn write(&self, partition: i64, row: i64, payload: &str) -> bool {
        match self {
            Self::Ours(insert) => insert.execute((partition, row, payload.to_owned())).await.is_ok(),
            Self::Driver { session, insert, repeats } => {
                let tried = async {
                    for repeat in 0..=*repeats {
                        if session.execute_unpaged(insert, (partition, row, payload)).await.is_ok() {
                            return true;
                        }
                        if repeat < *repeats {
                            let more = if repeat == 0 { 0 } else { fastrand::u64(u64::from(repeat)..1 << repeat) };
                            sleep(Duration::from_millis((SHORTEST_WAIT + more).min(LONGEST_WAIT))).await;
                        }
                    }
                    false
                };
                timeout(DEADLINE, tried).await.unwrap_or(false)
            }
        }
    }
}
