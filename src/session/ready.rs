//! When `connect` returns, and which peer the driver connects to first if one peer is enough.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};

use crate::lock::locked;
use scylla::cluster::metadata::Peer;
use scylla::policies::host_filter::HostFilter;
use uuid::Uuid;

use super::defaults::MAX_REMEMBERED_PEERS;

/// What [`SessionBuilder::connect`](crate::SessionBuilder::connect) waits for.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ReadyWhen {
    /// Every peer that the service lists is connected, or is known to be unreachable. The load is spread over all peers
    /// from the first request on, and the problem of an unreachable peer is known.
    #[default]
    EveryPeer,
    /// One peer is connected. The others are connected in the background; until then all requests go to that peer.
    OnePeer,
}

/// A filter that lets the driver connect to one peer only, until it accepts all.
pub(super) struct FirstPeerFilter {
    contact_points: Vec<SocketAddr>,
    state: Mutex<FilterState>,
}

#[derive(Default)]
struct FilterState {
    accepts_all: bool,
    /// The rows of the system tables that the driver has passed to the filter.
    rows: Vec<(Uuid, SocketAddr)>,
    chosen: Option<Uuid>,
}

impl FirstPeerFilter {
    /// Creates the filter. It prefers a peer that is a contact point, because that peer has just answered.
    pub(super) fn new(contact_points: &[SocketAddr]) -> Self {
        Self { contact_points: contact_points.to_vec(), state: Mutex::default() }
    }

    /// Lets the driver connect to all peers at its next read of the peer list.
    pub(super) fn accept_all(&self) {
        self.state().accepts_all = true;
    }

    /// Whether the driver may connect to a peer. The driver calls this twice for each row: first, for every row, to
    /// find out whether its control connection may use the peer, which is always allowed; then to find out whether to
    /// open a pool.
    fn accepts(&self, host_id: Uuid, address: SocketAddr) -> bool {
        let mut state = self.state();
        if state.accepts_all {
            return true;
        }
        if !state.rows.contains(&(host_id, address)) {
            if state.rows.len() < MAX_REMEMBERED_PEERS {
                state.rows.push((host_id, address));
            }
            return true;
        }
        let chosen = state.chosen.unwrap_or_else(|| {
            let is_contact_point = |row: &&(Uuid, SocketAddr)| self.contact_points.contains(&row.1);
            state.rows.iter().find(is_contact_point).map_or(host_id, |(contact_point, _)| *contact_point)
        });
        state.chosen = Some(chosen);
        host_id == chosen
    }

    fn state(&self) -> MutexGuard<'_, FilterState> {
        locked(&self.state)
    }
}

impl HostFilter for FirstPeerFilter {
    fn accept(&self, peer: &Peer) -> bool {
        self.accepts(peer.host_id, SocketAddr::new(peer.address.ip(), peer.address.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u8) -> (Uuid, SocketAddr) {
        (Uuid::from_u128(number.into()), SocketAddr::from(([10, 0, 0, number], 9142)))
    }

    fn accepted(filter: &FirstPeerFilter, rows: &[(Uuid, SocketAddr)]) -> Vec<bool> {
        rows.iter().map(|(host_id, address)| filter.accepts(*host_id, *address)).collect()
    }

    #[test]
    fn first_peer_is_the_one_that_is_a_contact_point() {
        let filter = FirstPeerFilter::new(&[row(3).1]);
        let rows = [row(1), row(2), row(3)];
        assert_eq!(accepted(&filter, &rows), [true; 3], "for the control connection");
        assert_eq!(accepted(&filter, &rows), [false, false, true]);
        filter.accept_all();
        assert_eq!(accepted(&filter, &rows), [true; 3]);
    }

    #[test]
    fn first_peer_without_a_contact_point_is_the_first_host_with_all_its_rows() {
        let filter = FirstPeerFilter::new(&[]);
        let local = (row(1).0, SocketAddr::from(([127, 0, 1, 1], 9142)));
        let rows = [row(1), row(2), local];
        assert_eq!(accepted(&filter, &rows), [true; 3]);
        assert_eq!(accepted(&filter, &rows), [true, false, true]);
    }
}
