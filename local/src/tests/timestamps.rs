use std::time::Duration;

use super::client::{Client, ClientAnswer, RequestOptions, batch_at, opcode};
use super::{INVALID, Time, another};
use crate::local::Local;

const OUTSIDE: &str = "keyspaces-local: Amazon Keyspaces refuses a timestamp more than 2 days in the past or more \
                       than 5 minutes in the future. Give it in microseconds since 1970, and check the clock. \
                       (DG:client-side-timestamps-how-to-queries)";
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The table `ks.t` has client-side timestamps, `ks.u` does not.
async fn with_tables(time: &Time) -> (Local, Client) {
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    for statement in [
        "CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}",
        "CREATE TABLE ks.t (a int PRIMARY KEY, b int) WITH custom_properties = {'client_side_timestamps': {'status': \
         'enabled'}}",
        "CREATE TABLE ks.u (a int PRIMARY KEY, b int)",
    ] {
        assert!(matches!(client.query(statement).await, ClientAnswer::Changed(_)), "{statement}");
    }
    (local, client)
}

/// The write time of the value of `ks.t`.
async fn written(client: &mut Client) -> i64 {
    let rows = client.rows("SELECT JSON writetime(b) AS at FROM ks.t WHERE a = 1").await;
    let row: serde_json::Value = serde_json::from_str(rows.text(0, "[json]")).unwrap();
    row["at"].as_i64().unwrap()
}

