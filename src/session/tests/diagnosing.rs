use super::*;
use testkit::stub::{Topology, loopback};

fn checks_of<'a>(diagnosis: &'a Diagnosis, subject: &str) -> Vec<&'a Check> {
    diagnosis.checks().iter().filter(|check| check.subject() == subject).collect()
}

/// The only check about the subject.
fn found<'a>(diagnosis: &'a Diagnosis, subject: &str) -> &'a Check {
    let checks = checks_of(diagnosis, subject);
    assert_eq!(checks.len(), 1, "{subject}: {diagnosis}");
    checks[0]
}

#[tokio::test]
async fn each_step_that_succeeds_is_reported() {
    let site = Site::new(3, |stub| stub).await;
    let diagnosis = site.builder().diagnose().await;
    assert!(diagnosis.is_healthy(), "{diagnosis}");
    let subjects: Vec<_> = diagnosis.checks().iter().map(Check::subject).collect();
    assert_eq!(
        subjects,
        [
            "addresses",
            "TCP",
            "TLS",
            "certificate",
            "CQL",
            "authentication",
            "credentials",
            "server",
            "peers",
            "pool",
            "session"
        ]
    );
    assert_eq!(found(&diagnosis, "addresses").text(), "127.0.0.1");
    assert!(found(&diagnosis, "TLS").text().starts_with("1.3, in "), "{diagnosis}");
    let certificate = found(&diagnosis, "certificate").text();
    assert!(certificate.starts_with(&format!("for {NAME}; valid until ")), "{diagnosis}");
    assert!(certificate.ends_with("; root CN=Test CA"), "{diagnosis}");
    assert!(
        found(&diagnosis, "authentication")
            .text()
            .starts_with(&format!("SigV4 for us-east-1, with the static credentials; accepted by {SIGV4} in ")),
        "{diagnosis}"
    );
    assert_eq!(found(&diagnosis, "credentials").text(), "from the static credentials; they have no expiry");
    assert_eq!(
        found(&diagnosis, "server").text(),
        "Amazon Keyspaces, release 3.11.2, partitioner com.amazonaws.cassandra.DefaultPartitioner, data center us-east-1"
    );
    assert_eq!(found(&diagnosis, "peers").text(), "3 are visible: 127.0.0.1, 127.0.0.2, 127.0.0.3");
    assert_eq!(
        found(&diagnosis, "pool").text(),
        "3 connections to each of 3 peers: 4500 requests per second, with the 500 per connection that AWS plans"
    );
    assert!(found(&diagnosis, "session").text().starts_with("connected with 3 of 3 peers in "), "{diagnosis}");
    let shown = diagnosis.to_string();
    assert!(shown.starts_with(&format!("Amazon Keyspaces at 127.0.0.1:{}, verified as {NAME}\n\n", site.stub.port())));
    assert!(shown.contains("\n  ok    addresses       127.0.0.1\n"), "{shown}");
    assert!(shown.ends_with("\n\nNo problems were found."), "{shown}");
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn the_step_that_fails_is_the_last_finding_with_its_remedy() {
    let said = "Authentication failure: Invalid signature";
    let site = Site::new(1, |stub| stub.fault(FaultPoint::ChallengeResponse, Reaction::Error(0x0100, said))).await;
    let diagnosis = site.builder().diagnose().await;
    assert!(!diagnosis.is_healthy());
    let last = diagnosis.checks().last().unwrap();
    assert_eq!(found(&diagnosis, "authentication"), last);
    assert_eq!(last.text(), format!("the signature for us-east-1 was refused; the server's message: \"{said}\""));
    assert!(last.remedy().unwrap().contains("this machine's clock is right"));
    assert!(diagnosis.to_string().ends_with("1 problem was found."), "{diagnosis}");

    let site = Site::new(1, |stub| stub.tls(Ca::new("Somebody Else").server(&[NAME]))).await;
    let diagnosis = site.builder().diagnose().await;
    let last = diagnosis.checks().last().unwrap();
    assert_eq!(last.subject(), "TLS");
    assert_eq!(last.text(), "the issuer of the certificate is not trusted: CN=Somebody Else");

    let site = Site::new(1, |stub| stub.fault(FaultPoint::Accept, Reaction::Hang)).await;
    let diagnosis = site.builder().connect_timeout(Duration::from_millis(200)).diagnose().await;
    let last = diagnosis.checks().last().unwrap();
    assert_eq!(last.text(), "TCP connected, and the TLS handshake was not answered");

    let diagnosis = Session::builder().region("nowhere").diagnose().await;
    assert_eq!(
        diagnosis.to_string(),
        "No endpoint to connect to\n\n  FAIL  configuration  parsing \"nowhere\" as a region failed: it does not end \
         in a hyphen and a number\n                       -> A region name looks like us-east-1, us-gov-west-1 or \
         cn-north-1\n\n1 problem was found."
    );

    let site = Site::new(1, |stub| stub).await;
    let diagnosis = site.builder().credentials(connecting::NoProfile).diagnose().await;
    assert_eq!(
        found(&diagnosis, "credentials").text(),
        "getting credentials from the provider given to the session failed: the provider has none; the provider's \
         message: \"no profile called shop\""
    );

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = Endpoint::cassandra(format!("127.0.0.1:{port}")).unwrap();
    let diagnosis = Session::builder().endpoint(endpoint).diagnose().await;
    assert_eq!(diagnosis.checks().last().unwrap().text(), "the connection was refused");
}

#[tokio::test]
async fn one_peer_or_none_is_reported_with_the_two_permissions() {
    for (peers, text) in [(0, "none is visible"), (1, "only one is visible")] {
        let site = Site::new(1, |stub| stub.topology(move |_| Topology::like_keyspaces(&[loopback(1)][..peers]))).await;
        let diagnosis = site.builder().diagnose().await;
        assert!(!diagnosis.is_healthy());
        let check = found(&diagnosis, "peers");
        assert_eq!(check.text(), text);
        assert_eq!(
            check.remedy(),
            Some(
                "Behind a VPC endpoint, allow the connecting IAM user or role ec2:DescribeNetworkInterfaces and \
                 ec2:DescribeVpcEndpoints on *: without them system.peers is empty; after granting them, wait some \
                 minutes"
            )
        );
        assert_eq!(
            found(&diagnosis, "pool").remedy(),
            Some("With one peer AWS recommends 9 or more: set SessionBuilder::connections_per_host")
        );
        assert!(found(&diagnosis, "session").is_ok(), "{diagnosis}");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_answer_is_reported_and_the_session_counts_the_others() {
    let site = Site::new(3, |stub| stub.fault_at(loopback(2), FaultPoint::Startup, Reaction::Close)).await;
    let diagnosis = site.builder().diagnose().await;
    let check = found(&diagnosis, "peer");
    assert_eq!(
        check.text(),
        format!("127.0.0.2:{}: the connection was closed instead of answering STARTUP", site.stub.port())
    );
    assert!(found(&diagnosis, "session").text().starts_with("connected with 2 of 3 peers in "), "{diagnosis}");
}

#[tokio::test]
async fn distant_peers_are_not_reported_as_silent() {
    let late = Reaction::Delay(Duration::from_millis(1_100));
    let site = Site::new(2, |stub| stub.fault(FaultPoint::Options, late)).await;
    let diagnosis = site.builder().diagnose().await;
    assert!(diagnosis.is_healthy(), "{diagnosis}");
}

#[tokio::test]
async fn the_pool_is_compared_with_the_advice_for_the_peers_that_are_found() {
    let site = Site::new(2, |stub| stub).await;
    let advice = PoolAdvice::new(20_000, 3, PoolAdvice::PUBLIC_ENDPOINTS);
    let diagnosis = site.builder().pool_advice(advice).diagnose().await;
    assert_eq!(
        found(&diagnosis, "pool").remedy(),
        Some(
            "AWS's formula gives 10 connections per host for 20000 requests per second from 3 instances over 2 \
             endpoints (20000 / 2 / 2 / 500, rounded up, at least 3): set SessionBuilder::connections_per_host"
        )
    );
    let diagnosis = site.builder().pool_advice(PoolAdvice::new(20_000, 3, 2)).diagnose().await;
    assert!(diagnosis.is_healthy(), "{diagnosis}");
}

#[tokio::test]
async fn a_plain_cassandra_of_one_node_has_no_problems() {
    let stub = Stub::with_addresses(1)
        .topology(|_| Topology { local: testkit::stub::Row::peer(loopback(1)), peers: Vec::new() })
        .start()
        .await;
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    let diagnosis = Session::builder().endpoint(endpoint).diagnose().await;
    assert!(diagnosis.is_healthy(), "{diagnosis}");
    assert_eq!(found(&diagnosis, "authentication").text(), "the server does not require authentication");
    assert_eq!(found(&diagnosis, "peers").text(), "0 besides this node");
}
