use super::*;

async fn refusal(builder: SessionBuilder) -> (ErrorKind, String) {
    let error = builder.connect().await.unwrap_err();
    (error.kind(), error.to_string())
}

fn cassandra() -> SessionBuilder {
    Session::builder().endpoint(Endpoint::cassandra("127.0.0.1:9").unwrap())
}

#[tokio::test]
async fn invalid_settings_are_refused_before_anything_is_sent() {
    let pem = Ca::new("Test CA");
    let local = || Endpoint::explicit("127.0.0.1", 9, "keyspaces.example").unwrap();
    for (builder, text) in [
        (
            cassandra().static_credentials("a", "b", None),
            "setting up a session failed: 127.0.0.1:9 is a plain Cassandra, which does not accept signatures. Set a \
             user name and password, or neither; for SigV4 use Endpoint::region or Endpoint::explicit",
        ),
        (
            cassandra().trust_pem(pem.pem()).unwrap(),
            "setting up a session failed: 127.0.0.1:9 is a plain Cassandra, which is connected to without TLS and has \
             no certificate. Remove trust_pem, or use Endpoint::explicit",
        ),
        (
            cassandra().region("us-east-1"),
            "signing for us-east-1 at 127.0.0.1:9 failed: a plain Cassandra does not accept signatures. Use a \
             password, or Endpoint::explicit",
        ),
        (
            Session::builder().region("us-east-1").static_credentials("a", "b", None).password("c", "d"),
            "setting up a session failed: both AWS credentials and a password are set. Set one of them: credentials \
             for SigV4, or a user name and password",
        ),
        (
            Session::builder().region("eu-west-1").endpoint(Endpoint::region("us-east-1").unwrap()),
            "signing for eu-west-1 at cassandra.us-east-1.amazonaws.com failed: that is an endpoint of us-east-1, \
             which refuses signatures for other regions. Use the same region for both",
        ),
        (
            Session::builder().endpoint(local()).static_credentials("a", "b", None),
            "setting up a session failed: it is not known which region to sign for at 127.0.0.1:9. Set it with \
             SessionBuilder::region",
        ),
        (
            Session::builder().region("nowhere"),
            "parsing \"nowhere\" as a region failed: it does not end in a hyphen and a number. A region name looks \
             like us-east-1, us-gov-west-1 or cn-north-1",
        ),
        (
            cassandra().connect_timeout(Duration::ZERO),
            "setting up a session failed: connect_timeout is zero. Set a duration longer than zero",
        ),
        (
            cassandra().call_timeout(Duration::ZERO),
            "setting up a session failed: call_timeout is zero. Set a duration longer than zero",
        ),
        (
            cassandra().attempt_timeout(Duration::ZERO),
            "setting up a session failed: attempt_timeout is zero. Set a duration longer than zero",
        ),
        (
            cassandra().application_name("n".repeat(65_536)),
            "setting up a session failed: application_name is longer than the 65535 bytes of a string in STARTUP. \
             Shorten it",
        ),
    ] {
        assert_eq!(refusal(builder).await, (ErrorKind::Configuration, text.to_owned()));
    }
    // With a password nothing is signed, so no region is needed.
    let (kind, _) = refusal(Session::builder().endpoint(local()).password("c", "d")).await;
    assert_eq!(kind, ErrorKind::Connect);
}

#[tokio::test]
async fn the_longest_timeout_is_accepted() {
    let patient = cassandra().connect_timeout(Duration::MAX).call_timeout(Duration::MAX).attempt_timeout(Duration::MAX);
    assert_eq!(refusal(patient.clone()).await.0, ErrorKind::Connect);
    assert!(!patient.diagnose().await.is_healthy());
}

#[test]
fn a_pem_without_a_certificate_is_refused_when_it_is_set() {
    let error = Session::builder().trust_pem("no certificate").unwrap_err();
    assert_eq!(
        error.to_string(),
        "reading the trusted certificates failed: the PEM contains no certificate. Expected PEM: -----BEGIN \
         CERTIFICATE-----, base64, -----END CERTIFICATE-----"
    );
}

#[test]
fn pool_advice_sets_connections_per_host() {
    let builder = Session::builder().pool_advice(PoolAdvice::new(20_000, 3, 2));
    assert_eq!(builder.pool_advice, Some(PoolAdvice::new(20_000, 3, 2)));
    assert!(format!("{builder:?}").contains("connections_per_host: 10"), "{builder:?}");
}

#[test]
fn debug_of_a_builder_prints_no_secret() {
    let builder = Session::builder()
        .static_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", Some("IQoJb3JpZ2luX2Vj"))
        .password("alice", "sesame");
    let shown = format!("{builder:?}");
    assert!(shown.contains("alice"), "{shown}");
    for secret in ["wJalrXUtnFEMI", "IQoJb3JpZ2luX2Vj", "sesame"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_table_limit_needs_the_name_of_a_table_with_its_keyspace() {
    use crate::TableLimit;

    for table in ["shop.names", "\"Shop\".names"] {
        let builder = Session::builder().table_limit(table, TableLimit::none()).expect("a table");
        assert!(format!("{builder:?}").contains("table_limits"));
    }
    let error = Session::builder().table_limit("names", TableLimit::none()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(
        error.to_string(),
        "setting up a session failed: \"names\" is not the name of a table with its keyspace. Write keyspace.table"
    );
}
