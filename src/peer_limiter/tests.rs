use super::acquire;
use std::collections::HashMap;

use futures::FutureExt;
use proptest::prelude::*;

use super::*;

fn limits(in_flight: usize) -> PeerLimits {
    PeerLimits {
        connections: NonZeroUsize::new(3).unwrap(),
        requests_per_second: NonZeroU32::new(2_700),
        in_flight: NonZeroUsize::new(in_flight).unwrap(),
        when_full: WhenFull::Wait,
    }
}

fn state(number: u8, is_connected: bool) -> PeerState {
    let address = SocketAddr::from(([127, 0, 0, number], 9142));
    PeerState { node: NodeIdentifier::HostId(Uuid::from_u128(number.into())), address, is_connected }
}

/// A limiter with `peers` peers, all of whose connections are open.
async fn limiter(peers: u8, limits: PeerLimits) -> PeerLimiter {
    let limiter = PeerLimiter::new(limits, Instant::now());
    limiter.update((1..=peers).map(|number| state(number, true)), limiter.began.elapsed());
    tokio::time::advance(POOL_REFILL_TIME).await;
    limiter
}

#[tokio::test(start_paused = true)]
async fn permit_is_for_the_peer_with_the_fewest_requests_in_flight() {
    let limiter = limiter(3, limits(512)).await;
    let mut permits: Vec<_> = (0..30).map(|_| limiter.try_acquire(None, limiter.began.elapsed()).unwrap()).collect();
    let mut each = HashMap::new();
    for permit in &permits {
        *each.entry(permit.peer().address()).or_insert(0) += 1;
    }
    assert!(each.values().all(|count| *count == 10), "{each:?}");
    let freed = permits[0].peer().address();
    permits.retain(|permit| permit.peer().address() != freed);
    assert_eq!(limiter.try_acquire(None, limiter.began.elapsed()).unwrap().peer().address(), freed);
    drop(permits);
    assert_eq!(limiter.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn retry_goes_to_another_peer_if_there_is_one() {
    let limiter = limiter(2, limits(512)).await;
    let first = limiter.try_acquire(None, limiter.began.elapsed()).unwrap();
    for _ in 0..10 {
        let other = limiter.try_acquire(Some(first.peer()), limiter.began.elapsed()).unwrap();
        assert_ne!(other.peer().address(), first.peer().address());
    }
    limiter.update([state(1, true), state(2, false)].into_iter(), limiter.began.elapsed());
    let only = limiter.try_acquire(None, limiter.began.elapsed()).unwrap();
    let again = limiter.try_acquire(Some(only.peer()), limiter.began.elapsed()).unwrap();
    assert_eq!(again.peer().address(), only.peer().address());
}

#[tokio::test(start_paused = true)]
async fn peer_request_rate_stays_within_its_connections_capacity() {
    let limiter = limiter(1, limits(512)).await;
    let began = Instant::now();
    let mut sent = 0;
    while began.elapsed() < Duration::from_secs(3) {
        drop(acquire(&limiter, None).await.unwrap());
        sent += 1;
    }
    let max_sent = 3 * 3 * 2_700 + 3 * 27 + 1;
    assert!((max_sent - 3 * 27 - 30..=max_sent).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn peer_counts_as_one_connection_while_its_pool_refills() {
    let limiter = PeerLimiter::new(limits(10), Instant::now());
    limiter.update([state(1, true)].into_iter(), limiter.began.elapsed());
    let take_all = || {
        let permits = std::iter::from_fn(|| limiter.try_acquire(None, limiter.began.elapsed())).collect::<Vec<_>>();
        let count = permits.len();
        (permits, count)
    };
    assert_eq!(take_all().1, 10);
    tokio::time::advance(POOL_REFILL_TIME).await;
    let (permits, count) = take_all();
    assert_eq!(count, 30);
    permits[0].record_lost_connection(limiter.began.elapsed());
    drop(permits);
    assert_eq!(take_all().1, 10);
}

#[tokio::test(start_paused = true)]
async fn waiters_get_permits_in_order_of_arrival() {
    let limiter = limiter(1, limits(1)).await;
    let mut held: Vec<_> = (0..3).map(|_| limiter.try_acquire(None, limiter.began.elapsed()).unwrap()).collect();
    let mut first = Box::pin(acquire(&limiter, None));
    let mut second = Box::pin(acquire(&limiter, None));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    held.pop();
    assert!(limiter.try_acquire(None, limiter.began.elapsed()).is_none(), "two are before it");
    assert!(second.as_mut().now_or_never().is_none(), "it is the second");
    let first = first.await.unwrap();
    held.pop();
    assert!(limiter.try_acquire(None, limiter.began.elapsed()).is_none(), "it is handed to the second");
    let second = second.await.unwrap();
    drop((first, second, held));
    assert!(limiter.try_acquire(None, limiter.began.elapsed()).is_some());
    assert_eq!(limiter.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn cancelled_waiter_does_not_block_the_others() {
    let limiter = limiter(1, limits(1)).await;
    let held: Vec<_> = (0..3).map(|_| limiter.try_acquire(None, limiter.began.elapsed()).unwrap()).collect();
    let mut first = Box::pin(acquire(&limiter, None));
    let mut second = Box::pin(acquire(&limiter, None));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    drop(first);
    drop(held);
    let _second = second.await.unwrap();
    assert!(limiter.try_acquire(None, limiter.began.elapsed()).is_some());
}

#[tokio::test(start_paused = true)]
async fn full_limiter_refuses_at_once_with_when_full_fail() {
    let limiter = limiter(1, PeerLimits { when_full: WhenFull::Fail, ..limits(1) }).await;
    let _held: Vec<_> = (0..3).map(|_| limiter.try_acquire(None, limiter.began.elapsed()).unwrap()).collect();
    assert_eq!(acquire(&limiter, None).await.unwrap_err(), NoPermit::Full);
}

#[tokio::test(start_paused = true)]
async fn limiter_tries_disconnected_peers_and_waits_if_there_are_none() {
    let limiter = PeerLimiter::new(limits(1), Instant::now());
    let mut waiting = Box::pin(acquire(&limiter, None));
    assert!(waiting.as_mut().now_or_never().is_none());
    limiter.update([state(1, false)].into_iter(), limiter.began.elapsed());
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn uncollected_permit_does_not_block_other_callers() {
    let limiter = limiter(1, limits(1)).await;
    let held: Vec<_> = (0..3).map(|_| limiter.try_acquire(None, limiter.began.elapsed()).unwrap()).collect();
    let mut paused: Vec<_> = (0..10).map(|_| Box::pin(acquire(&limiter, None))).collect();
    assert!(paused.iter_mut().all(|permit| permit.as_mut().now_or_never().is_none()));
    drop(held);
    let began = Instant::now();
    drop(acquire(&limiter, None).await.unwrap());
    // Three callers at a time lose the permits that they did not collect.
    assert!(began.elapsed() <= queue::COLLECT_WITHIN * 4, "{:?}", began.elapsed());
    for permit in paused {
        drop(permit.await.unwrap());
    }
    assert_eq!(limiter.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn retry_avoiding_the_only_free_peer_blocks_no_one_and_finally_uses_it() {
    let limiter = limiter(2, limits(1)).await;
    let held: Vec<_> = (0..6).map(|_| limiter.try_acquire(None, limiter.began.elapsed()).unwrap()).collect();
    let (free, full): (Vec<_>, Vec<_>) =
        held.into_iter().partition(|permit| permit.peer().address() == state(1, true).address);
    let avoided = Arc::clone(free[0].peer());
    drop(free);
    let began = Instant::now();
    let mut repeat = Box::pin(acquire(&limiter, Some(&avoided)));
    assert!(repeat.as_mut().now_or_never().is_none());
    let other = acquire(&limiter, None).await.unwrap();
    assert_eq!((other.peer().address(), began.elapsed()), (avoided.address(), Duration::ZERO));
    assert_eq!(repeat.await.unwrap().peer().address(), avoided.address());
    assert!(began.elapsed() <= REFRESH_INTERVAL * 2);
    drop(full);
}

#[tokio::test(start_paused = true)]
async fn host_with_a_new_address_keeps_its_in_flight_count() {
    let limiter = limiter(1, limits(1)).await;
    let held: Vec<_> = (0..2).map(|_| limiter.try_acquire(None, limiter.began.elapsed()).unwrap()).collect();
    let moved = PeerState { address: state(2, true).address, ..state(1, true) };
    limiter.update([moved].into_iter(), limiter.began.elapsed());
    tokio::time::advance(POOL_REFILL_TIME).await;
    assert_eq!(limiter.in_flight(), 2);
    let third = limiter.try_acquire(None, limiter.began.elapsed()).unwrap();
    assert_eq!(third.peer().address(), state(2, true).address);
    assert!(limiter.try_acquire(None, limiter.began.elapsed()).is_none());
    drop((held, third));
    assert_eq!(limiter.in_flight(), 0);
}

/// A step of the property test, applied to one of the callers.
#[derive(Clone, Copy, Debug)]
enum CallerStep {
    Ask { avoids: bool },
    Poll(u8),
    Drop(u8),
    GiveBack(u8),
    Advance(u8),
}

fn step() -> impl Strategy<Value = CallerStep> {
    prop_oneof![
        3 => any::<bool>().prop_map(|avoids| CallerStep::Ask { avoids }),
        4 => any::<u8>().prop_map(CallerStep::Poll),
        1 => any::<u8>().prop_map(CallerStep::Drop),
        2 => any::<u8>().prop_map(CallerStep::GiveBack),
        1 => (0..60_u8).prop_map(CallerStep::Advance),
    ]
}

proptest! {
    #[test]
    fn peer_limiter_loses_no_permit_however_callers_are_polled_or_dropped(
        peers in 1_u8..4,
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let limiter = limiter(peers, limits(1)).await;
            let (mut callers, mut held) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    CallerStep::Ask { avoids } => {
                        let avoided = held.last().map(|permit: &Permit<'_>| Arc::clone(permit.peer())).filter(|_| avoids);
                        let limiter = &limiter;
                        callers.push(Box::pin(async move { acquire(limiter, avoided.as_ref()).await }));
                    }
                    CallerStep::Poll(which) if !callers.is_empty() => {
                        let which = usize::from(which) % callers.len();
                        if let Some(permit) = callers[which].as_mut().now_or_never() {
                            held.push(permit.unwrap());
                            drop(callers.swap_remove(which));
                        }
                    }
                    CallerStep::Drop(which) if !callers.is_empty() => {
                        drop(callers.swap_remove(usize::from(which) % callers.len()));
                    }
                    CallerStep::GiveBack(which) if !held.is_empty() => {
                        drop(held.swap_remove(usize::from(which) % held.len()));
                    }
                    CallerStep::Advance(millis) => tokio::time::advance(Duration::from_millis(millis.into())).await,
                    CallerStep::Poll(_) | CallerStep::Drop(_) | CallerStep::GiveBack(_) => {}
                }
                assert!(limiter.in_flight() >= held.len() && limiter.in_flight() <= usize::from(peers) * 3);
            }
            // The remaining callers are not polled again. Each delays a permit at most once.
            held.clear();
            let max_wait = queue::COLLECT_WITHIN * (u32::try_from(callers.len()).unwrap() + 2);
            let permit = tokio::time::timeout(max_wait, acquire(&limiter, None)).await;
            drop(permit.expect("others harm nobody").unwrap());
            drop(callers);
            assert_eq!(limiter.in_flight(), 0);
            assert!(limiter.queue.is_empty());
        });
    }

    #[test]
    fn peer_limiter_leaks_no_permits_and_exceeds_no_limit(
        peers in 1_u8..5,
        steps in proptest::collection::vec(any::<(bool, u8)>(), 1..300),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let limiter = limiter(peers, limits(4)).await;
            let mut held = Vec::new();
            for (takes, which) in steps {
                tokio::time::advance(Duration::from_millis(1)).await;
                if takes {
                    held.extend(limiter.try_acquire(None, limiter.began.elapsed()));
                } else if !held.is_empty() {
                    held.swap_remove(usize::from(which) % held.len());
                }
                assert_eq!(limiter.in_flight(), held.len());
                assert!(held.len() <= usize::from(peers) * 12);
            }
        });
    }
}
