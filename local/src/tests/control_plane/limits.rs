//! Clients that are slow or numerous, or send more or less than they announce.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{NOT_KNOWN, connect, port, read, send_raw};
use crate::control_plane::Limits;
use crate::local::{Builder, Local};

/// A service over the Cassandra that all tests share.
async fn with(limits: Limits) -> Builder {
    let shared = Local::shared().await.unwrap();
    let mut builder = Local::builder().cassandra(shared.cassandra_address().to_string()).peers(1).plain_http(true);
    builder.http_limits = limits;
    builder
}

async fn connect_plain(local: &Local) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port(local))).await.unwrap()
}

/// Five times the service's time limit in these tests.
const TIMEOUT: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_client_that_sends_no_complete_head_is_disconnected() {
    let local = with(Limits { head: LIMIT, ..Limits::default() }).await.start().await.unwrap();
    let mut idle = connect_plain(&local).await;
    idle.write_all(b"POST / HTTP/1.1\r\nhost: loc").await.unwrap();
    let silent_ends = async {
        let mut answer = Vec::new();
        let _ = idle.read_to_end(&mut answer).await;
        answer
    };
    let (mut reader, mut writer) = connect_plain(&local).await.into_split();
    let dripping_ends = async {
        let drip = async {
            writer.write_all(b"POST / HTTP/1.1\r\nx: ").await.unwrap();
            while writer.write_all(b"y").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut answer = Vec::new();
        tokio::select! {
            () = drip => {}
            _ = reader.read_to_end(&mut answer) => {}
        }
        answer
    };
    let ends = timeout(TIMEOUT, async { tokio::join!(silent_ends, dripping_ends) }).await;
    assert_eq!(ends.expect("both are left"), (Vec::new(), Vec::new()));
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_client_that_sends_no_complete_body_in_time_gets_an_error() {
    let local = with(Limits { body: LIMIT, ..Limits::default() }).await.start().await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: KeyspacesService.ListKeyspaces\r\n";
    let mut idle = connect_plain(&local).await;
    idle.write_all(format!("{head}content-length: 10\r\n\r\n{{").as_bytes()).await.unwrap();
    let (mut reader, mut writer) = connect_plain(&local).await.into_split();
    writer.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let drip = async {
        while writer.write_all(b"1\r\n \r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    };
    let both = async { tokio::join!(read(&mut idle), read(&mut reader)) };
    let both = async {
        tokio::select! {
            answers = both => answers,
            () = drip => unreachable!(),
        }
    };
    let (idle, dripping) = timeout(TIMEOUT, both).await.expect("both are answered");
    let name = "com.amazon.coral.service#RequestTimeoutException".to_owned();
    let problem = format!("keyspaces-local: the body did not come within 1s {NOT_KNOWN}");
    for answer in [idle, dripping] {
        assert_eq!(answer.error(), (408, name.clone(), problem.clone()));
    }
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_client_that_starts_no_tls_handshake_is_disconnected() {
    let limits = Limits { handshake: LIMIT, ..Limits::default() };
    let local = with(limits).await.plain_http(false).start().await.unwrap();
    let mut idle = connect_plain(&local).await;
    let ended = timeout(TIMEOUT, idle.read(&mut [0])).await.expect("it is left");
    assert_eq!(ended.unwrap_or(0), 0);
    local.close().await.unwrap();
}

#[tokio::test]
async fn connection_over_the_limit_is_closed_until_one_is_freed() {
    let local = with(Limits { connections: 2, ..Limits::default() }).await.start().await.unwrap();
    let get = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let send_request = async || {
        let mut stream = connect_plain(&local).await;
        let mut answer = Vec::new();
        let _ = stream.write_all(get).await;
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    // Each gets an answer first, so both connections are known to be accepted.
    let mut open = [connect_plain(&local).await, connect_plain(&local).await];
    for stream in &mut open {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
    }
    assert_eq!(send_request().await, b"");
    let [first, _second] = open;
    drop(first);
    while send_request().await.is_empty() {
        tokio::task::yield_now().await;
    }
    local.close().await.unwrap();
}

#[tokio::test]
async fn http_body_of_100_mb_is_refused_before_it_is_fully_sent() {
    let local = Local::shared().await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(connect(local).await);
    let send = async {
        let head = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: KeyspacesService.ListKeyspaces\r\ncontent-length: 100000000\r\n\r\n";
        writer.write_all(head.as_bytes()).await.unwrap();
        let part = vec![b' '; 100_000];
        for _ in 0..1000 {
            if writer.write_all(&part).await.is_err() {
                return;
            }
        }
    };
    let (answer, ()) = tokio::join!(read(&mut reader), send);
    let problem = format!("keyspaces-local: the body is longer than 1048576 bytes {NOT_KNOWN}");
    let name = "com.amazon.coral.service#RequestEntityTooLargeException".to_owned();
    assert_eq!(answer.error(), (413, name, problem));
}

#[tokio::test]
async fn an_incomplete_body_is_refused() {
    let local = Local::shared().await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: KeyspacesService.ListKeyspaces\r\n";
    let chunk = format!("{head}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\nno chunk\r\n");
    let (status, name, message) = send_raw(local, chunk.as_bytes()).await.error();
    assert_eq!((status, name.as_str()), (400, "com.amazon.coral.service#MalformedHttpRequestException"));
    assert!(message.starts_with("keyspaces-local: the body cannot be read: "), "{message}");

    // Sends half of the announced body and disconnects: there is no client to answer.
    let mut stream = connect(local).await;
    stream.write_all(format!("{head}content-length: 10\r\n\r\n{{").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");

    let no_length = format!("{head}content-length: ten\r\n\r\n{{}}");
    assert_eq!(send_raw(local, no_length.as_bytes()).await.status, 400);
}
