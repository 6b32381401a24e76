use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::auth::environment::EnvironmentCredentials;

const HELENUS: &str = "com.amazon.helenus.auth.HelenusAuthenticator";
const CHALLENGE: &[u8] = b"nonce=91703fdc2ef562e19fbdab0f58e42fe5";
const ANSWER: &str = "signature=7f3691c18a81b8ce7457699effbfae5b09b4e0714ab38c1292dbdf082c9ddd87,\
                      access_key=UserID-1,amzdate=2020-06-09T22:41:51.000Z";

fn signing_with(source: CredentialSource) -> Arc<Authenticator> {
    let clock = Clock::new(|| UNIX_EPOCH + Duration::from_secs(1_591_742_511));
    Arc::new(Authenticator::sigv4("us-west-2", source, clock, Timing::default()).unwrap())
}

fn signing() -> Arc<Authenticator> {
    signing_with(CredentialSource::static_keys("UserID-1", "UserSecretKey-1", None))
}

#[tokio::test]
async fn the_driver_gets_the_first_response_and_one_answer() {
    let authenticator = signing();
    assert!(!authenticator.was_requested());
    let provider = authenticator.as_driver_provider();
    let (initial, mut session) = provider.start_authentication_session(HELENUS).await.unwrap();
    assert_eq!(initial.unwrap(), b"SigV4\0\0");
    assert_eq!(session.evaluate_challenge(Some(CHALLENGE)).await.unwrap().unwrap(), ANSWER.as_bytes());
    session.success(None).await.unwrap();
    assert!(authenticator.was_requested());
    assert_eq!(authenticator.authenticator_name().as_deref(), Some(HELENUS));
    assert!(authenticator.take_last_error().is_none());
}

#[tokio::test]
async fn our_own_connections_get_the_same() {
    let authenticator = signing();
    assert_eq!(authenticator.initial_response().await.unwrap(), b"SigV4\0\0");
    assert_eq!(authenticator.answer(Some(CHALLENGE)).await.unwrap(), ANSWER.as_bytes());
}

#[tokio::test]
async fn each_request_for_authentication_is_counted() {
    let authenticator = signing();
    let provider = authenticator.as_driver_provider();
    for count in 1..=3 {
        provider.start_authentication_session("org.example.Proxy").await.unwrap();
        assert_eq!(authenticator.request_count(), count);
    }
    assert_eq!(authenticator.authenticator_name().as_deref(), Some("org.example.Proxy"));
}

#[tokio::test]
async fn a_second_challenge_is_refused_and_the_typed_error_is_stored() {
    let authenticator = signing();
    let (_, mut session) = authenticator.as_driver_provider().start_authentication_session(HELENUS).await.unwrap();
    session.evaluate_challenge(Some(CHALLENGE)).await.unwrap();
    let text = session.evaluate_challenge(Some(CHALLENGE)).await.unwrap_err();
    assert_eq!(
        text,
        "authenticating failed: the server (com.amazon.helenus.auth.HelenusAuthenticator) sent a second challenge. \
         Check that the endpoint belongs to Amazon Keyspaces"
    );
    let error = authenticator.take_last_error().unwrap();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Authentication, text));
    assert!(authenticator.take_last_error().is_none());
}

#[tokio::test]
async fn a_challenge_without_a_nonce_is_refused() {
    let authenticator = signing();
    let (_, mut session) = authenticator.as_driver_provider().start_authentication_session("Other").await.unwrap();
    assert_eq!(
        session.evaluate_challenge(Some(b"realm=somewhere")).await.unwrap_err(),
        "signing for the server (Other) failed: the server's challenge contains no nonce. Check that the endpoint \
         belongs to Amazon Keyspaces"
    );
    assert_eq!(authenticator.take_last_error().unwrap().kind(), ErrorKind::Authentication);
    assert_eq!(authenticator.answer(None).await.unwrap_err().kind(), ErrorKind::Authentication);
}

#[tokio::test]
async fn missing_credentials_send_nothing_and_error_says_what_to_set() {
    let authenticator = signing_with(CredentialSource::environment_with(EnvironmentCredentials::new(|name| {
        (name == "AWS_ACCESS_KEY_ID").then(|| "AKID".to_owned())
    })));
    let provider = authenticator.as_driver_provider();
    let text = provider.start_authentication_session(HELENUS).await.err().unwrap();
    assert_eq!(
        text,
        "getting credentials from the environment failed: AWS_SECRET_ACCESS_KEY is not set. Set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary credentials"
    );
    let error = authenticator.take_last_error().unwrap();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Credentials, text));
    assert!(authenticator.was_requested());
}

