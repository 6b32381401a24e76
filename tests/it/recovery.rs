//! A session continues with the remaining peers, and recovers by itself. The time limits are five times those that
//! `Session::health` states.

use std::net::SocketAddr;
use std::time::Duration;

use keyspaces::{Health, Select, Session};
use keyspaces_local::Local;
use keyspaces_local::fault::{Effect, Fault, Moment};
use keyspaces_local::journal::Kind;

use crate::local::signed;

const TEXT: &str = "SELECT cluster_name FROM system.local";

/// A local Keyspaces for this test only, a session, and a statement.
async fn three_peers() -> (Local, Session, Select<(), (String,)>) {
    let local = Local::builder().peers(3).start().await.expect("a local Keyspaces");
    let session = signed(&local).topology_interval(Duration::from_secs(1)).connect().await.expect("a session");
    let read = session.prepare(TEXT).await.expect("a statement");
    (local, session, read)
}

/// Waits until the session's health satisfies `is_reached`, for at most five times the stated seconds.
async fn until(session: &Session, stated: u64, is_reached: impl Fn(&Health) -> bool) {
    let waiting = async {
        while !is_reached(&session.health()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(stated) * 5, waiting).await.is_err() {
        panic!("not within five times {stated} s: {}", session.health());
    }
}

fn connected(health: &Health) -> usize {
    health.peers().iter().filter(|peer| peer.is_connected()).count()
}

async fn is_served(read: &Select<(), (String,)>) {
    assert_eq!(read.one(()).await.expect("a row"), Some(("Amazon Keyspaces".to_owned(),)));
}

#[tokio::test]
async fn calls_continue_after_all_connections_are_closed() {
    let (local, session, read) = three_peers().await;
    for _ in 0..3 {
        local.close_connections().await.expect("closed");
        is_served(&read).await;
        until(&session, 2, |health| connected(health) == 3).await;
    }
    assert_eq!(session.health().reconnects(), 0);
}

#[tokio::test]
async fn a_session_survives_a_short_and_a_long_restart() {
    let (local, session, read) = three_peers().await;
    for down in [1, 6] {
        local.restart(Duration::from_secs(down)).await.expect("restarted");
        until(&session, 16, |health| connected(health) == 3).await;
        is_served(&read).await;
    }
}

#[tokio::test]
async fn while_a_peer_is_down_the_others_serve_and_it_is_used_again_afterwards() {
    let (local, session, read) = three_peers().await;
    let gone = *local.peers().last().expect("a peer");
    local.stop_peer(gone).await.expect("the peer stopped");
    for _ in 0..20 {
        is_served(&read).await;
    }
    // An address that refuses connections is replaced by another address of the endpoint.
    until(&session, 13, |health| connected(health) == 3 && health.peers().iter().all(|peer| peer.address() != gone))
        .await;
    let health = session.health();
    let problem = health.peers().iter().find_map(|peer| peer.problem()).expect("a problem");
    assert!(problem.text().contains("the connection was refused"), "{problem}");
    local.start_peer(gone).await.expect("the peer started");
    local.close_connections().await.expect("closed");
    until(&session, 13, |health| health.peers().iter().any(|peer| peer.address() == gone && peer.is_connected())).await;
}

#[tokio::test]
async fn keepalive_detects_and_replaces_half_open_connections() {
    let (local, session, read) = three_peers().await;
    let peer: SocketAddr = local.peers()[1];
    let fault = Fault::new(Effect::Silence(Moment::Before)).kind(Kind::Execute).containing(TEXT).peer(peer).times(3);
    let fault = local.faults().inject(fault);
    for _ in 0..30 {
        is_served(&read).await;
    }
    assert!(local.faults().strike_count(fault) > 0);
    let struck = local.faults().strike_count(fault);
    local.faults().remove(fault);
    local.journal().clear();
    let served_there =
        || local.journal().filter(|received| received.peer == peer && received.kind == Kind::Execute).len();
    let waiting = async {
        while served_there() < 10 {
            is_served(&read).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("the peer serves again");
    until(&session, 12, |health| !health.is_degraded()).await;
    assert!(struck <= 3);
}

#[tokio::test]
async fn expired_credentials_are_reported_and_renewed_ones_are_used() {
    let (local, session, read) = three_peers().await;
    local.expire_credentials();
    is_served(&read).await;
    local.close_connections().await.expect("closed");
    until(&session, 16, |health| health.reconnect_problem().is_some()).await;
    let health = session.health();
    assert_eq!(connected(&health), 0);
    assert!(health.to_string().contains("the signature for us-east-1 was refused"), "{health}");
    assert!(!health.to_string().contains(&local.credentials().secret_key), "{health}");
    local.accept_credentials(local.credentials().clone()).expect("accepted");
    until(&session, 20, |health| !health.is_degraded()).await;
    is_served(&read).await;
}

#[tokio::test]
async fn a_renewed_certificate_is_accepted_and_one_of_another_authority_is_reported() {
    let (local, session, read) = three_peers().await;
    local.renew_certificate().expect("renewed");
    local.close_connections().await.expect("closed");
    is_served(&read).await;
    until(&session, 2, |health| connected(health) == 3).await;

    local.replace_authority().expect("replaced");
    local.close_connections().await.expect("closed");
    until(&session, 16, |health| health.reconnect_problem().is_some()).await;
    let health = session.health();
    assert!(health.to_string().contains("was signed by another issuer of that name"), "{health}");
    assert_eq!(connected(&health), 0);
}

#[tokio::test]
async fn peers_that_the_system_tables_list_later_are_used() {
    let (local, session, read) = three_peers().await;
    let two: Vec<_> = local
        .peers()
        .iter()
        .take(2)
        .filter_map(|peer| match peer.ip() {
            std::net::IpAddr::V4(address) => Some(address),
            std::net::IpAddr::V6(_) => None,
        })
        .collect();
    local.show_peers(two.clone()).await.expect("shown");
    until(&session, 2, |health| health.peers().len() == 2 && !health.is_degraded()).await;
    is_served(&read).await;
}
