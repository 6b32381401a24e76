//! The peers of a session.

use std::net::SocketAddr;

/// An address that requests go to; on Keyspaces, a load balancer and not a node (`DG:connections`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Peer {
    address: SocketAddr,
    connected: bool,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, connected: bool) -> Self {
        Self { address, connected }
    }

    /// The address that the peer's connections go to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the peer has at least one connection.
    pub fn is_connected(&self) -> bool {
        self.connected
    }
}
