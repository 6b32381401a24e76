//! All numeric examples of capacity units and sizes in AWS's guide, compared with the results of this crate.

use keyspaces_cql::statement::{CqlTypeKind, NativeType};
use keyspaces_cql::units::{LOGGED_BATCH_FACTOR, ReadCost, Row, Table, ValueSize, value_size, write_units};

const INT: CqlTypeKind = CqlTypeKind::Native(NativeType::Int);
const BLOB: CqlTypeKind = CqlTypeKind::Native(NativeType::Blob);
const KB: usize = 1_024;

fn digit() -> ValueSize {
    value_size(&INT, Some(&1_i32.to_be_bytes()))
}

fn bytes(bytes: usize) -> ValueSize {
    ValueSize { bytes, elements: 0 }
}

/// Two partition key columns, two clustering columns and one regular column, all of them numbers of one digit.
fn five_digits() -> Row {
    let (table, mut row) = (Table::with_columns(5), Row::default());
    for _ in 0..2 {
        row.add_partition_key(&table, digit().bytes);
        row.add_clustering(&table, digit().bytes);
    }
    row.add_regular(&table, &INT, digit());
    row
}

#[test]
fn guide_examples_of_single_row_reads_and_writes_hold() {
    for (source, actual, expected) in [
        ("DG:ReadWriteCapacityMode.Provisioned, a row of 8 KB at LOCAL_QUORUM", ReadCost::Quorum.units(8 * KB), 2.0),
        ("DG:ReadWriteCapacityMode.Provisioned, a row of 8 KB at LOCAL_ONE", ReadCost::One.units(8 * KB), 1.0),
        (
            "DG:ReadWriteCapacityMode.Provisioned, 6 RCU at LOCAL_QUORUM read 24 KB",
            ReadCost::Quorum.units(24 * KB),
            6.0,
        ),
        ("DG:ReadWriteCapacityMode.Provisioned, 6 RCU at LOCAL_ONE read 48 KB", ReadCost::One.units(48 * KB), 6.0),
        ("DG:limit_queries, 1 MB at LOCAL_QUORUM", ReadCost::Quorum.units(1_024 * KB), 256.0),
        ("DG:limit_queries, 1 MB at LOCAL_ONE", ReadCost::One.units(1_024 * KB), 128.0),
    ] {
        assert!((actual - expected).abs() < f64::EPSILON, "{source}: {actual}");
    }
    for (source, actual, expected) in [
        ("DG:ReadWriteCapacityMode.Provisioned, a row of 2 KB", write_units(2 * KB), 2),
        ("DG:lightweight_transactions, a failed condition on a row of 2 KB", write_units(2 * KB), 2),
        ("DG:lightweight_transactions, a failed condition without a row", write_units(0), 1),
        ("DG:batchStatements, three rows of 1 KB in a logged batch", 3 * LOGGED_BATCH_FACTOR * write_units(KB), 6),
        ("DG:TTL, a column that expires in a row of 2.5 KB", write_units(2 * KB + KB / 2), 3),
        ("DG:TTL, a row of 3.5 KB that expires", write_units(3 * KB + KB / 2), 4),
        ("DG:metrics-dimensions, a tombstone in a row of 2.5 KB", write_units(2 * KB + KB / 2), 3),
        ("DG:metrics-dimensions, a tombstone of a row of 3.5 KB", write_units(3 * KB + KB / 2), 4),
        ("DG:bulk-upload-capacity, a row of 1.5 KB", write_units(KB + KB / 2), 2),
        ("DG:bulk-upload-capacity, a row of 3,000 bytes", write_units(3_000), 3),
        (
            "DG:bulk-upload-capacity, a million rows of 1 KB in an hour",
            (1_000_000 * write_units(KB)).div_ceil(3_600),
            278,
        ),
        ("DG:tables-multi-region-capacity, 5, 10 and 5 writes of 1 KB in three Regions", 20 * write_units(KB), 20),
    ] {
        assert_eq!(actual, expected, "{source}");
    }
}

#[test]
fn guide_example_row_has_31_bytes_and_131_in_storage() {
    let row = five_digits();
    assert_eq!((row.bytes(), row.storage_bytes()), (31, 131), "DG:calculating-row-size");
}

#[test]
fn guide_example_of_static_with_other_columns_takes_56_units() {
    let (table, mut row) = (Table::with_columns(1), Row::default());
    row.add_regular(&table, &BLOB, bytes(25 * KB + KB / 2));
    row.add_static(&table, &BLOB, bytes(KB + KB / 2 - 105));
    assert_eq!(row.static_bytes(), KB + KB / 2);
    assert_eq!(row.write_units(), 56, "DG:static-columns-metering");
}

/// The contradictions in the guide, with the result of this crate and the reason.
#[test]
fn guide_examples_that_contradict_its_formula_follow_the_formula() {
    // DG:range_queries reads a row before the range that is "larger than 4 KB" and counts it as one unit. By the formula
    // of DG:consistency a byte over 4 KB is a second unit.
    assert!((ReadCost::Quorum.units(4 * KB + 1) - 2.0).abs() < f64::EPSILON);

    // DG:static-columns-estimate: 122 bytes for two partition key columns and one static column, all int. It counts an int
    // as 4 bytes, where DG:calculating-row-size counts a number of one digit as 2, and leaves out the column's identifier.
    let (table, mut statics) = (Table::with_columns(6), Row::default());
    for _ in 0..2 {
        statics.add_partition_key(&table, digit().bytes);
    }
    statics.add_static(&table, &INT, digit());
    assert_eq!(statics.static_bytes(), (2 + 3) + (2 + 3) + (2 + 1) + 104);

    // DG:static-columns-estimate: 256 bytes for both in one statement. 134 of them are the row, which
    // DG:calculating-row-size counts as 131.
    assert_eq!(statics.static_bytes() + five_digits().storage_bytes(), 117 + 131);
}