#[tokio::test]
async fn a_timestamp_outside_the_window_is_refused_for_every_source() {
    let time = Time::new();
    let (local, mut client) = with_tables(&time).await;
    let now = time.micros();
    let refused = (INVALID, OUTSIDE.to_owned());
    let bound = client.prepared("INSERT INTO ks.t (a, b) VALUES (1, 1) USING TIMESTAMP ?").await;
    let bound_delete = client.prepared("DELETE FROM ks.t USING TIMESTAMP ? WHERE a = 2").await;
    let bound_batch = "BEGIN UNLOGGED BATCH USING TIMESTAMP ? UPDATE ks.t SET b = 1 WHERE a = 1; APPLY BATCH";
    let bound_batch = client.prepared(bound_batch).await;
    let plain = client.prepared("UPDATE ks.t SET b = 1 WHERE a = 1").await;
    // The refused timestamps come first; within the window each is at least as new as the one before.
    for (with_timestamp, taken) in [
        (now - 2 * DAY - 1, false),
        (now + 5 * MINUTE + 1, false),
        (now / 1_000, false),
        (i64::MAX, false),
        (now - 2 * DAY, true),
        (now, true),
        (now + 5 * MINUTE, true),
    ] {
        let value = with_timestamp.to_be_bytes();
        let values: &[&[u8]] = &[&value];
        let with = RequestOptions { values, ..RequestOptions::default() };
        let named = RequestOptions { names: &["at"], ..with };
        let of_frame = RequestOptions { timestamp: Some(with_timestamp), ..RequestOptions::default() };
        let update = format!("UPDATE ks.t USING TIMESTAMP {with_timestamp} SET b = 1 WHERE a = 1");
        let id = client.prepared(&update).await;
        let answers = [
            client.query(&update).await,
            client.query(&format!("DELETE FROM ks.t USING TIMESTAMP {with_timestamp} WHERE a = 2")).await,
            client.execute(&id, RequestOptions::default()).await,
            client.execute(&bound, with).await,
            client.execute(&bound_delete, with).await,
            client.query_with("INSERT INTO ks.t (a, b) VALUES (1, 1) USING TIMESTAMP :at", named).await,
            client
                .query(&format!(
                    "BEGIN BATCH USING TIMESTAMP {with_timestamp} UPDATE ks.t SET b = 1 WHERE a = 1; APPLY BATCH"
                ))
                .await,
            client.query(&format!("BEGIN UNLOGGED BATCH DELETE FROM ks.t WHERE a = 2; {update}; APPLY BATCH")).await,
            client.execute(&bound_batch, with).await,
            client.batch(&[Ok("DELETE FROM ks.t WHERE a = 2"), Ok(&update)], 6).await,
            client.batch(&[Ok("DELETE FROM ks.t WHERE a = 2"), Err(&id)], 6).await,
            client.query_with("UPDATE ks.t SET b = 1 WHERE a = 1", of_frame).await,
            client.execute(&plain, of_frame).await,
            ClientAnswer::read(&client.call(opcode::BATCH, &batch_at(&[Err(&plain)], with_timestamp)).await),
            ClientAnswer::read(
                &client
                    .call(opcode::BATCH, &batch_at(&[Ok("DELETE FROM ks.u WHERE a = 2"), Err(&plain)], with_timestamp))
                    .await,
            ),
        ];
        for (place, answer) in answers.into_iter().enumerate() {
            match taken {
                true => assert_eq!(answer, ClientAnswer::Void, "{place}: {with_timestamp}"),
                false => assert_eq!(answer.refused(), refused, "{place}: {with_timestamp}"),
            }
        }
    }
    time.pass(60);
    let answer = client
        .execute(&bound, RequestOptions { values: &[&(now - 2 * DAY).to_be_bytes()], ..RequestOptions::default() })
        .await;
    assert_eq!(answer.refused(), refused);
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_write_without_a_timestamp_has_that_of_the_frame() {
    let time = Time::new();
    let (local, mut client) = with_tables(&time).await;
    let now = time.micros();
    let update = "UPDATE ks.t SET b = 1 WHERE a = 1";
    let id = client.prepared(update).await;
    let with_timestamp =
        |with_timestamp: i64| RequestOptions { timestamp: Some(with_timestamp), ..RequestOptions::default() };
    let mut expected = now - DAY;
    let mut next = || {
        expected += 1;
        expected
    };

    let first = next();
    assert_eq!(client.query_with(update, with_timestamp(first)).await, ClientAnswer::Void);
    assert_eq!(written(&mut client).await, first);
    let second = next();
    assert_eq!(client.execute(&id, with_timestamp(second)).await, ClientAnswer::Void);
    assert_eq!(written(&mut client).await, second);
    let third = next();
    let batch = client.call(opcode::BATCH, &batch_at(&[Ok("DELETE FROM ks.t WHERE a = 2"), Err(&id)], third)).await;
    assert_eq!(ClientAnswer::read(&batch), ClientAnswer::Void);
    assert_eq!(written(&mut client).await, third);

    // The statement's timestamp takes precedence, and the frame's is not checked.
    let timestamp = next();
    let says = format!("UPDATE ks.t USING TIMESTAMP {timestamp} SET b = 1 WHERE a = 1");
    assert_eq!(client.query_with(&says, with_timestamp(1)).await, ClientAnswer::Void);
    assert_eq!(written(&mut client).await, timestamp);
    let timestamp = next();
    let says = format!("UPDATE ks.t USING TIMESTAMP {timestamp} SET b = 1 WHERE a = 1");
    let batch = client.call(opcode::BATCH, &batch_at(&[Ok(&says)], 1)).await;
    assert_eq!(ClientAnswer::read(&batch), ClientAnswer::Void);
    assert_eq!(written(&mut client).await, timestamp);
    // Nor is the frame's timestamp checked for a SELECT.
    assert!(matches!(client.query_with("SELECT b FROM ks.t", with_timestamp(1)).await, ClientAnswer::Rows(_)));

    // Each table of a batch is checked for the features that its own statement needs.
    let timestamp = next();
    let both = format!(
        "BEGIN UNLOGGED BATCH UPDATE ks.t USING TIMESTAMP {timestamp} SET b = 1 WHERE a = 1; UPDATE ks.u SET b = 1 WHERE a = 1; \
         APPLY BATCH"
    );
    assert_eq!(client.query_with(&both, with_timestamp(1)).await, ClientAnswer::Void);
    assert_eq!(written(&mut client).await, timestamp);

    // If one table of the batch ignores the timestamp, Cassandra sets the time of all statements.
    let mixed = [Ok("UPDATE ks.u SET b = 1 WHERE a = 1"), Err(&id[..])];
    let batch = client.call(opcode::BATCH, &batch_at(&mixed, next())).await;
    assert_eq!(ClientAnswer::read(&batch), ClientAnswer::Void);
    assert!(written(&mut client).await > now - 60 * MINUTE);
    local.close().await.unwrap();
}
