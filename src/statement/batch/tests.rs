use std::sync::Arc;

use super::key::PrimaryKey;
use super::row::ModifiedRow;
use crate::statement::serialized::SerializedView;

/// `readings(sensor, day, at, seq static, value, PRIMARY KEY ((sensor, day), at))`
fn key() -> Arc<PrimaryKey> {
    Arc::new(PrimaryKey {
        partition: vec!["sensor".into(), "day".into()],
        clustering: vec!["at".into()],
        statics: vec!["seq".into()],
    })
}

fn row(text: &str, values: &[&[u8]]) -> ModifiedRow {
    let mut bytes = Vec::new();
    for value in values {
        bytes.extend_from_slice(&u32::try_from(value.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(value);
    }
    let statement = keyspaces_cql::parse(text).expect("it is CQL");
    ModifiedRow::from_tree(&statement, SerializedView::new(&bytes, values.len()), &key()).expect("it modifies")
}

const INSERT: &str = "INSERT INTO ks.readings (value, sensor, day, at) VALUES (?, ?, ?, ?)";
const UPDATE: &str = "UPDATE ks.readings SET value = ? WHERE at = ? AND sensor = ? AND day = ?";

#[test]
fn statements_about_the_same_row_are_found_whatever_their_order_of_columns() {
    let using_values = row(INSERT, &[b"1", b"s", b"d", b"t"]).identity().expect("the whole key");
    assert_eq!(Some(&using_values), row(UPDATE, &[b"2", b"t", b"s", b"d"]).identity().as_ref());
    assert_ne!(Some(&using_values), row(UPDATE, &[b"2", b"u", b"s", b"d"]).identity().as_ref());
    assert_ne!(
        Some(&using_values),
        row(&INSERT.replace("readings", "others"), &[b"1", b"s", b"d", b"t"]).identity().as_ref()
    );
}

#[test]
fn a_key_that_the_text_and_the_values_do_not_tell_is_left_to_the_server() {
    assert_eq!(
        row("INSERT INTO ks.readings (value, sensor, at) VALUES (?, ?, ?)", &[b"1", b"s", b"t"]).identity(),
        None
    );
    let text = "UPDATE ks.readings SET value = 1 WHERE sensor = 's' AND day = todate(now()) AND at = 5";
    assert_eq!(row(text, &[]).identity(), None);
}

#[test]
fn the_static_row_of_a_partition_is_a_row_of_its_own() {
    let text = "UPDATE ks.readings SET seq = ? WHERE sensor = ? AND day = ?";
    let set = row(text, &[b"1", b"s", b"d"]);
    assert!(set.sets_static_columns);
    let set = set.identity().expect("the whole partition key");
    assert_eq!(Some(&set), row(text, &[b"2", b"s", b"d"]).identity().as_ref());
    assert_ne!(Some(&set), row(INSERT, &[b"1", b"s", b"d", b"t"]).identity().as_ref());
}

#[test]
fn a_delete_that_leaves_clustering_columns_out_is_of_a_range() {
    assert!(row("DELETE FROM ks.readings WHERE sensor = ? AND day = ?", &[b"s", b"d"]).is_range());
    assert!(!row("DELETE FROM ks.readings WHERE sensor = ? AND day = ? AND at = ?", &[b"s", b"d", b"t"]).is_range());
    assert!(!row("DELETE seq FROM ks.readings WHERE sensor = ? AND day = ?", &[b"s", b"d"]).is_range());
}
