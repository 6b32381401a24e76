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
fn row_identity_does_not_depend_on_column_order() {
    let using_values = row(INSERT, &[b"1", b"s", b"d", b"t"]).identity().expect("the whole key");
    assert_eq!(Some(&using_values), row(UPDATE, &[b"2", b"t", b"s", b"d"]).identity().as_ref());
    assert_ne!(Some(&using_values), row(UPDATE, &[b"2", b"u", b"s", b"d"]).identity().as_ref());
    assert_ne!(
        Some(&using_values),
        row(&INSERT.replace("readings", "others"), &[b"1", b"s", b"d", b"t"]).identity().as_ref()
    );
}

#[test]
fn batch_row_with_an_undeterminable_key_has_no_identity() {
    assert_eq!(
        row("INSERT INTO ks.readings (value, sensor, at) VALUES (?, ?, ?)", &[b"1", b"s", b"t"]).identity(),
        None
    );
    let text = "UPDATE ks.readings SET value = 1 WHERE sensor = 's' AND day = todate(now()) AND at = 5";
    assert_eq!(row(text, &[]).identity(), None);
}

#[test]
fn static_row_of_a_partition_has_its_own_identity() {
    let text = "UPDATE ks.readings SET seq = ? WHERE sensor = ? AND day = ?";
    let set = row(text, &[b"1", b"s", b"d"]);
    assert!(set.sets_static_columns);
    let set = set.identity().expect("the whole partition key");
    assert_eq!(Some(&set), row(text, &[b"2", b"s", b"d"]).identity().as_ref());
    assert_ne!(Some(&set), row(INSERT, &[b"1", b"s", b"d", b"t"]).identity().as_ref());
}

#[test]
fn delete_without_all_clustering_columns_is_a_range_delete() {
    assert!(row("DELETE FROM ks.readings WHERE sensor = ? AND day = ?", &[b"s", b"d"]).is_range());
    assert!(!row("DELETE FROM ks.readings WHERE sensor = ? AND day = ? AND at = ?", &[b"s", b"d", b"t"]).is_range());
    assert!(!row("DELETE seq FROM ks.readings WHERE sensor = ? AND day = ?", &[b"s", b"d"]).is_range());
}
