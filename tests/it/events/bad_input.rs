use std::num::NonZeroU8;

use keyspaces::tables::{Event, Events};
use keyspaces::{Error, ErrorKind};

use super::{date, device, event, events, shared_table, time};
use crate::server::{keyspace, keyspace_name, local, new_keyspace_name, session};

fn refused<T>(result: Result<T, Error>, expected: &str) {
    let error = result.err().unwrap_or_else(|| panic!("not refused: {expected}"));
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn empty_device_id_is_refused_by_every_call() {
    let events = events(&session().await).await;
    let nobody = event("", "2026-11-22T10:00:00Z");
    let (at, day) = (nobody.event_time, nobody.date());
    let failed = format!(
        "{} failed: the device id is empty. Give each device its own id: all devices without an id would share a \
         partition",
        shared_table()
    );
    let insert = format!("INSERT INTO {failed}");
    refused(events.insert(&nobody).await, &insert);
    refused(events.insert_if_absent(&nobody).await, &insert);
    refused(events.insert_many(&[nobody]).await.remove(0), &insert);
    let delete = format!("DELETE FROM {failed}");
    refused(events.delete("", at).await, &delete);
    refused(events.delete_day("", day).await, &delete);
    let select = format!("SELECT FROM {failed}");
    refused(events.get("", at).await, &select);
    refused(events.latest("", 1).try_next().await, &select);
    refused(events.day("", day).try_next().await, &select);
    let mut between = events.between("", at..at).oldest_first().of_type("type");
    refused(between.try_next().await, &select);
    assert_eq!(between.try_next().await.unwrap(), None, "it ends after the error");
}

#[tokio::test]
async fn reversed_time_range_is_refused() {
    let events = events(&session().await).await;
    let mut backwards = events.between("device", time("2026-11-22T10:00:00.5Z")..time("2026-11-21T00:00:00Z"));
    refused(
        backwards.try_next().await,
        &format!(
            "SELECT FROM {} failed: the range ends at 2026-11-21T00:00:00Z before it begins at \
             2026-11-22T10:00:00.500Z. Pass the earlier time first; oldest_first() sets only the order of the events",
            shared_table()
        ),
    );
}

#[tokio::test]
async fn oversized_event_key_or_row_is_refused_before_sending() {
    let (events, table) = (events(&session().await).await, shared_table());
    let long = Event::new("x".repeat(2_050), time("2026-11-22T10:00:00Z"), "type", "x");
    let error = events.insert(&long).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: Amazon Keyspaces refuses a partition key of more than 2048 bytes, and this \
             one has 2054 bytes. Use a shorter key, a hash for instance. (DG:quotas)"
        )
    );
    let large = Event::new("device", time("2026-11-22T10:00:00Z"), "type", "x".repeat(1 << 20));
    let error = events.insert(&large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: Amazon Keyspaces refuses a row of more than 1 MB, and this one has at least \
             1048588 bytes. Split the value over several rows, or keep it in Amazon S3. (gh:capillariesio/capillaries \
             (pkg/proc/table_inserter.go); DG:quotas)"
        )
    );
}

#[tokio::test]
async fn missing_keyspace_or_table_error_names_the_table() {
    let session = session().await;
    let [nowhere, no_tables] = ["nowhere", "no_tables"].map(keyspace_name);
    let error = Events::new(&session, &nowhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert!(error.to_string().starts_with("preparing "), "{error}");
    assert!(error.to_string().contains(&format!("{nowhere}.events failed: refused by the server")), "{error}");
    keyspace(&session, &no_tables).await;
    let error = Events::sharded(&session, &no_tables, NonZeroU8::MIN).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("{no_tables}.events_sharded failed: refused by the server")),
        "{error}"
    );
}

#[tokio::test]
async fn impossible_keyspace_name_is_reported_as_missing() {
    if local().await.is_none() {
        return;
    }
    let error = Events::create_table(&session().await, "my-application").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert_eq!(
        error.to_string(),
        "CREATE TABLE \"my-application\".events failed: refused by the server; the server's message: \"unconfigured keyspace \
         my-application\""
    );
}

#[tokio::test]
async fn existing_table_with_different_columns_is_refused() {
    let session = session().await;
    let name = new_keyspace_name();
    keyspace(&session, &name).await;
    let text = format!(
        "CREATE TABLE {name}.events (device_id text, event_date date, event_time timestamp, event_type text, payload blob, \
         PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC)"
    );
    session.define(&text).await.unwrap();
    // `create_table` accepts any existing table.
    Events::create_table(&session, &name).await.unwrap();
    let error = Events::new(&session, &name).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!(
            "preparing INSERT INTO {name}.events failed: the bind marker for payload is blob, &str cannot be bound to it"
        )
    );
}

#[tokio::test]
async fn timestamp_outside_the_calendar_is_skipped() {
    let session = session().await;
    let events = events(&session).await;
    let device = device();
    let far = keyspaces::value::CqlTimestamp(i64::MAX);
    let text = format!("INSERT INTO {} (device_id, event_date, event_time) VALUES (?, ?, ?)", shared_table());
    session.execute(&text, (&device, date("2026-11-22"), far)).await.unwrap();
    assert_eq!(events.day(&device, date("2026-11-22")).try_next().await.unwrap(), None, "no time that there is");
}
