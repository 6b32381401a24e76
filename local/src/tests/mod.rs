//! The gateway as a client sees it, over a real Cassandra that all tests share.

mod batches;
mod cassandra_exit;
mod cassandra_tools;
mod changes_in_progress;
pub(crate) mod client;
mod cloudwatch;
mod consistency;
mod control_plane;
mod definitions;
mod disruptions;
mod faults;
mod filters;
mod floors;
mod frames;
mod handshake;
mod history;
mod house;
mod instances;
mod interrupted;
mod journal;
mod keyspaces_api;
mod limits;
mod newer_cassandra;
mod options;
mod paging;
mod parsed_once;
mod prepared;
mod quotas;
mod restore;
mod restore_refusals;
mod same_rows;
mod schemas;
mod statements;
mod system_tables;
mod throttling;
mod timestamps;
mod value_sources;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::local::{Builder, Local};

const INVALID: i32 = 0x2200;
const PROTOCOL_ERROR: i32 = 0x000A;

/// The option that enables point-in-time recovery.
const RECOVERY: &str = "CUSTOM_PROPERTIES = {'point_in_time_recovery': {'status': 'enabled'}}";

/// The service that all tests share, without throttling.
pub(crate) async fn local() -> &'static Local {
    let local = Local::shared().await.unwrap();
    local.throttling().set_enabled(false);
    local
}

/// Another gateway over the same Cassandra, also without throttling.
pub(crate) async fn another() -> Builder {
    Local::builder().cassandra(local().await.cassandra_address().to_string()).peers(1).throttling(false)
}

/// A clock that tests move ahead.
#[derive(Clone)]
pub(crate) struct Time {
    start: SystemTime,
    seconds: Arc<AtomicU64>,
}

impl Time {
    pub(crate) fn new() -> Self {
        Self { start: SystemTime::now(), seconds: Arc::default() }
    }

    pub(crate) fn clock(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        let this = self.clone();
        move || this.start + Duration::from_secs(this.seconds.load(Ordering::SeqCst))
    }

    fn micros(&self) -> i64 {
        let now = self.clock()().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        now.as_micros() as i64
    }

    pub(crate) fn millis(&self) -> u64 {
        self.micros() as u64 / 1000
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}
