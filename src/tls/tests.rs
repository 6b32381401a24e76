use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use testkit::stub::{Ca, FaultPoint, Reaction, Stub};

const NAME: &str = "cassandra.us-east-1.amazonaws.com";

/// 2026-07-01 12:00:00 UTC.
#[derive(Debug)]
struct FixedTime;

impl TimeProvider for FixedTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(1_782_907_200)))
    }
}

async fn connect(to: SocketAddr, ca: &Ca) -> Result<(), io::Error> {
    let trust = Trust::with_clock([ca.pem().as_bytes()], Arc::new(FixedTime)).unwrap();
    let connector = TlsConnector::from(trust.client_config(NAME).unwrap());
    let stream = TcpStream::connect(to).await?;
    connector.connect(ServerName::IpAddress(to.ip().into()), stream).await?;
    Ok(())
}

async fn refusal(server: Arc<rustls::ServerConfig>, ca: &Ca) -> Explanation {
    let stub = Stub::with_addresses(1).tls(server).start().await;
    explain(&connect(stub.address(), ca).await.unwrap_err())
}

#[test]
fn bundled_roots_have_the_five_fingerprints_published_by_aws() {
    let expected = [
        "8ECDE6884F3D87B1125BA31AC3FCB13D7016DE7F57CC904FE1CB97C6AE98196E",
        "1BA5B2AA8C65401A82960118F80BEC4F62304D83CEC4713A19C39C011EA46DB4",
        "18CE6CFE7BF14E60B2E347B8DFE868CB31D02EBB3ADA271569F50343B46DB3A4",
        "E35D28419ED02025CFA69038CD623962458DA5C695FBDEA3C22B0BFB25897092",
        "1465FA205397B876FAA6F0A9958E5590E40FCC7FAA4FB7C2C8677521FB5FB658",
    ];
    for ((file, pem), expected) in ROOTS.into_iter().zip(expected) {
        let certificates = parse_pem(pem.as_bytes()).unwrap();
        assert_eq!(certificates.len(), 1, "{file}");
        assert_eq!(hex::encode_upper(Sha256::digest(&certificates[0])), expected, "{file}");
    }
}

