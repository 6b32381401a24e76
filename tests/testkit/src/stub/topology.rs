//! The contents of `system.local` and `system.peers`.

use std::net::{IpAddr, Ipv4Addr};

use uuid::Uuid;

/// One row of `system.local` or `system.peers`.
#[derive(Clone, Debug)]
pub struct Row {
    pub host_id: Option<Uuid>,
    pub rpc_address: Option<IpAddr>,
    pub data_center: Option<String>,
    pub tokens: Option<Vec<String>>,
    pub cluster_name: Option<String>,
}

impl Row {
    /// A peer as the service lists it: its host id is derived from its address, and its token does not fit into an `i64`.
    pub fn peer(address: IpAddr) -> Self {
        let IpAddr::V4(v4) = address else { unimplemented!("the stub's peers are IPv4") };
        let number = u128::from(u32::from(v4));
        Self {
            host_id: Some(Uuid::from_u128(0x6c94_5ed5_b04e_3fc4_8000_0000_0000_0000 + number)),
            rpc_address: Some(address),
            data_center: Some("us-east-1".into()),
            tokens: Some(vec![(number * 0x1234_5678_9abc_def0_1234_5678).to_string()]),
            cluster_name: None,
        }
    }
}

/// The contents of `system.local` and `system.peers`.
#[derive(Clone, Debug)]
pub struct Topology {
    pub local: Row,
    pub peers: Vec<Row>,
}

impl Topology {
    /// Like the service: the local row has an address on which no server listens, and the host id of the first peer.
    pub fn like_keyspaces(peers: &[IpAddr]) -> Self {
        let peers: Vec<Row> = peers.iter().copied().map(Row::peer).collect();
        let dead = IpAddr::V4(Ipv4Addr::new(127, 255, 1, 1));
        let local = Row {
            host_id: peers.first().map_or_else(|| Row::peer(dead).host_id, |first| first.host_id),
            cluster_name: Some("Amazon Keyspaces".into()),
            ..Row::peer(dead)
        };
        Self { local, peers }
    }
}
