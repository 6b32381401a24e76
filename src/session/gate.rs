use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts the calls in flight, refuses calls once it is closed, and notifies when the last call has left.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// The number of calls in flight; the top bit is set when the gate is closed.
    state: AtomicUsize,
    empty: Notify,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

impl Gate {
    /// Admits a call unless the gate is closed. An admitted call has to `leave`.
    pub(super) fn enter(&self) -> bool {
        let before = self.state.fetch_add(1, Ordering::AcqRel);
        if before & CLOSED != 0 {
            self.leave();
            return false;
        }
        true
    }

    /// Ends a call. Returns whether it was the last to leave a closed gate.
    pub(super) fn leave(&self) -> bool {
        let is_last = self.state.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1;
        if is_last {
            self.empty.notify_waiters();
        }
        is_last
    }

    /// Closes the gate and waits until the last call has left.
    pub(super) async fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        loop {
            let empty = self.empty.notified();
            if self.in_flight() == 0 {
                return;
            }
            empty.await;
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.state.load(Ordering::Acquire) & !CLOSED
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn closing_gate_waits_for_calls_in_flight_and_refuses_new_ones() {
        let gate = Gate::default();
        assert!(gate.enter() && gate.enter());
        let mut closing = Box::pin(gate.close());
        assert!(closing.as_mut().now_or_never().is_none());
        assert!(!gate.enter());
        assert_eq!(gate.in_flight(), 2);
        assert!(!gate.leave());
        assert!(closing.as_mut().now_or_never().is_none());
        assert!(gate.leave());
        assert!(closing.as_mut().now_or_never().is_some());
        gate.close().await;
        assert!(!gate.enter());
    }
}
