//! Background tasks that keep a session alive: they record which peers are connected, read the list of peers, and reconnect
//! where the driver cannot recover by itself.
//!
//! The driver refills its pools and reopens its control connection, but only with addresses that it knows. It does not look
//! up the endpoint's name again, and a hanging handshake blocks its reading of the topology for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use scylla::cluster::ClusterState;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::connect::{self, Connected};
use super::defaults::{ALONE_FOR, TOPOLOGY_TIMEOUT};
use super::health::Trouble;
use super::ready::ReadyWhen;
use super::{Inner, Session, driver};
use crate::lock::{locked, write_locked};
use crate::retry::Random;

/// The driver sends no notice when a pool is empty, so this polls.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long to wait before reading the topology again after a failure.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// Reconnect after this many silent reads in a row; a single one may be chance.
const TOO_MANY_SILENT: u32 = 2;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The watch of a session. Its tasks end when it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Mutex<WatchState>,
    task: OnceLock<AbortHandle>,
}

/// The last observed state of a session.
#[derive(Clone, Debug)]
pub(super) struct WatchState {
    /// Whether each peer is connected, and since when.
    pub(super) peers: HashMap<Uuid, (bool, Instant)>,
    pub(super) alone_since: Option<Instant>,
    pub(super) topology_read: Instant,
    pub(super) topology_trouble: Option<Trouble>,
    pub(super) reconnected: u64,
    pub(super) reconnecting: Option<Trouble>,
    /// How many reads of the topology in a row ended with neither a result nor an error.
    silent_reads: u32,
}

impl Watch {
    /// Creates the watch of a session that has just read its topology.
    pub(super) fn new() -> Self {
        let seen = WatchState {
            peers: HashMap::new(),
            alone_since: None,
            topology_read: Instant::now(),
            topology_trouble: None,
            reconnected: 0,
            reconnecting: None,
            silent_reads: 0,
        };
        Self { seen: Mutex::new(seen), task: OnceLock::new() }
    }

    /// Starts the tasks. If peers still wait to be connected, the topology is read at once.
    pub(super) fn begin(&self, session: &Weak<Inner>, topology_interval: Duration, others_wait: bool) {
        let (looking, reading, checking) = (Weak::clone(session), Weak::clone(session), Weak::clone(session));
        let first = if others_wait { Duration::ZERO } else { topology_interval };
        self.task.get_or_init(|| {
            let watching = async move {
                tokio::join!(
                    look_after(looking),
                    read_topology(reading, first, topology_interval),
                    check_tables(checking, topology_interval)
                )
            };
            tokio::spawn(watching).abort_handle()
        });
    }

