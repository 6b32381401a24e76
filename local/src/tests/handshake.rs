use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Client, ClientAnswer, ReceivedFrame, RequestOptions, frame, opcode, query_body};
use super::{PROTOCOL_ERROR, local};
use crate::protocol::{Reader, Writer};

fn refused(received: Option<ReceivedFrame>) -> (i32, String) {
    ClientAnswer::read(&received.expect("an error")).refused()
}

fn protocol_error(text: &str) -> (i32, String) {
    (PROTOCOL_ERROR, text.to_owned())
}

#[tokio::test]
async fn every_version_except_4_is_refused_in_version_4_on_stream_0_with_the_sentence_that_drivers_expect() {
    for version in [66, 65, 6, 5, 3] {
        let mut client = Client::unauthenticated(local().await).await;
        client.send_bytes(&frame(version, 0, 7, opcode::OPTIONS, &[])).await;
        let received = client.receive().await.unwrap();
        assert_eq!((received.version, received.stream, received.opcode), (0x84, 0, opcode::ERROR));
        let text = format!(
            "Invalid or unsupported protocol version ({version}); \
             the lowest supported version is 4 and the greatest is 4"
        );
        assert_eq!(refused(Some(received)), protocol_error(&text));
        assert_eq!(client.receive().await, None);
    }
}

#[tokio::test]
async fn startup_in_an_unsupported_protocol_version_is_refused() {
    let mut client = Client::unauthenticated(local().await).await;
    client.send_bytes(&frame(66, 0, 0, opcode::STARTUP, b"\0\x01\0\x0BCQL_VERSION\0\x053.0.0")).await;
    assert!(refused(client.receive().await).1.starts_with("Invalid or unsupported protocol version (66)"));
}

#[tokio::test]
async fn options_returns_the_cql_version_and_no_compression_at_any_time() {
    let mut client = Client::unauthenticated(local().await).await;
    let mut supported = BytesMut::new();
    supported.put_u16(2);
    supported.string("CQL_VERSION");
    supported.put_u16(1);
    supported.string("3.4.4");
    supported.string("COMPRESSION");
    supported.put_u16(0);
    let before = client.call(opcode::OPTIONS, &[]).await;
    assert_eq!((before.opcode, &before.body), (opcode::SUPPORTED, &supported.freeze()));
    client.start_up(&[("CQL_VERSION", "4.0.0")]).await;
    assert_eq!(client.call(opcode::OPTIONS, &[]).await, before);
    let mut client = Client::connect(local().await).await;
    assert_eq!(client.call(opcode::OPTIONS, &[]).await, before);
}

#[tokio::test]
async fn a_startup_is_answered_with_authenticate_whatever_its_options() {
    let mut client = Client::unauthenticated(local().await).await;
    let options = [
        ("CQL_VERSION", "3.4.4"),
        ("DRIVER_NAME", "a test"),
        ("CLIENT_ID", "5f0e9b7e-0c0b-4c5b-8c3e-2f6f2b6c8b0e"),
        ("SESSION_ID", "5f0e9b7e-0c0b-4c5b-8c3e-2f6f2b6c8b0e"),
    ];
    let answer = client.start_up(&options).await;
    assert_eq!(answer.opcode, opcode::AUTHENTICATE);
    assert_eq!(Reader::new(&answer.body).string(), Ok("com.amazon.helenus.auth.HelenusAuthenticator"));
}

#[tokio::test]
async fn an_invalid_startup_is_refused() {
    for (options, text) in [
        (&[("CQL_VERSION", "3.0.0"), ("COMPRESSION", "lz4")][..], "Unknown compression algorithm: lz4"),
        (&[("COMPRESSION", "snappy"), ("CQL_VERSION", "3.0.0")], "Unknown compression algorithm: snappy"),
        (&[("DRIVER_NAME", "x")], "Missing value CQL_VERSION in STARTUP message"),
        (
            &[("CQL_VERSION", "2.0.0")],
            "CQL version 2.0.0 is not supported by the binary protocol (supported version are >= 3.0.0)",
        ),
    ] {
        let mut client = Client::unauthenticated(local().await).await;
        let answer = client.start_up(options).await;
        assert_eq!(refused(Some(answer)), protocol_error(text));
        assert_eq!(client.receive().await, None);
    }
}