#[tokio::test]
async fn matching_certificate_name_is_accepted_at_any_address() {
    let ca = Ca::new("Test CA");
    let stub = Stub::with_addresses(2).tls(ca.server(&[NAME])).start().await;
    for address in stub.addresses() {
        connect(SocketAddr::new(*address, stub.port()), &ca).await.unwrap();
    }
    let stub = Stub::on_ipv6().tls(ca.server(&[NAME])).start().await;
    connect(stub.address(), &ca).await.unwrap();
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_supported_and_nothing_older() {
    let ca = Ca::new("Test CA");
    let trust = Trust::new([ca.pem().as_bytes()]).unwrap();
    let stub = Stub::with_addresses(1).tls(ca.server(&[NAME])).start().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let ours = trust.client_config(NAME).unwrap();
        let provider = Arc::clone(ours.crypto_provider());
        let name = ServerName::try_from(NAME).unwrap();
        let verifier = PinnedNameVerifier::new(name, Arc::clone(&trust.anchors), Arc::clone(&provider)).unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let stream = TcpStream::connect(stub.address()).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(ServerName::IpAddress(stub.address().ip().into()), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
    }
}

#[tokio::test]
async fn a_wrong_name_is_refused_with_the_names_in_the_certificate() {
    let ca = Ca::new("Test CA");
    let other = "cassandra.eu-west-1.amazonaws.com";
    let explanation = refusal(ca.server(&[other, "localhost"]), &ca).await;
    assert_eq!(
        explanation,
        Explanation {
            problem: "the certificate is for cassandra.eu-west-1.amazonaws.com and localhost, not for \
                      cassandra.us-east-1.amazonaws.com"
                .into(),
            server_message: None,
            advice: "Check the endpoint's region and host; if this server is the intended one, set its name as the \
                     name to verify (Endpoint::explicit)",
            permanent: true,
        }
    );
}

#[tokio::test]
async fn long_lists_of_names_are_cut_and_control_characters_are_escaped() {
    let ca = Ca::new("Test CA");
    let names: Vec<String> = (0..20).map(|n| format!("host-{n}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let explanation = refusal(ca.server(&names), &ca).await;
    assert!(explanation.problem.contains("host-7.example and 12 more, not for"), "{}", explanation.problem);
    let ca = Ca::new("Evil\u{1b}[2J CA");
    let explanation = refusal(ca.server(&[NAME]), &Ca::new("Test CA")).await;
    assert!(!explanation.problem.contains('\u{1b}'), "{:?}", explanation.problem);
}

#[tokio::test]
async fn untrusted_issuer_is_refused_and_named() {
    let explanation = refusal(Ca::new("Somebody Else").server(&[NAME]), &Ca::new("Test CA")).await;
    assert_eq!(explanation.problem, "the issuer of the certificate is not trusted: CN=Somebody Else");
    assert_eq!(
        explanation.advice,
        "If the issuer is your own authority or that of a local Keyspaces, add its PEM with SessionBuilder::trust_pem; \
         if not, another server answers in place of the endpoint"
    );
}

#[tokio::test]
async fn another_authority_with_the_name_of_a_trusted_one_is_refused() {
    let explanation = refusal(Ca::new("Test CA").server(&[NAME]), &Ca::new("Test CA")).await;
    assert_eq!(
        explanation.problem,
        "the certificate names a trusted issuer (CN=Test CA), but was signed by another issuer of that name"
    );
    assert_eq!(
        explanation.advice,
        "If the issuer is your own authority, or that of a local Keyspaces, which has a new one at each start, give \
         its current PEM to SessionBuilder::trust_pem; if not, another server answers in place of the endpoint"
    );
}

#[tokio::test]
async fn expired_certificate_is_refused_with_expiry_and_local_time() {
    let ca = Ca::new("Test CA");
    let server = ca.server_with(&[NAME], |params| {
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2025, 1, 1);
    });
    let explanation = refusal(server, &ca).await;
    assert_eq!(
        explanation.problem,
        "the certificate expired on 2025-01-01 00:00:00 UTC, and this machine's clock says 2026-07-01 12:00:00 UTC"
    );
    assert_eq!(explanation.advice, "If the clock is right, the server needs a new certificate");
}

#[tokio::test]
async fn not_yet_valid_certificate_error_gives_its_start_date_and_the_clock() {
    let ca = Ca::new("Test CA");
    let server = ca.server_with(&[NAME], |params| params.not_before = date_time_ymd(2027, 1, 1));
    let explanation = refusal(server, &ca).await;
    assert_eq!(
        explanation.problem,
        "the certificate is not valid before 2027-01-01 00:00:00 UTC, and this machine's clock says 2026-07-01 \
         12:00:00 UTC"
    );
    assert_eq!(explanation.advice, "Check this machine's clock, which is the most frequent cause");
}

#[tokio::test]
async fn certificate_with_only_ip_addresses_is_refused() {
    let ca = Ca::new("Test CA");
    let explanation = refusal(ca.server(&["127.0.0.1"]), &ca).await;
    assert_eq!(
        explanation.problem,
        "the certificate is for 127.0.0.1 and no DNS name, not for cassandra.us-east-1.amazonaws.com"
    );
}

#[tokio::test]
async fn client_only_certificate_is_refused() {
    let ca = Ca::new("Test CA");
    let server =
        ca.server_with(&[NAME], |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let explanation = refusal(server, &ca).await;
    assert_eq!(explanation.problem, "the certificate is for clients and not for servers");
    assert_eq!(
        explanation.advice,
        "The server needs a certificate whose extended key usage includes server authentication"
    );
}

#[tokio::test]
async fn a_self_signed_certificate_is_named_as_such() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let explanation = refusal(Arc::new(config), &Ca::new("Test CA")).await;
    assert_eq!(explanation.problem, "the certificate is self-signed (CN=rcgen self signed cert) and not trusted");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_reported_as_the_wrong_port() {
    for does in [Reaction::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Reaction::Bytes(vec![0x84; 16])] {
        let stub = Stub::with_addresses(1).fault(FaultPoint::Accept, does).start().await;
        let explanation = explain(&connect(stub.address(), &Ca::new("Test CA")).await.unwrap_err());
        assert_eq!(
            explanation,
            Explanation {
                problem: "the server does not speak TLS".into(),
                server_message: None,
                advice: "Check the port: Keyspaces listens on 9142, with TLS only; for a Cassandra without TLS use \
                         Endpoint::cassandra",
                permanent: true,
            }
        );
    }
    let stub = Stub::with_addresses(1).fault(FaultPoint::Accept, Reaction::Close).start().await;
    let explanation = explain(&connect(stub.address(), &Ca::new("Test CA")).await.unwrap_err());
    assert_eq!(explanation.problem, "the connection was closed during the TLS handshake");
    assert_eq!(explanation.advice, WRONG_PORT);
}

#[test]
fn pem_that_is_damaged_or_without_certificates_is_refused() {
    let refused = |pem: &str| Trust::new([pem.as_bytes()]).unwrap_err().to_string();
    let advice = "Expected PEM: -----BEGIN CERTIFICATE-----, base64, -----END CERTIFICATE-----";
    for nothing in ["", "just a note", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"] {
        assert_eq!(
            refused(nothing),
            format!("reading the trusted certificates failed: the PEM contains no certificate. {advice}")
        );
    }
    assert_eq!(
        refused("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
        format!("reading the trusted certificates failed: the PEM is damaged. {advice}")
    );
    assert_eq!(
        refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "reading the trusted certificates failed: a PEM block is not an X.509 certificate"
    );
}

#[tokio::test]
async fn root_of_a_certificate_chain_is_found_by_subject() {
    let ca = Ca::new("Test CA");
    let stub = Stub::with_addresses(1).tls(ca.server(&[NAME])).start().await;
    let trust = Trust::new([ca.pem().as_bytes()]).unwrap();
    let connector = TlsConnector::from(trust.client_config(NAME).unwrap());
    let stream = TcpStream::connect(stub.address()).await.unwrap();
    let name = ServerName::IpAddress(IpAddr::from([127, 0, 0, 1]).into());
    let stream = connector.connect(name, stream).await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    assert_eq!(trust.root_name(chain).as_deref(), Some("CN=Test CA"));
    assert_eq!(PeerCertificate::read(&chain[0]).unwrap().names, [NAME]);
}
