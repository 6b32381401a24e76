//! CQL v4, the server's side of it.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Row, Topology};

pub(super) mod opcode {
    pub(in crate::stub) const STARTUP: u8 = 0x01;
    pub(in crate::stub) const OPTIONS: u8 = 0x05;
    pub(in crate::stub) const QUERY: u8 = 0x07;
    pub(in crate::stub) const PREPARE: u8 = 0x09;
    pub(in crate::stub) const EXECUTE: u8 = 0x0A;
    pub(in crate::stub) const REGISTER: u8 = 0x0B;
    pub(in crate::stub) const AUTH_RESPONSE: u8 = 0x0F;
}

pub(super) struct Frame {
    pub(super) stream: i16,
    pub(super) opcode: u8,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// `None` when the client is gone.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.ok()?;
        assert_eq!(header[0], 4, "a request of CQL v4");
        let length = u32::from_be_bytes(header[5..].try_into().unwrap());
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body).await.ok()?;
        Some(Self { stream: i16::from_be_bytes([header[2], header[3]]), opcode: header[4], body })
    }

    /// The statement that it carries or, for an EXECUTE, names.
    pub(super) fn statement(&self, prepared: &[String]) -> Option<String> {
        match self.opcode {
            opcode::QUERY | opcode::PREPARE => {
                let length = u32::from_be_bytes(self.body[..4].try_into().unwrap()) as usize;
                Some(String::from_utf8(self.body[4..4 + length].to_vec()).unwrap())
            }
            opcode::EXECUTE => {
                let length = usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
                let id = &self.body[2..2 + length];
                prepared.iter().find(|text| prepared_id(text) == id).cloned()
            }
            _ => None,
        }
    }
}

pub(super) struct Answer {
    opcode: u8,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn on_stream(self, stream: i16) -> Vec<u8> {
        let mut frame = vec![0x84, 0];
        frame.extend(stream.to_be_bytes());
        frame.push(self.opcode);
        frame.extend(u32::try_from(self.body.len()).unwrap().to_be_bytes());
        frame.extend(self.body);
        frame
    }
}

pub(super) fn error(code: i32, text: &str) -> Answer {
    let mut body = code.to_be_bytes().to_vec();
    string(&mut body, text);
    Answer { opcode: 0x00, body }
}

/// A write timeout at LOCAL_QUORUM with 0 of 2 (DG:troubleshooting.serverless).
pub(super) fn throttled() -> Answer {
    let mut answer = error(0x1100, "Operation timed out - received only 0 responses.");
    short(&mut answer.body, 6);
    answer.body.extend(0i32.to_be_bytes());
    answer.body.extend(2i32.to_be_bytes());
    string(&mut answer.body, "SIMPLE");
    answer
}

pub(super) fn ready() -> Answer {
    Answer { opcode: 0x02, body: Vec::new() }
}

pub(super) fn authenticate(name: &str) -> Answer {
    let mut body = Vec::new();
    string(&mut body, name);
    Answer { opcode: 0x03, body }
}

pub(super) fn supported() -> Answer {
    let mut body = Vec::new();
    short(&mut body, 2);
    string(&mut body, "CQL_VERSION");
    short(&mut body, 1);
    string(&mut body, "3.4.4");
    string(&mut body, "COMPRESSION");
    short(&mut body, 0);
    Answer { opcode: 0x06, body }
}

pub(super) fn challenge(bytes: &[u8]) -> Answer {
    let mut body = Vec::new();
    value(&mut body, Some(bytes));
    Answer { opcode: 0x0E, body }
}

pub(super) fn success() -> Answer {
    Answer { opcode: 0x10, body: (-1i32).to_be_bytes().to_vec() }
}

pub(super) fn prepared(statement: &str) -> Answer {
    let mut body = 4i32.to_be_bytes().to_vec();
    let id = prepared_id(statement);
    short(&mut body, id.len());
    body.extend(id);
    body.extend([0; 12]); // no flags, no bind markers, no partition key
    match columns(statement) {
        Some((table, columns)) => metadata(&mut body, table, &columns),
        None => body.extend([0; 8]),
    }
    Answer { opcode: 0x08, body }
}

pub(super) fn result(statement: &str, topology: &Topology) -> Answer {
    let Some((table, columns)) = columns(statement) else {
        return Answer { opcode: 0x08, body: 1i32.to_be_bytes().to_vec() };
    };
    let mut body = 2i32.to_be_bytes().to_vec();
    metadata(&mut body, table, &columns);
    let rows = if table == "local" { std::slice::from_ref(&topology.local) } else { &topology.peers };
    body.extend(i32::try_from(rows.len()).unwrap().to_be_bytes());
    for row in rows {
        for column in &columns {
            value(&mut body, cell(row, column).as_deref());
        }
    }
    Answer { opcode: 0x08, body }
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
    body.extend(1i32.to_be_bytes()); // one table for all columns
    body.extend(i32::try_from(columns.len()).unwrap().to_be_bytes());
    string(body, "system");
    string(body, table);
    for column in columns {
        string(body, column);
        match column.as_str() {
            "host_id" => short(body, 0x0C),
            "rpc_address" => short(body, 0x10),
            "tokens" => {
                short(body, 0x22);
                short(body, 0x0D);
            }
            _ => short(body, 0x0D),
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
            let mut bytes = i32::try_from(tokens.len()).unwrap().to_be_bytes().to_vec();
            for token in tokens {
                value(&mut bytes, Some(token.as_bytes()));
            }
            bytes
        }),
        "cluster_name" => row.cluster_name.clone().map(String::into_bytes),
        "partitioner" => Some(b"com.amazonaws.cassandra.DefaultPartitioner".to_vec()),
        "release_version" => Some(b"3.11.2".to_vec()),
        other => panic!("the stub has no column {other}"),
    }
}

fn short(body: &mut Vec<u8>, number: usize) {
    body.extend(u16::try_from(number).unwrap().to_be_bytes());
}

fn string(body: &mut Vec<u8>, text: &str) {
    short(body, text.len());
    body.extend(text.as_bytes());
}

fn value(body: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => body.extend((-1i32).to_be_bytes()),
        Some(bytes) => {
            body.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
            body.extend(bytes);
        }
    }
}
