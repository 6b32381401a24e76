use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future as provided};

use super::*;

#[tokio::test]
async fn a_refused_signature_is_reported_with_its_region() {
    let said = "Authentication failure: Invalid signature";
    let peer = StubPeer::new(|stub| stub.fault(FaultPoint::ChallengeResponse, Reaction::Error(0x0100, said))).await;
    assert_eq!(
        peer.failure(sigv4()).await,
        (
            ErrorKind::Authentication,
            format!(
                "{HEAD}the signature for us-east-1 was refused; the server's message: \"{said}\". Check that the \
                 endpoint is in us-east-1, that this machine's clock is right, and that the access key is active and \
                 its session token not expired"
            )
        )
    );
}

#[tokio::test]
async fn a_refused_password_is_reported_with_the_source_of_passwords() {
    let said = "Provided username alice and/or password are incorrect";
    let peer = StubPeer::new(|stub| stub.fault(FaultPoint::AuthResponse, Reaction::Error(0x0100, said))).await;
    let password = Arc::new(Authenticator::password("alice", "sesame").unwrap());
    assert_eq!(
        peer.failure(password).await,
        (
            ErrorKind::Authentication,
            format!(
                "{HEAD}the user name or password was refused; the server's message: \"{said}\". For Amazon Keyspaces \
                 they are the service-specific credentials of an IAM user (alice-at-111122223333), not the user's own \
                 password"
            )
        )
    );
}

#[tokio::test]
async fn a_user_without_permissions_is_reported_with_the_missing_ones() {
    let said = "User arn:aws:iam::12345678910:user/testuser has no permissions.";
    for at in [FaultPoint::ChallengeResponse, FaultPoint::SystemTable] {
        let peer = StubPeer::new(|stub| stub.fault(at, Reaction::Error(0x2100, said))).await;
        assert_eq!(
            peer.failure(sigv4()).await,
            (
                ErrorKind::Authentication,
                format!(
                    "{HEAD}the credentials have no permissions; the server's message: \"{said}\". Allow the IAM user or \
                     role cassandra:Select on /keyspace/system* and on the tables that it reads, for instance with the \
                     policy AmazonKeyspacesReadOnlyAccess_v2"
                )
            )
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_require_authentication_is_refused() {
    let ca = Ca::new("Test CA");
    let stub = Stub::with_addresses(1).tls(ca.server(&[NAME])).start().await;
    let peer = StubPeer { ca, stub };
    assert_eq!(
        peer.failure(sigv4()).await,
        (
            ErrorKind::Authentication,
            format!(
                "{HEAD}the server accepted the connection without authentication. Amazon Keyspaces always requires \
                 authentication, so this is another server: check host and port; for a Cassandra without TLS use \
                 Endpoint::cassandra"
            )
        )
    );
}

#[tokio::test]
async fn a_server_that_requires_credentials_that_are_not_set_is_reported_with_its_authenticator() {
    let stub = Stub::with_addresses(1).authenticator("PasswordAuthenticator").start().await;
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    let handshake =
        Handshake::new(endpoint, Trust::new([]).unwrap(), Arc::new(Authenticator::anonymous()), None).unwrap();
    let attempt = handshake.attempt(stub.address(), HandshakeDepth::SystemTables, soon(30_000)).await;
    assert_eq!(
        normalized(&attempt.failure.unwrap(), stub.port()),
        (
            ErrorKind::Credentials,
            "connecting to 127.0.0.1:<port> failed: the server requires authentication (PasswordAuthenticator), and \
             the session has no credentials. Set SessionBuilder::password, or use an endpoint with TLS and \
             SessionBuilder::credentials"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn a_second_challenge_is_not_answered() {
    let mut challenge = vec![0x84, 0, 0, 0, 0x0E, 0, 0, 0, 42, 0, 0, 0, 38];
    challenge.extend(b"nonce=91703fdc2ef562e19fbdab0f58e42fe5");
    let peer = StubPeer::new(|stub| stub.fault(FaultPoint::ChallengeResponse, Reaction::Bytes(challenge))).await;
    let (kind, text) = peer.failure(sigv4()).await;
    assert_eq!(kind, ErrorKind::Authentication);
    assert!(text.contains("sent a second challenge"), "{text}");
}

#[derive(Debug)]
struct Provider(Option<&'static str>);

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> provided::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        provided::ProvideCredentials::new(async {
            match self.0 {
                Some(text) => Err(CredentialsError::not_loaded(text)),
                None => std::future::pending().await,
            }
        })
    }
}

#[tokio::test]
async fn a_provider_without_credentials_is_named_and_nothing_is_sent() {
    let peer = StubPeer::new(|stub| stub).await;
    let source = CredentialSource::from_provider(SharedCredentialsProvider::new(Provider(Some("no profile"))));
    let failure = peer.attempt(sigv4_with(source)).await.failure.unwrap();
    assert_eq!((failure.stage, failure.error.kind()), (HandshakeStage::Credentials, ErrorKind::Credentials));
    assert!(failure.error.to_string().contains("the provider given to the session"), "{}", failure.error);
    assert!(peer.stub.observed().requests.iter().all(|request| request.opcode != 0x0F));
}

#[tokio::test]
async fn a_silent_provider_is_distinguished_from_a_silent_server() {
    let peer = StubPeer::new(|stub| stub).await;
    let source = CredentialSource::from_provider(SharedCredentialsProvider::new(Provider(None)));
    let handshake = peer.handshake(sigv4_with(source));
    let failure =
        handshake.attempt(peer.stub.address(), HandshakeDepth::SystemTables, soon(300)).await.failure.unwrap();
    assert_eq!(
        normalized(&failure, peer.stub.port()),
        (
            ErrorKind::Credentials,
            format!(
                "{HEAD}the credentials provider did not answer. Check the source that it uses: a metadata service, an \
                 SSO session, a credential process"
            )
        )
    );
}
