//! The connection of the histories to Cassandra. Statements with bound values are prepared.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::lock::Mutex;
use crate::protocol::metadata::prepared_id;
use crate::protocol::request::{Execute, Parameters, query_at, write_prepare};
use crate::protocol::{Binding, Frame, Opcode, Rows, error_code, error_of};
use crate::upstream::{ConnectionLost, InternalRequestError, Upstream, check_answer};

/// A statement for Cassandra.
#[derive(Clone, Debug, Default)]
pub(super) struct InternalRequest<'a> {
    pub(super) text: &'a str,
    pub(super) values: Binding,
    /// In microseconds since 1970; without it Cassandra's own time.
    pub(super) timestamp: Option<i64>,
    /// The page size and the paging state.
    pub(super) page: Option<(usize, Option<Bytes>)>,
}

/// The ids of prepared statements by their texts. They are valid on all connections.
#[derive(Debug, Default)]
pub(super) struct PreparedIds(Mutex<HashMap<String, Bytes>>);

/// A connection for internal requests, many at once. It is opened again after it broke.
#[derive(Debug)]
pub(super) struct SharedConnection {
    address: SocketAddr,
    upstream: tokio::sync::Mutex<Option<Arc<Upstream>>>,
    pub(super) prepared: PreparedIds,
    permits: Semaphore,
    free: Mutex<Vec<i16>>,
}

/// The maximum number of statements in flight. Each may have a row of 1 MB, and Cassandra's heap is 512 MB.
pub(super) const MAX_IN_FLIGHT: usize = 16;

/// Beyond this number all ids are removed. Cassandra keeps the statements.
const MAX_PREPARED_IDS: usize = 1000;

impl PreparedIds {
    /// Runs a statement and returns its response, unless it is an ERROR.
    pub(super) async fn run(
        &self,
        upstream: &Upstream,
        stream: i16,
        request: &InternalRequest<'_>,
    ) -> Result<Frame, InternalRequestError> {
        // Without values to bind, the values are in the text, which is unlikely to be used again.
        if request.values.values.is_empty() {
            return request.send(upstream, stream).await;
        }
        let id = self.ids().get(request.text).cloned();
        let id = match id {
            Some(id) => id,
            None => self.prepare(upstream, stream, request.text).await?,
        };
        let execute = Execute { id, parameters: request.parameters() };
        let body = execute.write(request.timestamp);
        let answer = upstream.call(Frame::new(stream, Opcode::Execute, body)).await?;
        if error_of(&answer).is_some_and(|(code, _)| code == error_code::UNPREPARED) {
            // Cassandra may evict prepared statements at any time.
            self.ids().remove(request.text);
            return request.send(upstream, stream).await;
        }
        check_answer(request.text, answer)
    }

    async fn prepare(&self, upstream: &Upstream, stream: i16, text: &str) -> Result<Bytes, InternalRequestError> {
        let answer = check_answer(text, upstream.call(write_prepare(stream, text)).await?)?;
        let id = prepared_id(&answer).ok_or_else(|| InternalRequestError::MalformedAnswer(text.to_owned()))?;
        let id = Bytes::copy_from_slice(&id);
        let mut ids = self.ids();
        if ids.len() >= MAX_PREPARED_IDS {
            ids.clear();
        }
        ids.insert(text.to_owned(), id.clone());
        Ok(id)
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, HashMap<String, Bytes>> {
        self.0.lock()
    }
}

impl SharedConnection {
    pub(super) fn new(address: SocketAddr) -> Self {
        let free = (0..).take(MAX_IN_FLIGHT).collect();
        Self {
            address,
            upstream: tokio::sync::Mutex::default(),
            prepared: PreparedIds::default(),
            permits: Semaphore::new(MAX_IN_FLIGHT),
            free: Mutex::new(free),
        }
    }

    pub(super) async fn run(&self, request: &InternalRequest<'_>) -> Result<Frame, InternalRequestError> {
        let (upstream, stream) = self.acquire().await?;
        let answer = self.prepared.run(&upstream, stream.number, request).await;
        if let Err(InternalRequestError::Lost(_)) = &answer {
            self.upstream.lock().await.take_if(|current| Arc::ptr_eq(current, &upstream));
        }
        answer
    }

