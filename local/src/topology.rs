//! The rows of `system.local` and `system.peers`. The address in the local row accepts no connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use uuid::Uuid;

/// The version of Cassandra that the service reports to drivers.
pub(crate) const RELEASE_VERSION: &str = "3.11.2";

/// The supported version of CQL.
pub(crate) const CQL_VERSION: &str = "3.4.4";

/// The partitioner, which computes tokens from partition keys. Cassandra's must be the same, except for the service's
/// own name of one of them.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Partitioner {
    /// `org.apache.cassandra.dht.Murmur3Partitioner`, the service's default since 2022.
    #[default]
    Murmur3,
    /// `org.apache.cassandra.dht.RandomPartitioner`.
    Random,
    /// `com.amazonaws.cassandra.DefaultPartitioner`, whose tokens are RandomPartitioner's.
    Default,
}

impl Partitioner {
    /// The class that `system.local` names.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Murmur3 => "org.apache.cassandra.dht.Murmur3Partitioner",
            Self::Random => "org.apache.cassandra.dht.RandomPartitioner",
            Self::Default => "com.amazonaws.cassandra.DefaultPartitioner",
        }
    }

    /// The class that the backing Cassandra runs with.
    pub const fn class_in_cassandra(self) -> &'static str {
        match self {
            Self::Default => Self::Random.class(),
            other => other.class(),
        }
    }

    /// One of `count` tokens that divide the ring evenly.
    fn token(self, index: usize, count: usize) -> String {
        let (index, count) = (index as u128, count.max(1) as u128);
        match self {
            // From -2^63 up in steps of 2^64 / count; no row has the lowest token, but a node may have it.
            Self::Murmur3 => {
                let offset = i128::try_from((1 << 64) / count * index).unwrap_or_default();
                (i128::from(i64::MIN) + 1 + offset).to_string()
            }
            Self::Random | Self::Default => ((1 << 127) / count * index).to_string(),
        }
    }
}

/// The sockets of the contact point and the peers: `127.0.0.1` to `127.0.0.<peers>` on one port.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) port: u16,
    /// The sockets, the contact point first; it is also the first peer, if there are peers.
    pub(crate) sockets: Vec<TcpListener>,
    /// The peers' addresses.
    pub(crate) peers: Vec<Ipv4Addr>,
}

