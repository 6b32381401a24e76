//! The settings of a session.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::defaults::{
    ATTEMPT_TIMEOUT, BACKOFF, CALL_TIMEOUT, CONNECT_TIMEOUT, CONNECTIONS_PER_HOST, PAGE_SIZE, PROBE_AFTER,
    RETRY_PERCENT, TOPOLOGY_INTERVAL,
};
use super::{DefaultKeyspace, ReadyWhen};
use crate::observe::Observers;
use crate::rate_limiter::TableLimit;
use crate::retry::Backoff;
use crate::{ReadConsistency, WhenFull};

/// The builder's values that stay in use for the whole session.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connect_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) read_consistency: ReadConsistency,
    pub(crate) page_size: NonZeroU32,
    pub(crate) connections_per_host: NonZeroUsize,
    pub(crate) application_name: Option<String>,
    pub(crate) backoff: Backoff,
    pub(crate) retry_percent: u8,
    pub(crate) when_full: WhenFull,
    pub(crate) ready_when: ReadyWhen,
    pub(crate) probe_after: Duration,
    pub(crate) topology_interval: Duration,
    pub(crate) table_limits: HashMap<String, TableLimit>,
    pub(crate) traces_query_text: bool,
    pub(crate) keyspace: DefaultKeyspace,
    pub(crate) observers: Observers,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            attempt_timeout: ATTEMPT_TIMEOUT,
            read_consistency: ReadConsistency::default(),
            page_size: PAGE_SIZE,
            connections_per_host: CONNECTIONS_PER_HOST,
            application_name: None,
            backoff: BACKOFF,
            retry_percent: RETRY_PERCENT,
            when_full: WhenFull::default(),
            ready_when: ReadyWhen::default(),
            probe_after: PROBE_AFTER,
            topology_interval: TOPOLOGY_INTERVAL,
            table_limits: HashMap::new(),
            traces_query_text: false,
            keyspace: None,
            observers: Observers::default(),
        }
    }
}
