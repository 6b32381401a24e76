use bytes::{BufMut, Bytes, BytesMut};

use super::client::{Client, ClientAnswer, LOCAL_QUORUM, RequestOptions, batch_body, opcode};
use super::{INVALID, local};

const TOO_MANY: &str =
    "Range delete requests are limited by the amount of items that can be deleted in a single range.";
const TOO_LARGE: &str = "The row has exceeded the maximum allowed size";

async fn with_table(keyspace: &str, columns: &str) -> Client {
    let mut client = Client::connect(local().await).await;
    client.keyspace(keyspace).await;
    client.table(keyspace, "t", columns).await;
    client
}

fn refused(text: &str) -> (i32, String) {
    (INVALID, text.to_owned())
}

#[tokio::test]
async fn a_delete_of_more_than_1000_rows_is_refused() {
    let mut client = with_table("limits_range", "(a int, b int, PRIMARY KEY (a, b))").await;
    let id = client.prepared("INSERT INTO limits_range.t (a, b) VALUES (1, ?)").await;
    for row in 0..1001_i32 {
        client.execute(&id, RequestOptions { values: &[&row.to_be_bytes()], ..RequestOptions::default() }).await;
    }
    let whole_partition = "DELETE FROM limits_range.t WHERE a = 1";
    assert_eq!(client.query(whole_partition).await.refused(), refused(TOO_MANY));
    let values: [&[u8]; 2] = [&(-5_i32).to_be_bytes(), &1_i32.to_be_bytes()];
    let from = client.prepared("DELETE FROM limits_range.t WHERE b > ? AND a = ?").await;
    let answer = client.execute(&from, RequestOptions { values: &values, ..RequestOptions::default() }).await;
    assert_eq!(answer.refused(), refused(TOO_MANY));
    let with = RequestOptions { values: &values, names: &["above", "a"], ..RequestOptions::default() };
    let named = client.query_with("DELETE FROM limits_range.t WHERE a = :a AND b > :above", with).await;
    assert_eq!(named.refused(), refused(TOO_MANY));
    let batch = client.batch(&[Ok("DELETE FROM limits_range.t WHERE a = 2"), Ok(whole_partition)], LOCAL_QUORUM).await;
    assert_eq!(batch.refused(), refused(TOO_MANY));
    let batch = format!("BEGIN UNLOGGED BATCH DELETE FROM limits_range.t WHERE a = 2; {whole_partition}; APPLY BATCH");
    assert_eq!(client.query(&batch).await.refused(), refused(TOO_MANY));
    assert_eq!(client.pages(Ok("SELECT b FROM limits_range.t"), RequestOptions::default()).await[0].values.len(), 1001);

    assert_eq!(client.query("DELETE FROM limits_range.t WHERE a = 1 AND b = 0").await, ClientAnswer::Void);
    assert_eq!(client.query(whole_partition).await, ClientAnswer::Void);
    assert!(client.rows("SELECT b FROM limits_range.t").await.values.is_empty());
}

#[tokio::test]
async fn a_row_of_more_than_1_mb_is_refused() {
    let mut client = with_table("limits_row", "(a int PRIMARY KEY, b text, c blob)").await;
    let insert = client.prepared("INSERT INTO limits_row.t (a, b, c) VALUES (1, ?, ?)").await;
    let (half, most) = (vec![b'x'; 525_000], vec![b'x'; (1 << 20) - 200]);
    let values: [&[u8]; 2] = [&half, &half];
    let answer = client.execute(&insert, RequestOptions { values: &values, ..RequestOptions::default() }).await;
    assert_eq!(answer.refused(), refused(TOO_LARGE));
    let values: [&[u8]; 2] = [&most, b""];
    assert_eq!(
        client.execute(&insert, RequestOptions { values: &values, ..RequestOptions::default() }).await,
        ClientAnswer::Void
    );
    let literal = format!("UPDATE limits_row.t SET b = '{}' WHERE a = 1", "x".repeat(1 << 20));
    assert_eq!(client.query(&literal).await.refused(), refused(TOO_LARGE));
    let batch = client.batch(&[Ok("DELETE FROM limits_row.t WHERE a = 9"), Ok(&literal)], LOCAL_QUORUM).await;
    assert_eq!(batch.refused(), refused(TOO_LARGE));
}

