//! Chooses the peer for a request: the one with the fewest requests in flight whose connections have capacity left.

mod queue;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use scylla::policies::load_balancing::{LoadBalancingPolicy, NodeIdentifier, SingleTargetLoadBalancingPolicy};
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use self::queue::acquire;
use self::queue::{PermitQueue, serve_waiting};
use crate::lock::{read_locked, write_locked};

/// What a call does when the connections have no capacity left.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Wait, first come, first served, until a connection has capacity or the call's deadline has passed.
    #[default]
    Wait,
    /// Fail at once, with an error of kind [`Overloaded`](crate::ErrorKind::Overloaded); nothing was sent.
    Fail,
}

/// The limits of a peer's connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerLimits {
    pub(crate) connections: NonZeroUsize,
    /// The limit for each connection; `None` for a plain Cassandra, which has no such limit.
    pub(crate) requests_per_second: Option<NonZeroU32>,
    pub(crate) in_flight: NonZeroUsize,
    pub(crate) when_full: WhenFull,
}

/// A peer's state as the driver reports it now.
#[derive(Clone, Debug)]
pub(crate) struct PeerState {
    pub(crate) node: NodeIdentifier,
    pub(crate) address: SocketAddr,
    pub(crate) is_connected: bool,
}

/// Burst allowance.
const BURST: Duration = Duration::from_millis(10);

/// How long a pool takes to refill. A pool that lost a connection, or has only its first, opens the missing ones in
/// parallel, and each may take a second.
const POOL_REFILL_TIME: Duration = Duration::from_secs(2);

/// How often the driver's peers are read.
pub(crate) const REFRESH_INTERVAL: Duration = Duration::from_millis(100);

/// Chooses a peer for each attempt and issues the permit to use it.
#[derive(Debug)]
pub(crate) struct PeerLimiter {
    began: Instant,
    limits: PeerLimits,
    peers: RwLock<Vec<Arc<LimitedPeer>>>,
    /// When the driver's peers were last read. All times here are nanoseconds since `began`.
    refreshed: AtomicU64,
    /// The index of the peer that is considered first, so that equally loaded peers take turns.
    rotation: AtomicUsize,
    queue: PermitQueue,
}

/// One peer address and its connections.
#[derive(Debug)]
pub(crate) struct LimitedPeer {
    node: NodeIdentifier,
    address: SocketAddr,
    /// Sends a statement to this peer and no other.
    pinned_policy: Arc<dyn LoadBalancingPolicy>,
    is_connected: AtomicBool,
    load: Arc<HostLoad>,
}

/// The load of a host. It is kept when the host's address changes, because the requests sent to the old address are still
/// in flight.
#[derive(Debug, Default)]
struct HostLoad {
    in_flight: AtomicUsize,
    /// Until this time, the host is treated as having one connection.
    refilling_until: AtomicU64,
    /// When the next request would be due if requests were evenly spaced.
    due: AtomicU64,
}

/// A permit to send one attempt to a peer. It counts as in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'l> {
    limiter: &'l PeerLimiter,
    peer: Arc<LimitedPeer>,
}

/// Why there is no permit now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoPermit {
    /// The limit of requests in flight is reached at every peer.
    Full,
    /// The rate limit allows no request before this time.
    NotBefore(Instant),
}

impl PeerLimiter {
    pub(crate) fn new(limits: PeerLimits, began: Instant) -> Self {
        Self {
            began,
            limits,
            peers: RwLock::default(),
            refreshed: AtomicU64::new(0),
            rotation: AtomicUsize::new(0),
            queue: PermitQueue::default(),
        }
    }

    /// Whether the driver's peers have to be read again. Returns true to only one caller per interval.
    pub(crate) fn begins_refresh(&self, now: Duration) -> bool {
        let (now, refreshed) = (nanos(now), self.refreshed.load(Ordering::Relaxed));
        now.saturating_sub(refreshed) > nanos(REFRESH_INTERVAL)
            && self.refreshed.compare_exchange(refreshed, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Replaces the known peers with those that the driver reports.
    pub(crate) fn update(&self, reported: impl Iterator<Item = PeerState>, now: Duration) {
        let refilled = nanos(now) + nanos(POOL_REFILL_TIME);
        let mut peers = write_locked(&self.peers);
        *peers = reported
            .map(|state| {
                let known = peers.iter().find(|peer| peer.host_id() == state.host_id());
                let peer = match known {
                    Some(known) if known.is_same(&state) => Arc::clone(known),
                    Some(moved) => Arc::new(LimitedPeer::new(&state, Arc::clone(&moved.load))),
                    None => Arc::new(LimitedPeer::new(&state, Arc::default())),
                };
                let was_connected = peer.is_connected.swap(state.is_connected, Ordering::Relaxed);
                if state.is_connected && !was_connected {
                    peer.load.refilling_until.store(refilled, Ordering::Relaxed);
                }
                peer
            })
            .collect();
        drop(peers);
        serve_waiting(self, now);
    }

    /// Removes all peers.
    pub(crate) fn clear(&self) {
        write_locked(&self.peers).clear();
    }

    /// Returns a permit if one is available and no call is waiting. The permit is for a peer other than `avoided`,
    /// unless no other peer is usable.
    pub(crate) fn try_acquire(&self, avoided: Option<&Arc<LimitedPeer>>, now: Duration) -> Option<Permit<'_>> {
        if !self.queue.is_empty() {
            return None;
        }
        self.choose_peer(avoided, now).ok().map(|peer| Permit { limiter: self, peer })
    }

    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        let peers = read_locked(&self.peers);
        peers.iter().map(|peer| peer.load.in_flight.load(Ordering::SeqCst)).sum()
    }

