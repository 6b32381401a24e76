//! Limits that connections share. Each connection also has its own part, so that a client that does not read its
//! answers does not block other clients.

use std::sync::Arc;

use crate::saturated::saturated;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The permits of one connection: its own, and those that all connections share.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    own: Arc<Semaphore>,
    own_limit: usize,
    shared: Arc<Semaphore>,
}

impl Budget {
    pub(crate) fn new(own: usize, shared: &Arc<Semaphore>) -> Self {
        Self { own: Arc::new(Semaphore::new(own)), own_limit: own, shared: Arc::clone(shared) }
    }

    /// Waits until `amount` permits are free, either the connection's own or shared ones. Dropping the permit gives it
    /// back.
    pub(crate) async fn take(&self, amount: usize) -> OwnedSemaphorePermit {
        let permits = saturated::<u32>(amount);
        let taken = if amount > self.own_limit {
            Arc::clone(&self.shared).acquire_many_owned(permits).await
        } else {
            tokio::select! {
                biased;
                taken = Arc::clone(&self.own).acquire_many_owned(permits) => taken,
                taken = Arc::clone(&self.shared).acquire_many_owned(permits) => taken,
            }
        };
        match taken {
            Ok(permit) => permit,
            // Neither semaphore is ever closed.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_own_part_stays_available_while_others_hold_the_shared_part() {
        let shared = Arc::new(Semaphore::new(2));
        let (one, other) = (Budget::new(1, &shared), Budget::new(1, &shared));
        let held = [one.take(1).await, one.take(1).await, one.take(1).await];
        assert!(one.take(1).now_or_never().is_none());
        let own = other.take(1).now_or_never().expect("its own part");
        assert!(other.take(1).now_or_never().is_none());
        drop(held);
        let more = [other.take(1).await, other.take(1).await];
        drop((own, more));
        assert_eq!((shared.available_permits(), one.own.available_permits()), (2, 1));
    }

    #[tokio::test]
    async fn requests_beyond_the_own_part_are_taken_from_the_shared_part() {
        let shared = Arc::new(Semaphore::new(10));
        let budget = Budget::new(4, &shared);
        let large = budget.take(10).await;
        assert!(budget.take(5).now_or_never().is_none());
        let small = budget.take(4).now_or_never().expect("its own part");
        let mut waiting = Box::pin(budget.take(5));
        assert!((&mut waiting).now_or_never().is_none());
        drop(large);
        assert_eq!(waiting.await.num_permits(), 5);
        drop(small);
    }
}
