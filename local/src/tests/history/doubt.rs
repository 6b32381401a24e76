use super::super::client::{opcode, query_body};
use super::super::interrupted::Between;
use super::*;

async fn baselines(own: &InternalConnection, inner: &str) -> usize {
    let rows = own.select(&format!("SELECT JSON complete FROM {inner}.history_buckets"), &[]).await.unwrap();
    rows.iter().filter(|row| row["complete"].is_u64()).count()
}

#[tokio::test]
async fn a_table_is_read_anew_after_a_write_of_unknown_outcome_as_often_as_it_takes() {
    let cassandra = super::super::local().await.cassandra_address();
    let (between, own) = (Between::default(), InternalConnection::new(cassandra));
    let address = between.clone().serve(cassandra).await;
    let builder = another().await.cassandra(address.to_string()).ddl_delay(Duration::ZERO);
    let mut table = RecoverableTable::of(builder.start().await.unwrap(), "p int PRIMARY KEY, r text", "").await;
    let inner = table.local.listeners().shared().schema().names().inner().to_owned();
    table.run("INSERT INTO ks.t (p, r) VALUES (0, 'x')").await;
    // Once the rows can be read back, and once neither that nor the first baseline comes through.
    for (row, strikes) in [(1, &[("INSERT", true)][..]), (2, &[("INSERT", true), ("SELECT", false), ("SELECT", false)])]
    {
        let before = baselines(&own, &inner).await;
        between.strikes.lock().unwrap().extend(strikes);
        let insert = format!("INSERT INTO ks.t (p, r) VALUES ({row}, 'lost')");
        table.client.send(7, opcode::QUERY, &query_body(&insert, With::default())).await;
        let read_anew = async {
            while baselines(&own, &inner).await == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), read_anew).await.expect("it is not read anew");
        assert!(between.strikes.lock().unwrap().is_empty(), "row {row}");
        table.client = Client::connect(&table.local).await;
        let noted = table.noted().await;
        assert_eq!(noted.1.values.len(), 1 + row);
        assert_eq!(table.brought_back(noted.0).await, noted.1);
    }
    table.local.close().await.unwrap();
}
