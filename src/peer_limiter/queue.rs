//! The queue of callers that wait for a permit. A caller holds no lock while it waits, so a caller that is not polled
//! blocks no other. A permit is granted to the caller that has waited longest, and taken back if it is not collected.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{LimitedPeer, NoPermit, PeerLimiter, Permit, REFRESH_INTERVAL, WhenFull};
use crate::lock::{locked, read_locked};
use crate::saturated::saturated;

/// How long a permit is kept for a caller that was woken for it. A caller that does not poll loses it to the next one.
pub(super) const COLLECT_WITHIN: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct PermitQueue {
    places: Mutex<Places>,
    /// The number of callers in `Places::waiting`, readable without the lock.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    /// Ordered by place: the first caller has waited longest. A caller that did not collect its permit is left out until it
    /// is polled again.
    waiting: BTreeMap<u64, WaitingPermit>,
    /// The permits granted but not yet collected, oldest first.
    granted: VecDeque<Granted>,
}

#[derive(Debug)]
struct WaitingPermit {
    avoided: Option<Arc<LimitedPeer>>,
    waker: Waker,
}

#[derive(Debug)]
struct Granted {
    place: u64,
    peer: Arc<LimitedPeer>,
    at: Duration,
}

/// Why a caller that avoids this peer got no permit.
type Denied = (Option<Arc<LimitedPeer>>, NoPermit);

impl PermitQueue {
    // SeqCst, like the counts of requests in flight: either a caller that starts to wait sees the permit that is given
    // back, or the thread that gives it back sees the caller.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        locked(&self.places)
    }
}