    /// One page of a SELECT.
    pub(super) async fn page(&self, request: &InternalRequest<'_>) -> Result<Rows, InternalRequestError> {
        rows(request.text, &self.run(request).await?)
    }

    /// The connection, and a stream of it that is not in use.
    pub(super) async fn acquire(&self) -> Result<(Arc<Upstream>, StreamPermit<'_>), InternalRequestError> {
        let upstream = self.upstream().await?;
        Ok((upstream, self.stream().await?))
    }

    async fn upstream(&self) -> Result<Arc<Upstream>, ConnectionLost> {
        let mut current = self.upstream.lock().await;
        if let Some(upstream) = current.as_ref().filter(|upstream| !upstream.is_closed()) {
            return Ok(Arc::clone(upstream));
        }
        let upstream = Arc::new(Upstream::connect(self.address).await?);
        *current = Some(Arc::clone(&upstream));
        Ok(upstream)
    }

    async fn stream(&self) -> Result<StreamPermit<'_>, ConnectionLost> {
        let permit = self.permits.acquire().await.map_err(|_| ConnectionLost::Ended)?;
        let number = self.free.lock().pop().ok_or(ConnectionLost::Ended)?;
        Ok(StreamPermit { number, connection: self, _permit: permit })
    }
}

/// A stream that is in use.
#[derive(Debug)]
pub(super) struct StreamPermit<'a> {
    pub(super) number: i16,
    connection: &'a SharedConnection,
    _permit: SemaphorePermit<'a>,
}

impl Drop for StreamPermit<'_> {
    fn drop(&mut self) {
        self.connection.free.lock().push(self.number);
    }
}

impl InternalRequest<'_> {
    /// Sends a statement as a text, without preparing it.
    async fn send(&self, upstream: &Upstream, stream: i16) -> Result<Frame, InternalRequestError> {
        let body = query_at(self.text, &self.parameters(), self.timestamp);
        check_answer(self.text, upstream.call(Frame::new(stream, Opcode::Query, body)).await?)
    }

    /// The parameters beside the statement.
    fn parameters(&self) -> Parameters {
        let parameters = Parameters::internal(self.values.clone());
        match &self.page {
            Some((rows, state)) => parameters.for_page(*rows, state.clone()),
            None => parameters,
        }
    }
}

/// The rows of a response.
pub(super) fn rows(text: &str, answer: &Frame) -> Result<Rows, InternalRequestError> {
    Rows::read(&answer.body).ok().flatten().ok_or_else(|| InternalRequestError::MalformedAnswer(text.to_owned()))
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A Cassandra that prepares every statement and evicts it at once. Returns the opcodes that it received.
    pub(in super::super) async fn evicting_cassandra() -> (SocketAddr, tokio::task::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut opcodes = Vec::new();
            let mut header = [0; 9];
            while socket.read_exact(&mut header).await.is_ok() {
                let [_, _, s0, s1, opcode, length @ ..] = header;
                socket.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize]).await.unwrap();
                opcodes.push(opcode);
                let (answer, body): (u8, &[u8]) = match opcode {
                    0x01 => (0x02, &[]),
                    // Prepared: an id, and neither markers nor columns.
                    0x09 => (0x08, b"\0\0\0\x04\0\x01i\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\0"),
                    0x0A => (0x00, b"\0\0\x25\0\0\x04gone\0\x01i"),
                    _ => (0x08, &[0, 0, 0, 1]),
                };
                let length = (body.len() as u32).to_be_bytes();
                let frame = [&[0x84, 0, s0, s1, answer][..], &length, body].concat();
                socket.write_all(&frame).await.unwrap();
            }
            opcodes
        });
        (address, serving)
    }

    #[tokio::test]
    async fn a_statement_that_cassandra_evicted_is_sent_as_text() {
        let (address, serving) = evicting_cassandra().await;
        let connection = SharedConnection::new(address);
        let values = Binding::positional([Some(&b"x"[..])]);
        for _ in 0..2 {
            connection
                .run(&InternalRequest { text: "INSERT", values: values.clone(), ..InternalRequest::default() })
                .await
                .unwrap();
        }
        connection.run(&InternalRequest { text: "TRUNCATE t", ..InternalRequest::default() }).await.unwrap();
        drop(connection);
        assert_eq!(serving.await.unwrap(), [0x01, 0x09, 0x0A, 0x07, 0x09, 0x0A, 0x07, 0x07]);
    }
}
