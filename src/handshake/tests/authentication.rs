use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future as provided};

use super::*;

#[tokio::test]
async fn a_refused_signature_is_told_with_its_region() {
    let said = "Authentication failure: Invalid signature";
    let place = StubPeer::new(|stub| stub.fault(FaultPoint::ChallengeResponse, Reaction::Error(0x0100, said))).await;
    assert_eq!(
        place.told(sigv4()).await,
        (
            ErrorKind::Authentication,
            format!(
                "{HEAD}the signature for us-east-1 was refused; the other side said: \"{said}\". Check that the \
                 endpoint is in us-east-1, that this machine's clock is right, and that the access key is active and \
                 its session token not expired"
            )
        )
    );
}

#[tokio::test]
async fn a_refused_password_is_told_with_where_passwords_come_from() {
    let said = "Provided username alice and/or password are incorrect";
    let place = StubPeer::new(|stub| stub.fault(FaultPoint::AuthResponse, Reaction::Error(0x0100, said))).await;
    let password = Arc::new(Authenticator::password("alice", "sesame").unwrap());
    assert_eq!(
        place.told(password).await,
        (
            ErrorKind::Authentication,
            format!(
                "{HEAD}the user name or password was refused; the other side said: \"{said}\". For Amazon Keyspaces \
                 they are the service-specific credentials of an IAM user (alice-at-111122223333), not the user's own \
                 password"
            )
        )
    );
}

#[tokio::test]
async fn a_user_without_permissions_is_told_which_are_missing() {
    let said = "User arn:aws:iam::12345678910:user/testuser has no permissions.";
    for at in [FaultPoint::ChallengeResponse, FaultPoint::SystemTable] {
        let place = StubPeer::new(|stub| stub.fault(at, Reaction::Error(0x2100, said))).await;
        assert_eq!(
            place.told(sigv4()).await,
            (
                ErrorKind::Authentication,
                format!(
                    "{HEAD}these credentials have no permissions; the other side said: \"{said}\". Allow the IAM user \
                     or role cassandra:Select on /keyspace/system* and on what it is to read, for instance with the \
                     policy AmazonKeyspacesReadOnlyAccess_v2"
                )
            )
        );
    }
}

#[tokio::test]
async fn a_server_that_asks_nobody_who_they_are_is_not_believed() {
    let ca = Ca::new("Test CA");
    let stub = Stub::with_addresses(1).tls(ca.server(&[NAME])).start().await;
    let place = StubPeer { ca, stub };
    assert_eq!(
        place.told(sigv4()).await,
        (
            ErrorKind::Authentication,
            format!(
                "{HEAD}the server let us in without asking for credentials. Amazon Keyspaces always asks, so this is \
                 something else: check host and port; a Cassandra without TLS is Endpoint::cassandra"
            )
        )
    );
}

#[tokio::test]
async fn a_server_that_asks_where_there_is_nothing_to_say_is_told_by_its_authenticator() {
    let stub = Stub::with_addresses(1).authenticator("PasswordAuthenticator").start().await;
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    let handshake = Handshake::new(endpoint, Trust::new([]).unwrap(), Arc::new(Authenticator::none()), None).unwrap();
    let attempt = handshake.try_at(stub.address(), Depth::SystemTables, soon(30_000)).await;
    assert_eq!(
        tell(&attempt.failure.unwrap(), stub.port()),
        (
            ErrorKind::Credentials,
            "connecting to 127.0.0.1:<port> failed: the server asks for credentials (PasswordAuthenticator), and there \
             are none. Give Builder::password, or an endpoint with TLS and Builder::credentials"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn a_second_challenge_is_not_answered() {
    let mut challenge = vec![0x84, 0, 0, 0, 0x0E, 0, 0, 0, 42, 0, 0, 0, 38];
    challenge.extend(b"nonce=91703fdc2ef562e19fbdab0f58e42fe5");
    let place = StubPeer::new(|stub| stub.fault(FaultPoint::ChallengeResponse, Reaction::Bytes(challenge))).await;
    let (kind, text) = place.told(sigv4()).await;
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
async fn a_provider_without_credentials_is_named_and_nothing_was_sent() {
    let place = StubPeer::new(|stub| stub).await;
    let source = CredentialSource::given(SharedCredentialsProvider::new(Provider(Some("no profile"))));
    let failure = place.attempt(sigv4_with(source)).await.failure.unwrap();
    assert_eq!((failure.stage, failure.error.kind()), (Stage::Credentials, ErrorKind::Credentials));
    assert!(failure.error.to_string().contains("the provider given to the session"), "{}", failure.error);
    assert!(place.stub.observed().requests.iter().all(|request| request.opcode != 0x0F));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_told_from_a_server_that_does_not() {
    let place = StubPeer::new(|stub| stub).await;
    let source = CredentialSource::given(SharedCredentialsProvider::new(Provider(None)));
    let handshake = place.handshake(sigv4_with(source));
    let failure = handshake.try_at(place.stub.address(), Depth::SystemTables, soon(300)).await.failure.unwrap();
    assert_eq!(
        tell(&failure, place.stub.port()),
        (
            ErrorKind::Credentials,
            format!(
                "{HEAD}the provider of the credentials did not answer. Check what it asks: a metadata service, an SSO \
                 session, a credential process"
            )
        )
    );
}