/// Waits for a permit, in the order in which the callers asked; at a peer other than `avoided` if one has capacity within
/// 100 ms. Fails only if all peers are full and [`WhenFull::Fail`] is set. The future may be dropped at any time.
pub(crate) async fn permit<'l>(
    peer_limiter: &'l PeerLimiter,
    avoided: Option<&Arc<LimitedPeer>>,
) -> Result<Permit<'l>, NoPermit> {
    let mut turn =
        Turn { peer_limiter, place: next_place(peer_limiter), avoided: avoided.cloned(), since: Instant::now() };
    let mut again = pin!(sleep_until(turn.since));
    poll_fn(|context| {
        loop {
            let next = match turn.poll(context) {
                Ok(next) => next,
                Err(result) => return Poll::Ready(result),
            };
            again.as_mut().reset(next);
            if again.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Grants the available permits to the waiting callers, if there are any.
pub(super) fn serve_waiting(peer_limiter: &PeerLimiter, now: Duration) {
    if !peer_limiter.queue.is_empty() {
        serve(peer_limiter, now, None);
    }
}

/// Grants permits, and returns why the remaining callers got none. The caller at the place `own` is not woken, because it
/// is being polled.
fn serve(peer_limiter: &PeerLimiter, now: Duration, own: Option<u64>) -> Vec<Denied> {
    let (mut denied, mut woken) = (Vec::<Denied>::new(), Vec::new());
    let mut places = peer_limiter.queue.lock();
    places.take_back(now);
    let mut served = Vec::new();
    for (place, waiting) in &places.waiting {
        if denied.iter().any(|(avoided, _)| is_same(avoided.as_ref(), waiting.avoided.as_ref())) {
            continue;
        }
        match peer_limiter.pick(waiting.avoided.as_ref(), now) {
            Ok(peer) => served.push((*place, peer)),
            Err(why) => {
                denied.push((waiting.avoided.clone(), why));
                // This caller would accept any peer, so no caller behind it can be served.
                if waiting.avoided.is_none() {
                    break;
                }
            }
        }
    }
    for (place, peer) in served {
        let waiting = places.waiting.remove(&place);
        peer_limiter.queue.waiting.fetch_sub(1, Ordering::SeqCst);
        places.granted.push_back(Granted { place, peer, at: now });
        woken.extend(waiting.filter(|_| own != Some(place)).map(|waiting| waiting.waker));
    }
    drop(places);
    woken.into_iter().for_each(Waker::wake);
    denied
}

fn next_place(peer_limiter: &PeerLimiter) -> u64 {
    let mut places = peer_limiter.queue.lock();
    places.next += 1;
    places.next
}

/// The time between two requests when every connection is used at its full rate.
fn interval(peer_limiter: &PeerLimiter) -> Duration {
    let peers = read_locked(&peer_limiter.peers).len().max(1);
    let per_connection = peer_limiter.limits.requests_per_second.map_or(u32::MAX, std::num::NonZeroU32::get);
    Duration::from_secs_f64(1.0 / f64::from(per_connection) / (peers * peer_limiter.limits.connections.get()) as f64)
}

impl Places {
    /// Takes back the permits that were not collected in time. Their callers wait again once they are polled.
    fn take_back(&mut self, now: Duration) {
        while let Some(first) = self.granted.front()
            && now.saturating_sub(first.at) >= COLLECT_WITHIN
        {
            first.peer.load.in_flight.fetch_sub(1, Ordering::SeqCst);
            self.granted.pop_front();
        }
    }

    fn collect(&mut self, place: u64) -> Option<Arc<LimitedPeer>> {
        let index = self.granted.iter().position(|granted| granted.place == place)?;
        self.granted.remove(index).map(|granted| granted.peer)
    }
}

/// A caller waiting for a permit.
struct Turn<'l> {
    peer_limiter: &'l PeerLimiter,
    place: u64,
    avoided: Option<Arc<LimitedPeer>>,
    since: Instant,
}

impl<'l> Turn<'l> {
    /// Returns when to try again, or, as the error, the result that ends the wait.
    fn poll(&mut self, context: &Context<'_>) -> Result<Instant, Result<Permit<'l>, NoPermit>> {
        let peer_limiter = self.peer_limiter;
        loop {
            let at = Instant::now();
            // The avoided peer is better than none.
            if at >= self.since + REFRESH_INTERVAL {
                self.avoided = None;
            }
            if let Some(permit) = self.wait(context) {
                return Err(Ok(permit));
            }
            let denied = serve(peer_limiter, at.saturating_duration_since(peer_limiter.began), Some(self.place));
            let (collected, ahead) = {
                let mut places = peer_limiter.queue.lock();
                let first = places.waiting.first_key_value().map_or(self.place, |(first, _)| *first);
                (places.collect(self.place), self.place.saturating_sub(first))
            };
            if let Some(peer) = collected {
                return Err(Ok(Permit { peer_limiter, peer }));
            }
            let own = denied.iter().find(|(avoided, _)| is_same(avoided.as_ref(), self.avoided.as_ref()));
            match own.or_else(|| denied.last()).map(|(_, why)| *why) {
                Some(NoPermit::Full) if peer_limiter.limits.when_full == WhenFull::Fail => {
                    if self.avoided.take().is_none() {
                        return Err(Err(NoPermit::Full));
                    }
                }
                // Each caller wakes when its own turn may have come. If all woke together, all but one would wake in vain.
                Some(NoPermit::At(due)) => {
                    let ahead = saturated::<u32>(ahead);
                    return Ok((due + interval(peer_limiter).saturating_mul(ahead)).min(at + REFRESH_INTERVAL));
                }
                Some(NoPermit::Full) | None => return Ok(at + REFRESH_INTERVAL),
            }
        }
    }

    /// Enters the queue if the caller is not in it yet, or returns the permit that was granted to it.
    fn wait(&self, context: &Context<'_>) -> Option<Permit<'l>> {
        let peer_limiter = self.peer_limiter;
        let mut places = peer_limiter.queue.lock();
        if let Some(peer) = places.collect(self.place) {
            return Some(Permit { peer_limiter, peer });
        }
        let mut is_new = false;
        let waiting = places.waiting.entry(self.place).or_insert_with(|| {
            is_new = true;
            WaitingPermit { avoided: None, waker: context.waker().clone() }
        });
        waiting.avoided.clone_from(&self.avoided);
        waiting.waker.clone_from(context.waker());
        if is_new {
            peer_limiter.queue.waiting.fetch_add(1, Ordering::SeqCst);
        }
        None
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut places = self.peer_limiter.queue.lock();
        if places.waiting.remove(&self.place).is_some() {
            self.peer_limiter.queue.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        let collected = places.collect(self.place);
        drop(places);
        // Dropping the permit grants it to the next caller.
        drop(collected.map(|peer| Permit { peer_limiter: self.peer_limiter, peer }));
    }
}

fn is_same(one: Option<&Arc<LimitedPeer>>, other: Option<&Arc<LimitedPeer>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}
