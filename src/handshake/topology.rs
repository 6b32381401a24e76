//! The topology: the rows of `system.local` and `system.peers`.

use std::net::IpAddr;

use uuid::Uuid;

use super::failure::sanitized;
use super::wire::WireRows;

pub(super) const LOCAL: &str = "SELECT cluster_name, partitioner, release_version, data_center, host_id, rpc_address, \
                                tokens FROM system.local WHERE key='local'";
pub(super) const PEERS: &str = "SELECT host_id, rpc_address, tokens FROM system.peers";

/// The permissions that the connecting IAM entity needs for a VPC endpoint to list its peers (`DG:vpc-endpoints`).
pub(crate) const EC2_PERMISSIONS: &str = "Behind a VPC endpoint, allow the connecting IAM user or role \
                                          ec2:DescribeNetworkInterfaces and ec2:DescribeVpcEndpoints on *: without \
                                          them system.peers is empty; after granting them, wait some minutes";

/// The topology as read by one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topology {
    pub(crate) cluster_name: Option<String>,
    pub(crate) partitioner: Option<String>,
    pub(crate) release_version: Option<String>,
    pub(crate) data_center: Option<String>,
    /// The row of `system.local`. Nothing may listen at its address.
    pub(crate) local: Vec<TopologyRow>,
    pub(crate) peers: Vec<TopologyRow>,
}

/// The fields of a row that are needed to connect to its peer.
#[derive(Clone, Debug)]
pub(crate) struct TopologyRow {
    pub(crate) host_id: Option<Uuid>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) has_tokens: bool,
}

impl Topology {
    pub(super) fn new(local: &WireRows, peers: &WireRows) -> Self {
        let text = |column| {
            local
                .rows
                .first()
                .and_then(|row| cell(local, row, column))
                .map(|bytes| sanitized(&String::from_utf8_lossy(bytes)))
        };
        Self {
            cluster_name: text("cluster_name"),
            partitioner: text("partitioner"),
            release_version: text("release_version"),
            data_center: text("data_center"),
            local: topology_rows(local),
            peers: topology_rows(peers),
        }
    }

    /// The addresses of the peers that have a host id, sorted.
    pub(crate) fn visible_peers(&self) -> Vec<IpAddr> {
        let usable = self.peers.iter().filter(|peer| peer.host_id.is_some());
        let mut addresses: Vec<IpAddr> = usable.filter_map(|peer| peer.address).collect();
        addresses.sort_unstable();
        addresses
    }

    /// Whether one of the rows has this host id.
    pub(crate) fn has_host_id(&self, host_id: Uuid) -> bool {
        self.rows().any(|row| row.host_id == Some(host_id))
    }

    /// Why the driver cannot use this topology; `None` if it can. The driver accepts a topology only as a whole.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let usable = || self.rows().filter(|row| row.host_id.is_some() && row.address.is_some());
        if usable().next().is_none() {
            Some(if self.peers.is_empty() {
                "no peers are visible: system.peers is empty, and system.local names no address"
            } else {
                "no row of system.local and system.peers has both an address and a host id"
            })
        } else if !usable().any(|row| row.has_tokens) {
            Some("no row of system.local and system.peers has tokens")
        } else {
            None
        }
    }

    fn rows(&self) -> impl Iterator<Item = &TopologyRow> {
        self.local.iter().chain(&self.peers)
    }
}

fn topology_rows(rows: &WireRows) -> Vec<TopologyRow> {
    rows.rows
        .iter()
        .map(|row| TopologyRow {
            host_id: cell(rows, row, "host_id").and_then(|bytes| Uuid::from_slice(bytes).ok()),
            address: cell(rows, row, "rpc_address").and_then(address),
            // A set starts with the number of its elements in four bytes; an empty set consists of only these.
            has_tokens: cell(rows, row, "tokens").is_some_and(|bytes| bytes.len() > 4),
        })
        .collect()
}

fn cell<'a>(rows: &WireRows, row: &'a [Option<Vec<u8>>], column: &str) -> Option<&'a [u8]> {
    let index = rows.columns.iter().position(|name| name == column)?;
    row.get(index)?.as_deref()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        Some(four.into())
    } else {
        <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
    }
}
