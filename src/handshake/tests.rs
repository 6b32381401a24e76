mod authentication;

use super::failure::timed_out;
use super::*;
use crate::ErrorKind;
use crate::auth::{Clock, CredentialSource, Timing};
use crate::handshake::resolve;
use testkit::stub::{Ca, FaultPoint, Reaction, Row, Stub, Topology, loopback, unresponsive_address};

const NAME: &str = "cassandra.us-east-1.amazonaws.com";
const SIGV4: &str = "com.amazon.helenus.auth.HelenusAuthenticator";

fn sigv4() -> Arc<Authenticator> {
    sigv4_with(CredentialSource::static_keys("AKIDEXAMPLE", "secret", None))
}

fn sigv4_with(source: CredentialSource) -> Arc<Authenticator> {
    Arc::new(Authenticator::sigv4("us-east-1", source, Clock::system(), Timing::default()).unwrap())
}

/// A stub behind TLS, and the settings of a session with it.
struct StubPeer {
    ca: Ca,
    stub: Stub,
}

impl StubPeer {
    async fn new(change: impl FnOnce(testkit::stub::Builder) -> testkit::stub::Builder) -> Self {
        let ca = Ca::new("Test CA");
        let stub = change(Stub::with_addresses(1).tls(ca.server(&[NAME])).authenticator(SIGV4)).start().await;
        Self { ca, stub }
    }

    fn handshake(&self, authenticator: Arc<Authenticator>) -> Handshake {
        let endpoint = Endpoint::explicit("127.0.0.1", self.stub.port(), NAME).unwrap();
        let trust = Trust::new([self.ca.pem().as_bytes()]).unwrap();
        Handshake::new(endpoint, trust, authenticator, None).unwrap()
    }

    async fn attempt(&self, authenticator: Arc<Authenticator>) -> HandshakeAttempt {
        self.handshake(authenticator).attempt(self.stub.address(), HandshakeDepth::SystemTables, soon(30_000)).await
    }

    async fn failure(&self, authenticator: Arc<Authenticator>) -> (ErrorKind, String) {
        normalized(&self.attempt(authenticator).await.failure.unwrap(), self.stub.port())
    }
}

