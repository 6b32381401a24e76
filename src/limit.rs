//! Which peer takes a request: the one with the least in flight, of those whose connections bear one more.

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use scylla::policies::load_balancing::{LoadBalancingPolicy, NodeIdentifier, SingleTargetLoadBalancingPolicy};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until};

/// What to do when as much is in flight as the connections bear.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Wait, in the order of asking, until there is room or the call's deadline has passed.
    #[default]
    Wait,
    /// Fail at once, with an error of kind [`Throttled`](crate::ErrorKind::Throttled); nothing was sent.
    Fail,
}

/// What the connections of a peer bear.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: NonZeroUsize,
    /// For each connection. A plain Cassandra has no such limit.
    pub(crate) requests_per_second: Option<NonZeroU32>,
    pub(crate) in_flight: NonZeroUsize,
    pub(crate) when_full: WhenFull,
}

/// A peer as the driver shows it now.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) node: NodeIdentifier,
    pub(crate) address: SocketAddr,
    pub(crate) is_connected: bool,
}

/// Requests that come together are let through although their second has only begun.
const BURST: Duration = Duration::from_millis(10);

/// A pool that lost a connection, or has just its first, opens the others side by side, and each may take a second.
const REFILLS_WITHIN: Duration = Duration::from_secs(2);

pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Gives each attempt a peer and a permit for it.
#[derive(Debug)]
pub(crate) struct Limiter {
    began: Instant,
    limits: Limits,
    peers: RwLock<Vec<Arc<Peer>>>,
    /// When the peers were looked at last; times are nanoseconds since it began.
    looked: AtomicU64,
    turn: AtomicUsize,
    waiting: AtomicUsize,
    /// Who is first in it takes the next permit, so that nobody is passed over.
    queue: Mutex<()>,
    room: Notify,
}

/// An address with its connections.
#[derive(Debug)]
pub(crate) struct Peer {
    node: NodeIdentifier,
    address: SocketAddr,
    pinned: Arc<dyn LoadBalancingPolicy>,
    is_connected: AtomicBool,
    in_flight: AtomicUsize,
    /// Until then it counts as one connection.
    refills_until: AtomicU64,
    /// When the next request would be due if they came evenly.
    due: AtomicU64,
}

/// The right to send one attempt to a peer, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'l> {
    limiter: &'l Limiter,
    peer: Arc<Peer>,
}

/// Why there is no permit now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoPermit {
    /// As much is in flight as is allowed.
    Full,
    /// One is due then.
    At(Instant),
}

impl Limiter {
    pub(crate) fn new(limits: Limits, began: Instant) -> Self {
        Self {
            began,
            limits,
            peers: RwLock::default(),
            looked: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::new(()),
            room: Notify::new(),
        }
    }

