//! The failures from which a session recovers by itself. The time limits are five times those stated by
//! `Session::health`.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::*;
use crate::handshake::Resolver;
use testkit::stub::loopback;

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

fn temporary() -> io::Error {
    io::Error::other("failed to lookup address information: Temporary failure in name resolution")
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_at_the_moment_is_resolved_again() {
    let site = Site::new(1, |stub| stub).await;
    let (address, asked) = (site.stub.address(), AtomicUsize::new(0));
    let mut builder = site.builder();
    builder.resolver = Resolver::Custom(Arc::new(move || {
        if asked.fetch_add(1, Ordering::Relaxed) < 2 { Err(temporary()) } else { Ok(vec![address]) }
    }));
    let session = builder.connect().await.unwrap();
    assert_eq!(connected(&session), 1);
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_until_the_deadline_is_an_error_with_the_resolvers_message() {
    let site = Site::new(1, |stub| stub).await;
    let mut builder = site.builder().connect_timeout(Duration::from_secs(1));
    builder.resolver = Resolver::Custom(Arc::new(|| Err(temporary())));
    let error = builder.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resolve);
    assert!(error.to_string().contains("Temporary failure in name resolution"), "{error}");
}

#[tokio::test]
async fn when_every_address_is_gone_the_new_addresses_of_the_name_are_used() {
    let before = Site::new(3, |stub| stub).await;
    let after = Stub::with_addresses(2).tls(before.ca.server(&[NAME])).authenticator(SIGV4).start().await;
    let now = Arc::new(Mutex::new(before.stub.address()));
    let mut builder = before.builder();
    let answer = Arc::clone(&now);
    builder.resolver = Resolver::Custom(Arc::new(move || Ok(vec![*answer.lock().unwrap()])));
    let session = builder.connect().await.unwrap();
    run(&session, "SELECT a FROM shop.t").await;
    let held = session.begin().unwrap();

    drop(before.stub);
    until(&session, 16, |health| health.reconnect_problem().is_some()).await;
    let health = session.health();
    assert!(health.is_degraded() && health.disconnected_since().is_some());
    assert!(health.to_string().contains("0 of 3 peers connected\n- no peer has been connected for "), "{health}");

    *now.lock().unwrap() = after.address();
    until(&session, 16, |health| health.reconnects() == 1 && !health.is_degraded()).await;
    assert!(session.peers().iter().all(|peer| peer.address().port() == after.port()), "{:?}", session.peers());
    assert_eq!(connected(&session), 2);
    run(&session, "SELECT a FROM shop.t").await;
    drop(held);
    drop(session);
    after.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn a_peer_that_becomes_silent_late_in_the_handshake_blocks_nothing_and_recovers() {
    let site = Site::new(3, |stub| stub).await;
    let session = site.builder().topology_interval(Duration::from_secs(1)).connect().await.unwrap();
    site.stub.inject_fault(loopback(2), FaultPoint::AuthResponse, Reaction::Hang);
    // Waits until a passed probe no longer counts.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let read = session.health().topology().last_read();
    site.stub.close_connections();
    until(&session, 2, |health| health.peers().iter().filter(|peer| peer.is_connected()).count() == 2).await;
    until(&session, 12, |health| health.topology().last_read() > read && health.topology().problem().is_none()).await;
    until(&session, 2, |health| health.peers().iter().any(|peer| peer.problem().is_some())).await;
    let health = session.health();
    let silent = health.peers().iter().find(|peer| !peer.is_connected()).unwrap();
    assert_eq!(silent.address().ip(), loopback(2));
    let problem = silent.problem().unwrap();
    assert!(problem.text().contains("AUTH_RESPONSE was not answered"), "{problem}");
    assert!(health.problems()[0].starts_with(&format!("{} has been disconnected for ", silent.address())), "{health}");
    run(&session, "SELECT a FROM shop.t").await;

    site.stub.clear_faults();
    until(&session, 13, |health| !health.is_degraded()).await;
    assert_eq!(session.health().reconnects(), 0);
}

#[tokio::test]
async fn a_hanging_handshake_does_not_block_reading_the_topology_for_ever() {
    let site = Site::new(2, |stub| stub).await;
    let session = site.builder().topology_interval(Duration::from_secs(1)).connect().await.unwrap();
    for peer in [1, 2] {
        site.stub.inject_fault(loopback(peer), FaultPoint::Accept, Reaction::Hang);
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    site.stub.close_connections();
    until(&session, 16, |health| health.disconnected_since().is_some()).await;
    // The driver's control connection now waits for ever for the handshake of a contact point.
    tokio::time::sleep(Duration::from_secs(3)).await;
    site.stub.clear_faults();
    let healed = std::time::SystemTime::now();
    until(&session, 26, |health| health.topology().last_read() > healed && !health.is_degraded()).await;
    run(&session, "SELECT a FROM shop.t").await;
}

#[tokio::test]
async fn health_returns_at_once_and_says_that_all_is_well_or_that_the_session_is_closed() {
    let site = Site::new(3, |stub| stub).await;
    let session = site.builder().connect().await.unwrap();
    let started = Instant::now();
    let health = session.health();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(!health.is_degraded(), "{health}");
    assert_eq!(health.to_string(), format!("127.0.0.1:{}: 3 of 3 peers connected", site.stub.port()));
    assert_eq!(health.credentials().to_string(), "SigV4 for us-east-1, with the static credentials");
    assert!(!format!("{health:?}").contains("wJalrXUtnFEMI"));
    session.close(Duration::from_secs(10)).await.unwrap();
    assert_eq!(session.health().problems(), ["the session is closed"]);
}

#[tokio::test]
async fn a_session_that_is_closed_while_it_reconnects_stays_closed() {
    let site = Site::new(1, |stub| stub).await;
    let session = site.builder().connect_timeout(Duration::from_secs(2)).connect().await.unwrap();
    site.stub.inject_fault(loopback(1), FaultPoint::Options, Reaction::Close);
    site.stub.close_connections();
    until(&session, 16, |health| health.reconnect_problem().is_some()).await;
    session.close(Duration::from_secs(10)).await.unwrap();
    site.stub.clear_faults();
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
    assert_eq!(session.health().problems(), ["the session is closed"]);
}