    /// Chooses a peer and counts one more request in flight to it.
    fn choose_peer(&self, avoided: Option<&Arc<LimitedPeer>>, now: Duration) -> Result<Arc<LimitedPeer>, NoPermit> {
        let at = nanos(now);
        let peers = read_locked(&self.peers);
        // If no peer is connected, any peer may be chosen: the request fails with the driver's error, and uses no
        // capacity.
        let none_is_connected = !peers.iter().any(|peer| peer.is_connected.load(Ordering::Relaxed));
        let is_usable = |peer: &LimitedPeer| none_is_connected || peer.is_connected.load(Ordering::Relaxed);
        let avoided = avoided.filter(|avoided| peers.iter().any(|peer| is_usable(peer) && !Arc::ptr_eq(peer, avoided)));
        let first = self.rotation.fetch_add(1, Ordering::Relaxed).checked_rem(peers.len()).unwrap_or_default();
        loop {
            let (mut best, mut due) = (None::<(usize, &Arc<LimitedPeer>)>, None::<u64>);
            for peer in peers[first..].iter().chain(&peers[..first]) {
                if !is_usable(peer) || avoided.is_some_and(|avoided| Arc::ptr_eq(peer, avoided)) {
                    continue;
                }
                let in_flight = peer.load.in_flight.load(Ordering::SeqCst);
                if in_flight >= self.max_in_flight(peer, at) {
                    continue;
                }
                let peer_due = peer.load.due.load(Ordering::Relaxed).saturating_sub(nanos(BURST));
                if peer_due > at {
                    due = Some(due.map_or(peer_due, |due| due.min(peer_due)));
                } else if best.is_none_or(|(minimum, _)| in_flight < minimum) {
                    best = Some((in_flight, peer));
                }
            }
            let Some((_, peer)) = best else {
                return Err(
                    due.map_or(NoPermit::Full, |due| NoPermit::NotBefore(self.began + Duration::from_nanos(due)))
                );
            };
            let before = peer.load.in_flight.fetch_add(1, Ordering::SeqCst);
            if before < self.max_in_flight(peer, at) && self.claim_slot(peer, at) {
                return Ok(Arc::clone(peer));
            }
            peer.load.in_flight.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Claims the peer's next slot within the rate. Fails if another request has claimed it first.
    fn claim_slot(&self, peer: &LimitedPeer, now: u64) -> bool {
        let Some(per_connection) = self.limits.requests_per_second else { return true };
        let rate = u64::from(per_connection.get()) * self.connections(peer, now) as u64;
        let interval = 1_000_000_000 / rate.max(1);
        let due = peer.load.due.load(Ordering::Relaxed);
        due.saturating_sub(nanos(BURST)) <= now
            && peer
                .load
                .due
                .compare_exchange(due, due.max(now) + interval, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    fn max_in_flight(&self, peer: &LimitedPeer, now: u64) -> usize {
        self.connections(peer, now) * self.limits.in_flight.get()
    }

    fn connections(&self, peer: &LimitedPeer, now: u64) -> usize {
        if peer.load.refilling_until.load(Ordering::Relaxed) > now { 1 } else { self.limits.connections.get() }
    }
}

impl LimitedPeer {
    fn new(state: &PeerState, load: Arc<HostLoad>) -> Self {
        Self {
            node: state.node.clone(),
            address: state.address,
            pinned_policy: SingleTargetLoadBalancingPolicy::new(state.node.clone(), None),
            is_connected: AtomicBool::new(false),
            load,
        }
    }

    /// Whether `state` is that of the same host with the same connections.
    fn is_same(&self, state: &PeerState) -> bool {
        let is_same_host = match (&self.node, &state.node) {
            (NodeIdentifier::Node(one), NodeIdentifier::Node(other)) => Arc::ptr_eq(one, other),
            _ => self.host_id() == state.host_id(),
        };
        is_same_host && self.address == state.address
    }

    fn host_id(&self) -> Option<Uuid> {
        host_id(&self.node)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl PeerState {
    fn host_id(&self) -> Option<Uuid> {
        host_id(&self.node)
    }
}

fn host_id(node: &NodeIdentifier) -> Option<Uuid> {
    match node {
        NodeIdentifier::Node(node) => Some(node.host_id),
        NodeIdentifier::HostId(id) => Some(*id),
        _ => None,
    }
}

impl Permit<'_> {
    pub(crate) fn peer(&self) -> &Arc<LimitedPeer> {
        &self.peer
    }

    /// The load-balancing policy that sends a statement to this peer and no other.
    pub(crate) fn pinned_policy(&self) -> Arc<dyn LoadBalancingPolicy> {
        Arc::clone(&self.peer.pinned_policy)
    }

    /// Records that a connection of the peer broke. Until the pool has refilled, the peer's capacity counts as that of one
    /// connection.
    pub(crate) fn record_lost_connection(&self, now: Duration) {
        self.peer.load.refilling_until.store(nanos(now) + nanos(POOL_REFILL_TIME), Ordering::Relaxed);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.peer.load.in_flight.fetch_sub(1, Ordering::SeqCst);
        if !self.limiter.queue.is_empty() {
            serve_waiting(self.limiter, self.limiter.began.elapsed());
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}
