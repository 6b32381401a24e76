//! `connect()` ends regardless of what the server does. The time limits are five times the documented times.

use std::net::SocketAddr;
use std::time::Instant;

use futures::future::join_all;

use super::*;
use testkit::stub::{loopback, unresponsive_address};

#[tokio::test]
async fn connecting_to_a_silent_server_ends_at_the_deadline_names_the_stage_and_leaves_nothing_open() {
    let close = "A proxy or firewall may block it, or the endpoint may be down; another try may reach another address";
    let port = "Check the port: Keyspaces listens on 9142, with TLS only. A proxy or firewall may let TCP through and \
                block what follows";
    // Long enough to reach the late stages on a busy machine, too.
    let deadline = Duration::from_secs(3);
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
            (error.kind(), site.normalized(&error)),
            (kind, format!("connecting to 127.0.0.1:<port> failed at 127.0.0.1:<port> after <t>: {problem}. {advice}"))
        );
        site.stub.wait_until(|seen| seen.open_connections() == 0).await;
    }))
    .await;
}

#[tokio::test]
async fn connecting_to_a_server_silent_at_tcp_ends_at_the_deadline() {
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
async fn peer_silent_in_tls_or_at_options_delays_connect_by_one_second() {
    join_all([FaultPoint::Accept, FaultPoint::Options].map(async |at| {
        let site = Site::new(9, |stub| stub.fault_at(loopback(5), at, Reaction::Hang)).await;
        let started = Instant::now();
        let session = site.builder().connect().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!((session.peers().len(), connected(&session)), (9, 8));
    }))
    .await;
}

/// The connections are those of the driver, of the check for a listener, and of the probe.
#[tokio::test]
async fn peer_found_silent_by_a_probe_is_not_probed_again() {
    let site = Site::new(3, |stub| stub.fault_at(loopback(2), FaultPoint::Accept, Reaction::Hang)).await;
    let session = site.builder().connect().await.unwrap();
    assert_eq!(connected(&session), 2);
    assert!(site.stub.observed().accepted[&loopback(2)] <= 3, "{:?}", site.stub.observed().accepted);
}

#[tokio::test]
async fn a_silent_contact_point_is_skipped_for_one_that_answers() {
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
            builder.resolver = crate::handshake::Resolver::Custom(Arc::new(move || Ok(addresses.clone())));
            let started = Instant::now();
            let session = builder.connect().await.unwrap();
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
            assert_eq!(connected(&session), 1);
        }
    }
}

#[tokio::test]
async fn peer_silent_at_tcp_delays_connect_by_one_second() {
    let peers: Vec<_> = (1..=9).map(loopback).collect();
    let site = Site::new(8, |stub| stub.topology(move |_| testkit::stub::Topology::like_keyspaces(&peers))).await;
    let _held = unresponsive_address(SocketAddr::new(loopback(9), site.stub.port())).await;
    let started = Instant::now();
    let session = site.builder().connect().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!((session.peers().len(), connected(&session)), (9, 8));
}

#[tokio::test]
async fn peer_silent_after_options_delays_connect_by_1500_ms() {
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
async fn a_distant_endpoint_is_not_mistaken_for_a_silent_one() {
    let late = Reaction::Delay(Duration::from_millis(1_100));
    let site = Site::new(2, |stub| stub.fault(FaultPoint::Options, late)).await;
    let session = site.builder().connect().await.unwrap();
    assert_eq!((session.peers().len(), connected(&session)), (2, 2));
}

#[tokio::test]
async fn a_silent_peer_is_connected_when_it_answers_again() {
    let site = Site::new(3, |stub| stub.fault_at(loopback(2), FaultPoint::Accept, Reaction::Hang)).await;
    let session = site.builder().connect().await.unwrap();
    assert_eq!(connected(&session), 2);
    site.stub.clear_faults();
    site.stub.wait_until(|seen| seen.requests.iter().any(|r| r.address == loopback(2) && r.opcode == 0x0F)).await;
}

#[tokio::test]
async fn waiting_for_a_silent_credentials_provider_ends_at_the_deadline() {
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
    assert!(error.to_string().contains("the credentials provider did not answer"), "{error}");
}

/// The first attempt ends long before the provider answers, and so does each retry.
#[tokio::test]
async fn slow_credentials_provider_may_outlast_a_connect_attempt() {
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
async fn dropping_the_connect_future_closes_all_connections() {
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
    // One of the peers is silent at a stage that the first attempt does not probe.
    let site = Site::new(3, |stub| stub.fault_at(loopback(2), FaultPoint::ChallengeResponse, Reaction::Hang)).await;
    tokio::select! {
        _ = site.builder().connect() => panic!("the peer did not answer"),
        _ = site.stub.wait_until(|seen| seen.open.get(&loopback(3)).is_some_and(|open| *open >= 3)) => {}
    }
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn dropped_connect_leaves_no_tasks_or_connections() {
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
