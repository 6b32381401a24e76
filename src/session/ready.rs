//! When `connect` returns, and which peer the driver connects to first if one is enough.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};

use crate::lock::locked;
use scylla::cluster::metadata::Peer;
use scylla::policies::host_filter::HostFilter;
use uuid::Uuid;

use super::defaults::MAX_REMEMBERED_PEERS;

/// What [`Builder::connect`](crate::Builder::connect) waits for.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ReadyWhen {
    /// Every peer that the service lists is connected, or known not to answer. The load is spread over all peers from the
    /// first request on, and the problem of an unreachable peer is known.
    #[default]
    EveryPeer,
    /// One peer is connected. The others are connected in the background; until then all requests go to that peer.
    OnePeer,
}

/// A filter that lets the driver connect to one peer only, until the filter is opened.
pub(super) struct FirstPeer {
    contact_points: Vec<SocketAddr>,
    rows: Mutex<ShownPeers>,
}

#[derive(Default)]
struct ShownPeers {
    is_open: bool,
    seen: Vec<(Uuid, SocketAddr)>,
    chosen: Option<Uuid>,
}

impl FirstPeer {
    /// Creates the filter. It prefers a peer that is a contact point, because that peer has just answered.
    pub(super) fn new(contact_points: &[SocketAddr]) -> Self {
        Self { contact_points: contact_points.to_vec(), rows: Mutex::default() }
    }

    /// Lets the driver connect to all peers at its next read of the peer list.
    pub(super) fn open(&self) {
        self.rows().is_open = true;
    }

    /// Whether the driver may connect to a peer. The driver asks about each row twice: first, for every row, whether its
    /// control connection may go there, which is always allowed; then whether to open a pool.
    fn accepts(&self, host_id: Uuid, address: SocketAddr) -> bool {
        let mut rows = self.rows();
        if rows.is_open {
            return true;
        }
        if !rows.seen.contains(&(host_id, address)) {
            if rows.seen.len() < MAX_REMEMBERED_PEERS {
                rows.seen.push((host_id, address));
            }
            return true;
        }
        let chosen = rows.chosen.unwrap_or_else(|| {
            let is_contact_point = |row: &&(Uuid, SocketAddr)| self.contact_points.contains(&row.1);
            rows.seen.iter().find(is_contact_point).map_or(host_id, |(contact_point, _)| *contact_point)
        });
        rows.chosen = Some(chosen);
        host_id == chosen
    }

    fn rows(&self) -> MutexGuard<'_, ShownPeers> {
        locked(&self.rows)
    }
}

impl HostFilter for FirstPeer {
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

    fn accepted(filter: &FirstPeer, rows: &[(Uuid, SocketAddr)]) -> Vec<bool> {
        rows.iter().map(|(host_id, address)| filter.accepts(*host_id, *address)).collect()
    }

    #[test]
    fn the_peer_that_is_a_contact_point_is_the_first() {
        let filter = FirstPeer::new(&[row(3).1]);
        let rows = [row(1), row(2), row(3)];
        assert_eq!(accepted(&filter, &rows), [true; 3], "for the control connection");
        assert_eq!(accepted(&filter, &rows), [false, false, true]);
        filter.open();
        assert_eq!(accepted(&filter, &rows), [true; 3]);
    }

    #[test]
    fn without_one_it_is_the_first_row_with_the_other_row_of_its_host() {
        let filter = FirstPeer::new(&[]);
        let local = (row(1).0, SocketAddr::from(([127, 0, 1, 1], 9142)));
        let rows = [row(1), row(2), local];
        assert_eq!(accepted(&filter, &rows), [true; 3]);
        assert_eq!(accepted(&filter, &rows), [true, false, true]);
    }
}
