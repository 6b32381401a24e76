//! Queries the backing Cassandra without the gateway.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};

use super::super::client::{ClientAnswer, LOCAL_QUORUM, ReceivedFrame, RequestOptions, ResultSet, opcode, query_body};
use super::text::{BindingStyle, CqlText};
use crate::protocol::{Frame, Opcode};
use crate::upstream::Upstream;

pub(super) struct CassandraSide(Upstream);

impl CassandraSide {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self(Upstream::connect(address).await.unwrap())
    }

    /// The complete answer: without a page size Cassandra returns all rows at once.
    pub(super) async fn query(&self, text: &str) -> ClientAnswer {
        self.query_with(text, &[]).await
    }

    /// Writes the same columns as through the gateway. A column that is named but unset differs from one that is left
    /// out: where INSERT … IF NOT EXISTS is not applied, Cassandra answers the static columns only if the statement
    /// names one, and null for all of them otherwise.
    pub(super) async fn write(&self, text: &CqlText, table: &str) -> ClientAnswer {
        let (text, values) = text.written(table, BindingStyle::Literals);
        let mut body = long_string(&text);
        body.put_u16(LOCAL_QUORUM);
        body.put_u8(u8::from(!values.is_empty()));
        body.put_slice(&values);
        self.call(body).await
    }

    async fn query_with(&self, text: &str, values: &[Option<Bytes>]) -> ClientAnswer {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_deref().unwrap_or_default()).collect();
        self.call(query_body(text, RequestOptions { values: &values, ..RequestOptions::default() })).await
    }

    async fn call(&self, body: BytesMut) -> ClientAnswer {
        let frame = self.0.call(Frame::new(0, Opcode::Query, body.freeze())).await.unwrap();
        let opcode = if frame.opcode == Opcode::Error { opcode::ERROR } else { opcode::RESULT };
        ClientAnswer::read(&ReceivedFrame { version: 0x84, flags: 0, stream: 0, opcode, body: frame.body })
    }

    pub(super) async fn rows(&self, text: &str) -> ResultSet {
        match self.query(text).await {
            ClientAnswer::Rows(rows) => rows,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// Deletes every partition of a table.
    pub(super) async fn empty(&self, table: &str, partition_key: &[&str]) {
        let rows = self.rows(&format!("SELECT DISTINCT {} FROM {table}", partition_key.join(", "))).await;
        let key: Vec<_> = partition_key.iter().map(|name| format!("{name} = ?")).collect();
        let delete = format!("DELETE FROM {table} WHERE {}", key.join(" AND "));
        for key in &rows.values {
            assert_eq!(self.query_with(&delete, key).await, ClientAnswer::Void);
        }
    }
}

/// A body with an `[int]` before it.
pub(super) fn long_string(text: &str) -> BytesMut {
    let mut body = BytesMut::with_capacity(text.len() + 4);
    body.put_u32(text.len() as u32);
    body.put_slice(text.as_bytes());
    body
}
