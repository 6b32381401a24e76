use std::time::Duration;

use super::super::client::{Client, RequestOptions, opcode, query_body};
use super::RecoverableTable;

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
