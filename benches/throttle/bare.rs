//! The driver, with retry policies as they are written for it.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::session::Session as DriverSession;
use scylla::errors::ExecutionError;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::{DefaultRetryPolicy, FallthroughRetryPolicy};
use scylla::statement::prepared::PreparedStatement;
use tokio::time::{Instant, sleep, timeout_at};

use crate::Result;
use crate::client::Ended;

#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Policy {
    None,
    Default,
    /// `AmazonKeyspacesExponentialRetryPolicy` of aws-samples/amazon-keyspaces-java-driver-helpers, with its defaults:
    /// three repeats, each after `10 ms + rand[n, 2^n)`, at most 50 ms, whatever the error. There it sleeps on the driver's
    /// own thread; here it does not block anybody.
    JavaHelper,
}

const MOST_REPEATS: u32 = 3;
const SHORTEST_WAIT: u64 = 10;
const LONGEST_WAIT: u64 = 50;

pub(crate) struct Bare {
    session: Arc<DriverSession>,
    insert: PreparedStatement,
    policy: Policy,
}

impl Bare {
    pub(crate) async fn new(session: &keyspaces::Session, text: &str, policy: Policy) -> Result<Self> {
        let session = session.dangerous_driver()?;
        let mut insert = session.prepare(text).await?;
        insert.set_is_idempotent(true);
        insert.set_request_timeout(Some(Duration::from_secs(30)));
        if policy == Policy::Default {
            insert.set_retry_policy(Some(Arc::new(DefaultRetryPolicy::new())));
            insert.set_load_balancing_policy(Some(DefaultPolicy::builder().build()));
        } else {
            insert.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy)));
        }
        Ok(Self { session, insert, policy })
    }

    pub(crate) async fn attempt(&self, task: i64, write: i64) -> std::result::Result<(), ExecutionError> {
        self.session.execute_unpaged(&self.insert, (task, write)).await.map(drop)
    }

    pub(crate) async fn write(&self, task: i64, write: i64, deadline: Instant) -> Ended {
        let repeats = if self.policy == Policy::JavaHelper { MOST_REPEATS } else { 0 };
        let tried = async {
            for repeat in 0..=repeats {
                if self.attempt(task, write).await.is_ok() {
                    return Ended::Written;
                }
                let more = if repeat == 0 { 0 } else { fastrand::u64(u64::from(repeat)..1 << repeat) };
                sleep(Duration::from_millis((SHORTEST_WAIT + more).min(LONGEST_WAIT))).await;
            }
            Ended::GaveUp
        };
        timeout_at(deadline, tried).await.unwrap_or(Ended::PastDeadline)
    }
}
