//! Whatever the server does, `connect()` ends. The time limits are five times the promised times.

use std::net::SocketAddr;
use std::time::Instant;

use futures::future::join_all;

use super::*;
use testkit::stub::{loopback, unresponsive_address};

#[tokio::test]
async fn silence_ends_at_the_deadline_with_the_stage_in_the_error_and_leaves_nothing_open() {
    let close = "Something between here and the endpoint may hold it up, or the endpoint is not well; another try may \
                 reach another address";
    let port = "Check the port: Keyspaces listens on 9142, with TLS only. A proxy or firewall may let TCP through and \
                hold up what follows";
    let deadline = Duration::from_secs(1);
    let cases = [
        (FaultPoint::Accept, ErrorKind::Tls, "TCP connected, and the TLS handshake was not answered", port),
        (FaultPoint::Options, ErrorKind::Connect, "OPTIONS was not answered", close),
        (FaultPoint::Startup, ErrorKind::Connect, "STARTUP was not answered", close),
        (FaultPoint::AuthResponse, ErrorKind::Authentication, "AUTH_RESPONSE was not answered", close),
        (FaultPoint::ChallengeResponse, ErrorKind::Authentication, "AUTH_RESPONSE was not answered", close),
        (FaultPoint::Register, ErrorKind::Topology, "REGISTER was not answered", close),
        (
            FaultPoint::SystemTable,
            ErrorKind::Topology,
            "the SELECT from system.local and system.peers was not answered",
            close,
        ),
    ];
    join_all(cases.map(async |(at, kind, problem, advice)| {
        let site = Site::new(1, |stub| stub.fault(at, Reaction::Hang)).await;
        let started = Instant::now();
        let error = site.builder().connect_timeout(deadline).connect().await.unwrap_err();
        assert!(started.elapsed() < deadline * 5, "{:?}", started.elapsed());
        assert!(error.elapsed().unwrap() >= deadline, "{error}");
        assert_eq!(
            (error.kind(), site.told(&error)),
            (kind, format!("connecting to 127.0.0.1:<port> failed at 127.0.0.1:<port> after <t>: {problem}. {advice}"))
        );
        site.stub.wait_until(|seen| seen.open_connections() == 0).await;
    }))
    .await;
}

#[tokio::test]
async fn silence_at_tcp_ends_at_the_deadline_too() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _held = unresponsive_address(free).await;
    let endpoint = Endpoint::explicit("127.0.0.1", free.port(), NAME).unwrap();
    let deadline = Duration::from_secs(1);
    let started = Instant::now();
    let error = Session::builder()
        .endpoint(endpoint)
        .static_credentials("a", "b", None)
        .connect_timeout(deadline)
        .connect()
        .await
        .unwrap_err();
    assert!(started.elapsed() < deadline * 5);
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("TCP was not answered"), "{error}");
}

#[tokio::test]
async fn one_of_nine_peers_silent_in_tls_or_at_options_costs_a_second() {
    join_all([FaultPoint::Accept, FaultPoint::Options].map(async |at| {
        let site = Site::new(9, |stub| stub.fault_at(loopback(5), at, Reaction::Hang)).await;
        let started = Instant::now();
        let session = site.builder().connect().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!((session.peers().len(), connected(&session)), (9, 8));
    }))
    .await;
}

/// The connections are the driver's, the check for a listener, and the probe's.
#[tokio::test]
async fn a_peer_that_a_probe_found_silent_is_not_probed_again() {
    let site = Site::new(3, |stub| stub.fault_at(loopback(2), FaultPoint::Accept, Reaction::Hang)).await;
    let session = site.builder().connect().await.unwrap();
    assert_eq!(connected(&session), 2);
    assert!(site.stub.observed().accepted[&loopback(2)] <= 3, "{:?}", site.stub.observed().accepted);
}

#[tokio::test]
async fn a_contact_point_that_is_silent_is_passed_over_for_one_that_answers() {
    let port = |site: &Site| site.stub.port();
    for at in [FaultPoint::Accept, FaultPoint::Options] {
        let site = Site::new(2, |stub| {
            let stub = stub.topology(|_| testkit::stub::Topology::like_keyspaces(&[loopback(2)]));
            stub.fault_at(loopback(1), at, Reaction::Hang)
        })
        .await;
        // The driver may begin with either address.
        for _ in 0..4 {
            let addresses: Vec<SocketAddr> = [1, 2].map(|last| SocketAddr::new(loopback(last), port(&site))).to_vec();
            let mut builder = site.builder();
            builder.resolver = crate::handshake::Resolver::Given(Arc::new(move || Ok(addresses.clone())));
            let started = Instant::now();
            let session = builder.connect().await.unwrap();
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
            assert_eq!(connected(&session), 1);
        }
    }
}

#[tokio::test]
async fn one_of_nine_peers_silent_at_tcp_costs_a_second() {
    let peers: Vec<_> = (1..=9).map(loopback).collect();
    let site = Site::new(8, |stub| stub.topology(move |_| testkit::stub::Topology::like_keyspaces(&peers))).await;
    let _held = unresponsive_address(SocketAddr::new(loopback(9), site.stub.port())).await;
    let started = Instant::now();
    let session = site.builder().connect().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!((session.peers().len(), connected(&session)), (9, 8));
}

