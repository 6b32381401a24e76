//! The columns that the stub knows: type and the one value that every row has.

use crate::frame::{put_bytes, put_int, put_short};

const BIGINT: usize = 0x02;
const INT: usize = 0x09;
const TIMESTAMP: usize = 0x0B;
const UUID: usize = 0x0C;
const TEXT: usize = 0x0D;
const INET: usize = 0x10;
const DATE: usize = 0x11;
const SET: usize = 0x22;

/// How many columns the partition key has, which are also the first of the statements' bind markers.
pub(super) fn partition_key(table: &str) -> Option<&'static [&'static str]> {
    match table {
        "events" => Some(&["device_id", "event_date"]),
        "users" => Some(&["user_id"]),
        "local" => Some(&["key"]),
        "peers" => Some(&["peer"]),
        _ => None,
    }
}

pub(super) fn put_type(body: &mut Vec<u8>, column: &str) -> Option<()> {
    let of = type_of(column)?;
    put_short(body, of);
    if of == SET {
        put_short(body, TEXT);
    }
    Some(())
}

/// 2026-01-01T00:00:00Z, in milliseconds.
const THEN: i64 = 1_767_225_600_000;
/// The same day, as CQL counts days: from 2³¹ on.
const THAT_DAY: u32 = (1 << 31) + 20_454;
const PAYLOAD: &str =
    r#"{"temperature":21.5,"humidity":48,"pressure":1013.2,"battery":97,"firmware":"2.14.0","ok":true}"#;

pub(super) fn put_value(body: &mut Vec<u8>, column: &str) {
    match column {
        "event_time" | "created_at" => put_bytes(body, &THEN.to_be_bytes()),
        "event_date" => put_bytes(body, &THAT_DAY.to_be_bytes()),
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
        "event_date" => DATE,
        "event_time" | "created_at" => TIMESTAMP,
        "user_id" | "host_id" | "schema_version" => UUID,
        "rpc_address" => INET,
        "tokens" => SET,
        "[limit]" | "[ttl]" => INT,
        "[timestamp]" => BIGINT,
        _ => return None,
    })
}
