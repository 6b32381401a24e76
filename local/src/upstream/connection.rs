//! A connection to the backing Cassandra with many requests in flight.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::lock::Mutex;
use crate::protocol::request::{self, Parameters};
use crate::protocol::{Frame, MAX_RESPONSE_BYTES, Opcode, Refusal, Sender, Writer, error_code, error_text};
use crate::wire;

/// The maximum number of requests in flight on one connection. More are not faster on one machine, and the
/// responses of a client that does not read would fill Cassandra's memory.
const MAX_IN_FLIGHT: usize = 32;

/// The time limit of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// One connection. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Upstream {
    queue: mpsc::Sender<Frame>,
    permits: Semaphore,
    pending: PendingResponses,
    closed: watch::Receiver<bool>,
    _tasks: JoinSet<()>,
}

/// A connection, and the stream on which requests are sent over it, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) stream: i16,
}

impl Channel<'_> {
    /// Sends a QUERY.
    pub(crate) async fn query(self, text: &str, parameters: &Parameters) -> Result<Frame, ConnectionLost> {
        self.upstream.call(Frame::new(self.stream, Opcode::Query, request::query(text, parameters))).await
    }
}

/// The receivers of responses, by their streams; `None` once the connection has ended.
type PendingResponses = Arc<Mutex<Option<HashMap<i16, oneshot::Sender<Frame>>>>>;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionLost {
    /// No connection could be made.
    #[error("the backing Cassandra cannot be reached at {address}: {problem}")]
    Unreachable { address: SocketAddr, problem: String },
    /// The connection ended.
    #[error("the connection to the backing Cassandra ended")]
    Ended,
    /// There was no response in time.
    #[error("the backing Cassandra did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A second request on a stream that is in use.
    #[error("stream {0} is in use already")]
    StreamInUse(i16),
}

