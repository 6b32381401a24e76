use super::client::{Client, LOCAL_QUORUM, RequestOptions, opcode};
use super::local;
use crate::journal::{Consistency, Kind, Outcome};

#[tokio::test]
async fn a_request_is_recorded_with_all_its_fields() {
    let local = local().await;
    let peer = ([127, 0, 0, 4], local.port()).into();
    let mut client = Client::connect_at(local, peer).await;
    let text = "SELECT rack FROM system.local WHERE key = 'local'";
    let id = client.prepared(text).await;
    let with =
        RequestOptions { page_size: Some(7), serial: Some(9), timestamp: Some(5), ..RequestOptions::consistency(1) };
    client.query_with(text, with).await;
    client.execute(&id, RequestOptions::default()).await;
    client.query_with(text, RequestOptions::consistency(4)).await;

    let all = local.journal().containing("SELECT rack FROM system.local");
    assert_eq!(
        all.iter().map(|received| received.kind).collect::<Vec<_>>(),
        [Kind::Prepare, Kind::Query, Kind::Execute, Kind::Query]
    );
    let query = &all[1];
    assert_eq!((query.statement.as_deref(), query.peer, query.stream), (Some(text), peer, 0));
    assert_eq!((query.consistency, query.serial_consistency), (Some(Consistency::One), Some(Consistency::LocalSerial)));
    assert_eq!((query.page_size, query.timestamp), (Some(7), Some(5)));
    assert_eq!(query.outcome, Some(Outcome::Forwarded));
    assert!(all.iter().all(|received| received.connection == query.connection && received.client == query.client));
    let refused = &all[3];
    assert_eq!(refused.error_code(), Some(0x2200));
    assert!(
        matches!(&refused.outcome, Some(Outcome::Refused { text, .. }) if text.starts_with("Consistency level QUORUM"))
    );
    assert!(all.windows(2).all(|pair| pair[0].number < pair[1].number));
}

#[tokio::test]
async fn a_batch_is_recorded_with_its_statements() {
    let local = local().await;
    let mut client = Client::connect(local).await;
    client.keyspace("journal_batch").await;
    client.table("journal_batch", "t", "(a int PRIMARY KEY)").await;
    let id = client.prepared("INSERT INTO journal_batch.t (a) VALUES (2)").await;
    client.batch(&[Ok("INSERT INTO journal_batch.t (a) VALUES (1)"), Err(&id)], LOCAL_QUORUM).await;
    let batches = local.journal().filter(|received| {
        received.kind == Kind::Batch && received.batched.iter().any(|text| text.contains("journal_batch"))
    });
    let texts: Vec<&str> = batches[0].batched.iter().map(|text| &**text).collect();
    assert_eq!(texts, ["INSERT INTO journal_batch.t (a) VALUES (1)", "INSERT INTO journal_batch.t (a) VALUES (2)"]);
    assert_eq!(batches[0].consistency, Some(Consistency::LocalQuorum));
}

#[tokio::test]
async fn logins_are_recorded_without_secrets() {
    let local = local().await;
    let mut client = Client::connect(local).await;
    client.call(opcode::REGISTER, &[0, 1, 0, 1, b'X']).await;
    let text = "SELECT key FROM system.local WHERE key = 'who connects'";
    client.rows(text).await;
    let connection = local.journal().containing("who connects")[0].connection;
    let all = local.journal().filter(|received| received.connection == connection);
    let requests: Vec<_> = all.iter().map(|received| (received.kind, received.statement.as_deref().unwrap())).collect();
    assert_eq!(
        requests[..3],
        [(Kind::Startup, "CQL_VERSION=3.0.0"), (Kind::AuthResponse, "password"), (Kind::Register, "X")]
    );
    let debug = format!("{:?}", local.journal().snapshot());
    let credentials = local.credentials();
    assert!(!debug.contains(&credentials.password) && !debug.contains(&credentials.secret_key));
}

#[tokio::test]
async fn open_connections_are_counted_by_peer_until_they_close() {
    let local = super::another().await.peers(3).start().await.unwrap();
    let peer = |last| std::net::SocketAddr::from(([127, 0, 0, last], local.port()));
    let one = Client::connect_at(&local, peer(2)).await;
    let _two = Client::connect_at(&local, peer(2)).await;
    let _three = Client::connect_at(&local, peer(3)).await;
    assert_eq!(local.journal().open_connections().into_iter().collect::<Vec<_>>(), [(peer(2), 2), (peer(3), 1)]);
    assert_eq!(local.journal().connections(), 3);
    drop(one);
    while local.journal().open_connections()[&peer(2)] != 1 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
