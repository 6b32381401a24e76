//! Turns of writes: writes to the same partition are sent and recorded one after the other.

use std::collections::BTreeSet;

use tokio::sync::{Mutex, MutexGuard};

use crate::saturated::saturated;

/// Partitions whose hashes have the same remainder share a turn.
const TURNS: u64 = 256;

/// The turns of all partitions.
#[derive(Debug)]
pub(super) struct PartitionTurns(Vec<Mutex<()>>);

impl PartitionTurns {
    pub(super) fn new() -> Self {
        Self((0..TURNS).map(|_| Mutex::default()).collect())
    }

    /// Waits until no other write to these partitions, which are given by their hashes, holds its turn. `None` is for
    /// partitions that are not known. The turn ends when the result is dropped.
    pub(super) async fn take(&self, partitions: Option<&[u64]>) -> Vec<MutexGuard<'_, ()>> {
        let wanted: BTreeSet<u64> = match partitions {
            Some(hashes) => hashes.iter().map(|hash| hash % TURNS).collect(),
            None => (0..TURNS).collect(),
        };
        let mut taken = Vec::with_capacity(wanted.len());
        // In ascending order, so that no two writes wait for each other.
        for turn in wanted {
            taken.push(self.0[saturated::<usize>(turn)].lock().await);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn writes_to_the_same_partition_take_turns() {
        let turns = PartitionTurns::new();
        let held = turns.take(Some(&[7, 3, 7])).await;
        for (partitions, waits) in
            [(Some(&[4, 5][..]), false), (Some(&[2, 3]), true), (Some(&[7 + TURNS]), true), (None, true)]
        {
            assert_eq!(turns.take(partitions).now_or_never().is_none(), waits, "{partitions:?}");
        }
        drop(held);
        let _all = turns.take(None).await;
        assert!(turns.take(Some(&[4])).now_or_never().is_none());
    }
}