impl Sockets {
    /// Listens on `port`; 0 takes a port that is free on all addresses.
    ///
    /// On a system with no other loopback address than `127.0.0.1`, there is one peer, whatever `peers` says.
    ///
    /// With an `address` it listens only there, and there is at most one peer: that address, or `127.0.0.1` if it is
    /// `0.0.0.0`, because clients need an address that they can connect to.
    pub(crate) async fn bind(address: Option<Ipv4Addr>, port: u16, peers: u8) -> io::Result<Self> {
        if let Some(address) = address {
            return Self::bind_one(address, port, peers).await;
        }
        const ATTEMPTS: usize = 50;
        let mut attempt = 1;
        loop {
            match Self::bind_once(port, peers).await {
                // A port that was free at the contact point may be taken at a peer.
                Err(taken) if port == 0 && taken.kind() == io::ErrorKind::AddrInUse && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    async fn bind_one(address: Ipv4Addr, port: u16, peers: u8) -> io::Result<Self> {
        let socket = TcpListener::bind((address, port)).await?;
        let peer = if address.is_unspecified() { Ipv4Addr::LOCALHOST } else { address };
        let peers = (peers > 0).then_some(peer).into_iter().collect();
        Ok(Self { port: socket.local_addr()?.port(), sockets: vec![socket], peers })
    }

    async fn bind_once(port: u16, count: u8) -> io::Result<Self> {
        let contact = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = contact.local_addr()?.port();
        let mut peers: Vec<_> = (count > 0).then_some(Ipv4Addr::LOCALHOST).into_iter().collect();
        let mut sockets = vec![contact];
        for last in 2..=count {
            let address = Ipv4Addr::new(127, 0, 0, last);
            match TcpListener::bind((address, port)).await {
                Ok(socket) => {
                    sockets.push(socket);
                    peers.push(address);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self { port, sockets, peers })
    }
}

/// The nodes that the system tables show.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    pub(crate) region: String,
    pub(crate) partitioner: Partitioner,
    /// The row of `system.local`, at an address where nothing listens and, as on the service, with the host id of the
    /// first peer.
    pub(crate) local: Node,
    /// The rows of `system.peers`.
    pub(crate) peers: Vec<Node>,
    /// The same for all nodes at all times: it does not show schema agreement.
    pub(crate) schema_version: Uuid,
}

/// A row of `system.local` or `system.peers`.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) address: IpAddr,
    pub(crate) host_id: Uuid,
    pub(crate) token: String,
}

impl Topology {
    pub(crate) fn new(region: &str, partitioner: Partitioner, peers: &[Ipv4Addr]) -> Self {
        let node = |index: usize, address: Ipv4Addr| Node {
            address: address.into(),
            host_id: name_based(&format!("{region}/{index}")),
            token: partitioner.token(index, peers.len()),
        };
        let nowhere = (2..=254).map(|last| Ipv4Addr::new(127, 0, 0, last)).find(|address| !peers.contains(address));
        Self {
            region: region.to_owned(),
            partitioner,
            local: node(0, nowhere.unwrap_or(Ipv4Addr::new(127, 0, 1, 1))),
            peers: peers.iter().enumerate().map(|(index, address)| node(index, *address)).collect(),
            schema_version: name_based(&format!("{region}/schema")),
        }
    }

    /// The row of `system.local`.
    pub(crate) fn local_row(&self) -> Value {
        let Node { address, host_id, token } = &self.local;
        json!({
            "key": "local",
            "bootstrapped": "COMPLETED",
            "broadcast_address": address,
            "cluster_name": "Amazon Keyspaces",
            "cql_version": CQL_VERSION,
            "data_center": self.region,
            "gossip_generation": 1,
            "host_id": host_id.to_string(),
            "listen_address": address,
            "native_protocol_version": "4",
            "partitioner": self.partitioner.class(),
            "rack": self.region,
            "release_version": RELEASE_VERSION,
            "rpc_address": address,
            "schema_version": self.schema_version.to_string(),
            "thrift_version": "20.1.0",
            "tokens": [token],
        })
    }

    /// The row of `system.peers` for a peer.
    pub(crate) fn peer_row(&self, Node { address, host_id, token }: &Node) -> Value {
        json!({
            "peer": address,
            "data_center": self.region,
            "host_id": host_id.to_string(),
            "preferred_ip": null,
            "rack": self.region,
            "release_version": RELEASE_VERSION,
            "rpc_address": address,
            "schema_version": self.schema_version.to_string(),
            "tokens": [token],
        })
    }
}

/// A UUID of the form of the service's host ids, which look name-based (`…-3efa-…`). It is always the same for the
/// same name.
fn name_based(name: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(name).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_md5_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u8) -> Vec<Ipv4Addr> {
        (1..=count).map(|last| Ipv4Addr::new(127, 0, 0, last)).collect()
    }

    #[test]
    fn the_local_rows_address_accepts_no_connections_and_its_host_id_is_the_first_peers() {
        for count in 0..=9 {
            let topology = Topology::new("us-east-1", Partitioner::Murmur3, &addresses(count));
            assert!(topology.local.address.is_loopback());
            assert!(topology.local.address != IpAddr::V4(Ipv4Addr::LOCALHOST));
            assert!(topology.peers.iter().all(|peer| peer.address != topology.local.address));
            assert_eq!(topology.peers.len(), usize::from(count));
            if let Some(first) = topology.peers.first() {
                assert_eq!(first.host_id, topology.local.host_id);
            }
        }
    }

    #[test]
    fn host_ids_look_name_based_and_never_change() {
        let [one, two] = [(); 2].map(|()| Topology::new("eu-west-1", Partitioner::Murmur3, &addresses(9)));
        for (index, peer) in one.peers.iter().enumerate() {
            assert_eq!(peer.host_id.get_version_num(), 3);
            assert_eq!(peer.host_id, two.peers[index].host_id);
            assert!(one.peers[..index].iter().all(|other| other.host_id != peer.host_id));
        }
    }

    #[test]
    fn tokens_belong_to_the_partitioner_and_divide_the_ring_evenly() {
        let tokens = |partitioner: Partitioner| {
            let topology = Topology::new("us-east-1", partitioner, &addresses(3));
            topology.peers.into_iter().map(|peer| peer.token).collect::<Vec<_>>()
        };
        assert_eq!(
            tokens(Partitioner::Murmur3),
            ["-9223372036854775807", "-3074457345618258602", "3074457345618258603"]
        );
        let third = "56713727820156410577229101238628035242";
        assert_eq!(tokens(Partitioner::Random)[..2], ["0", third]);
        assert_eq!(tokens(Partitioner::Default), tokens(Partitioner::Random));
    }

    #[tokio::test]
    async fn all_peers_listen_on_one_port() {
        let listeners = Sockets::bind(None, 0, 3).await.unwrap();
        assert!(listeners.sockets.iter().all(|socket| socket.local_addr().unwrap().port() == listeners.port));
        assert_eq!(listeners.peers.len(), listeners.sockets.len());
    }

    #[tokio::test]
    async fn explicit_bind_address_gives_one_connectable_peer() {
        for (address, peer) in [("0.0.0.0", "127.0.0.1"), ("127.0.0.5", "127.0.0.5")] {
            let (address, peer): (Ipv4Addr, Ipv4Addr) = (address.parse().unwrap(), peer.parse().unwrap());
            let listeners = Sockets::bind(Some(address), 0, 9).await.unwrap();
            assert_eq!((listeners.sockets.len(), listeners.peers), (1, vec![peer]));
            assert_eq!(listeners.sockets[0].local_addr().unwrap(), (address, listeners.port).into());
        }
        assert!(Sockets::bind(Some(Ipv4Addr::LOCALHOST), 0, 0).await.unwrap().peers.is_empty());
    }

    #[tokio::test]
    async fn contact_point_exists_even_without_peers() {
        let listeners = Sockets::bind(None, 0, 0).await.unwrap();
        assert_eq!((listeners.sockets.len(), listeners.peers.len()), (1, 0));
    }
}
