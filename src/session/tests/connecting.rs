use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future as provided};

use super::*;
use crate::session::configure::configure;
use testkit::stub::{Topology, loopback};

#[tokio::test]
async fn each_peer_gets_its_connections_and_each_is_authenticated_with_a_signature() {
    let site = Site::new(3, |stub| stub).await;
    let session = site.builder().application_name("shop").connect().await.unwrap();
    assert_eq!(session.peers().len(), 3);
    assert_eq!(session.data_center(), "us-east-1");
    let seen = site
        .stub
        .wait_until(|seen| site.stub.addresses().iter().all(|address| seen.open.get(address).is_some_and(|n| *n >= 3)))
        .await;
    let startups: Vec<_> = seen.requests.iter().filter(|request| request.opcode == 1).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for startup in &startups {
        let answers = seen
            .requests
            .iter()
            .filter(|request| request.connection == startup.connection && request.opcode == 0x0F)
            .map(|request| text(&request.body[4..]))
            .collect::<Vec<_>>();
        // Some answers have not arrived yet.
        assert!(answers.first().is_none_or(|first| first == "SigV4\0\0"), "{answers:?}");
        assert!(answers.get(1).is_none_or(|second| second.contains("access_key=AKIDEXAMPLE")), "{answers:?}");
        let options = text(&startup.body);
        for option in
            ["DRIVER_NAME\0\tkeyspaces", "DRIVER_VERSION", env!("CARGO_PKG_VERSION"), "APPLICATION_NAME\0\x04shop"]
        {
            assert!(options.contains(option), "{options:?}");
        }
        assert!(!options.contains("DRIVER_CONFIG"), "{options:?}");
    }
    drop(session);
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

/// How many requests of each opcode a client sends until its pools are full.
async fn sent(stub: &Stub, connections: usize) -> BTreeMap<u8, usize> {
    let is_full = |seen: &testkit::stub::Observed| {
        let authenticated = seen.requests.iter().filter(|request| request.opcode == 0x0F).count();
        seen.open_connections() == connections && authenticated == connections * 2
    };
    let seen = stub.wait_until(is_full).await;
    let mut sent = BTreeMap::new();
    for request in seen.requests {
        *sent.entry(request.opcode).or_default() += 1;
    }
    sent
}

#[tokio::test]
async fn if_all_is_well_connecting_sends_exactly_what_the_bare_driver_sends() {
    // Without the local row, for which the driver opens a second pool.
    let topology = |_| {
        let mut topology = Topology::like_keyspaces(&(1..=9).map(loopback).collect::<Vec<_>>());
        topology.local.host_id = None;
        topology
    };
    // Three connections to each peer, and the control connection.
    const CONNECTIONS: usize = 28;
    let site = Site::new(9, |stub| stub.topology(topology)).await;
    let mut builder = site.builder();
    builder.settings.probe_after = Duration::from_secs(60);
    let (handshake, _) = configure(&builder).await.unwrap();
    let _session = builder.connect().await.unwrap();
    let ours = sent(&site.stub, CONNECTIONS).await;
    // Each loopback address is probed for a listener, and that connection is closed at once.
    let accepted = site.stub.observed().accepted.values().sum::<usize>();
    assert!(accepted <= CONNECTIONS + 8, "{accepted}");

    let bare = Site::new(9, |stub| stub.topology(topology)).await;
    let (theirs, _) = configure(&bare.builder()).await.unwrap();
    let _driver = scylla::client::session_builder::SessionBuilder::new()
        .known_node_addr(bare.stub.address())
        .tls_context(theirs.tls().cloned().map(scylla::client::session::TlsContext::from))
        .authenticator_provider(handshake.authenticator().as_driver_provider())
        .fetch_schema_metadata(false)
        .pool_size(scylla::client::PoolSize::PerHost(NonZeroUsize::new(3).unwrap()))
        .disallow_shard_aware_port(true)
        .build()
        .await
        .unwrap();
    assert_eq!(ours, sent(&bare.stub, CONNECTIONS).await);
}

#[tokio::test]
async fn system_local_row_causes_no_extra_request() {
    for peers in [0, 3] {
        let peers: Vec<_> = (1..=peers).map(loopback).collect();
        let site = Site::new(3, |stub| stub.topology(move |_| Topology::like_keyspaces(&peers))).await;
        let mut builder = site.builder();
        builder.settings.probe_after = Duration::from_secs(60);
        let session = builder.connect().await.unwrap();
        assert_eq!(connected(&session), session.peers().len());
        let seen = site.stub.observed();
        let count = |opcode| seen.requests.iter().filter(|request| request.opcode == opcode).count();
        assert_eq!(count(0x0A), 2, "the two system tables, once each");
        assert_eq!(count(0x0B), 1, "one control connection");
    }
}

#[tokio::test]
async fn connections_to_a_peer_resume_its_first_tls_session() {
    let site = Site::new(3, |stub| stub).await;
    let _session = site.builder().connect().await.unwrap();
    site.stub.wait_until(|seen| seen.resumed >= 6).await;
}

#[tokio::test]
async fn with_ready_when_one_peer_the_others_are_connected_later() {
    let site = Site::new(9, |stub| {
        (2..=9).fold(stub, |stub, peer| stub.fault_at(loopback(peer), FaultPoint::Accept, Reaction::Hang))
    })
    .await;
    let mut builder = site.builder().ready_when(ReadyWhen::OnePeer);
    // With this limit the driver never counts as slow, so nothing is probed.
    builder.settings.probe_after = Duration::from_secs(60);
    let session = builder.connect().await.unwrap();
    assert_eq!((session.peers().len(), connected(&session)), (9, 1));
    assert!(session.health().is_degraded());
    run(&session, "SELECT a FROM shop.t").await;
    site.stub.clear_faults();
    let are_connected = |seen: &testkit::stub::Observed| {
        (1..=9).all(|peer| seen.open.get(&loopback(peer)).is_some_and(|open| *open >= 3))
    };
    site.stub.wait_until(are_connected).await;
    drop(session);
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn if_the_one_peer_does_not_answer_connect_waits_for_all() {
    let site = Site::new(3, |stub| {
        stub.topology(|_| Topology::like_keyspaces(&[2, 3].map(loopback)))
            .fault_at(loopback(2), FaultPoint::Accept, Reaction::Hang)
            .fault_at(loopback(3), FaultPoint::Options, Reaction::Delay(Duration::from_millis(300)))
    })
    .await;
    let session = site.builder().ready_when(ReadyWhen::OnePeer).connect().await.unwrap();
    let is_connected =
        |last| session.peers().iter().any(|peer| peer.address().ip() == loopback(last) && peer.is_connected());
    assert!(is_connected(3), "{:?}", session.peers());
}

#[tokio::test]
async fn session_reads_no_schema_and_sends_no_serial_consistency() {
    let site = Site::new(1, |stub| stub).await;
    let session = site.builder().connect().await.unwrap();
    run(&session, "SELECT a FROM shop.t").await;
    let seen = site.stub.observed();
    assert!(
        seen.requests.iter().all(|request| request.statement.as_deref().is_none_or(|text| !text.contains("schema")))
    );
    let query = seen.requests.iter().find(|request| request.opcode == 7).unwrap();
    let tail = &query.body[4 + "SELECT a FROM shop.t".len()..];
    assert_eq!(&tail[..2], [0, 6], "LOCAL_QUORUM");
    assert_eq!(tail[2] & 0x30, 0, "neither serial consistency nor timestamp");
}

#[tokio::test]
async fn of_the_addresses_of_a_name_the_one_that_answers_is_used() {
    let site = Site::new(1, |stub| stub).await;
    let session = site.builder_at("localhost").connect().await.unwrap();
    run(&session, "SELECT a FROM shop.t").await;
}

#[tokio::test]
async fn peer_with_wrong_certificate_name_is_not_used() {
    let ca = Ca::new("Test CA");
    let other = ca.server(&["cassandra.eu-west-1.amazonaws.com"]);
    let stub =
        Stub::with_addresses(3).tls(ca.server(&[NAME])).tls_at(loopback(2), other).authenticator(SIGV4).start().await;
    let site = Site { ca, stub };
    // The first peer shares its host id with the local row; the second does not.
    let session = site.builder().connect().await.unwrap();
    assert_eq!((session.peers().len(), connected(&session)), (3, 2));
    let seen = site.stub.observed();
    assert!(seen.accepted[&loopback(2)] > 0);
    assert!(seen.requests.iter().all(|request| request.address != loopback(2)), "nothing is said to it");
}

#[tokio::test]
async fn a_permanent_problem_ends_connect_at_once() {
    let refused = "Authentication failure: Invalid signature";
    let site = Site::new(1, |stub| stub.fault(FaultPoint::ChallengeResponse, Reaction::Error(0x0100, refused))).await;
    let error = site.builder().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(error.server_message(), Some(refused));
    assert_eq!(
        site.normalized(&error),
        format!(
            "connecting to 127.0.0.1:<port> failed at 127.0.0.1:<port> after <t>: the signature for us-east-1 was \
             refused; the server's message: \"{refused}\". Check that the endpoint is in us-east-1, that this machine's \
             clock is right, and that the access key is active and its session token not expired"
        )
    );

    let site = Site::new(1, |stub| stub.tls(Ca::new("Somebody Else").server(&[NAME]))).await;
    let error = site.builder().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.to_string().contains("the issuer of the certificate is not trusted: CN=Somebody Else"), "{error}");

    let site = Site::new(1, |stub| stub.fault(FaultPoint::Register, Reaction::Error(0x2200, "unknown event"))).await;
    let error = site.builder().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Topology);
    assert_eq!(
        site.normalized(&error),
        "connecting to 127.0.0.1:<port> failed at 127.0.0.1:<port> after <t>: the server refused REGISTER with error \
         0x2200; the server's message: \"unknown event\". No session is possible while the server refuses this request; \
         its message is all that is known"
    );

    let site =
        Site::new(1, |stub| stub.fault(FaultPoint::Accept, Reaction::Bytes(b"HTTP/1.1 400\r\n\r\n".to_vec()))).await;
    let error = site.builder().connect().await.unwrap_err();
    assert!(error.to_string().contains("the server does not speak TLS"), "{error}");

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = Endpoint::explicit("127.0.0.1", port, NAME).unwrap();
    let error = Session::builder().endpoint(endpoint).static_credentials("a", "b", None).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("the connection was refused"), "{error}");
}

