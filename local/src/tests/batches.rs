use super::client::{Client, ClientAnswer, LOCAL_QUORUM, batch_body, opcode};
use super::{INVALID, local};

#[tokio::test]
async fn batch_may_mix_texts_and_prepared_ids() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("batches").await;
    client.table("batches", "t", "(a int PRIMARY KEY)").await;
    client.query("USE batches").await;
    let id = client.prepared("INSERT INTO t (a) VALUES (2)").await;
    let all = [Ok("INSERT INTO t (a) VALUES (1)"), Err(&id[..]), Ok("DELETE FROM t WHERE a = 9;")];
    assert_eq!(client.batch(&all, LOCAL_QUORUM).await, ClientAnswer::Void);
    assert_eq!(client.rows("SELECT a FROM t").await.values.len(), 2);
}

#[tokio::test]
async fn a_comment_after_a_statement_does_not_hide_the_next_one() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("batches_comments").await;
    client.table("batches_comments", "t", "(a int PRIMARY KEY)").await;
    client.query("USE batches_comments").await;
    let all = [
        "INSERT INTO t (a) VALUES (1) -- one\n",
        "INSERT INTO t (a) VALUES (2); // two\n",
        "/* three */ INSERT INTO t (a) VALUES (3) /* ; */ ;",
    ];
    let all: Vec<_> = all.iter().map(|text| Ok(*text)).collect();
    assert_eq!(client.batch(&all, LOCAL_QUORUM).await, ClientAnswer::Void);
    assert_eq!(client.rows("SELECT a FROM t").await.values.len(), 3);
}

#[tokio::test]
async fn batches_of_more_than_30_unlogged_or_100_logged_statements_are_refused() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("batches_long").await;
    client.table("batches_long", "t", "(a int PRIMARY KEY)").await;
    let inserts: Vec<String> = (0..101).map(|a| format!("INSERT INTO batches_long.t (a) VALUES ({a})")).collect();
    let inserts: Vec<_> = inserts.iter().map(|text| Ok(text.as_str())).collect();
    for (kind, most, text) in [
        (1, 30, "Batches with more than 30 statements are not supported."),
        (
            0,
            100,
            "keyspaces-local: Amazon Keyspaces refuses a logged batch of more than 100 statements. Send several \
             batches. (DG:quotas)",
        ),
    ] {
        let allowed = client.call(opcode::BATCH, &batch_body(kind, &inserts[..most], LOCAL_QUORUM)).await;
        assert_eq!(ClientAnswer::read(&allowed), ClientAnswer::Void);
        let refused = client.call(opcode::BATCH, &batch_body(kind, &inserts[..=most], LOCAL_QUORUM)).await;
        assert_eq!(ClientAnswer::read(&refused).refused(), (INVALID, text.to_owned()));
    }
}

#[tokio::test]
async fn conditions_of_a_logged_batch_must_be_on_one_partition() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("batches_if").await;
    client.table("batches_if", "t", "(a int, b int, PRIMARY KEY (a, b))").await;
    client.table("batches_if", "u", "(a int, b int, PRIMARY KEY (a, b))").await;
    let insert =
        |table: &str, a: i32, b: i32| format!("INSERT INTO batches_if.{table} (a, b) VALUES ({a}, {b}) IF NOT EXISTS");
    let batch = |one: String, other: String| format!("BEGIN BATCH {one}; {other}; APPLY BATCH");
    let ClientAnswer::Rows(applied) = client.query(&batch(insert("t", 1, 1), insert("t", 1, 2))).await else {
        panic!()
    };
    assert_eq!(applied.values[0][0].as_deref(), Some(&[1][..]), "[applied]");
    let text = "keyspaces-local: not emulated: conditions in a logged batch over several partitions";
    for other in [insert("t", 2, 1), insert("u", 1, 1)] {
        let one = insert("t", 1, 3);
        let answer = client.query(&batch(one.clone(), other.clone())).await;
        assert_eq!(answer.refused(), (INVALID, text.to_owned()), "{other}");
        let statements = [Ok(one.as_str()), Ok(other.as_str())];
        let answer = client.call(opcode::BATCH, &batch_body(0, &statements, LOCAL_QUORUM)).await;
        assert_eq!(ClientAnswer::read(&answer).refused(), (INVALID, text.to_owned()), "{other}");
    }
}

#[tokio::test]
async fn statements_that_cannot_be_in_a_batch_are_refused() {
    let mut client = Client::connect(local().await).await;
    let only = "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.";
    let read = client.batch(&[Ok("SELECT * FROM system.local")], LOCAL_QUORUM).await;
    assert_eq!(read.refused(), (INVALID, only.to_owned()));
    let definition = client.batch(&[Ok("DROP KEYSPACE a")], LOCAL_QUORUM).await;
    assert_eq!(definition.refused(), (INVALID, only.to_owned()));
    let invalid = client.batch(&[Ok("INSERT IN t")], LOCAL_QUORUM).await;
    assert_eq!(invalid.refused().0, 0x2000);
    client.keyspace("batches_refused").await;
    client.table("batches_refused", "c", "(a int PRIMARY KEY, n counter)").await;
    let count = "UPDATE batches_refused.c SET n = n + 1 WHERE a = 1";
    for (kind, text) in [
        (
            0,
            "keyspaces-local: Amazon Keyspaces refuses counters in a logged batch. Send the counter updates outside \
             the batch. (DG:batchStatements)",
        ),
        (2, "Only UNLOGGED Batches are supported at this time."),
    ] {
        let refused = client.call(opcode::BATCH, &batch_body(kind, &[Ok(count)], LOCAL_QUORUM)).await;
        assert_eq!(ClientAnswer::read(&refused).refused(), (INVALID, text.to_owned()));
    }
}

#[tokio::test]
async fn two_statements_of_a_logged_batch_on_the_same_row_are_refused_for_every_source_of_the_key() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("batches_row").await;
    client.table("batches_row", "t", "(a int PRIMARY KEY, b int)").await;
    let update = "UPDATE batches_row.t SET b = 1 WHERE a = 1";
    let id = client.prepared(update).await;
    let refused = client.call(opcode::BATCH, &batch_body(0, &[Ok(update), Err(&id)], LOCAL_QUORUM)).await;
    assert_eq!(
        ClientAnswer::read(&refused).refused().1,
        "keyspaces-local: Amazon Keyspaces refuses two statements on one row in a logged batch. Combine them into one \
         statement. (DG:batchStatements)"
    );
}
