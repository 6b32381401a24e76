//! Connecting with TLS, a verified name and a signature, and the errors of each stage.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use keyspaces::{Endpoint, Error, ErrorKind, ReadyWhen, Select, Session};
use keyspaces_local::Local;

use crate::local::{builder, endpoint, shared, signed};

#[tokio::test]
async fn a_session_authenticates_with_static_keys_a_provider_or_a_password() {
    let local = shared().await;
    let own = local.credentials();
    for builder in [
        signed(local),
        builder(local).credentials(Credentials::new(&own.access_key, &own.secret_key, None, None, "test")),
        builder(local).password(&own.user, &own.password),
    ] {
        let session = builder.connect().await.expect("a session");
        assert_eq!(session.peers().len(), 9);
        session.close(Duration::from_secs(10)).await.expect("nothing is in flight");
    }
}

#[tokio::test]
async fn a_session_is_ready_with_one_peer_and_connects_to_the_others_afterwards() {
    let session = signed(shared().await).ready_when(ReadyWhen::OnePeer).connect().await.expect("a session");
    assert_eq!(session.peers().len(), 9);
    let cluster: Select<(), (String,)> =
        session.prepare("SELECT cluster_name FROM system.local").await.expect("a statement");
    assert_eq!(cluster.one(()).await.expect("a row"), Some(("Amazon Keyspaces".to_owned(),)));
    let all_are_connected = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !session.peers().iter().all(|peer| peer.is_connected()) {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_are_connected).await.expect("the others are connected");
    session.close(Duration::from_secs(10)).await.expect("nothing is in flight");
}

#[tokio::test]
async fn a_session_token_is_sent_and_checked() {
    let mut own = keyspaces_local::Credentials::random();
    own.session_token = Some("FwoGZXIvYXdzEXAMPLE/+=".to_owned());
    let local = Local::builder().credentials(own.clone()).peers(1).start().await.expect("a local Keyspaces");
    signed(&local).connect().await.expect("a session");
    let error = builder(&local)
        .static_credentials(&own.access_key, &own.secret_key, None)
        .connect()
        .await
        .expect_err("a token is missing");
    assert_eq!(error.kind(), ErrorKind::Authentication);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_with_the_services_message_and_advice() {
    let local = shared().await;
    let own = local.credentials();
    let error = refused(builder(local).static_credentials(&own.access_key, "not the secret", None)).await;
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(error.server_message(), Some("Authentication failure: Invalid signature"));
    assert_eq!(
        error.advice(),
        Some(
            "Check that the endpoint is in us-east-1, that this machine's clock is right, and that the access key is \
             active and its session token not expired"
        )
    );
}

#[tokio::test]
async fn a_signature_for_another_region_is_refused() {
    let local = shared().await;
    let elsewhere = Endpoint::explicit(local.host(), local.port(), "localhost").expect("an endpoint");
    let own = local.credentials();
    let error = refused(builder(local).endpoint(elsewhere).region("eu-west-1").static_credentials(
        &own.access_key,
        &own.secret_key,
        None,
    ))
    .await;
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(error.server_message(), Some("Authentication failure: Invalid signature"));
}

#[tokio::test]
async fn a_wrong_password_is_refused_with_the_services_message() {
    let local = shared().await;
    let user = &local.credentials().user;
    let error = refused(builder(local).password(user, "not the password")).await;
    assert_eq!(error.kind(), ErrorKind::Authentication);
    let said = format!("Provided username {user} and/or password are incorrect");
    assert_eq!(error.server_message(), Some(said.as_str()));
}

#[tokio::test]
async fn an_identity_without_permissions_is_refused() {
    let local = shared().await;
    let nobody = local.credentials_without_permissions();
    let error = refused(builder(local).static_credentials(&nobody.access_key, &nobody.secret_key, None)).await;
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(error.server_message(), Some("User arn:aws:iam::111122223333:user/nobody has no permissions."));
}

#[tokio::test]
async fn expired_credentials_are_not_sent() {
    let local = shared().await;
    let own = local.credentials();
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    let expired = Credentials::new(&own.access_key, &own.secret_key, None, Some(yesterday), "test");
    let error = refused(builder(local).credentials(expired)).await;
    assert_eq!(error.kind(), ErrorKind::Credentials);
}

#[tokio::test]
async fn clock_skew_of_an_hour_is_refused_with_advice_about_the_clock() {
    let behind = || SystemTime::now() - Duration::from_secs(3600);
    let local = Local::builder().peers(1).clock(behind).start().await.expect("a local Keyspaces");
    let error = refused(signed(&local)).await;
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.advice().expect("advice").contains("clock"), "{error}");
}

#[tokio::test]
async fn untrusted_issuer_is_reported_on_connect() {
    let local = shared().await;
    let own = local.credentials();
    let error = refused(Session::builder().endpoint(endpoint(local)).static_credentials(
        &own.access_key,
        &own.secret_key,
        None,
    ))
    .await;
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.to_string().contains("the issuer of the certificate is not trusted"), "{error}");
}

#[tokio::test]
async fn certificate_for_other_names_is_refused_listing_its_names() {
    let local = shared().await;
    let other =
        Endpoint::explicit(local.host(), local.port(), "cassandra.eu-west-1.amazonaws.com").expect("an endpoint");
    let error = refused(signed(local).endpoint(other)).await;
    assert_eq!(error.kind(), ErrorKind::Tls);
    let text = error.to_string();
    assert!(
        text.contains(
            "the certificate is for localhost and cassandra.us-east-1.amazonaws.com, not for \
             cassandra.eu-west-1.amazonaws.com"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn debug_of_a_session_and_its_builder_prints_no_secret() {
    let local = shared().await;
    let own = local.credentials();
    let session = signed(local).connect().await.expect("a session");
    let shown = format!("{session:?} {:?} {:?}", signed(local), builder(local).password(&own.user, &own.password));
    assert!(!shown.contains(&own.secret_key) && !shown.contains(&own.password), "{shown}");
}

#[tokio::test]
async fn a_closed_session_refuses_calls() {
    let session = signed(shared().await).connect().await.expect("a session");
    let other = session.clone();
    session.close(Duration::from_secs(10)).await.expect("nothing is in flight");
    let error = other.define("CREATE KEYSPACE late WITH REPLICATION = {'class': 'SingleRegionStrategy'}").await;
    assert_eq!(error.expect_err("closed").kind(), ErrorKind::Closed);
}

/// Returns the error of connecting. Neither the error nor one of its causes may contain a secret.
async fn refused(builder: keyspaces::SessionBuilder) -> Error {
    let error = builder.connect().await.expect_err("no session");
    let mut chain = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        chain.push_str(&inner.to_string());
        cause = inner.source();
    }
    let own = shared().await.credentials();
    assert!(!chain.contains(&own.secret_key) && !chain.contains(&own.password), "{chain}");
    error
}
