use super::*;
use testkit::stub::{Topology, loopback};

fn about<'a>(report: &'a Report, subject: &str) -> Vec<&'a Finding> {
    report.findings().iter().filter(|finding| finding.subject() == subject).collect()
}

/// The only finding about the subject.
fn found<'a>(report: &'a Report, subject: &str) -> &'a Finding {
    let findings = about(report, subject);
    assert_eq!(findings.len(), 1, "{subject}: {report}");
    findings[0]
}

#[tokio::test]
async fn what_is_well_is_reported_step_by_step() {
    let site = Site::new(3, |stub| stub).await;
    let report = site.builder().diagnose().await;
    assert!(report.is_healthy(), "{report}");
    let subjects: Vec<_> = report.findings().iter().map(Finding::subject).collect();
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
    assert_eq!(found(&report, "addresses").text(), "127.0.0.1");
    assert!(found(&report, "TLS").text().starts_with("1.3, in "), "{report}");
    let certificate = found(&report, "certificate").text();
    assert!(certificate.starts_with(&format!("for {NAME}; valid until ")), "{report}");
    assert!(certificate.ends_with("; root CN=Test CA"), "{report}");
    assert!(
        found(&report, "authentication")
            .text()
            .starts_with(&format!("SigV4 for us-east-1, with the static credentials; accepted by {SIGV4} in ")),
        "{report}"
    );
    assert_eq!(found(&report, "credentials").text(), "from the static credentials; they do not say when they expire");
    assert_eq!(
        found(&report, "server").text(),
        "Amazon Keyspaces, release 3.11.2, partitioner com.amazonaws.cassandra.DefaultPartitioner, data center us-east-1"
    );
    assert_eq!(found(&report, "peers").text(), "3 are visible: 127.0.0.1, 127.0.0.2, 127.0.0.3");
    assert_eq!(
        found(&report, "pool").text(),
        "3 connections to each of 3 peers: 4500 requests per second at the 500 a connection that AWS plans with"
    );
    assert!(found(&report, "session").text().starts_with("connected with 3 of 3 peers in "), "{report}");
    let shown = report.to_string();
    assert!(shown.starts_with(&format!("Amazon Keyspaces at 127.0.0.1:{}, verified as {NAME}\n\n", site.stub.port())));
    assert!(shown.contains("\n  ok     addresses       127.0.0.1\n"), "{shown}");
    assert!(shown.ends_with("\n\nEverything is as it should be."), "{shown}");
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn what_ends_it_is_the_last_finding_with_its_remedy() {
    let said = "Authentication failure: Invalid signature";
    let site = Site::new(1, |stub| stub.fault(FaultPoint::ChallengeResponse, Reaction::Error(0x0100, said))).await;
    let report = site.builder().diagnose().await;
    assert!(!report.is_healthy());
    let last = report.findings().last().unwrap();
    assert_eq!(found(&report, "authentication"), last);
    assert_eq!(last.text(), format!("the signature for us-east-1 was refused; the other side said: \"{said}\""));
    assert!(last.remedy().unwrap().contains("this machine's clock is right"));
    assert!(report.to_string().ends_with("One thing is not as it should be."), "{report}");

    let site = Site::new(1, |stub| stub.tls(Ca::new("Somebody Else").server(&[NAME]))).await;
    let report = site.builder().diagnose().await;
    let last = report.findings().last().unwrap();
    assert_eq!(last.subject(), "TLS");
    assert_eq!(last.text(), "the certificate comes from an issuer that is not trusted: CN=Somebody Else");

    let site = Site::new(1, |stub| stub.fault(FaultPoint::Accept, Reaction::Hang)).await;
    let report = site.builder().connect_timeout(Duration::from_millis(200)).diagnose().await;
    let last = report.findings().last().unwrap();
    assert_eq!(last.text(), "TCP connected, and the TLS handshake was not answered");

    let report = Session::builder().region("nowhere").diagnose().await;
    assert_eq!(
        report.to_string(),
        "No endpoint to connect to\n\n  WRONG  configuration  taking \"nowhere\" as a region failed: it does not end in a \
         hyphen and a number\n                        -> A region reads like us-east-1, us-gov-west-1 or \
         cn-north-1\n\nOne thing is not as it should be."
    );

    let site = Site::new(1, |stub| stub).await;
    let report = site.builder().credentials(connecting::NoProfile).diagnose().await;
    assert_eq!(
        found(&report, "credentials").text(),
        "asking the provider given to the session for credentials failed: it has none; the other side said: \"no profile \
         called shop\""
    );

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = Endpoint::cassandra(format!("127.0.0.1:{port}")).unwrap();
    let report = Session::builder().endpoint(endpoint).diagnose().await;
    assert_eq!(report.findings().last().unwrap().text(), "the connection was refused");
}

#[tokio::test]
async fn one_peer_or_none_is_told_with_the_two_permissions() {
    for (peers, text) in [(0, "none is visible"), (1, "only one is visible")] {
        let site = Site::new(1, |stub| stub.topology(move |_| Topology::like_keyspaces(&[loopback(1)][..peers]))).await;
        let report = site.builder().diagnose().await;
        assert!(!report.is_healthy());
        let finding = found(&report, "peers");
        assert_eq!(finding.text(), text);
        assert_eq!(
            finding.remedy(),
            Some(
                "Behind a VPC endpoint, allow the connecting IAM user or role ec2:DescribeNetworkInterfaces and \
                 ec2:DescribeVpcEndpoints on *: without them system.peers is empty; after granting them, wait some \
                 minutes"
            )
        );
        assert_eq!(
            found(&report, "pool").remedy(),
            Some("With one peer AWS asks for 9 or more: set Builder::connections_per_host")
        );
        assert!(found(&report, "session").is_right(), "{report}");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_answer_is_told_and_the_session_counts_the_others() {
    let site = Site::new(3, |stub| stub.fault_at(loopback(2), FaultPoint::Startup, Reaction::Close)).await;
    let report = site.builder().diagnose().await;
    let finding = found(&report, "peer");
    assert_eq!(
        finding.text(),
        format!("127.0.0.2:{}: the connection was closed instead of an answer to STARTUP", site.stub.port())
    );
    assert!(found(&report, "session").text().starts_with("connected with 2 of 3 peers in "), "{report}");
}

#[tokio::test]
async fn peers_that_are_far_are_not_reported_as_silent() {
    let late = Reaction::Delay(Duration::from_millis(1_100));
    let site = Site::new(2, |stub| stub.fault(FaultPoint::Options, late)).await;
    let report = site.builder().diagnose().await;
    assert!(report.is_healthy(), "{report}");
}

#[tokio::test]
async fn the_pool_is_held_against_the_advice_and_the_peers_there_are() {
    let site = Site::new(2, |stub| stub).await;
    let advice = PoolAdvice::new(20_000, 3, PoolAdvice::PUBLIC_ENDPOINTS);
    let report = site.builder().pool_advice(advice).diagnose().await;
    assert_eq!(
        found(&report, "pool").remedy(),
        Some(
            "AWS's formula asks for 10 connections per host for 20000 requests per second from 3 instances over 2 \
             endpoints (20000 / 2 / 2 / 500, rounded up, at least 3): set Builder::connections_per_host"
        )
    );
    let report = site.builder().pool_advice(PoolAdvice::new(20_000, 3, 2)).diagnose().await;
    assert!(report.is_healthy(), "{report}");
}

#[tokio::test]
async fn a_plain_cassandra_of_one_node_is_well() {
    let stub = Stub::with_addresses(1)
        .topology(|_| Topology { local: testkit::stub::Row::peer(loopback(1)), peers: Vec::new() })
        .start()
        .await;
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    let report = Session::builder().endpoint(endpoint).diagnose().await;
    assert!(report.is_healthy(), "{report}");
    assert_eq!(found(&report, "authentication").text(), "the server does not ask who we are");
    assert_eq!(found(&report, "peers").text(), "0 beside this node");
}