    pub(super) fn end(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    pub(super) fn seen(&self) -> WatchState {
        self.lock().clone()
    }

    /// Records which peers are connected, and logs each change once.
    pub(super) fn look(&self, connected: &Connected, now: Instant) {
        let state = connected.driver.get_cluster_state();
        let mut seen = self.lock();
        let seen = &mut *seen;
        seen.peers.retain(|host_id, _| state.get_nodes_info().iter().any(|node| node.host_id == *host_id));
        for node in state.get_nodes_info() {
            let is_connected = node.is_connected();
            let (was_connected, since) = seen.peers.entry(node.host_id).or_insert((is_connected, now));
            if *was_connected != is_connected {
                let after = now.saturating_duration_since(*since);
                (*was_connected, *since) = (is_connected, now);
                let named = node.address.ip();
                if is_connected {
                    info!(peer = %named, ?after, "a peer is connected");
                } else {
                    let why = connected.translator.trouble(node.host_id);
                    warn!(peer = %named, trouble = why.as_ref().map(Trouble::text), "a peer is not connected any more");
                }
            }
        }
        match (seen.alone_since, is_alone(&state)) {
            (None, true) => {
                seen.alone_since = Some(now);
                warn!("no peer is connected: calls fail at their deadlines until one is");
            }
            (Some(since), false) => {
                (seen.alone_since, seen.reconnecting) = (None, None);
                info!(after = ?now.saturating_duration_since(since), "peers are connected again");
            }
            _ => {}
        }
    }

    /// Whether the session has to reconnect, because the driver has not recovered in time.
    fn is_lost(&self, now: Instant) -> bool {
        let seen = self.lock();
        let alone = seen.alone_since.is_some_and(|since| now.saturating_duration_since(since) >= ALONE_FOR);
        alone || seen.silent_reads >= TOO_MANY_SILENT
    }

    fn read(&self, outcome: Result<(), Option<String>>) -> bool {
        let mut seen = self.lock();
        match outcome {
            Ok(()) => {
                (seen.topology_read, seen.topology_trouble, seen.silent_reads) = (Instant::now(), None, 0);
                return true;
            }
            Err(Some(why)) => {
                seen.silent_reads = 0;
                Trouble::note(&mut seen.topology_trouble, why);
            }
            Err(None) => {
                seen.silent_reads += 1;
                Trouble::note(&mut seen.topology_trouble, format!("no answer within {TOPOLOGY_TIMEOUT:?}"));
            }
        }
        if let Some(trouble) = seen.topology_trouble.as_ref().filter(|trouble| trouble.times() == 1) {
            warn!(%trouble, "which peers there are could not be read; trying again");
        }
        false
    }

    fn reconnected(&self) {
        let mut seen = self.lock();
        seen.reconnected += 1;
        seen.peers.clear();
        (seen.topology_read, seen.topology_trouble, seen.silent_reads) = (Instant::now(), None, 0);
    }

    fn did_not_reconnect(&self, why: String) {
        let mut seen = self.lock();
        Trouble::note(&mut seen.reconnecting, why);
        if let Some(trouble) = seen.reconnecting.as_ref().filter(|trouble| trouble.times() == 1) {
            warn!(%trouble, "connecting anew failed; trying again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, WatchState> {
        locked(&self.seen)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

/// Watches the peers and reconnects. Holds the session only between two waits, so that dropping the last clone closes it.
async fn look_after(session: Weak<Inner>) {
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (random, mut pause) = (Random::new(), SHORTEST_PAUSE);
    loop {
        ticks.tick().await;
        let Some((handshake, settings)) = lost(&session) else {
            if session.strong_count() == 0 {
                return;
            }
            pause = SHORTEST_PAUSE;
            continue;
        };
        debug!("connecting anew");
        let outcome = connect::connect(&handshake, &settings, Instant::now()).await;
        let Some(session) = session.upgrade() else { return };
        match outcome {
            Ok(connected) => replace(Session(session, None), connected),
            Err(error) => {
                session.watch.did_not_reconnect(error.to_string());
                drop(session);
                // Jitter, so that a fleet that lost its connections all at once does not reconnect all at once.
                sleep(pause.mul_f64(0.5 + random.next() / 2.0)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Returns the handshake and settings to reconnect with, if the session is lost.
fn lost(session: &Weak<Inner>) -> Option<(crate::handshake::Handshake, super::Settings)> {
    let session = session.upgrade()?;
    let connected = Session(Arc::clone(&session), None).connected()?;
    let now = Instant::now();
    session.watch.look(&connected, now);
    let settings = || super::Settings { ready_when: ReadyWhen::EveryPeer, ..session.settings.clone() };
    session.watch.is_lost(now).then(|| (session.handshake.clone(), settings()))
}

async fn read_topology(session: Weak<Inner>, first: Duration, every: Duration) {
    let mut pause = first;
    loop {
        sleep(pause).await;
        let Some(connected) = session.upgrade().and_then(|session| Session(session, None).connected()) else { return };
        let outcome = match timeout(TOPOLOGY_TIMEOUT, driver::refresh_metadata(&connected.driver)).await {
            Ok(outcome) => outcome.map_err(|error| Some(error.to_string())),
            Err(_) => Err(None),
        };
        let Some(session) = session.upgrade() else { return };
        let session = Session(session, None);
        // Ignores results for a driver session that has been replaced.
        let is_current = session.connected().is_some_and(|current| Arc::ptr_eq(&current, &connected));
        pause = if !is_current || session.0.watch.read(outcome) { every } else { READ_AGAIN.min(every) };
    }
}

async fn check_tables(session: Weak<Inner>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(session) = session.upgrade().map(|session| Session(session, None)) else { return };
        let Some(connected) = session.connected() else { return };
        let statements = Arc::clone(&session.0.statements);
        drop(session);
        crate::statement::table_check::check_tables(&statements, &connected.driver).await;
    }
}

pub(super) fn is_alone(state: &ClusterState) -> bool {
    !state.get_nodes_info().iter().any(|node| node.is_connected())
}

/// Replaces the driver session, unless the current one has recovered meanwhile.
fn replace(session: Session, connected: Connected) {
    let now = Instant::now();
    let mut slot = write_locked(&session.0.connected);
    let Some(current) = slot.as_ref() else { return };
    if !is_alone(&current.driver.get_cluster_state()) && !session.0.watch.is_lost(now) {
        return;
    }
    let before = slot.replace(Arc::new(connected));
    drop(slot);
    session.0.watch.reconnected();
    session.refresh_peers(session.age(now));
    info!(endpoint = %session.endpoint(), "connected anew");
    drop(before);
}