#[tokio::test]
async fn before_login_requests_are_refused() {
    let query = query_body("SELECT * FROM system.local", RequestOptions::default());
    for (opcode, name) in [
        (opcode::QUERY, "QUERY"),
        (opcode::PREPARE, "PREPARE"),
        (opcode::EXECUTE, "EXECUTE"),
        (opcode::BATCH, "BATCH"),
        (opcode::REGISTER, "REGISTER"),
    ] {
        let mut client = Client::unauthenticated(local().await).await;
        client.send(3, opcode, &query).await;
        let text = format!("Unexpected message {name}, expecting STARTUP or OPTIONS");
        assert_eq!(refused(client.receive().await), protocol_error(&text));
        assert_eq!(client.receive().await, None);

        let mut client = Client::unauthenticated(local().await).await;
        client.start_up(&[("CQL_VERSION", "3.0.0")]).await;
        client.send(3, opcode, &query).await;
        let text = format!("Unexpected message {name}, expecting SASL_RESPONSE");
        assert_eq!(refused(client.receive().await), protocol_error(&text));
        assert_eq!(client.receive().await, None);
    }
}

#[tokio::test]
async fn wrong_password_is_refused_and_closes_the_connection() {
    let mut client = Client::unauthenticated(local().await).await;
    client.start_up(&[("CQL_VERSION", "3.0.0")]).await;
    let answer = client.auth_response(b"\0somebody\0secret").await;
    let text = "Provided username somebody and/or password are incorrect";
    assert_eq!(refused(Some(answer)), (0x0100, text.to_owned()));
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn sigv4_login_is_challenged_and_a_wrong_answer_disconnects() {
    let mut client = Client::unauthenticated(local().await).await;
    client.start_up(&[("CQL_VERSION", "3.0.0")]).await;
    let challenge = client.auth_response(b"SigV4\0\0").await;
    assert_eq!(challenge.opcode, opcode::AUTH_CHALLENGE);
    let token = Reader::new(&challenge.body).bytes().unwrap().unwrap();
    assert!(token.starts_with(b"nonce=") && token.len() == 38);
    assert_eq!(refused(Some(client.auth_response(b"signature=no").await)).0, 0x0100);
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn a_second_startup_is_refused() {
    let mut client = Client::connect(local().await).await;
    let answer = client.start_up(&[("CQL_VERSION", "3.0.0")]).await;
    let text = "Unexpected message STARTUP, the connection is already initialized";
    assert_eq!(refused(Some(answer)), protocol_error(text));
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn plain_text_ends_the_connection_without_a_frame() {
    let mut socket = TcpStream::connect(("127.0.0.1", local().await.port())).await.unwrap();
    socket.write_all(&frame(4, 0, 0, opcode::OPTIONS, &[])).await.unwrap();
    let mut received = Vec::new();
    // A TLS alert or a reset may arrive.
    let _ = socket.read_to_end(&mut received).await;
    assert_ne!(received.first(), Some(&0x84));
}

#[tokio::test]
async fn register_is_answered_and_no_event_is_sent() {
    let mut client = Client::connect(local().await).await;
    let mut events = BytesMut::new();
    events.put_u16(3);
    ["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"].iter().for_each(|event| events.string(event));
    assert_eq!(client.call(opcode::REGISTER, &events).await.opcode, opcode::READY);
    let mut other = Client::connect(local().await).await;
    other.keyspace("handshake_events").await;
    // An event would arrive before this answer.
    client.send(9, opcode::OPTIONS, &[]).await;
    assert_eq!(client.receive().await.unwrap().stream, 9);
}

#[tokio::test]
async fn every_peer_serves_requests() {
    let local = local().await;
    for last in 1..=9 {
        let mut client = Client::connect_at(local, ([127, 0, 0, last], local.port()).into()).await;
        assert_eq!(
            client.rows("SELECT cluster_name FROM system.local").await.texts("cluster_name"),
            ["Amazon Keyspaces"]
        );
    }
}
