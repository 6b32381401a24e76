use std::time::Duration;

use keyspaces::value::{CqlDecimal, CqlVarint};
use keyspaces::{
    Conditional, Error, ErrorKind, LoggedBatch, Select, SerializeRow, SerializeValue, Session, UnloggedBatch, Write,
};
use keyspaces_local::journal::Kind;

use crate::server::{local, session, table, table_with};

#[tokio::test]
async fn row_over_1_mb_is_refused_with_its_size_before_sending() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let store: Write<(i32, String)> =
        session.prepare(&format!("INSERT INTO {table} (id, name) VALUES (?, ?)")).await.unwrap();
    let error = store.execute((1, "x".repeat(1024 * 1024))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: Amazon Keyspaces refuses a row of more than 1 MB, and this one has at least 1048577 \
             bytes. Split the value over several rows, or keep it in Amazon S3. (gh:capillariesio/capillaries \
             (pkg/proc/table_inserter.go); DG:quotas)"
        )
    );
    store.execute((1, "x".repeat(900 * 1024))).await.unwrap();
}

#[tokio::test]
async fn partition_key_over_2048_bytes_is_refused_before_sending() {
    let session = session().await;
    let table = table(&session, "a text, b text, PRIMARY KEY ((a, b))").await;
    let store: Write<(String, String)> =
        session.prepare(&format!("INSERT INTO {table} (a, b) VALUES (?, ?)")).await.unwrap();
    let error = store.execute(("a".repeat(1_024), "b".repeat(1_025))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: Amazon Keyspaces refuses a partition key of more than 2048 bytes, and this one has \
             2049 bytes. Use a shorter key, a hash for instance. (DG:quotas)"
        )
    );
    store.execute(("a".repeat(1_024), "b".repeat(1_024))).await.unwrap();
}

#[tokio::test]
async fn ttl_without_a_bind_marker_is_refused_before_sending() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let store: Write<(i32,)> = session.prepare(&format!("INSERT INTO {table} (id) VALUES (?)")).await.unwrap();
    let error = store.with_ttl(Duration::from_secs(60)).execute((1,)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: a TTL is set, but the statement has no bind marker for it. Write USING TTL ? in the \
             statement"
        )
    );
}

/// A number with this many digits, in the encoding of `varint` and of the unscaled value of `decimal`.
fn number(digits: u32) -> Vec<u8> {
    // 10^38 is less than 2^127, so it fits into an i128.
    (10_i128.pow(37) * if digits > 38 { 10 } else { 1 }).to_be_bytes().to_vec()
}