#[tokio::test]
async fn static_columns_have_their_own_row_in_the_history() {
    let mut client = with_table("limits_static", "(a int, b int, c text, s text STATIC, PRIMARY KEY (a, b))").await;
    let insert = client.prepared("INSERT INTO limits_static.t (a, b, c, s) VALUES (1, 1, ?, ?)").await;
    let (more, most) = (vec![b'x'; 1 << 20], vec![b'x'; 900_000]);
    let values: [&[u8]; 2] = [&most, &most];
    assert_eq!(
        client.execute(&insert, RequestOptions { values: &values, ..RequestOptions::default() }).await,
        ClientAnswer::Void
    );
    let values: [&[u8]; 2] = [b"", &more];
    let answer = client.execute(&insert, RequestOptions { values: &values, ..RequestOptions::default() }).await;
    assert_eq!(answer.refused(), refused(TOO_LARGE));
}

#[tokio::test]
async fn oversized_keys_are_refused() {
    let mut client =
        with_table("limits_key", "(a text, b text, c text, d blob, v int, PRIMARY KEY ((a, b), c, d))").await;
    let partition = "keyspaces-local: Amazon Keyspaces refuses a partition key of more than 2048 bytes. Use a shorter \
                     key, a hash for instance. (DG:quotas)";
    let clustering = "keyspaces-local: Amazon Keyspaces refuses clustering columns of more than 850 bytes together. Use \
                      shorter values, and keep the long ones outside the primary key. (DG:quotas)";
    let insert = client.prepared("INSERT INTO limits_key.t (a, b, c, d) VALUES (?, ?, ?, ?)").await;
    let update = client.prepared("UPDATE limits_key.t SET v = 1 WHERE a = ? AND b = ? AND c = ? AND d = ?").await;
    let delete = client.prepared("DELETE FROM limits_key.t WHERE a = ? AND b = ? AND c = ? AND d = ?").await;
    for id in [&insert, &update, &delete] {
        for (lengths, text) in [
            ([1024, 1024, 425, 425], None),
            ([1024, 1025, 1, 1], Some(partition)),
            ([1, 1, 425, 426], Some(clustering)),
        ] {
            let values = lengths.map(|length| vec![b'k'; length]);
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let answer = client.execute(id, RequestOptions { values: &values, ..RequestOptions::default() }).await;
            match text {
                None => assert_eq!(answer, ClientAnswer::Void),
                Some(text) => assert_eq!(answer.refused(), refused(text)),
            }
        }
    }
    let literal = format!("INSERT INTO limits_key.t (a, b, c, d) VALUES ('{}', 'b', 'c', 0x00)", "k".repeat(2048));
    assert_eq!(client.query(&literal).await.refused(), refused(partition));
}

#[tokio::test]
async fn bound_in_lists_of_more_than_100_values_are_refused() {
    let mut client = with_table("limits_in", "(a int, b int, PRIMARY KEY (a, b))").await;
    let text = "keyspaces-local: Amazon Keyspaces refuses a SELECT whose INs multiply to more than 100 subqueries. Send \
                one SELECT for each key, several at a time. (DG:quotas)";
    let list = |length: i32| {
        let mut list = BytesMut::new();
        list.put_i32(length);
        (0..length).for_each(|value| {
            list.put_i32(4);
            list.put_i32(value);
        });
        list.freeze()
    };
    let one = client.prepared("SELECT * FROM limits_in.t WHERE a IN ?").await;
    let two = client.prepared("SELECT * FROM limits_in.t WHERE a IN ? AND b IN (1, 2)").await;
    for (id, most) in [(&one, 100), (&two, 50)] {
        let values: [Bytes; 2] = [list(most), list(most + 1)];
        let allowed = client.execute(id, RequestOptions { values: &[&values[0]], ..RequestOptions::default() }).await;
        assert!(matches!(allowed, ClientAnswer::Rows(_)), "{allowed:?}");
        let answer = client.execute(id, RequestOptions { values: &[&values[1]], ..RequestOptions::default() }).await;
        assert_eq!(answer.refused(), refused(text));
    }
    let with = RequestOptions { values: &[&list(101)], names: &["in(a)"], ..RequestOptions::default() };
    let named = client.query_with("SELECT * FROM limits_in.t WHERE a IN ?", with).await;
    assert_eq!(named.refused(), refused(text));
}

#[tokio::test]
async fn bound_ttl_over_20_years_is_refused() {
    let mut client = with_table("limits_ttl", "(a int PRIMARY KEY, b int) WITH default_time_to_live = 100").await;
    let text = "keyspaces-local: Amazon Keyspaces refuses a TTL of more than 630720000 seconds (20 years). Use a shorter \
                TTL, or none. (DG:cql.dml.insert)";
    let id = client.prepared("INSERT INTO limits_ttl.t (a, b) VALUES (1, 1) USING TTL ?").await;
    let longer = client
        .execute(&id, RequestOptions { values: &[&630_720_001_i32.to_be_bytes()], ..RequestOptions::default() })
        .await;
    assert_eq!(longer.refused(), refused(text));
    let hour =
        client.execute(&id, RequestOptions { values: &[&3600_i32.to_be_bytes()], ..RequestOptions::default() }).await;
    assert_eq!(hour, ClientAnswer::Void);
}

