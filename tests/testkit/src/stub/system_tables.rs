//! Answers to statements over system tables.

use std::net::IpAddr;

use super::{Row, Topology};
use crate::frame::{Answer, Request, opcode, put_bytes, put_int, put_null, put_short, put_string};

/// The statement of a request, or the prepared statement of an EXECUTE.
pub(super) fn statement(request: &Request, prepared: &[String]) -> Option<String> {
    match request.opcode {
        opcode::QUERY | opcode::PREPARE => Some(request.text().to_owned()),
        opcode::EXECUTE => prepared.iter().find(|text| prepared_id(text) == request.prepared_id()).cloned(),
        _ => None,
    }
}

pub(super) fn prepared(statement: &str) -> Answer {
    let mut body = 4i32.to_be_bytes().to_vec();
    let id = prepared_id(statement);
    put_short(&mut body, id.len());
    body.extend(id);
    body.extend([0; 12]); // no flags, no bind markers, no partition key
    match columns(statement) {
        Some((table, columns)) => metadata(&mut body, table, &columns),
        None => body.extend([0; 8]),
    }
    Answer::result(body)
}

/// The rows of a system table; a void result for other statements.
pub(super) fn result(statement: &str, topology: &Topology) -> Answer {
    let Some((table, columns)) = columns(statement) else { return Answer::void() };
    let mut body = 2i32.to_be_bytes().to_vec();
    metadata(&mut body, table, &columns);
    let rows = if table == "local" { std::slice::from_ref(&topology.local) } else { &topology.peers };
    put_int(&mut body, rows.len());
    for row in rows {
        for column in &columns {
            match cell(row, column) {
                Some(bytes) => put_bytes(&mut body, &bytes),
                None => put_null(&mut body),
            }
        }
    }
    Answer::result(body)
}

fn prepared_id(statement: &str) -> Vec<u8> {
    statement.bytes().rev().take(60).collect()
}

fn columns(statement: &str) -> Option<(&'static str, Vec<String>)> {
    let table = ["local", "peers"].into_iter().find(|table| statement.contains(&format!("system.{table}")))?;
    let list = statement.strip_prefix("SELECT ")?.split(" FROM ").next()?;
    Some((table, list.split(", ").map(str::to_owned).collect()))
}

fn metadata(body: &mut Vec<u8>, table: &str, columns: &[String]) {
    put_int(body, 1); // one table for all columns
    put_int(body, columns.len());
    put_string(body, "system");
    put_string(body, table);
    for column in columns {
        put_string(body, column);
        match column.as_str() {
            "host_id" => put_short(body, 0x0C),
            "rpc_address" => put_short(body, 0x10),
            "tokens" => {
                put_short(body, 0x22);
                put_short(body, 0x0D);
            }
            _ => put_short(body, 0x0D),
        }
    }
}

fn cell(row: &Row, column: &str) -> Option<Vec<u8>> {
    match column {
        "host_id" => row.host_id.map(|id| id.as_bytes().to_vec()),
        "rpc_address" => row.rpc_address.map(|address| match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        }),
        "data_center" | "rack" => row.data_center.clone().map(String::into_bytes),
        "tokens" => row.tokens.as_ref().map(|tokens| {
            let mut bytes = Vec::new();
            put_int(&mut bytes, tokens.len());
            for token in tokens {
                put_bytes(&mut bytes, token.as_bytes());
            }
            bytes
        }),
        "cluster_name" => row.cluster_name.clone().map(String::into_bytes),
        "partitioner" => Some(b"com.amazonaws.cassandra.DefaultPartitioner".to_vec()),
        "release_version" => Some(b"3.11.2".to_vec()),
        other => panic!("the stub has no column {other}"),
    }
}
