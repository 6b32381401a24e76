//! The columns that the stub knows: the type of each, and its value, which is the same in every row.

use crate::frame::{put_bytes, put_int, put_short};

const BIGINT: usize = 0x02;
const BOOLEAN: usize = 0x04;
const DECIMAL: usize = 0x06;
const DOUBLE: usize = 0x07;
const INT: usize = 0x09;
const TIMESTAMP: usize = 0x0B;
const UUID: usize = 0x0C;
const TEXT: usize = 0x0D;
const INET: usize = 0x10;
const DATE: usize = 0x11;
const SET: usize = 0x22;

/// The columns of the partition key, which are also the first bind markers of the statements.
pub(super) fn partition_key(table: &str) -> Option<&'static [&'static str]> {
    match table {
        "events" => Some(&["device_id", "event_date"]),
        "users" => Some(&["user_id"]),
        "sales" => Some(&["id"]),
        "columns" | "tables" => Some(&["keyspace_name"]),
        "local" => Some(&["key"]),
        "peers" => Some(&["peer"]),
        _ => None,
    }
}

/// The columns of the table `sales`, the only one in `system_schema.columns`.
const SALES: [(&str, &str); 10] = [
    ("id", "uuid"),
    ("day", "date"),
    ("sold", "timestamp"),
    ("shop", "text"),
    ("item", "text"),
    ("amount", "int"),
    ("price", "decimal"),
    ("weight", "double"),
    ("paid", "boolean"),
    ("note", "text"),
];

/// The number of rows and their values, for a table with constant contents.
pub(super) fn fixed_rows(table: &str, columns: &[&str]) -> Option<(usize, Vec<u8>)> {
    let mut values = Vec::new();
    match table {
        "peers" | "tables" => return Some((0, values)),
        "columns" => {}
        _ => return None,
    }
    for (name, column_type) in SALES {
        for column in columns {
            match *column {
                "column_name" => put_bytes(&mut values, name.as_bytes()),
                "type" => put_bytes(&mut values, column_type.as_bytes()),
                "kind" => put_bytes(&mut values, if name == "id" { b"partition_key" } else { b"regular" }),
                "position" => put_bytes(&mut values, &(if name == "id" { 0_i32 } else { -1 }).to_be_bytes()),
                _ => put_bytes(&mut values, b"none"),
            }
        }
    }
    Some((SALES.len(), values))
}

pub(super) fn put_type(body: &mut Vec<u8>, column: &str) -> Option<()> {
    // The type of `*` does not matter, because such a result has no rows.
    let type_code = if column == "*" { TEXT } else { type_of(column)? };
    put_short(body, type_code);
    if type_code == SET {
        put_short(body, TEXT);
    }
    Some(())
}

/// 2026-01-01T00:00:00Z, in milliseconds.
const TIMESTAMP_VALUE: i64 = 1_767_225_600_000;
/// The same day in days since 1970 plus 2³¹, as in the protocol.
const DAY: u32 = (1 << 31) + 20_454;
const PAYLOAD: &str =
    r#"{"temperature":21.5,"humidity":48,"pressure":1013.2,"battery":97,"firmware":"2.14.0","ok":true}"#;

pub(super) fn put_value(body: &mut Vec<u8>, column: &str) {
    match column {
        "event_time" | "created_at" => put_bytes(body, &TIMESTAMP_VALUE.to_be_bytes()),
        "event_date" => put_bytes(body, &DAY.to_be_bytes()),
        "user_id" | "host_id" | "schema_version" => put_bytes(body, &[0x42; 16]),
        "rpc_address" => put_bytes(body, &[127, 0, 0, 1]),
        "tokens" => {
            let mut tokens = Vec::new();
            put_int(&mut tokens, 1);
            put_bytes(&mut tokens, b"1");
            put_bytes(body, &tokens);
        }
        "device_id" => put_bytes(body, b"device-001"),
        "payload" => put_bytes(body, PAYLOAD.as_bytes()),
        "event_type" => put_bytes(body, b"measurement"),
        "email" => put_bytes(body, b"ada@example.com"),
        "partitioner" => put_bytes(body, b"org.apache.cassandra.dht.Murmur3Partitioner"),
        other => put_bytes(body, other.as_bytes()),
    }
}

fn type_of(column: &str) -> Option<usize> {
    Some(match column {
        "device_id" | "event_type" | "payload" | "email" | "name" | "status" => TEXT,
        "key" | "data_center" | "rack" | "cluster_name" | "release_version" | "partitioner" => TEXT,
        "shop" | "item" | "note" => TEXT,
        "keyspace_name" | "table_name" | "column_name" | "clustering_order" | "kind" | "type" => TEXT,
        "amount" | "position" => INT,
        "price" => DECIMAL,
        "weight" => DOUBLE,
        "paid" => BOOLEAN,
        "event_date" | "day" => DATE,
        "event_time" | "created_at" | "sold" => TIMESTAMP,
        "id" | "user_id" | "host_id" | "schema_version" => UUID,
        "rpc_address" => INET,
        "tokens" => SET,
        "[limit]" | "[ttl]" => INT,
        "[timestamp]" => BIGINT,
        _ => return None,
    })
}
