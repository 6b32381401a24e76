//! The queue of callers that wait for a permit. A caller holds no lock while it waits, so a caller that is not polled
//! does not block the others. A permit is granted to the caller that has waited longest, and reclaimed if it is not
//! collected.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{LimitedPeer, NoPermit, PeerLimiter, Permit, REFRESH_INTERVAL, WhenFull};
use crate::lock::{locked, read_locked};
use crate::saturated::saturated;

/// How long a permit is kept for a caller that was woken for it. If the caller is not polled within this time, the next
/// caller gets the permit.
pub(super) const COLLECT_WITHIN: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct PermitQueue {
    state: Mutex<QueueState>,
    /// The number of callers in `QueueState::waiting`, readable without the lock.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct QueueState {
    next_place: u64,
    /// Ordered by place: the first caller has waited longest. A caller that did not collect its permit is left out until it
    /// is polled again.
    waiting: BTreeMap<u64, WaitingCaller>,
    /// The permits granted but not yet collected, oldest first.
    granted: VecDeque<GrantedPermit>,
}

#[derive(Debug)]
struct WaitingCaller {
    avoided: Option<Arc<LimitedPeer>>,
    waker: Waker,
}

#[derive(Debug)]
struct GrantedPermit {
    place: u64,
    peer: Arc<LimitedPeer>,
    granted_at: Duration,
}

/// Why the callers that avoid this peer got no permit; with `None`, the callers that accept any peer.
struct Denial {
    avoided: Option<Arc<LimitedPeer>>,
    reason: NoPermit,
}

impl PermitQueue {
    // SeqCst, like the counts of requests in flight: either a caller that starts to wait sees the permit that is given
    // back, or the thread that gives it back sees the caller.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        locked(&self.state)
    }
}