impl Upstream {
    /// Connects, without TLS and without a password.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, ConnectionLost> {
        let unreachable = |problem: String| ConnectionLost::Unreachable { address, problem };
        match tokio::time::timeout(CONNECT_TIMEOUT, Self::open(address)).await {
            Ok(opened) => opened.map_err(unreachable),
            Err(_) => Err(unreachable(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    async fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (reader, writer) = stream.into_split();
        let (queue, requests) = mpsc::channel(64);
        let pending: PendingResponses = Arc::new(Mutex::new(Some(HashMap::new())));
        let (ended, closed) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let reader_state = (Arc::clone(&pending), ended.clone());
        tasks.spawn(async move {
            deliver(BufReader::with_capacity(16 << 10, reader), &reader_state.0).await;
            close(&reader_state.0, &reader_state.1);
        });
        let writer_pending = Arc::clone(&pending);
        tasks.spawn(async move {
            // The reader detects the end of the connection, too, unless the queue was closed on purpose.
            let _ = wire::write_all(writer, requests, Sender::Cassandra).await;
            close(&writer_pending, &ended);
        });
        let upstream = Self { queue, permits: Semaphore::new(MAX_IN_FLIGHT), pending, closed, _tasks: tasks };
        upstream.start_up().await?;
        Ok(upstream)
    }

    async fn start_up(&self) -> Result<(), String> {
        let mut body = BytesMut::new();
        body.put_u16(1);
        body.string("CQL_VERSION");
        body.string("3.0.0");
        let ready = self.call(Frame::new(0, Opcode::Startup, body.freeze())).await.map_err(|lost| lost.to_string())?;
        match ready.opcode {
            Opcode::Ready => Ok(()),
            Opcode::Authenticate => Err("it requires a password; use a Cassandra without one".into()),
            _ => Err(error_text(&ready).unwrap_or_else(|| format!("{:?} in answer to STARTUP", ready.opcode))),
        }
    }

    /// Sends a request and waits for its response, which is on the same stream.
    pub(crate) async fn call(&self, request: Frame) -> Result<Frame, ConnectionLost> {
        let _permit = self.permits.acquire().await.map_err(|_| ConnectionLost::Ended)?;
        let (sender, receiver) = oneshot::channel();
        let stream = request.stream;
        {
            let mut pending = self.pending.lock();
            let pending = pending.as_mut().ok_or(ConnectionLost::Ended)?;
            if pending.contains_key(&stream) {
                return Err(ConnectionLost::StreamInUse(stream));
            }
            pending.insert(stream, sender);
        }
        self.queue.send(request).await.map_err(|_| ConnectionLost::Ended)?;
        receiver.await.map_err(|_| ConnectionLost::Ended)
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.pending.lock().is_none()
    }

    /// Returns once the connection has ended.
    pub(crate) async fn closed(&self) {
        let mut closed = self.closed.clone();
        let _ = closed.wait_for(|closed| *closed).await;
    }
}

/// The refusal of a client's request that got no response.
pub(crate) fn connection_lost() -> Refusal {
    Refusal {
        code: error_code::SERVER_ERROR,
        text: "keyspaces-local: the connection to the backing Cassandra ended".into(),
    }
}

/// Reads responses and hands them out, until the connection ends or breaks the protocol.
async fn deliver(mut reader: BufReader<tokio::net::tcp::OwnedReadHalf>, pending: &PendingResponses) {
    while let Ok(frame) = wire::read_response(&mut reader, MAX_RESPONSE_BYTES).await {
        let Ok(frame) = frame.strip_extensions(true) else { return };
        let receiver = {
            let mut pending = pending.lock();
            pending.as_mut().and_then(|pending| pending.remove(&frame.stream))
        };
        if let Some(receiver) = receiver {
            // The request was abandoned: no task waits for its response.
            let _ = receiver.send(frame);
        }
    }
}

fn close(pending: &PendingResponses, ended: &watch::Sender<bool>) {
    pending.lock().take();
    ended.send_replace(true);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Accepts one connection and answers STARTUP with this frame.
    async fn cassandra(answer: &[u8]) -> (SocketAddr, tokio::task::JoinHandle<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, answer) = (listener.local_addr().unwrap(), answer.to_vec());
        let serving = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut startup = [0; 31];
            socket.read_exact(&mut startup).await.unwrap();
            socket.write_all(&answer).await.unwrap();
            socket
        });
        (address, serving)
    }

    const READY: [u8; 9] = [0x84, 0, 0, 0, 2, 0, 0, 0, 0];

    fn options(stream: i16) -> Frame {
        Frame::new(stream, Opcode::Options, bytes::Bytes::new())
    }

    #[tokio::test]
    async fn out_of_order_responses_reach_their_requests() {
        let (address, serving) = cassandra(&READY).await;
        let upstream = Arc::new(Upstream::connect(address).await.unwrap());
        let mut socket = serving.await.unwrap();
        let [one, two] = [1, 2].map(|stream| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { upstream.call(options(stream)).await.unwrap().stream })
        });
        let mut requests = [0; 18];
        socket.read_exact(&mut requests).await.unwrap();
        for stream in [2, 1] {
            socket.write_all(&[0x84, 0, 0, stream, 6, 0, 0, 0, 0]).await.unwrap();
        }
        assert_eq!((one.await.unwrap(), two.await.unwrap()), (1, 2));
    }

    #[tokio::test]
    async fn when_cassandra_closes_the_connection_no_request_keeps_waiting() {
        let (address, serving) = cassandra(&READY).await;
        let upstream = Upstream::connect(address).await.unwrap();
        let socket = serving.await.unwrap();
        let (answer, ()) = tokio::join!(upstream.call(options(1)), async { drop(socket) });
        assert!(matches!(answer, Err(ConnectionLost::Ended)));
        upstream.closed().await;
        assert!(matches!(upstream.call(options(1)).await, Err(ConnectionLost::Ended)));
    }

    #[tokio::test]
    async fn an_invalid_response_ends_the_connection() {
        let (address, serving) = cassandra(&READY).await;
        let upstream = Upstream::connect(address).await.unwrap();
        let mut socket = serving.await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        upstream.closed().await;
    }

    #[tokio::test]
    async fn dropping_it_closes_the_connection() {
        let (address, serving) = cassandra(&READY).await;
        drop(Upstream::connect(address).await.unwrap());
        assert_eq!(serving.await.unwrap().read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_cassandra_that_requires_a_password_or_is_unreachable_is_named() {
        let (address, _serving) = cassandra(&[0x84, 0, 0, 0, 3, 0, 0, 0, 3, 0, 1, b'X']).await;
        assert_eq!(
            Upstream::connect(address).await.unwrap_err().to_string(),
            format!(
                "the backing Cassandra cannot be reached at {address}: \
                 it requires a password; use a Cassandra without one"
            )
        );
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let text = Upstream::connect(free).await.unwrap_err().to_string();
        assert!(text.starts_with(&format!("the backing Cassandra cannot be reached at {free}: ")), "{text}");
    }
}
