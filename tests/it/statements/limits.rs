use std::time::Duration;

use keyspaces::{ErrorKind, Write};

use crate::server::{session, table};

#[tokio::test]
async fn a_row_of_more_than_a_megabyte_is_refused_before_it_is_sent_with_its_size() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let store: Write<(i32, String)> =
        session.prepare(&format!("INSERT INTO {table} (id, name) VALUES (?, ?)")).await.unwrap();
    let error = store.execute((1, "x".repeat(1024 * 1024))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: the row is at least 1048577 bytes, Keyspaces takes at most 1048576. Store the large \
             value elsewhere, in S3 for instance, or in parts, each a row of its own"
        )
    );
    store.execute((1, "x".repeat(900 * 1024))).await.unwrap();
}

#[tokio::test]
async fn a_partition_key_of_more_than_2048_bytes_is_refused_before_it_is_sent() {
    let session = session().await;
    let table = table(&session, "a text, b text, PRIMARY KEY ((a, b))").await;
    let store: Write<(String, String)> =
        session.prepare(&format!("INSERT INTO {table} (a, b) VALUES (?, ?)")).await.unwrap();
    let error = store.execute(("a".repeat(1_024), "b".repeat(1_025))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: the partition key is 2049 bytes, Keyspaces takes at most 2048. Make the key shorter, \
             of a hash for instance, and keep the long value in another column"
        )
    );
    store.execute(("a".repeat(1_024), "b".repeat(1_024))).await.unwrap();
}

#[tokio::test]
async fn a_ttl_without_a_bind_marker_for_it_is_refused_before_it_is_sent() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let store: Write<(i32,)> = session.prepare(&format!("INSERT INTO {table} (id) VALUES (?)")).await.unwrap();
    let error = store.with_ttl(Duration::from_secs(60)).execute((1,)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: a TTL was given, and the statement has no bind marker for it. Write USING TTL ? in \
             the statement"
        )
    );
}
