use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::client::{Client, ClientAnswer, LOCAL_QUORUM, RequestOptions, frame, opcode, query_body};
use super::{PROTOCOL_ERROR, local};
use crate::protocol::Writer;

const SELECT: &str = "SELECT cluster_name FROM system.local";

async fn assert_refused(bytes: &[u8], text: &str) {
    let mut client = Client::connect(local().await).await;
    client.send_bytes(bytes).await;
    let received = client.receive().await.expect("a protocol error");
    assert_eq!(ClientAnswer::read(&received).refused(), (PROTOCOL_ERROR, text.to_owned()));
    assert_eq!(client.receive().await, None);
    let mut next = Client::connect(local().await).await;
    assert_eq!(next.rows(SELECT).await.values.len(), 1);
}

#[tokio::test]
async fn a_frame_that_is_too_long_is_refused_before_it_arrives() {
    let header = [4, 0, 0, 1, opcode::QUERY, 0x10, 0, 0, 0];
    assert_refused(&header, "A frame of 268435456 bytes is longer than the maximum of 16777216").await;
}

#[tokio::test]
async fn before_login_frames_are_limited_further() {
    let mut client = Client::unauthenticated(local().await).await;
    client.send_bytes(&[4, 0, 0, 1, opcode::STARTUP, 0, 2, 0, 0]).await;
    let (_, text) = ClientAnswer::read(&client.receive().await.unwrap()).refused();
    assert_eq!(text, "A frame of 131072 bytes is longer than the maximum of 65536");
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn an_invalid_frame_ends_only_its_own_connection() {
    let cut = "the body of the frame ends too early or announces an impossible length";
    let query = query_body(SELECT, RequestOptions::default());
    assert_refused(&frame(4, 0, 1, 0x42, &[]), "Unknown opcode 66").await;
    assert_refused(&frame(4, 0, -1, opcode::OPTIONS, &[]), "Stream -1: negative stream ids belong to the server").await;
    assert_refused(&frame(0x84, 0, 1, opcode::READY, &[]), "Wrong direction: a response where a request was expected")
        .await;
    assert_refused(
        &frame(4, 1, 1, opcode::QUERY, &query),
        "The frame is compressed, but compression was not negotiated",
    )
    .await;
    assert_refused(&frame(4, 4, 1, opcode::QUERY, &[0xff, 0xff]), cut).await;
    for body in [&b""[..], b"\x7f\xff\xff\xff", b"\0\0\0\x01", b"\0\0\0\x01\xff\0\x06\0", b"\xff\xff\xff\xff\0\x06\0"] {
        for opcode in [opcode::QUERY, opcode::EXECUTE, opcode::BATCH] {
            let mut client = Client::connect(local().await).await;
            client.send(1, opcode, body).await;
            let answer = ClientAnswer::read(&client.receive().await.expect("an error"));
            let (code, text) = answer.refused();
            // The two bytes of a truncated id may be parsed as an id of 0 bytes.
            if code != 0x2500 {
                assert_eq!(code, PROTOCOL_ERROR, "{text}");
                assert_eq!(client.receive().await, None);
            }
        }
    }
    assert_refused(&frame(4, 0, 1, opcode::QUERY, &query[..query.len() - 1]), cut).await;
    let unknown_level = query_body(SELECT, RequestOptions::consistency(11));
    assert_refused(&frame(4, 0, 1, opcode::QUERY, &unknown_level), "Unknown code 11 for a consistency level").await;
    assert_refused(&frame(4, 0, 1, opcode::BATCH, &[9]), "Unknown batch type 9").await;
    assert_refused(
        &frame(4, 0, 1, opcode::AUTH_RESPONSE, &[0; 4]),
        "Unexpected message AUTHRESPONSE: the request is not possible after login",
    )
    .await;
}

#[tokio::test]
async fn reuse_of_a_busy_stream_id_closes_the_connection() {
    let mut client = Client::connect(local().await).await;
    let slow = "CREATE KEYSPACE frames_stream WITH replication = {'class': 'SingleRegionStrategy'}";
    let both = [slow, SELECT].map(|text| frame(4, 0, 5, opcode::QUERY, &query_body(text, RequestOptions::default())));
    client.send_bytes(&both.concat()).await;
    let (code, text) = ClientAnswer::read(&client.receive().await.unwrap()).refused();
    assert_eq!((code, text.as_str()), (PROTOCOL_ERROR, "Stream 5 is in use by a request that was not answered yet"));
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn concurrent_requests_are_each_answered_on_their_own_stream() {
    const COUNT: i16 = 5000;
    let mut client = Client::connect(local().await).await;
    let all: Vec<u8> = (0..COUNT)
        .flat_map(|stream| frame(4, 0, stream, opcode::QUERY, &query_body(SELECT, RequestOptions::default())))
        .collect();
    client.send_bytes(&all).await;
    let mut streams = BTreeSet::new();
    for _ in 0..COUNT {
        let received = client.receive().await.unwrap();
        assert!(matches!(ClientAnswer::read(&received), ClientAnswer::Rows(_)));
        streams.insert(received.stream);
    }
    assert_eq!(streams.len(), COUNT as usize);
}

#[tokio::test]
async fn slow_reading_client_receives_every_response() {
    const COUNT: i16 = 150;
    let mut client = Client::connect(local().await).await;
    client.keyspace("frames_slow").await;
    client.table("frames_slow", "t", "(a int PRIMARY KEY, b blob)").await;
    let big = vec![7; (1 << 20) - 1000];
    let insert = "INSERT INTO frames_slow.t (a, b) VALUES (1, ?)";
    let stored = client.query_with(insert, RequestOptions { values: &[&big], ..RequestOptions::default() }).await;
    assert_eq!(stored, ClientAnswer::Void);
    let select = query_body("SELECT b FROM frames_slow.t WHERE a = 1", RequestOptions::default());
    for stream in 0..COUNT {
        client.send(stream, opcode::QUERY, &select).await;
    }
    // More than twice as many requests are waiting as one connection may have in progress. Other connections are
    // served.
    let mut other = Client::connect(local().await).await;
    for _ in 0..20 {
        other.rows(SELECT).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..COUNT {
        let ClientAnswer::Rows(rows) = ClientAnswer::read(&client.receive().await.unwrap()) else { panic!() };
        assert_eq!(rows.values[0][0].as_deref(), Some(&big[..]));
    }
}

#[tokio::test]
async fn tracing_and_custom_payloads_are_accepted_and_ignored() {
    let mut client = Client::connect(local().await).await;
    let mut body = BytesMut::new();
    body.put_u16(1);
    body.string("key");
    body.bytes(Some(b"value"));
    body.put_slice(&query_body(SELECT, RequestOptions::default()));
    client.send_bytes(&frame(4, 0x02 | 0x04, 1, opcode::QUERY, &body)).await;
    let received = client.receive().await.unwrap();
    assert_eq!((received.flags, received.opcode), (0, opcode::RESULT));
}

#[tokio::test]
async fn cassandras_warnings_are_removed() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("frames_warnings").await;
    client.table("frames_warnings", "t", "(a int PRIMARY KEY)").await;
    // Cassandra adds a warning to an unlogged batch of more than ten partitions.
    let inserts: Vec<String> = (0..20).map(|a| format!("INSERT INTO frames_warnings.t (a) VALUES ({a})")).collect();
    let inserts: Vec<_> = inserts.iter().map(|text| Ok(text.as_str())).collect();
    let body = super::client::batch_body(1, &inserts, LOCAL_QUORUM);
    let received = client.call(opcode::BATCH, &body).await;
    assert_eq!((received.flags, ClientAnswer::read(&received)), (0, ClientAnswer::Void));
}