/// The result of each way to bind these values to the markers of the text.
async fn each_binding<V>(session: &Session, text: &str, values: V) -> Vec<(&'static str, Result<(), Error>)>
where
    V: SerializeRow + Clone + Send + Sync + 'static,
{
    let write: Write<V> = session.prepare(text).await.unwrap();
    let mut unlogged = UnloggedBatch::new(session);
    let mut logged = LoggedBatch::new(session);
    let batch: Write<V> = session.prepare(&format!("BEGIN UNLOGGED BATCH {text}; APPLY BATCH")).await.unwrap();
    vec![
        ("prepared", write.execute(values.clone()).await),
        ("once", session.execute(text, values.clone()).await),
        ("in an unlogged batch", unlogged.push(&write, values.clone()).map(drop)),
        ("in a logged batch", logged.push(&write, values.clone()).map(drop)),
        ("in the text of a batch", batch.execute(values).await),
    ]
}

async fn refused<V>(session: &Session, table: &str, text: &str, values: V, problem: &str)
where
    V: SerializeRow + Clone + Send + Sync + 'static,
{
    for (way, result) in each_binding(session, text, values).await {
        let error = result.expect_err(way);
        assert_eq!(error.kind(), ErrorKind::Value, "{way}: {error}");
        let attempted =
            if way == "in the text of a batch" { format!("BATCH {table}") } else { format!("INSERT INTO {table}") };
        assert_eq!(error.to_string(), format!("{attempted} failed: Amazon Keyspaces refuses {problem}"), "{way}");
    }
}

async fn accepted<V>(session: &Session, text: &str, values: V)
where
    V: SerializeRow + Clone + Send + Sync + 'static,
{
    for (way, result) in each_binding(session, text, values).await {
        assert!(result.is_ok(), "{way}: {result:?}");
    }
}

/// In any type that contains a number, and with any name of the marker.
#[tokio::test]
async fn out_of_range_bound_number_ttl_and_timestamp_are_refused_before_sending() {
    #[derive(Clone, SerializeRow)]
    #[scylla(crate = keyspaces)]
    struct Named {
        id: i32,
        seconds: i32,
    }

    #[derive(Clone, SerializeValue)]
    #[scylla(crate = keyspaces)]
    struct Price {
        currency: String,
        amount: CqlDecimal,
    }

    let Some(local) = local().await else { return };
    let session = session().await;
    // The first table creates the keyspace.
    table(&session, "id int PRIMARY KEY").await;
    session.define("CREATE TYPE IF NOT EXISTS it.amounts (currency text, amount decimal)").await.unwrap();
    let columns = "id int PRIMARY KEY, v varint, d decimal, l list<decimal>, m map<text, varint>, t tuple<int, varint>, \
                   p frozen<amounts>, i int";
    let features =
        "WITH CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}, 'client_side_timestamps': {'status': 'enabled'}}";
    let table = table_with(&session, columns, features).await;
    let insert = |column: &str, end: &str| format!("INSERT INTO {table} (id, {column}) VALUES (?, ?){end}");

    let varint = |digits| CqlVarint::from_signed_bytes_be(number(digits));
    // Trailing zeros are avoided, because they do not count in a decimal.
    let decimal = |digits| {
        let mut bytes = number(digits);
        bytes[15] |= 1;
        CqlDecimal::from_signed_be_bytes_and_exponent(bytes, 2)
    };
    let map = |digits| std::collections::HashMap::from([("k".to_owned(), varint(digits))]);
    let price = |digits| Price { currency: "EUR".into(), amount: decimal(digits) };
    let digits = |column: &str| {
        format!(
            "a varint or a decimal of more than 38 digits, and 39 digits were given for {column}. Round it, or keep it as \
             text. (DG:cql.elements; DG:calculating-row-size)"
        )
    };
    accepted(&session, &insert("v", ""), (1, varint(38))).await;
    accepted(&session, &insert("d", ""), (1, decimal(38))).await;
    accepted(&session, &insert("l", ""), (1, vec![decimal(38)])).await;
    accepted(&session, &insert("m", ""), (1, map(38))).await;
    accepted(&session, &insert("t", ""), (1, (1, varint(38)))).await;
    accepted(&session, &insert("p", ""), (1, price(38))).await;
    let before = executed(local, &table);
    refused(&session, &table, &insert("v", ""), (1, varint(39)), &digits("v")).await;
    refused(&session, &table, &insert("d", ""), (1, decimal(39)), &digits("d")).await;
    refused(&session, &table, &insert("l", ""), (1, vec![decimal(38), decimal(39)]), &digits("l")).await;
    refused(&session, &table, &insert("m", ""), (1, map(39)), &digits("m")).await;
    refused(&session, &table, &insert("t", ""), (1, (1, varint(39))), &digits("t")).await;
    refused(&session, &table, &insert("p", ""), (1, price(39)), &digits("p")).await;

    let too_long = "a TTL of more than 630720000 seconds (20 years), and 630720001 seconds were given. Use a shorter TTL, or \
                    none. (DG:cql.dml.insert)";
    refused(&session, &table, &insert("i", " USING TTL ?"), (1, 1, 630_720_001), too_long).await;
    let named = format!("INSERT INTO {table} (id, i) VALUES (:id, 1) USING TTL :seconds");
    refused(&session, &table, &named, Named { id: 1, seconds: 630_720_001 }, too_long).await;
    let outside = "a timestamp more than 2 days in the past or more than 5 minutes in the future, and 1700000000000 µs \
                   since 1970 were given. Give it in microseconds since 1970, and check the clock. \
                   (DG:client-side-timestamps-how-to-queries)";
    refused(&session, &table, &insert("i", " USING TIMESTAMP :written"), (1, 1, 1_700_000_000_000_i64), outside).await;
    assert_eq!(executed(local, &table), before);
    accepted(&session, &named, Named { id: 1, seconds: 630_720_000 }).await;

    let claim: Conditional<(i32, CqlVarint)> = session.prepare(&insert("v", " IF NOT EXISTS")).await.unwrap();
    let error = claim.execute((2, varint(39))).await.unwrap_err();
    assert!(error.to_string().ends_with(&digits("v")), "{error}");
    let negative = session.execute(&insert("i", " USING TTL ?"), (1, 1, -1)).await.unwrap_err();
    assert_eq!(
        negative.to_string(),
        format!("INSERT INTO {table} failed: a TTL of -1 seconds was given, but the minimum is 0, which means none")
    );
}

fn executed(local: &keyspaces_local::Local, table: &str) -> usize {
    let of_table = |text: &std::sync::Arc<str>| text.contains(table);
    local.journal().filter(|it| it.kind == Kind::Execute && it.statement.as_ref().is_some_and(of_table)).len()
}

#[tokio::test]
async fn oversized_in_list_is_refused_before_sending() {
    let Some(_) = local().await else { return };
    let session = session().await;
    let table = table(&session, "k int, c int, PRIMARY KEY (k, c)").await;
    let read: Select<(Vec<i32>,), (i32,)> =
        session.prepare(&format!("SELECT k FROM {table} WHERE k IN ? AND c IN (1, 2)")).await.unwrap();
    assert_eq!(read.first(((0..50).collect::<Vec<_>>(),)).await.unwrap(), None);
    let error = read.first(((0..51).collect::<Vec<_>>(),)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(
        error.to_string(),
        format!(
            "SELECT FROM {table} failed: Amazon Keyspaces refuses a SELECT whose INs multiply to more than 100 subqueries, \
             and these multiply to 102. Send one SELECT for each key, several at a time. (DG:quotas)"
        )
    );
}
