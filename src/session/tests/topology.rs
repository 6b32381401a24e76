//! The topology that Keyspaces reports, which differs from that of a Cassandra.

use std::collections::HashSet;
use std::net::IpAddr;

use futures::future::join_all;
use uuid::Uuid;

use super::*;
use testkit::stub::{Row, Topology, loopback};

const UNUSED_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 255, 1, 1));

/// How many of `count` statements arrived at each address.
async fn spread(site: &Site, session: &Session, count: usize) -> Vec<(IpAddr, usize)> {
    let before = site.stub.observed().statement_counts();
    for _ in 0..count {
        run(session, "SELECT a FROM shop.t").await;
    }
    let mut spread: Vec<_> = site.stub.observed().statement_counts().into_iter().collect();
    for (address, got) in &mut spread {
        *got -= before.get(address).copied().unwrap_or_default();
    }
    spread.sort();
    spread
}

#[tokio::test]
async fn the_local_row_with_the_host_id_of_a_peer_reduces_no_peers_share() {
    // Without the translator, every second session would have a dead address in place of one of the peers.
    let site = Site::new(3, |stub| stub).await;
    for _ in 0..12 {
        let session = site.builder().connect().await.unwrap();
        let mut given: Vec<_> = session.peers().iter().map(|peer| peer.address().ip()).collect();
        given.sort();
        assert_eq!(given, [1, 2, 3].map(loopback));
        assert_eq!(spread(&site, &session, 30).await, [1, 2, 3].map(|last| (loopback(last), 10)));
    }
}

#[tokio::test]
async fn without_peers_the_endpoint_serves_alone() {
    let site = Site::new(1, |stub| stub.topology(|_| Topology::like_keyspaces(&[]))).await;
    let session = site.builder().connect().await.unwrap();
    assert_eq!(session.peers().len(), 1);
    assert_eq!(session.peers()[0].address(), site.stub.address());
    assert_eq!(spread(&site, &session, 5).await, [(loopback(1), 5)]);
}

#[tokio::test]
async fn session_and_peers_survive_null_topology_fields() {
    let bare = |address| Row { data_center: None, tokens: None, cluster_name: None, ..Row::peer(address) };
    let site = Site::new(3, |stub| {
        stub.topology(move |_| Topology {
            local: Row { host_id: None, cluster_name: None, ..Row::peer(UNUSED_ADDRESS) },
            peers: vec![
                Row { host_id: None, ..Row::peer(UNUSED_ADDRESS) },
                Row { rpc_address: None, ..Row::peer(UNUSED_ADDRESS) },
                bare(loopback(1)),
                Row { data_center: None, ..Row::peer(loopback(2)) },
                bare(loopback(3)),
            ],
        })
    })
    .await;
    let session = site.builder().connect().await.unwrap();
    site.stub
        .wait_until(|seen| [1, 2, 3].map(loopback).iter().all(|a| seen.open.get(a).is_some_and(|n| *n >= 3)))
        .await;
    let spread = spread(&site, &session, 30).await;
    assert_eq!(spread.len(), 3, "{spread:?}");
    assert_eq!(spread.iter().map(|(_, got)| got).sum::<usize>(), 30);
}

#[tokio::test]
async fn a_topology_that_the_driver_cannot_use_is_an_error() {
    let none = Row { host_id: None, rpc_address: None, data_center: None, tokens: None, cluster_name: None };
    let no_tokens = Row { tokens: None, ..Row::peer(loopback(1)) };
    for (local, problem) in [
        (none, "no peers are visible: system.peers is empty, and system.local names no address"),
        (no_tokens, "no row of system.local and system.peers has tokens"),
    ] {
        let site =
            Site::new(1, |stub| stub.topology(move |_| Topology { local: local.clone(), peers: Vec::new() })).await;
        let error = site.builder().connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Topology);
        assert_eq!(
            site.normalized(&error),
            format!(
                "connecting to 127.0.0.1:<port> failed after <t>: {problem}. Behind a VPC endpoint, allow the \
                 connecting IAM user or role ec2:DescribeNetworkInterfaces and ec2:DescribeVpcEndpoints on *: without \
                 them system.peers is empty; after granting them, wait some minutes"
            )
        );
        site.stub.wait_until(|seen| seen.open_connections() == 0).await;
    }
}