#[tokio::test]
async fn two_bound_statements_of_a_logged_batch_on_the_same_row_are_refused() {
    let mut client = with_table("limits_logged", "(a int, b text, c int, PRIMARY KEY (a, b))").await;
    let text = "keyspaces-local: Amazon Keyspaces refuses two statements on one row in a logged batch. Combine them \
                into one statement. (DG:batchStatements)";
    let batch = "BEGIN BATCH INSERT INTO limits_logged.t (a, b, c) VALUES (?, ?, 5); \
                 UPDATE limits_logged.t SET c = 1 WHERE b = 'x' AND a = 7; APPLY BATCH";
    let same: [&[u8]; 2] = [&7_i32.to_be_bytes(), b"x"];
    let answer = client.query_with(batch, RequestOptions { values: &same, ..RequestOptions::default() }).await;
    assert_eq!(answer.refused(), refused(text));
    let other: [&[u8]; 2] = [&7_i32.to_be_bytes(), b"y"];
    assert_eq!(
        client.query_with(batch, RequestOptions { values: &other, ..RequestOptions::default() }).await,
        ClientAnswer::Void
    );
}

#[tokio::test]
async fn limits_of_logged_batches_depend_on_the_table() {
    let mut client = with_table("limits_batch", "(a int, b int, c text, s int STATIC, PRIMARY KEY (a, b))").await;
    let logged = async |client: &mut Client, statements: &[String]| {
        let statements: Vec<_> = statements.iter().map(|text| Ok(text.as_str())).collect();
        ClientAnswer::read(&client.call(opcode::BATCH, &batch_body(0, &statements, LOCAL_QUORUM)).await)
    };
    let rows: Vec<_> = (0..51).map(|a| format!("INSERT INTO limits_batch.t (a, b) VALUES ({a}, 1)")).collect();
    assert_eq!(logged(&mut client, &rows).await, ClientAnswer::Void);
    let statics: Vec<_> = (0..51).map(|a| format!("UPDATE limits_batch.t SET s = 1 WHERE a = {a}")).collect();
    assert_eq!(logged(&mut client, &statics[..50]).await, ClientAnswer::Void);
    let text = "keyspaces-local: Amazon Keyspaces refuses a logged batch of more than 50 statements that writes static \
                columns. Send several batches. (DG:quotas)";
    assert_eq!(logged(&mut client, &statics).await.refused(), refused(text));

    let large = |rows: usize| {
        let inserts = (0..rows).map(|a| format!("INSERT INTO limits_batch.t (a, b, c) VALUES ({a}, 1, ?); "));
        (format!("BEGIN BATCH {}APPLY BATCH", inserts.collect::<String>()), vec![b'x'; 900_000])
    };
    let text = "keyspaces-local: Amazon Keyspaces refuses a logged batch of more than 4 MB. Send several batches. \
                (DG:quotas)";
    let ((four, _), (five, value)) = (large(4), large(5));
    let answer =
        client.query_with(&five, RequestOptions { values: &[&value[..]; 5], ..RequestOptions::default() }).await;
    assert_eq!(answer.refused(), refused(text));
    let taken =
        client.query_with(&four, RequestOptions { values: &[&value[..]; 4], ..RequestOptions::default() }).await;
    assert_eq!(taken, ClientAnswer::Void);

    let text = "keyspaces-local: Amazon Keyspaces refuses operators other than = in a WHERE of a logged batch, \
                including range deletes. Name each row by its whole primary key, or send the statement outside the \
                batch. (DG:batchStatements)";
    let partition = ["DELETE FROM limits_batch.t WHERE a = 1".to_owned()];
    assert_eq!(logged(&mut client, &partition).await.refused(), refused(text));

    client.table("limits_batch", "n", "(a int PRIMARY KEY, n counter)").await;
    let text = "keyspaces-local: Amazon Keyspaces refuses counters in a logged batch. Send the counter updates \
                outside the batch. (DG:batchStatements)";
    let count = "BEGIN BATCH UPDATE limits_batch.n SET n = n + ? WHERE a = 1; \
                 UPDATE limits_batch.n SET n = n + ? WHERE a = 2; APPLY BATCH";
    let values: [&[u8]; 2] = [&1_i64.to_be_bytes(), &1_i64.to_be_bytes()];
    let answer = client.query_with(count, RequestOptions { values: &values, ..RequestOptions::default() }).await;
    assert_eq!(answer.refused(), refused(text));
}
