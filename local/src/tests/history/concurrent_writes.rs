use std::time::Duration;

use super::super::client::{Client, RequestOptions, opcode, query_body};
use super::super::{Time, another};
use super::{RecoverableTable, millis};

#[tokio::test]
async fn the_last_of_many_concurrent_writes_to_the_same_rows_is_kept() {
    let mut table = RecoverableTable::new("p int, c int, r text, s text STATIC, PRIMARY KEY (p, c)", "").await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let mut client = Client::connect(&table.local).await;
        writers.push(tokio::spawn(async move {
            // Many are in flight on each connection, too.
            for stream in 0..60_i16 {
                let c = stream % 3;
                let text = match stream % 6 {
                    0 => format!("DELETE FROM ks.t WHERE p = 1 AND c = {c}"),
                    1 => "DELETE FROM ks.t WHERE p = 1".to_owned(),
                    2 => format!("DELETE FROM ks.t WHERE p = 1 AND c > {c}"),
                    3 => format!(
                        "UPDATE ks.t SET r = '{writer}/{stream}', s = '{writer}/{stream}' WHERE p = 1 AND c = {c}"
                    ),
                    _ => format!("INSERT INTO ks.t (p, c, r) VALUES (1, {c}, '{writer}/{stream}')"),
                };
                client.send(stream, opcode::QUERY, &query_body(&text, RequestOptions::default())).await;
            }
            for _ in 0..60 {
                assert_eq!(client.receive().await.unwrap().opcode, opcode::RESULT);
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let (moment, rows) = table.snapshot().await;
    assert_eq!(table.restored_rows(moment).await, rows);
}

#[tokio::test]
async fn a_row_of_concurrent_inserts_expires_as_the_last_of_them_says() {
    const ROWS: i16 = 60;
    let time = Time::new();
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap();
    let options = " AND default_time_to_live = 100000";
    let mut table = RecoverableTable::with_local(local, "p int PRIMARY KEY, a text", options).await;
    for p in 0..ROWS {
        // Cassandra answers a logged batch later than an INSERT that it executes after it.
        let batch = format!("BEGIN BATCH INSERT INTO ks.t (p, a) VALUES ({p}, 'long') USING TTL 6000; APPLY BATCH");
        let insert = format!("INSERT INTO ks.t (p, a) VALUES ({p}, 'short') USING TTL 60");
        for (stream, text) in [(2 * p, batch), (2 * p + 1, insert)] {
            table.client.send(stream, opcode::QUERY, &query_body(&text, RequestOptions::default())).await;
        }
    }
    for _ in 0..2 * ROWS {
        assert_eq!(table.client.receive().await.unwrap().opcode, opcode::RESULT);
    }
    let rows = table.rows("t").await;
    let all = rows.ints("p").into_iter().zip(rows.texts("a"));
    let mut long: Vec<_> = all.filter(|(_, a)| *a == "long").map(|(p, _)| p).collect();
    time.pass(600);
    let mut restored = table.restored_rows(millis((time.clock())())).await.ints("p");
    long.sort_unstable();
    restored.sort_unstable();
    assert_eq!(restored, long);
}

#[tokio::test]
async fn a_write_whose_client_disconnects_is_in_the_history() {
    let mut table = RecoverableTable::new("p int PRIMARY KEY, r text", "").await;
    for p in 0..50 {
        let mut client = Client::connect(&table.local).await;
        let text = format!("INSERT INTO ks.t (p, r) VALUES ({p}, 'x')");
        client.send(0, opcode::QUERY, &query_body(&text, RequestOptions::default())).await;
        if p % 2 == 0 {
            tokio::time::sleep(Duration::from_micros(200 * p)).await;
        }
        drop(client);
    }
    // Some writes may not have reached the gateway. The others are in the history when no write is in progress.
    table.history().wait_until_idle().await;
    let (moment, rows) = table.snapshot().await;
    assert_eq!(table.restored_rows(moment).await, rows);
}