#[tokio::test]
async fn an_error_is_cleared_once_a_connection_is_authenticated() {
    let authenticator = signing();
    let provider = authenticator.as_driver_provider();
    let (_, mut failing) = provider.start_authentication_session(HELENUS).await.unwrap();
    failing.evaluate_challenge(None).await.unwrap_err();
    let (_, mut passing) = provider.start_authentication_session(HELENUS).await.unwrap();
    passing.evaluate_challenge(Some(CHALLENGE)).await.unwrap();
    passing.success(None).await.unwrap();
    assert!(authenticator.take_last_error().is_none());
}

#[tokio::test]
async fn credentials_with_line_breaks_or_nul_are_refused_before_sending() {
    for (source, problem) in [
        (CredentialSource::static_keys("AKID\n", "secret", None), "the access key contains a line break or a NUL"),
        (
            CredentialSource::static_keys("AKID", "secret", Some("a\0b")),
            "the session token contains a line break or a NUL",
        ),
    ] {
        let error = signing_with(source).initial_response().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "signing for the server failed: {problem}. Check the place where it is stored for a line break at \
                     its end"
            )
        );
        assert_eq!(error.kind(), ErrorKind::Credentials);
    }
}

#[tokio::test]
async fn a_wrong_clock_is_named() {
    let source = CredentialSource::static_keys("AKID", "secret", None);
    let clock = Clock::new(|| UNIX_EPOCH - Duration::from_secs(1));
    let authenticator = Authenticator::sigv4("us-west-2", source, clock, Timing::default()).unwrap();
    let error = authenticator.answer(Some(CHALLENGE)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "signing for the server failed: this machine's clock is not between the years 1970 and 9999. Set this \
         machine's clock"
    );
    assert_eq!(error.kind(), ErrorKind::Credentials);
}

#[tokio::test]
async fn password_is_sent_initially_and_never_in_reply_to_a_challenge() {
    let authenticator = Arc::new(Authenticator::password("alice-at-111122223333", "sesame").unwrap());
    let provider = authenticator.as_driver_provider();
    let (initial, mut session) = provider.start_authentication_session(HELENUS).await.unwrap();
    assert_eq!(initial.unwrap(), b"\0alice-at-111122223333\0sesame");
    assert_eq!(
        session.evaluate_challenge(Some(CHALLENGE)).await.unwrap_err(),
        "authenticating failed: the server (com.amazon.helenus.auth.HelenusAuthenticator) answered the user name and \
         password with a challenge. Set AWS credentials, which are for SigV4, instead"
    );
    assert_eq!(authenticator.take_last_error().unwrap().kind(), ErrorKind::Authentication);
}

#[tokio::test]
async fn without_credentials_a_server_that_requires_authentication_is_an_error() {
    let authenticator = Arc::new(Authenticator::anonymous());
    let provider = authenticator.as_driver_provider();
    let name = "org.apache.cassandra.auth.PasswordAuthenticator";
    assert_eq!(
        provider.start_authentication_session(name).await.err().unwrap(),
        "authenticating failed: the server (org.apache.cassandra.auth.PasswordAuthenticator) requires authentication, \
         and the session has no credentials. Set a user name and password"
    );
    assert_eq!(authenticator.take_last_error().unwrap().kind(), ErrorKind::Credentials);
    assert_eq!(authenticator.answer(Some(CHALLENGE)).await.unwrap_err().kind(), ErrorKind::Credentials);
}

#[test]
fn an_invalid_region_is_refused() {
    let source = CredentialSource::static_keys("AKID", "secret", None);
    let error = Authenticator::sigv4("here", source, Clock::system(), Timing::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn the_identity_contains_no_secret() {
    let authenticator = signing();
    let before = Identity::SigV4 { region: "us-west-2".to_owned(), source: "the static credentials", expiry: None };
    assert_eq!(authenticator.identity(), before);
    authenticator.initial_response().await.unwrap();
    assert!(matches!(authenticator.identity(), Identity::SigV4 { expiry: Some(None), .. }));
    assert_eq!(authenticator.identity().to_string(), "SigV4 for us-west-2, with the static credentials");
    let alice = Authenticator::password("alice", "sesame").unwrap();
    assert_eq!(alice.identity().to_string(), "user alice with a password");
    assert_eq!(Authenticator::anonymous().identity().to_string(), "no credentials");
    for shown in [format!("{authenticator:?}"), format!("{alice:?}")] {
        assert!(!shown.contains("UserSecretKey-1") && !shown.contains("sesame"), "{shown}");
    }
}

#[test]
fn the_name_of_an_authenticator_is_bounded() {
    let authenticator = Authenticator::anonymous();
    authenticator.record_request(&format!("a\r\n{}", "é".repeat(10_000)));
    assert_eq!(authenticator.authenticator_name().unwrap(), format!("a{}", "é".repeat(199)));
}