#[derive(Debug)]
pub(super) struct NoProfile;

impl ProvideCredentials for NoProfile {
    fn provide_credentials<'a>(&'a self) -> provided::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        provided::ProvideCredentials::ready(Err(CredentialsError::not_loaded("no profile called shop")))
    }
}

#[tokio::test]
async fn missing_credentials_end_connect_at_once_and_name_their_provider() {
    let site = Site::new(1, |stub| stub).await;
    let error = site.builder().credentials(NoProfile).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert_eq!(
        site.normalized(&error),
        "getting credentials from the provider given to the session failed after <t>: the provider has none; the \
         provider's message: \"no profile called shop\". Check that provider, or give the session another one"
    );
}

#[tokio::test]
async fn a_problem_that_is_gone_at_the_second_try_is_not_an_error() {
    let site = Site::new(1, |stub| stub.fault(FaultPoint::Options, Reaction::Close)).await;
    let connecting = tokio::spawn(site.builder().connect());
    site.stub.wait_until(|seen| seen.accepted.get(&loopback(1)).is_some_and(|accepted| *accepted >= 2)).await;
    site.stub.clear_faults();
    connecting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_require_authentication_is_refused() {
    let ca = Ca::new("Test CA");
    let stub = Stub::with_addresses(1).tls(ca.server(&[NAME])).start().await;
    let site = Site { ca, stub };
    let error = site.builder().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("the server accepted the connection without authentication"), "{error}");
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn a_plain_cassandra_is_accepted_with_and_without_authentication() {
    let stub = Stub::with_addresses(1).start().await;
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint.clone()).connect().await.unwrap();
    assert!(session.is_plain_cassandra());
    run(&session, "SELECT a FROM shop.t").await;
    // A server that does not ask for credentials accepts a client with a password.
    Session::builder().endpoint(endpoint).password("cassandra", "cassandra").connect().await.unwrap();

    let stub = Stub::with_addresses(1).authenticator("org.apache.cassandra.auth.PasswordAuthenticator").start().await;
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    Session::builder().endpoint(endpoint.clone()).password("cassandra", "cassandra").connect().await.unwrap();
    let error = Session::builder().endpoint(endpoint).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(
        error.to_string().contains(
            "the server requires authentication (org.apache.cassandra.auth.PasswordAuthenticator), and the session has \
             no credentials"
        ),
        "{error}"
    );
}
