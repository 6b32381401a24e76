use super::super::client::{opcode, query_body};
use super::super::interrupted::FaultyProxy;
use super::*;

async fn baselines(connection: &InternalConnection, inner: &str) -> usize {
    let rows = connection.select(&format!("SELECT JSON complete FROM {inner}.history_buckets"), &[]).await.unwrap();
    rows.iter().filter(|row| row["complete"].is_u64()).count()
}

#[tokio::test]
async fn after_a_write_of_unknown_outcome_the_table_is_read_again_until_it_succeeds() {
    let cassandra = super::super::local().await.cassandra_address();
    let (proxy, connection) = (FaultyProxy::default(), InternalConnection::new(cassandra));
    let address = proxy.clone().serve(cassandra).await;
    let builder = another().await.cassandra(address.to_string()).ddl_delay(Duration::ZERO);
    let mut table = RecoverableTable::with_local(builder.start().await.unwrap(), "p int PRIMARY KEY, r text", "").await;
    let inner = table.local.listeners().shared().schema().names().inner().to_owned();
    table.run("INSERT INTO ks.t (p, r) VALUES (0, 'x')").await;
    // First the rows can be read back; then neither that nor the first baseline succeeds.
    for (row, disconnects) in
        [(1, &[("INSERT", true)][..]), (2, &[("INSERT", true), ("SELECT", false), ("SELECT", false)])]
    {
        let before = baselines(&connection, &inner).await;
        proxy.disconnects.lock().unwrap().extend(disconnects);
        let insert = format!("INSERT INTO ks.t (p, r) VALUES ({row}, 'lost')");
        table.client.send(7, opcode::QUERY, &query_body(&insert, RequestOptions::default())).await;
        let read_again = async {
            while baselines(&connection, &inner).await == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), read_again).await.expect("it is not read again");
        assert!(proxy.disconnects.lock().unwrap().is_empty(), "row {row}");
        table.client = Client::connect(&table.local).await;
        let snapshot = table.snapshot().await;
        assert_eq!(snapshot.1.values.len(), 1 + row);
        assert_eq!(table.restored_rows(snapshot.0).await, snapshot.1);
    }
    table.local.close().await.unwrap();
}
