//! Background tasks that keep a session alive: they record which peers are connected, read the list of peers, and
//! reconnect where the driver cannot recover by itself.
//!
//! The driver refills its pools and reopens its control connection, but only with addresses that it knows. It does not
//! look up the endpoint's name again, and a handshake that hangs blocks its reads of the topology for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use scylla::cluster::ClusterState;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::connect::{self, Connected};
use super::defaults::{RECONNECT_AFTER, TOPOLOGY_TIMEOUT};
use super::health::HealthProblem;
use super::ready::ReadyWhen;
use super::{Inner, Session, driver};
use crate::lock::{locked, write_locked};
use crate::retry::Random;

/// How often to check which peers are connected. The driver does not notify when a pool is empty.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long to wait before reading the topology again after a failure.
const RETRY_READ_AFTER: Duration = Duration::from_secs(5);
/// The number of consecutive reads of the topology without an answer after which the session reconnects. A single one
/// may be chance.
const MAX_SILENT_READS: u32 = 2;
/// The pause after a failed attempt to reconnect starts with `MIN_PAUSE` and doubles up to `MAX_PAUSE`.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The background tasks of a session, and the state that they record. The tasks end when it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    state: Mutex<WatchState>,
    task: OnceLock<AbortHandle>,
}

/// The last observed state of a session.
#[derive(Clone, Debug)]
pub(super) struct WatchState {
    /// Whether each peer is connected, and since when.
    pub(super) peers: HashMap<Uuid, (bool, Instant)>,
    /// Since when no peer is connected; `None` if one is.
    pub(super) disconnected_since: Option<Instant>,
    /// When the topology was last read.
    pub(super) topology_read: Instant,
    pub(super) topology_problem: Option<HealthProblem>,
    pub(super) reconnects: u64,
    pub(super) reconnect_problem: Option<HealthProblem>,
    /// The number of consecutive reads of the topology without an answer.
    silent_reads: u32,
}

impl Watch {
    /// Creates the watch of a session that has just read its topology.
    pub(super) fn new() -> Self {
        let state = WatchState {
            peers: HashMap::new(),
            disconnected_since: None,
            topology_read: Instant::now(),
            topology_problem: None,
            reconnects: 0,
            reconnect_problem: None,
            silent_reads: 0,
        };
        Self { state: Mutex::new(state), task: OnceLock::new() }
    }

    /// Starts the tasks. If `peers_pending`, the driver was limited to one peer until now; the topology is then read at
    /// once, so that the driver connects to the others.
    pub(super) fn start(&self, session: &Weak<Inner>, topology_interval: Duration, peers_pending: bool) {
        let (watching, reading, checking) = (Weak::clone(session), Weak::clone(session), Weak::clone(session));
        let first = if peers_pending { Duration::ZERO } else { topology_interval };
        self.task.get_or_init(|| {
            let tasks = async move {
                tokio::join!(
                    watch_peers(watching),
                    read_topology(reading, first, topology_interval),
                    check_tables(checking, topology_interval)
                )
            };
            tokio::spawn(tasks).abort_handle()
        });
    }

