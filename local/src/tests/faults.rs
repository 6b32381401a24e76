//! Injected faults, as a client sees them and as the journal records them.

use std::time::{Duration, Instant};

use super::client::{Client, ClientAnswer, RequestOptions, frame, opcode, query_body};
use crate::Local;
use crate::fault::{Effect, Fault, Moment};
use crate::journal::captured_log::CapturedLog;
use crate::journal::{Kind, Outcome, Received};

/// A separate service with a table `<keyspace>.t (a int PRIMARY KEY)`.
async fn with_table(keyspace: &str) -> (Local, Client) {
    let local = super::another().await.start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.keyspace(keyspace).await;
    client.table(keyspace, "t", "(a int PRIMARY KEY)").await;
    (local, client)
}

async fn contains_row(client: &mut Client, keyspace: &str, row: i32) -> bool {
    let rows = client.rows(&format!("SELECT a FROM {keyspace}.t WHERE a = {row}")).await;
    !rows.values.is_empty()
}

/// The newest request that contains this text, once it has an outcome.
async fn received_request(local: &Local, part: &str) -> Received {
    loop {
        let newest = local.journal().containing(part).pop();
        match newest {
            Some(received) if received.outcome.is_some() => return received,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn a_request_is_dropped_or_its_connection_closed_before_or_after_its_execution() {
    let (local, mut watching) = with_table("faults_lost").await;
    for (row, effect, applied) in [
        (1, Effect::Drop(Moment::Before), false),
        (2, Effect::Drop(Moment::After), true),
        (3, Effect::Close(Moment::Before), false),
        (4, Effect::Close(Moment::After), true),
        (5, Effect::Silence(Moment::Before), false),
        (6, Effect::Silence(Moment::After), true),
    ] {
        let insert = format!("INSERT INTO faults_lost.t (a) VALUES ({row})");
        let fault = local.faults().inject(Fault::new(effect.clone()).containing(&insert));
        let mut client = Client::connect(&local).await;
        client.send(7, opcode::QUERY, &query_body(&insert, RequestOptions::default())).await;
        let received = received_request(&local, &insert).await;
        assert_eq!(received.outcome, Some(if applied { Outcome::Forwarded } else { Outcome::Prevented }), "{effect:?}");
        assert_eq!(received.fault.as_ref().map(|injected| &injected.effect), Some(&effect));
        assert!(!received.reached_client());
        client.try_send_bytes(&frame(4, 0, 8, opcode::OPTIONS, &[])).await;
        if let Effect::Silence(_) = effect {
            // An answer would arrive before the connection is closed.
            local.close_connections().await.unwrap();
            watching = Client::connect(&local).await;
        }
        let answer = client.receive().await;
        match effect {
            Effect::Drop(_) => assert_eq!(answer.unwrap().stream, 8, "the next request is answered"),
            _ => assert_eq!(answer, None, "{effect:?}"),
        }
        assert_eq!(contains_row(&mut watching, "faults_lost", row).await, applied, "{effect:?}");
        assert_eq!(local.faults().strike_count(fault), 1);
        local.faults().clear();
    }
}

#[tokio::test]
async fn a_silenced_connection_is_logged_as_silenced_and_not_as_closed() {
    let log = CapturedLog::default();
    // Not only of this thread, because the service has its own.
    tracing::subscriber::set_global_default(log.subscriber()).unwrap();
    let (local, mut client) = with_table("faults_logged").await;
    for (row, effect) in [(1, Effect::Silence(Moment::Before)), (2, Effect::Close(Moment::Before))] {
        let insert = format!("INSERT INTO faults_logged.t (a) VALUES ({row})");
        local.faults().inject(Fault::new(effect).containing(&insert));
        // Before, another test's client may have had the same address.
        let before = log.text().len();
        client.send(7, opcode::QUERY, &query_body(&insert, RequestOptions::default())).await;
        let client_address = received_request(&local, &insert).await.client;
        let line = match row {
            1 => format!("connection silenced by a fault client={client_address}\n"),
            _ => format!("connection closed client={client_address} reason=\"a fault closed it\"\n"),
        };
        let logged = || log.text().split_off(before);
        let is_logged = async {
            while !logged().contains(&line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), is_logged).await.expect("a line of the log");
        assert_eq!(logged().matches(&format!("client={client_address}")).count(), 1, "{}", logged());
        client = Client::connect(&local).await;
    }
}

#[tokio::test]
async fn an_injected_error_of_any_code_has_the_fields_of_that_code() {
    let (local, mut client) = with_table("faults_errors").await;
    for (row, moment, code, fields) in [
        (1, Moment::Before, 0x1100, &b"\x00\x06\x00\x00\x00\x00\x00\x00\x00\x02\x00\x06SIMPLE"[..]),
        (2, Moment::After, 0x1100, b"\x00\x06\x00\x00\x00\x00\x00\x00\x00\x02\x00\x06SIMPLE"),
        (3, Moment::Before, 0x1200, b"\x00\x06\x00\x00\x00\x00\x00\x00\x00\x02\x00"),
        (4, Moment::Before, 0x1000, b"\x00\x06\x00\x00\x00\x02\x00\x00\x00\x00"),
        (5, Moment::Before, 0x1001, b""),
    ] {
        let effect = Effect::Error { moment, code, text: "as told".into() };
        local.faults().inject(Fault::new(effect).kind(Kind::Query).containing("INSERT").times(1));
        let insert = format!("INSERT INTO faults_errors.t (a) VALUES ({row})");
        let answer = client.query(&insert).await;
        assert_eq!(answer, ClientAnswer::Refused(code, "as told".into(), bytes::Bytes::copy_from_slice(fields)));
        assert_eq!(contains_row(&mut client, "faults_errors", row).await, moment == Moment::After);
        let outcome = local.journal().containing(&insert)[0].outcome.clone().unwrap();
        assert_eq!(outcome == Outcome::Forwarded, moment == Moment::After, "{outcome:?}");
        local.faults().clear();
    }
}

#[tokio::test]
async fn an_answer_can_be_garbage_truncated_or_byte_by_byte() {
    let (local, mut watching) = with_table("faults_damage").await;
    let once = |effect| {
        local.faults().clear();
        local.faults().inject(Fault::new(effect).containing("INSERT").times(1).seed(3));
    };
    let insert =
        |row: i32| query_body(&format!("INSERT INTO faults_damage.t (a) VALUES ({row})"), RequestOptions::default());

    once(Effect::ByteByByte);
    let answer = watching.query("INSERT INTO faults_damage.t (a) VALUES (1)").await;
    assert_eq!(answer, ClientAnswer::Void);

    once(Effect::Garbage);
    let mut client = Client::connect(&local).await;
    client.send(0, opcode::QUERY, &insert(2)).await;
    let first = client.receive().await.unwrap();
    assert!(first.version & 0x80 == 0 && first.body.len() < 24, "{first:?}");
    client.send(1, opcode::OPTIONS, &[]).await;
    assert_eq!(client.receive().await.unwrap().opcode, opcode::SUPPORTED, "it announced what it was long");

    once(Effect::Truncated);
    client.send(2, opcode::QUERY, &insert(3)).await;
    assert_eq!(client.receive().await, None);
    for row in 1..=3 {
        assert!(contains_row(&mut watching, "faults_damage", row).await);
    }
}

#[tokio::test]
async fn a_delay_affects_one_request_and_no_other() {
    let (local, mut client) = with_table("faults_delay").await;
    const DELAY: Duration = Duration::from_millis(300);
    for moment in [Moment::Before, Moment::After] {
        local.faults().clear();
        local.faults().inject(Fault::new(Effect::Delay(moment, DELAY)).containing("a = 1"));
        let started = Instant::now();
        for (stream, row) in [(1, 1), (2, 2)] {
            let select =
                query_body(&format!("SELECT a FROM faults_delay.t WHERE a = {row}"), RequestOptions::default());
            client.send(stream, opcode::QUERY, &select).await;
        }
        assert_eq!(client.receive().await.unwrap().stream, 2);
        assert_eq!(client.receive().await.unwrap().stream, 1);
        assert!(started.elapsed() >= DELAY);
    }
    assert!(local.journal().containing("a = 1").iter().all(Received::reached_client));
}

#[tokio::test]
async fn an_injected_empty_page_is_followed_by_the_page_that_it_replaces() {
    let (local, mut client) = with_table("faults_pages").await;
    for row in 0..7 {
        client.query(&format!("INSERT INTO faults_pages.t (a) VALUES ({row})")).await;
    }
    let select = "SELECT a FROM faults_pages.t";
    let with = RequestOptions { page_size: Some(3), ..RequestOptions::default() };
    let rows: Vec<_> = client.pages(Ok(select), with).await.iter().flat_map(|page| page.ints("a")).collect();
    local.faults().inject(Fault::new(Effect::EmptyPage).containing("SELECT a FROM").every(2));
    local.faults().inject(Fault::new(Effect::EmptyPage).containing("SELECT a FROM").nth(1));
    let pages = client.pages(Ok(select), with).await;
    assert_eq!(pages.iter().map(|page| page.values.len()).collect::<Vec<_>>(), [0, 0, 3, 0, 3, 0, 1]);
    assert_eq!(pages.iter().flat_map(|page| page.ints("a")).collect::<Vec<_>>(), rows);
}

#[tokio::test]
async fn faults_strike_before_a_client_has_logged_in() {
    let local = super::another().await.fault(Fault::new(Effect::Close(Moment::Before)).kind(Kind::Startup).times(1));
    let local = local.start().await.unwrap();
    let mut body = vec![0, 1];
    for text in ["CQL_VERSION", "3.0.0"] {
        body.extend([0, text.len() as u8]);
        body.extend(text.bytes());
    }
    let mut client = Client::unauthenticated(&local).await;
    client.send(0, opcode::STARTUP, &body).await;
    assert_eq!(client.receive().await, None);

    let error = Effect::Error { moment: Moment::Before, code: 0x0100, text: "not today".into() };
    local.faults().inject(Fault::new(error).kind(Kind::AuthResponse).times(1));
    let mut client = Client::unauthenticated(&local).await;
    assert_eq!(client.start_up(&[("CQL_VERSION", "3.0.0")]).await.opcode, opcode::AUTHENTICATE);
    let refused = ClientAnswer::read(&client.auth_response(b"\0user\0password").await);
    assert!(matches!(refused, ClientAnswer::Refused(0x0100, text, _) if text == "not today"));
    assert_eq!(client.receive().await, None);
    Client::connect(&local).await;
}
