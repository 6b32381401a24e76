use std::sync::atomic::{AtomicUsize, Ordering};

use scylla::cluster::{ClusterState, NodeRef};
use scylla::policies::load_balancing::{FallbackPlan, LoadBalancingPolicy, RoutingInfo};
use scylla::routing::Shard;

/// A load-balancing policy that rotates through the peers, those with connections first.
///
/// The driver's own policy leaves out peers without tokens, but all peers of the service are equal.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    next: AtomicUsize,
}

impl LoadBalancingPolicy for Rotation {
    fn pick<'a>(
        &'a self,
        _request: &'a RoutingInfo<'_>,
        cluster: &'a ClusterState,
    ) -> Option<(NodeRef<'a>, Option<Shard>)> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let nodes = cluster.get_nodes_info();
        let connected = nodes.iter().filter(|node| node.is_connected()).count();
        let node = nodes.iter().filter(|node| node.is_connected()).nth(next.checked_rem(connected)?)?;
        Some((node, None))
    }

    fn fallback<'a>(&'a self, _request: &'a RoutingInfo<'_>, cluster: &'a ClusterState) -> FallbackPlan<'a> {
        let nodes = cluster.get_nodes_info();
        let next = self.next.load(Ordering::Relaxed).checked_rem(nodes.len()).unwrap_or_default();
        let rotated = || nodes[next..].iter().chain(&nodes[..next]);
        let connected = rotated().filter(|node| node.is_connected());
        let others = rotated().filter(|node| !node.is_connected());
        Box::new(connected.chain(others).map(|node| (node, None)))
    }

    fn name(&self) -> String {
        "Rotation".to_owned()
    }
}
