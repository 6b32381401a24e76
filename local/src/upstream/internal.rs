//! Internal requests: statements that the gateway sends to Cassandra for its own purposes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{ConnectionLost, Upstream};
use crate::protocol::{Consistency, Frame, Malformed, Opcode, Reader, Writer, metadata};
use crate::saturated::saturated;

/// The time limit of an internal request; a definition takes seconds on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection for internal requests, one at a time. It is opened again after it broke.
#[derive(Debug)]
pub(crate) struct InternalConnection {
    address: SocketAddr,
    connection: Mutex<Option<Upstream>>,
}

/// Why an internal request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InternalRequestError {
    /// There was no response.
    #[error(transparent)]
    Lost(#[from] ConnectionLost),
    /// Cassandra refused.
    #[error("Cassandra refused `{statement}`: {text}")]
    Refused { statement: String, text: String },
    /// There is no history of a table at a moment.
    #[error("the history of {table} does not reach back to {moment} ms since 1970")]
    NoHistory { table: String, moment: u64 },
    /// The response does not fit the statement.
    #[error("Cassandra's answer to `{0}` cannot be read")]
    MalformedAnswer(String),
}

impl InternalConnection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: Mutex::new(None) }
    }

    /// Runs a statement and returns the response, which may be an ERROR.
    pub(crate) async fn call(&self, statement: &str, values: &[&str]) -> Result<Frame, ConnectionLost> {
        let mut connection = self.connection.lock().await;
        let upstream = match connection.take() {
            Some(upstream) => upstream,
            None => Upstream::connect(self.address).await?,
        };
        let answered = tokio::time::timeout(TIMEOUT, upstream.call(query(statement, values))).await;
        let answer = answered.map_err(|_| ConnectionLost::TimedOut(TIMEOUT))??;
        *connection = Some(upstream);
        Ok(answer)
    }

    /// Runs a statement that returns no rows.
    pub(crate) async fn run(&self, statement: &str, values: &[&str]) -> Result<(), InternalRequestError> {
        check_answer(statement, self.call(statement, values).await?).map(drop)
    }

    /// Runs a `SELECT JSON`.
    pub(crate) async fn select(&self, statement: &str, values: &[&str]) -> Result<Vec<Value>, InternalRequestError> {
        let answer = check_answer(statement, self.call(statement, values).await?)?;
        rows(&answer.body).ok_or_else(|| InternalRequestError::MalformedAnswer(statement.to_owned()))
    }

    /// Runs an `INSERT … JSON ?` of a row.
    pub(crate) async fn insert(&self, table: &str, row: &Value) -> Result<(), InternalRequestError> {
        self.run(&format!("INSERT INTO {table} JSON ?"), &[&row.to_string()]).await
    }

    /// Inserts many rows, in as few requests as possible.
    pub(crate) async fn insert_all(
        &self,
        table: &str,
        rows: impl Iterator<Item = Value>,
    ) -> Result<(), InternalRequestError> {
        self.insert_in_batches(&format!("INSERT INTO {table} JSON ?; "), rows).await
    }

    /// Inserts many rows; columns that a row does not name keep their values.
    pub(crate) async fn update_all(
        &self,
        table: &str,
        rows: impl Iterator<Item = Value>,
    ) -> Result<(), InternalRequestError> {
        self.insert_in_batches(&format!("INSERT INTO {table} JSON ? DEFAULT UNSET; "), rows).await
    }

    async fn insert_in_batches(
        &self,
        insert: &str,
        rows: impl Iterator<Item = Value>,
    ) -> Result<(), InternalRequestError> {
        let rows: Vec<String> = rows.map(|row| row.to_string()).collect();
        for chunk in rows.chunks(100) {
            let inserts = insert.repeat(chunk.len());
            let values: Vec<&str> = chunk.iter().map(String::as_str).collect();
            self.run(&format!("BEGIN UNLOGGED BATCH {inserts} APPLY BATCH"), &values).await?;
        }
        Ok(())
    }
}

/// A QUERY with text values.
fn query(statement: &str, values: &[&str]) -> Frame {
    const VALUES: u8 = 0x01;
    let mut body = BytesMut::new();
    body.long_string(statement);
    body.put_u16(Consistency::LocalQuorum.code());
    body.put_u8(if values.is_empty() { 0 } else { VALUES });
    if !values.is_empty() {
        body.put_u16(saturated::<u16>(values.len()));
        values.iter().for_each(|value| body.bytes(Some(value.as_bytes())));
    }
    Frame::new(0, Opcode::Query, body.freeze())
}

pub(crate) fn check_answer(statement: &str, answer: Frame) -> Result<Frame, InternalRequestError> {
    match crate::protocol::error_text(&answer) {
        Some(text) => Err(InternalRequestError::Refused { statement: statement.to_owned(), text }),
        None => Ok(answer),
    }
}

fn rows(body: &Bytes) -> Option<Vec<Value>> {
    let read = || -> Result<Vec<Value>, Malformed> {
        let mut reader = Reader::new(body);
        reader.int()?;
        let columns = metadata::skip(&mut reader)?;
        let count = reader.count()?;
        let mut rows = Vec::new();
        for _ in 0..count {
            for _ in 0..columns {
                let value = reader.bytes()?.ok_or(Malformed)?;
                rows.push(serde_json::from_slice(value).map_err(|_| Malformed)?);
            }
        }
        Ok(rows)
    };
    read().ok()
}
