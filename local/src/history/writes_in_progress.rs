//! Writes in progress, so that a baseline can wait for their end.

use std::convert::Infallible;

use crate::lock::Mutex;
use tokio::sync::mpsc;

/// All writes in progress.
#[derive(Debug)]
pub(super) struct WritesInProgress {
    /// A clone of the sender is with each write; the receiver ends with the last of them.
    current: Mutex<(mpsc::Sender<Infallible>, mpsc::Receiver<Infallible>)>,
    /// Held while waiting: another task may wait already for writes that began before.
    turn: tokio::sync::Mutex<()>,
}

/// One write in progress, until this is dropped.
#[derive(Debug)]
pub(crate) struct WriteInProgress {
    _sender: mpsc::Sender<Infallible>,
}

impl WritesInProgress {
    pub(super) fn new() -> Self {
        Self { current: Mutex::new(mpsc::channel(1)), turn: tokio::sync::Mutex::default() }
    }

    pub(super) fn begin(&self) -> WriteInProgress {
        WriteInProgress { _sender: self.current.lock().0.clone() }
    }

    /// Waits until all writes that began before this call have ended.
    pub(super) async fn wait_for_end(&self) {
        let _turn = self.turn.lock().await;
        let (last, mut ends) = {
            let mut current = self.current.lock();
            std::mem::replace(&mut *current, mpsc::channel(1))
        };
        drop(last);
        ends.recv().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_waiter_waits_exactly_for_the_writes_that_began_before() {
        let writes = Arc::new(WritesInProgress::new());
        let before = writes.begin();
        let waiting = [(); 2].map(|()| {
            let writes = Arc::clone(&writes);
            tokio::spawn(async move { writes.wait_for_end().await })
        });
        // Both wait: one for the write, the other for the first.
        tokio::task::yield_now().await;
        let after = writes.begin();
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        drop(before);
        let [one, two] = waiting;
        one.await.unwrap();
        // It came to its turn after that write began.
        assert!(!two.is_finished());
        drop(after);
        two.await.unwrap();
    }
}
