//! The peers of a session.

use std::net::SocketAddr;

/// One of the addresses that requests go to: on Keyspaces a load balancer, not a node (`DG:connections`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Peer {
    address: SocketAddr,
    connected: bool,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, connected: bool) -> Self {
        Self { address, connected }
    }

    /// Where its connections lead.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether there is at least one connection.
    pub fn is_connected(&self) -> bool {
        self.connected
    }
}