/// Waits for a permit, first come, first served; for a peer other than `avoided` if one has capacity within 100 ms.
/// Fails only if all peers are full and [`WhenFull::Fail`] is set. The future may be dropped at any time.
pub(crate) async fn acquire<'l>(
    limiter: &'l PeerLimiter,
    avoided: Option<&Arc<LimitedPeer>>,
) -> Result<Permit<'l>, NoPermit> {
    let mut acquire = Acquire { limiter, place: next_place(limiter), avoided: avoided.cloned(), began: Instant::now() };
    let mut timer = pin!(sleep_until(acquire.began));
    poll_fn(|context| {
        loop {
            match acquire.poll(context) {
                ControlFlow::Break(result) => return Poll::Ready(result),
                ControlFlow::Continue(retry_at) => timer.as_mut().reset(retry_at),
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Grants the available permits to the waiting callers, if there are any.
pub(super) fn serve_waiting(limiter: &PeerLimiter, now: Duration) {
    if !limiter.queue.is_empty() {
        serve(limiter, now, None);
    }
}

/// Grants permits, and returns why the remaining callers got none. The caller at the place `polled` is not woken, because it
/// is being polled.
fn serve(limiter: &PeerLimiter, now: Duration, polled: Option<u64>) -> Vec<Denial> {
    let (mut denials, mut woken) = (Vec::<Denial>::new(), Vec::new());
    let mut state = limiter.queue.lock();
    state.reclaim_uncollected(now);
    let mut served = Vec::new();
    for (place, caller) in &state.waiting {
        if denials.iter().any(|denial| is_same(denial.avoided.as_ref(), caller.avoided.as_ref())) {
            continue;
        }
        match limiter.choose_peer(caller.avoided.as_ref(), now) {
            Ok(peer) => served.push((*place, peer)),
            Err(reason) => {
                denials.push(Denial { avoided: caller.avoided.clone(), reason });
                // This caller would accept any peer, so no caller behind it can be served.
                if caller.avoided.is_none() {
                    break;
                }
            }
        }
    }
    for (place, peer) in served {
        let caller = state.waiting.remove(&place);
        limiter.queue.waiting.fetch_sub(1, Ordering::SeqCst);
        state.granted.push_back(GrantedPermit { place, peer, granted_at: now });
        woken.extend(caller.filter(|_| polled != Some(place)).map(|caller| caller.waker));
    }
    drop(state);
    woken.into_iter().for_each(Waker::wake);
    denials
}

fn next_place(limiter: &PeerLimiter) -> u64 {
    let mut state = limiter.queue.lock();
    state.next_place += 1;
    state.next_place
}

/// The time between two requests when every connection is used at its full rate.
fn interval(limiter: &PeerLimiter) -> Duration {
    let peers = read_locked(&limiter.peers).len().max(1);
    let per_connection = limiter.limits.requests_per_second.map_or(u32::MAX, std::num::NonZeroU32::get);
    Duration::from_secs_f64(1.0 / f64::from(per_connection) / (peers * limiter.limits.connections.get()) as f64)
}

impl QueueState {
    /// Takes back the permits that were not collected in time. Their callers wait again once they are polled.
    fn reclaim_uncollected(&mut self, now: Duration) {
        while let Some(oldest) = self.granted.front()
            && now.saturating_sub(oldest.granted_at) >= COLLECT_WITHIN
        {
            oldest.peer.load.in_flight.fetch_sub(1, Ordering::SeqCst);
            self.granted.pop_front();
        }
    }

    fn collect(&mut self, place: u64) -> Option<Arc<LimitedPeer>> {
        let index = self.granted.iter().position(|granted| granted.place == place)?;
        self.granted.remove(index).map(|granted| granted.peer)
    }
}

/// A caller that acquires a permit.
struct Acquire<'l> {
    limiter: &'l PeerLimiter,
    place: u64,
    avoided: Option<Arc<LimitedPeer>>,
    began: Instant,
}

impl<'l> Acquire<'l> {
    /// Breaks with the result, or continues with the time at which to try again.
    fn poll(&mut self, context: &Context<'_>) -> ControlFlow<Result<Permit<'l>, NoPermit>, Instant> {
        let limiter = self.limiter;
        loop {
            let now = Instant::now();
            // After that time, the avoided peer is better than no peer.
            if now >= self.began + REFRESH_INTERVAL {
                self.avoided = None;
            }
            if let Some(permit) = self.collect_or_wait(context) {
                return ControlFlow::Break(Ok(permit));
            }
            let denials = serve(limiter, now.saturating_duration_since(limiter.began), Some(self.place));
            let (collected, callers_ahead) = {
                let mut state = limiter.queue.lock();
                let first = state.waiting.first_key_value().map_or(self.place, |(first, _)| *first);
                (state.collect(self.place), self.place.saturating_sub(first))
            };
            if let Some(peer) = collected {
                return ControlFlow::Break(Ok(Permit { limiter, peer }));
            }
            let own = denials.iter().find(|denial| is_same(denial.avoided.as_ref(), self.avoided.as_ref()));
            match own.or_else(|| denials.last()).map(|denial| denial.reason) {
                Some(NoPermit::Full) if limiter.limits.when_full == WhenFull::Fail => {
                    if self.avoided.take().is_none() {
                        return ControlFlow::Break(Err(NoPermit::Full));
                    }
                }
                // Each caller wakes when its own turn may have come. If all woke at the same time, all but one would
                // have to wait again.
                Some(NoPermit::NotBefore(due)) => {
                    let ahead = interval(limiter).saturating_mul(saturated::<u32>(callers_ahead));
                    return ControlFlow::Continue((due + ahead).min(now + REFRESH_INTERVAL));
                }
                Some(NoPermit::Full) | None => return ControlFlow::Continue(now + REFRESH_INTERVAL),
            }
        }
    }

    /// Returns the permit that was granted to the caller. If there is none, enters the queue or updates the caller's entry.
    fn collect_or_wait(&self, context: &Context<'_>) -> Option<Permit<'l>> {
        let limiter = self.limiter;
        let mut state = limiter.queue.lock();
        if let Some(peer) = state.collect(self.place) {
            return Some(Permit { limiter, peer });
        }
        let mut is_new = false;
        let caller = state.waiting.entry(self.place).or_insert_with(|| {
            is_new = true;
            WaitingCaller { avoided: None, waker: context.waker().clone() }
        });
        caller.avoided.clone_from(&self.avoided);
        caller.waker.clone_from(context.waker());
        if is_new {
            limiter.queue.waiting.fetch_add(1, Ordering::SeqCst);
        }
        None
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.queue.lock();
        if state.waiting.remove(&self.place).is_some() {
            self.limiter.queue.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        let collected = state.collect(self.place);
        drop(state);
        // Dropping the permit grants it to the next caller.
        drop(collected.map(|peer| Permit { limiter: self.limiter, peer }));
    }
}

fn is_same(one: Option<&Arc<LimitedPeer>>, other: Option<&Arc<LimitedPeer>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}