fn soon(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

/// The kind and text of a failure, with the port and the times replaced by placeholders.
fn normalized(failure: &HandshakeFailure, port: u16) -> (ErrorKind, String) {
    let error = &failure.error;
    let mut text = error.to_string().replace(&format!(":{port}"), ":<port>");
    if let Some(elapsed) = error.elapsed() {
        text = text.replace(&format!("after {elapsed:.1?}:"), "after <t>:");
    }
    (error.kind(), text)
}

const HEAD: &str = "connecting to 127.0.0.1:<port> failed at 127.0.0.1:<port> after <t>: ";

#[tokio::test]
async fn every_stage_passes_and_records_its_result() {
    let peer = StubPeer::new(|stub| stub.topology(|_| Topology::like_keyspaces(&[1, 2, 3].map(loopback)))).await;
    let attempt = peer.attempt(sigv4()).await;
    assert!(attempt.failure.is_none(), "{:?}", attempt.failure);
    let stages: Vec<HandshakeStage> = attempt.passed.iter().map(|(stage, _)| *stage).collect();
    assert_eq!(
        stages,
        [
            HandshakeStage::Tcp,
            HandshakeStage::Tls,
            HandshakeStage::Options,
            HandshakeStage::Startup,
            HandshakeStage::Credentials,
            HandshakeStage::Authentication,
            HandshakeStage::Register,
            HandshakeStage::SystemTables
        ]
    );
    let tls = attempt.tls.unwrap();
    assert_eq!((tls.version.as_str(), tls.root.as_deref()), ("1.3", Some("CN=Test CA")));
    assert_eq!(tls.leaf.names, [NAME]);
    assert_eq!(attempt.authenticator.as_deref(), Some(SIGV4));
    let topology = attempt.topology.unwrap();
    assert_eq!(topology.visible_peers(), [1, 2, 3].map(loopback));
    assert_eq!(topology.cluster_name.as_deref(), Some("Amazon Keyspaces"));
    assert_eq!(topology.release_version.as_deref(), Some("3.11.2"));
    assert_eq!(topology.partitioner.as_deref(), Some("com.amazonaws.cassandra.DefaultPartitioner"));
    assert_eq!(topology.data_center.as_deref(), Some("us-east-1"));
    assert_eq!(topology.problem(), None);
    peer.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn second_connection_resumes_the_tls_session() {
    let peer = StubPeer::new(|stub| stub).await;
    let handshake = peer.handshake(sigv4());
    for _ in 0..2 {
        let attempt = handshake.attempt(peer.stub.address(), HandshakeDepth::Options, soon(30_000)).await;
        assert!(attempt.failure.is_none(), "{:?}", attempt.failure);
    }
    peer.stub.wait_until(|seen| seen.resumed == 1).await;
}

/// Each stage, with the kind and text of its error if the server is silent.
#[tokio::test]
async fn silence_is_reported_with_the_stage_that_waits() {
    let close = "A proxy or firewall may block it, or the endpoint may be down; another try may reach another address";
    let port = "Check the port: Keyspaces listens on 9142, with TLS only. A proxy or firewall may let TCP through and \
                block what follows";
    for (at, kind, problem, advice) in [
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
    ] {
        let peer = StubPeer::new(|stub| stub.fault(at, Reaction::Hang)).await;
        let handshake = peer.handshake(sigv4());
        let attempt = handshake.attempt(peer.stub.address(), HandshakeDepth::SystemTables, soon(400)).await;
        let failure = attempt.failure.unwrap();
        assert!(failure.silent && !failure.permanent, "{failure:?}");
        assert_eq!(normalized(&failure, peer.stub.port()), (kind, format!("{HEAD}{problem}. {advice}")));
        peer.stub.wait_until(|seen| seen.open_connections() == 0).await;
    }
}

#[tokio::test]
async fn silence_at_tcp_is_reported() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _held = unresponsive_address(free).await;
    let endpoint = Endpoint::cassandra(free.to_string()).unwrap();
    let handshake =
        Handshake::new(endpoint, Trust::new([]).unwrap(), Arc::new(Authenticator::anonymous()), None).unwrap();
    let failure = handshake.attempt(free, HandshakeDepth::Options, soon(200)).await.failure.unwrap();
    assert_eq!(
        normalized(&failure, free.port()),
        (
            ErrorKind::Connect,
            format!(
                "{HEAD}TCP was not answered. Check that security groups, network ACLs and routes let this machine \
                 reach it; Amazon Keyspaces listens on 9142"
            )
        )
    );
}

#[tokio::test]
async fn a_closed_port_is_reported_as_refused() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = Endpoint::cassandra(free.to_string()).unwrap();
    let handshake =
        Handshake::new(endpoint, Trust::new([]).unwrap(), Arc::new(Authenticator::anonymous()), None).unwrap();
    let failure = handshake.attempt(free, HandshakeDepth::Options, soon(30_000)).await.failure.unwrap();
    assert!(failure.permanent);
    assert_eq!(
        normalized(&failure, free.port()),
        (
            ErrorKind::Connect,
            format!(
                "{HEAD}the connection was refused. Nothing listens there: check host and port; Amazon Keyspaces \
                 listens on 9142"
            )
        )
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_reported_with_the_resolvers_message() {
    let endpoint = Endpoint::explicit("nowhere.invalid", 9142, NAME).unwrap();
    let handshake = Handshake::new(endpoint, Trust::new([]).unwrap(), sigv4(), None).unwrap();
    let failure = resolve(&handshake, soon(60_000)).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Resolve);
    let text = failure.error.to_string();
    assert!(text.starts_with("connecting to nowhere.invalid:9142 failed after "), "{text}");
    assert!(text.contains(": nowhere.invalid could not be resolved: "), "{text}");
    assert!(
        text.ends_with(
            ". Check the region or host, and that DNS works on this machine; in a VPC, that DNS resolution is enabled"
        ),
        "{text}"
    );
    assert_eq!(
        normalized(&timed_out(&handshake, HandshakeStage::Resolve), 0).1,
        "connecting to nowhere.invalid:9142 failed: DNS did not answer for nowhere.invalid. Check that DNS works on \
         this machine; in a VPC, that DNS resolution is enabled"
    );
}

#[tokio::test]
async fn an_ip_address_resolves_to_itself() {
    let endpoint = Endpoint::explicit("::1", 9142, NAME).unwrap();
    let handshake = Handshake::new(endpoint, Trust::new([]).unwrap(), sigv4(), None).unwrap();
    assert_eq!(resolve(&handshake, soon(30_000)).await.unwrap(), ["[::1]:9142".parse().unwrap()]);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_reported_with_its_names() {
    let ca = Ca::new("Test CA");
    let server = ca.server(&["cassandra.eu-west-1.amazonaws.com"]);
    let stub = Stub::with_addresses(1).tls(server).start().await;
    let peer = StubPeer { ca, stub };
    assert_eq!(
        peer.failure(sigv4()).await,
        (
            ErrorKind::Tls,
            format!(
                "{HEAD}the certificate is for cassandra.eu-west-1.amazonaws.com, not for {NAME}. Check the endpoint's \
                 region and host; if this server is the intended one, set its name as the name to verify \
                 (Endpoint::explicit)"
            )
        )
    );
}

#[tokio::test]
async fn plain_text_instead_of_tls_is_reported_as_the_wrong_port() {
    let peer = StubPeer {
        ca: Ca::new("Test CA"),
        stub: Stub::with_addresses(1).fault(FaultPoint::Accept, Reaction::Close).start().await,
    };
    let advice = "Check the port: Keyspaces listens on 9142, with TLS only; for a Cassandra without TLS use \
                  Endpoint::cassandra";
    assert_eq!(
        peer.failure(sigv4()).await,
        (ErrorKind::Tls, format!("{HEAD}the connection was closed during the TLS handshake. {advice}"))
    );
    let plain = Reaction::Bytes(vec![0x84, 0, 0, 0, 0, 0, 0, 0, 0]);
    let peer = StubPeer {
        ca: Ca::new("Test CA"),
        stub: Stub::with_addresses(1).fault(FaultPoint::Accept, plain).start().await,
    };
    assert_eq!(peer.failure(sigv4()).await, (ErrorKind::Tls, format!("{HEAD}the server does not speak TLS. {advice}")));
}

#[tokio::test]
async fn tls_instead_of_plain_text_is_reported() {
    let peer =
        StubPeer::new(|stub| stub.fault(FaultPoint::Accept, Reaction::Bytes(vec![0x15, 3, 3, 0, 2, 2, 70]))).await;
    let endpoint = Endpoint::cassandra(peer.stub.address().to_string()).unwrap();
    let handshake =
        Handshake::new(endpoint, Trust::new([]).unwrap(), Arc::new(Authenticator::anonymous()), None).unwrap();
    let attempt = handshake.attempt(peer.stub.address(), HandshakeDepth::Options, soon(30_000)).await;
    assert_eq!(
        normalized(&attempt.failure.unwrap(), peer.stub.port()),
        (
            ErrorKind::Connect,
            format!(
                "{HEAD}the server speaks TLS, but the endpoint is configured without TLS. Use Endpoint::region or \
                 Endpoint::explicit; Endpoint::cassandra is for a Cassandra without TLS"
            )
        )
    );
}

#[tokio::test]
async fn a_server_that_speaks_tls_but_not_cql_is_reported_with_its_message() {
    let peer =
        StubPeer::new(|stub| stub.fault(FaultPoint::Options, Reaction::Bytes(b"HTTP/1.1 400\r\n\r\n".to_vec()))).await;
    let (kind, text) = peer.failure(sigv4()).await;
    assert_eq!(kind, ErrorKind::Connect);
    assert!(
        text.starts_with(&format!("{HEAD}the server does not speak CQL v4; the server's message: \"HTTP")),
        "{text}"
    );
    assert!(text.ends_with("\". Check host and port: Amazon Keyspaces listens on 9142, a Cassandra on 9042"), "{text}");
}

#[tokio::test]
async fn a_frame_that_is_too_long_malformed_or_unexpected_is_refused() {
    let advice = "A CQL server does not answer like this: check what listens on this port";
    let announced = vec![0x84, 0, 0, 0, 6, 0x7F, 0xFF, 0xFF, 0xFF];
    let peer = StubPeer::new(|stub| stub.fault(FaultPoint::Options, Reaction::Bytes(announced))).await;
    assert_eq!(
        peer.failure(sigv4()).await.1,
        format!(
            "{HEAD}the answer to OPTIONS announces 2147483647 bytes, more than any answer in a handshake has. \
                 {advice}"
        )
    );
    let short = vec![0x84, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2];
    let peer = StubPeer::new(|stub| stub.fault(FaultPoint::Startup, Reaction::Bytes(short))).await;
    assert_eq!(
        peer.failure(sigv4()).await.1,
        format!("{HEAD}the answer to STARTUP is not a valid frame of CQL v4. {advice}")
    );
    let ready = vec![0x84, 0, 0, 0, 2, 0, 0, 0, 0];
    let peer = StubPeer::new(|stub| stub.fault(FaultPoint::Options, Reaction::Bytes(ready))).await;
    assert_eq!(
        peer.failure(sigv4()).await.1,
        format!("{HEAD}the answer to OPTIONS is of a kind that CQL v4 does not allow here. {advice}")
    );
}

#[tokio::test]
async fn a_connection_closed_instead_of_an_answer_is_reported_with_its_stage() {
    let peer = StubPeer::new(|stub| stub.fault(FaultPoint::Startup, Reaction::Close)).await;
    assert_eq!(
        peer.failure(sigv4()).await,
        (
            ErrorKind::Connect,
            format!(
                "{HEAD}the connection was closed instead of answering STARTUP. A proxy or firewall may block it, or \
                 the endpoint may be down; another try may reach another address"
            )
        )
    );
}

#[tokio::test]
async fn other_errors_are_reported_with_code_and_message() {
    for (at, code, said, permanent, problem, advice) in [
        (
            FaultPoint::Startup,
            0x000A,
            "Invalid or unsupported protocol version",
            true,
            "the server refused STARTUP",
            "The server must support CQL v4",
        ),
        (
            FaultPoint::Register,
            0x2200,
            "unknown event",
            true,
            "the server refused REGISTER with error 0x2200",
            "No session is possible while the server refuses this request; its message is all that is known",
        ),
        (
            FaultPoint::ChallengeResponse,
            0x1001,
            "overloaded",
            false,
            "the server refused AUTH_RESPONSE with error 0x1001",
            "No session is possible while the server refuses this request; its message is all that is known",
        ),
    ] {
        let peer = StubPeer::new(|stub| stub.fault(at, Reaction::Error(code, said))).await;
        let failure = peer.attempt(sigv4()).await.failure.unwrap();
        assert_eq!(failure.permanent, permanent);
        assert_eq!(
            normalized(&failure, peer.stub.port()).1,
            format!("{HEAD}{problem}; the server's message: \"{said}\". {advice}")
        );
    }
}

#[tokio::test]
async fn neither_credentials_nor_tables_count_towards_the_time_of_a_probe() {
    let late = Reaction::Delay(Duration::from_millis(50));
    let peer =
        StubPeer::new(|stub| stub.fault(FaultPoint::Startup, late.clone()).fault(FaultPoint::SystemTable, late)).await;
    let attempt = peer.attempt(sigv4()).await;
    let of = |stage| attempt.passed.iter().find(|(passed, _)| *passed == stage).unwrap().1;
    let near = [
        HandshakeStage::Tcp,
        HandshakeStage::Tls,
        HandshakeStage::Options,
        HandshakeStage::Startup,
        HandshakeStage::Authentication,
    ]
    .map(of);
    assert_eq!(attempt.probe_duration(), near.iter().sum::<Duration>());
    assert!(
        of(HandshakeStage::Startup) >= Duration::from_millis(50)
            && of(HandshakeStage::SystemTables) >= Duration::from_millis(50)
    );
}

#[tokio::test]
async fn a_topology_that_cannot_be_used_says_why() {
    let fault = |topology: Topology| async move {
        let peer = StubPeer::new(|stub| stub.topology(move |_| topology.clone())).await;
        peer.attempt(sigv4()).await.topology.unwrap().problem()
    };
    let none = Row { host_id: None, rpc_address: None, tokens: None, ..Row::peer(loopback(1)) };
    let local_only = |local| Topology { local, peers: Vec::new() };
    assert_eq!(fault(local_only(Row::peer(loopback(1)))).await, None);
    assert_eq!(
        fault(local_only(none.clone())).await,
        Some("no peers are visible: system.peers is empty, and system.local names no address")
    );
    assert_eq!(
        fault(Topology { local: none.clone(), peers: vec![none.clone()] }).await,
        Some("no row of system.local and system.peers has both an address and a host id")
    );
    assert_eq!(
        fault(local_only(Row { tokens: None, ..Row::peer(loopback(1)) })).await,
        Some("no row of system.local and system.peers has tokens")
    );
    assert_eq!(fault(Topology { local: none, peers: vec![Row::peer(loopback(2))] }).await, None);
}

#[tokio::test]
async fn dropping_the_handshake_closes_the_connection() {
    let peer = StubPeer::new(|stub| stub.fault(FaultPoint::ChallengeResponse, Reaction::Hang)).await;
    let handshake = peer.handshake(sigv4());
    let attempt = handshake.attempt(peer.stub.address(), HandshakeDepth::SystemTables, soon(60_000));
    let answered =
        |seen: &testkit::stub::Observed| seen.requests.iter().filter(|request| request.opcode == 0x0F).count() == 2;
    let mut attempt = Box::pin(attempt);
    tokio::select! {
        _ = &mut attempt => panic!("nobody answered"),
        _ = peer.stub.wait_until(answered) => {}
    }
    drop(attempt);
    peer.stub.wait_until(|seen| seen.open_connections() == 0).await;
}