#[tokio::test]
async fn one_of_nine_peers_silent_later_costs_a_second_and_a_half() {
    join_all([FaultPoint::Startup, FaultPoint::AuthResponse, FaultPoint::ChallengeResponse].map(async |at| {
        let site = Site::new(9, |stub| stub.fault_at(loopback(5), at, Reaction::Hang)).await;
        let started = Instant::now();
        let session = site.builder().connect_timeout(Duration::from_secs(60)).connect().await.unwrap();
        assert!(started.elapsed() < Duration::from_millis(7_500), "{:?}", started.elapsed());
        assert_eq!((session.peers().len(), connected(&session)), (9, 8));
    }))
    .await;
}

#[tokio::test]
async fn what_is_slow_because_it_is_far_is_not_taken_for_silent() {
    let late = Reaction::Delay(Duration::from_millis(1_100));
    let site = Site::new(2, |stub| stub.fault(FaultPoint::Options, late)).await;
    let session = site.builder().connect().await.unwrap();
    assert_eq!((session.peers().len(), connected(&session)), (2, 2));
}

#[tokio::test]
async fn a_silent_peer_is_connected_with_when_it_is_well_again() {
    let site = Site::new(3, |stub| stub.fault_at(loopback(2), FaultPoint::Accept, Reaction::Hang)).await;
    let session = site.builder().connect().await.unwrap();
    assert_eq!(connected(&session), 2);
    site.stub.clear_faults();
    site.stub.wait_until(|seen| seen.requests.iter().any(|r| r.address == loopback(2) && r.opcode == 0x0F)).await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_ends_at_the_deadline() {
    #[derive(Debug)]
    struct Never;
    impl aws_credential_types::provider::ProvideCredentials for Never {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            aws_credential_types::provider::future::ProvideCredentials::new(std::future::pending())
        }
    }
    let site = Site::new(1, |stub| stub).await;
    let deadline = Duration::from_secs(1);
    let started = Instant::now();
    let error = site.builder().credentials(Never).connect_timeout(deadline).connect().await.unwrap_err();
    assert!(started.elapsed() < deadline * 5);
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.to_string().contains("the provider of the credentials did not answer"), "{error}");
}

/// The first try ends long before the provider answers, and so does each further try.
#[tokio::test]
async fn a_provider_may_take_longer_than_a_try() {
    #[derive(Debug)]
    struct Slow;
    impl aws_credential_types::provider::ProvideCredentials for Slow {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            aws_credential_types::provider::future::ProvideCredentials::new(async {
                tokio::time::sleep(Duration::from_millis(2_200)).await;
                Ok(aws_credential_types::Credentials::new("AKIDEXAMPLE", "secret", None, None, "slow"))
            })
        }
    }
    let site = Site::new(2, |stub| stub).await;
    let session = site.builder().credentials(Slow).connect_timeout(Duration::from_secs(5)).connect().await.unwrap();
    assert_eq!(connected(&session), 2);
}

#[tokio::test]
async fn dropping_the_future_leaves_nothing_behind() {
    join_all(
        [
            FaultPoint::Accept,
            FaultPoint::Startup,
            FaultPoint::ChallengeResponse,
            FaultPoint::Register,
            FaultPoint::SystemTable,
        ]
        .map(async |at| {
            let site = Site::new(3, |stub| stub.fault(at, Reaction::Hang)).await;
            let connecting = site.builder().connect();
            tokio::select! {
                _ = connecting => panic!("nobody answered"),
                _ = site.stub.wait_until(|seen| seen.accepted.values().sum::<usize>() >= 2) => {}
            }
            let accepted = site.stub.wait_until(|seen| seen.open_connections() == 0).await.accepted;
            assert_eq!(site.stub.observed().accepted, accepted);
        }),
    )
    .await;
    // One of the peers is silent at a stage that the first try does not probe.
    let site = Site::new(3, |stub| stub.fault_at(loopback(2), FaultPoint::ChallengeResponse, Reaction::Hang)).await;
    tokio::select! {
        _ = site.builder().connect() => panic!("the peer did not answer"),
        _ = site.stub.wait_until(|seen| seen.open.get(&loopback(3)).is_some_and(|open| *open >= 3)) => {}
    }
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn a_connect_that_is_dropped_anywhere_leaves_neither_task_nor_connection() {
    let site = Site::new(3, |stub| stub.fault_at(loopback(3), FaultPoint::Startup, Reaction::Hang)).await;
    let tasks = tokio::runtime::Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    let mut sent = 0;
    // Drops the future after each number of requests, up to the first connections of the pools.
    for requests in 0..24 {
        let enough = sent + requests;
        tokio::select! {
            _ = site.builder().connect() => panic!("a peer did not answer"),
            _ = site.stub.wait_until(|seen| seen.requests.len() >= enough) => {}
        }
        sent = site.stub.wait_until(|seen| seen.open_connections() == 0).await.requests.len();
        let are_gone = async {
            while tasks.num_alive_tasks() > before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), are_gone).await.expect("no task is left");
        sent = sent.max(site.stub.observed().requests.len());
    }
}