    /// Whether it is time to look at the peers again; says so to one caller only.
    pub(crate) fn is_to_look(&self, now: Duration) -> bool {
        let (now, looked) = (nanos(now), self.looked.load(Ordering::Relaxed));
        now.saturating_sub(looked) > nanos(LOOK_INTERVAL)
            && self.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Takes over what the driver shows.
    pub(crate) fn look(&self, seen: impl Iterator<Item = Seen>, now: Duration) {
        let now = nanos(now);
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        *peers = seen
            .map(|seen| {
                let known = peers.iter().find(|peer| peer.is(&seen));
                let peer = known.map_or_else(|| Arc::new(Peer::new(&seen)), Arc::clone);
                if seen.is_connected && !peer.is_connected.swap(seen.is_connected, Ordering::Relaxed) {
                    peer.refills_until.store(now + nanos(REFILLS_WITHIN), Ordering::Relaxed);
                } else {
                    peer.is_connected.store(seen.is_connected, Ordering::Relaxed);
                }
                peer
            })
            .collect();
        drop(peers);
        self.room.notify_one();
    }

    /// Holds no peer any more.
    pub(crate) fn forget(&self) {
        self.peers.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A permit, if there is one and nobody waits for it; at another peer than `avoided`, where there is another.
    pub(crate) fn permit_at_once(&self, avoided: Option<&Arc<Peer>>, now: Duration) -> Option<Permit<'_>> {
        if self.waiting.load(Ordering::SeqCst) > 0 { None } else { self.pick(avoided, now).ok() }
    }

    /// Waits in the queue for a permit. Who stops waiting leaves nothing behind. Fails only if told to, when full.
    pub(crate) async fn permit(&self, avoided: Option<&Arc<Peer>>) -> Result<Permit<'_>, NoPermit> {
        let _waits = Waits::begin(&self.waiting);
        let _first = self.queue.lock().await;
        loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            match self.pick(avoided, self.began.elapsed()) {
                Ok(permit) => return Ok(permit),
                Err(NoPermit::Full) if self.limits.when_full == WhenFull::Fail => return Err(NoPermit::Full),
                Err(NoPermit::Full) => room.await,
                Err(NoPermit::At(due)) => {
                    let mut due = pin!(sleep_until(due));
                    poll_fn(|context| match due.as_mut().poll(context) {
                        Poll::Ready(()) => Poll::Ready(()),
                        Poll::Pending => room.as_mut().poll(context),
                    })
                    .await;
                }
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.iter().map(|peer| peer.in_flight.load(Ordering::SeqCst)).sum()
    }

    fn pick(&self, avoided: Option<&Arc<Peer>>, now: Duration) -> Result<Permit<'_>, NoPermit> {
        let at = nanos(now);
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        // Without a connection anywhere each is as good as another: the driver says what is wrong, and it costs nobody.
        let none_is_connected = !peers.iter().any(|peer| peer.is_connected.load(Ordering::Relaxed));
        let is_open = |peer: &Peer| none_is_connected || peer.is_connected.load(Ordering::Relaxed);
        let avoided = avoided.filter(|avoided| peers.iter().any(|peer| is_open(peer) && !Arc::ptr_eq(peer, avoided)));
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(peers.len()).unwrap_or_default();
        loop {
            let (mut best, mut due) = (None::<(usize, &Arc<Peer>)>, None::<u64>);
            for peer in peers[turn..].iter().chain(&peers[..turn]) {
                if !is_open(peer) || avoided.is_some_and(|avoided| Arc::ptr_eq(peer, avoided)) {
                    continue;
                }
                let in_flight = peer.in_flight.load(Ordering::SeqCst);
                if in_flight >= self.most_in_flight(peer, at) {
                    continue;
                }
                let peer_due = peer.due.load(Ordering::Relaxed).saturating_sub(nanos(BURST));
                if peer_due > at {
                    due = Some(due.map_or(peer_due, |due| due.min(peer_due)));
                } else if best.is_none_or(|(least, _)| in_flight < least) {
                    best = Some((in_flight, peer));
                }
            }
            let Some((_, peer)) = best else {
                return Err(due.map_or(NoPermit::Full, |due| NoPermit::At(self.began + Duration::from_nanos(due))));
            };
            if peer.in_flight.fetch_add(1, Ordering::SeqCst) < self.most_in_flight(peer, at) && self.take(peer, at) {
                return Ok(Permit { limiter: self, peer: Arc::clone(peer) });
            }
            peer.in_flight.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Whether the request is within the rate; another may have come first.
    fn take(&self, peer: &Peer, now: u64) -> bool {
        let Some(per_connection) = self.limits.requests_per_second else { return true };
        let rate = u64::from(per_connection.get()) * self.connections(peer, now) as u64;
        let interval = 1_000_000_000 / rate.max(1);
        let due = peer.due.load(Ordering::Relaxed);
        due.saturating_sub(nanos(BURST)) <= now
            && peer.due.compare_exchange(due, due.max(now) + interval, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn most_in_flight(&self, peer: &Peer, now: u64) -> usize {
        self.connections(peer, now) * self.limits.in_flight.get()
    }

    fn connections(&self, peer: &Peer, now: u64) -> usize {
        if peer.refills_until.load(Ordering::Relaxed) > now { 1 } else { self.limits.connections.get() }
    }
}

impl Peer {
    fn new(seen: &Seen) -> Self {
        Self {
            node: seen.node.clone(),
            address: seen.address,
            pinned: SingleTargetLoadBalancingPolicy::new(seen.node.clone(), None),
            is_connected: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            refills_until: AtomicU64::new(0),
            due: AtomicU64::new(0),
        }
    }

    fn is(&self, seen: &Seen) -> bool {
        let is_same = match (&self.node, &seen.node) {
            (NodeIdentifier::Node(one), NodeIdentifier::Node(other)) => Arc::ptr_eq(one, other),
            (NodeIdentifier::HostId(one), NodeIdentifier::HostId(other)) => one == other,
            _ => false,
        };
        is_same && self.address == seen.address
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Permit<'_> {
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Sends a statement that has it to this peer and no other.
    pub(crate) fn pinned(&self) -> Arc<dyn LoadBalancingPolicy> {
        Arc::clone(&self.peer.pinned)
    }

    /// A connection of the peer broke: until it is back, the others do not bear what all of them did.
    pub(crate) fn lost_a_connection(&self, now: Duration) {
        self.peer.refills_until.store(nanos(now) + nanos(REFILLS_WITHIN), Ordering::Relaxed);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.peer.in_flight.fetch_sub(1, Ordering::SeqCst);
        if self.limiter.waiting.load(Ordering::SeqCst) > 0 {
            self.limiter.room.notify_one();
        }
    }
}

/// Counts one who waits.
pub(crate) struct Waits<'w>(&'w AtomicUsize);

impl<'w> Waits<'w> {
    pub(crate) fn begin(count: &'w AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}