    pub(super) fn stop(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    pub(super) fn state(&self) -> WatchState {
        self.lock().clone()
    }

    /// Records which peers are connected, and logs each change once.
    pub(super) fn record_peers(&self, connected: &Connected, now: Instant) {
        let cluster = connected.driver.get_cluster_state();
        let mut state = self.lock();
        let state = &mut *state;
        state.peers.retain(|host_id, _| cluster.get_nodes_info().iter().any(|node| node.host_id == *host_id));
        for node in cluster.get_nodes_info() {
            let is_connected = node.is_connected();
            let (was_connected, since) = state.peers.entry(node.host_id).or_insert((is_connected, now));
            if *was_connected != is_connected {
                let after = now.saturating_duration_since(*since);
                (*was_connected, *since) = (is_connected, now);
                let peer = node.address.ip();
                if is_connected {
                    info!(%peer, ?after, "a peer is connected");
                } else {
                    let why = connected.translator.problem(node.host_id);
                    warn!(%peer, problem = why.as_ref().map(HealthProblem::text), "a peer was disconnected");
                }
            }
        }
        match (state.disconnected_since, is_disconnected(&cluster)) {
            (None, true) => {
                state.disconnected_since = Some(now);
                warn!("no peer is connected; calls fail at their deadlines until one is");
            }
            (Some(since), false) => {
                (state.disconnected_since, state.reconnect_problem) = (None, None);
                info!(after = ?now.saturating_duration_since(since), "peers are connected again");
            }
            _ => {}
        }
    }

    /// Whether the session has to reconnect, because the driver has not recovered in time.
    fn is_lost(&self, now: Instant) -> bool {
        let state = self.lock();
        let is_overdue =
            state.disconnected_since.is_some_and(|since| now.saturating_duration_since(since) >= RECONNECT_AFTER);
        is_overdue || state.silent_reads >= MAX_SILENT_READS
    }

    /// Records the result of reading the topology, where `Err(None)` means that there was no answer. Returns whether
    /// the read succeeded.
    fn record_read(&self, outcome: Result<(), Option<String>>) -> bool {
        let mut state = self.lock();
        match outcome {
            Ok(()) => {
                (state.topology_read, state.topology_problem, state.silent_reads) = (Instant::now(), None, 0);
                return true;
            }
            Err(Some(why)) => {
                state.silent_reads = 0;
                HealthProblem::record(&mut state.topology_problem, why);
            }
            Err(None) => {
                state.silent_reads += 1;
                HealthProblem::record(&mut state.topology_problem, format!("no answer within {TOPOLOGY_TIMEOUT:?}"));
            }
        }
        if let Some(problem) = state.topology_problem.as_ref().filter(|problem| problem.count() == 1) {
            warn!(%problem, "the list of peers could not be read; trying again");
        }
        false
    }

    fn record_reconnect(&self) {
        let mut state = self.lock();
        state.reconnects += 1;
        state.peers.clear();
        (state.topology_read, state.topology_problem, state.silent_reads) = (Instant::now(), None, 0);
    }

    fn record_failed_reconnect(&self, why: String) {
        let mut state = self.lock();
        HealthProblem::record(&mut state.reconnect_problem, why);
        if let Some(problem) = state.reconnect_problem.as_ref().filter(|problem| problem.count() == 1) {
            warn!(%problem, "reconnecting failed; trying again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, WatchState> {
        locked(&self.state)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Records which peers are connected, and reconnects a lost session. Between two checks, it does not hold the session,
/// so that dropping the last clone closes the session.
async fn watch_peers(session: Weak<Inner>) {
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (random, mut pause) = (Random::new(), MIN_PAUSE);
    loop {
        ticks.tick().await;
        let Some((handshake, settings)) = settings_to_reconnect(&session) else {
            if session.strong_count() == 0 {
                return;
            }
            pause = MIN_PAUSE;
            continue;
        };
        debug!("reconnecting");
        let outcome = connect::connect(&handshake, &settings, Instant::now()).await;
        let Some(session) = session.upgrade() else { return };
        match outcome {
            Ok(connected) => replace_driver(Session::from_inner(session), connected),
            Err(error) => {
                session.watch.record_failed_reconnect(error.to_string());
                drop(session);
                // Jitter, so that the instances of an application that lost their connections at the same time do not
                // reconnect at the same time.
                sleep(pause.mul_f64(0.5 + random.next() / 2.0)).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}

/// Returns the handshake and settings to reconnect with, if the session is lost.
fn settings_to_reconnect(session: &Weak<Inner>) -> Option<(crate::handshake::Handshake, super::Settings)> {
    let session = session.upgrade()?;
    let connected = Session::from_inner(Arc::clone(&session)).connected()?;
    let now = Instant::now();
    session.watch.record_peers(&connected, now);
    let settings = || super::Settings { ready_when: ReadyWhen::EveryPeer, ..session.settings.clone() };
    session.watch.is_lost(now).then(|| (session.handshake.clone(), settings()))
}

async fn read_topology(session: Weak<Inner>, first: Duration, every: Duration) {
    let mut pause = first;
    loop {
        sleep(pause).await;
        let Some(connected) = session.upgrade().and_then(|session| Session::from_inner(session).connected()) else {
            return;
        };
        let outcome = match timeout(TOPOLOGY_TIMEOUT, driver::refresh_metadata(&connected.driver)).await {
            Ok(outcome) => outcome.map_err(|error| Some(error.to_string())),
            Err(_) => Err(None),
        };
        let Some(session) = session.upgrade() else { return };
        let session = Session::from_inner(session);
        // Ignores results for a driver session that has been replaced.
        let is_current = session.connected().is_some_and(|current| Arc::ptr_eq(&current, &connected));
        pause =
            if !is_current || session.inner.watch.record_read(outcome) { every } else { RETRY_READ_AFTER.min(every) };
    }
}

async fn check_tables(session: Weak<Inner>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(session) = session.upgrade().map(Session::from_inner) else { return };
        let Some(connected) = session.connected() else { return };
        let statements = Arc::clone(&session.inner.statements);
        drop(session);
        crate::statement::table_check::check_tables(&statements, &connected.driver).await;
    }
}

pub(super) fn is_disconnected(cluster: &ClusterState) -> bool {
    !cluster.get_nodes_info().iter().any(|node| node.is_connected())
}

/// Replaces the driver session, unless the current one has recovered meanwhile.
fn replace_driver(session: Session, connected: Connected) {
    let now = Instant::now();
    let mut slot = write_locked(&session.inner.connected);
    let Some(current) = slot.as_ref() else { return };
    if !is_disconnected(&current.driver.get_cluster_state()) && !session.inner.watch.is_lost(now) {
        return;
    }
    let before = slot.replace(Arc::new(connected));
    drop(slot);
    session.inner.watch.record_reconnect();
    session.refresh_peers(session.age(now));
    info!(endpoint = %session.endpoint(), "reconnected");
    drop(before);
}