#[tokio::test]
async fn session_and_peers_survive_host_ids_that_change_on_reconnect() {
    let peers: Vec<IpAddr> = (1..=3).map(loopback).collect();
    let site = Site::new(3, |stub| {
        stub.topology(move |connection| {
            let mut topology = Topology::like_keyspaces(&peers);
            let salt = Uuid::from_u128(u128::from(connection) << 64);
            for row in topology.peers.iter_mut().chain([&mut topology.local]) {
                row.host_id = row.host_id.map(|id| Uuid::from_u128(id.as_u128() ^ salt.as_u128()));
            }
            topology
        })
    })
    .await;
    let session = site.builder().connect().await.unwrap();
    let before = site.stub.observed().accepted.values().sum::<usize>();
    site.stub.close_connections();
    // The control connection is reopened and reads the tables with other host ids.
    site.stub
        .wait_until(|seen| {
            let again: HashSet<_> = seen
                .requests
                .iter()
                .filter(|request| request.opcode == 0x0B)
                .map(|request| request.connection)
                .collect();
            again.len() >= 2 && seen.accepted.values().sum::<usize>() > before
        })
        .await;
    session.begin().unwrap().driver().refresh_metadata().await.unwrap();
    site.stub
        .wait_until(|seen| [1, 2, 3].map(loopback).iter().all(|a| seen.open.get(a).is_some_and(|n| *n >= 3)))
        .await;
    assert_eq!(connected(&session), 3);
    let spread = spread(&site, &session, 30).await;
    assert_eq!(spread, [1, 2, 3].map(|last| (loopback(last), 10)));
}

#[tokio::test]
async fn unreachable_peers_are_replaced_by_the_endpoint() {
    join_all([true, false].map(async |silent| {
        let site = Site::new(3, |stub| {
            let stub = stub.topology(move |_| {
                let peers =
                    if silent { [loopback(2), loopback(3)] } else { [UNUSED_ADDRESS, IpAddr::from([127, 255, 1, 2])] };
                Topology::like_keyspaces(&peers)
            });
            if silent {
                stub.fault_at(loopback(2), FaultPoint::Accept, Reaction::Hang).fault_at(
                    loopback(3),
                    FaultPoint::Accept,
                    Reaction::Hang,
                )
            } else {
                stub
            }
        })
        .await;
        let session = site.builder().connect().await.unwrap();
        assert_eq!((session.peers().len(), connected(&session)), (2, 2));
        assert!(session.peers().iter().all(|peer| peer.address() == site.stub.address()), "{:?}", session.peers());
        run(&session, "SELECT a FROM shop.t").await;
    }))
    .await;
}

#[tokio::test]
async fn if_no_peer_is_accepted_the_error_has_the_reasons() {
    let ca = Ca::new("Test CA");
    let other = ca.server(&["cassandra.eu-west-1.amazonaws.com"]);
    let stub = Stub::with_addresses(2)
        .tls(ca.server(&[NAME]))
        .tls_at(loopback(2), other)
        .authenticator(SIGV4)
        .topology(|_| Topology {
            local: Row { cluster_name: Some("Amazon Keyspaces".into()), ..Row::peer(loopback(2)) },
            peers: vec![Row::peer(loopback(2))],
        })
        .start()
        .await;
    let site = Site { ca, stub };
    let error = site.builder().connect_timeout(Duration::from_secs(1)).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Topology);
    let text = site.normalized(&error);
    assert!(
        text.starts_with(
            "connecting to 127.0.0.1:<port> failed after <t>: none of the 1 peers that the server lists could be \
             connected: connecting to 127.0.0.1:<port> failed at 127.0.0.2:<port> after"
        ),
        "{text}"
    );
    assert!(text.contains("the certificate is for cassandra.eu-west-1.amazonaws.com, not for"), "{text}");
    assert!(text.ends_with(PEERS_REACHABLE), "{text}");
}
