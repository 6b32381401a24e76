//! One client's connection: TLS, authentication, requests.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, BufReader, ReadHalf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::server::TlsStream;

use super::Shared;
use super::answer::{Answer, refused};
use super::connection_handle::{ConnectionHandle, ConnectionState};
use super::inject::Exchange;
use super::pipeline;
use super::request_context::RequestContext;
use super::startup;
use crate::auth::{Challenge, FirstResponse};
use crate::budget::Budget;
use crate::fault::Effect;
use crate::journal::{ConnectionJournal, JournalEntry, LOG, OpenConnection, Outcome};
use crate::lock::Mutex;
use crate::protocol::request::Request;
use crate::protocol::{
    Frame, FrameReadError, MAX_REQUEST_BYTES, Malformed, Opcode, Reader, Refusal, Sender, Writer, error_code,
};
use crate::throttle::ConnectionRateLimit;
use crate::upstream::Upstream;
use crate::wire;

/// The time limits for TLS, and then for authentication.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The bytes of unanswered requests that each connection may always have in memory.
const OWN_REQUEST_BYTES: usize = 1 << 20;

/// The additional bytes that all connections share.
pub(super) const SHARED_REQUEST_BYTES: usize = 64 << 20;

/// The number of answers with rows that each connection may always have in memory.
const OWN_ANSWERS: usize = 1;

/// The additional answers that all connections share: as many as rows are requested from Cassandra at the same time. So
/// a client that reads its answers waits only for Cassandra.
pub(super) const SHARED_ANSWERS: usize = 32;

/// The maximum length of a frame before authentication. A session token fits.
const MAX_UNAUTHENTICATED_BYTES: usize = 64 << 10;

/// The number of requests that each connection may always have in progress. Beyond the limit, no further request is
/// read.
const OWN_REQUESTS: usize = 64;

/// The additional requests that all connections share.
pub(super) const SHARED_REQUESTS: usize = 2048;

/// The time for which a connection that a fault has silenced stays open.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(600);

/// Serves one client until either side ends it.
pub(super) async fn serve(shared: Arc<Shared>, socket: TcpStream, client: SocketAddr) {
    let (Ok(peer), Ok(())) = (socket.local_addr(), socket.set_nodelay(true)) else { return };
    let stream = match tokio::time::timeout(TLS_TIMEOUT, shared.tls.acceptor().accept(socket)).await {
        Ok(Ok(stream)) => stream,
        // Port checks connect and disconnect at once.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return tracing::debug!(target: LOG, %client, reason = "the client disconnected before TLS", "connection closed");
        }
        Ok(Err(error)) => {
            return tracing::info!(target: LOG, %client, reason = format!("no TLS: {error}"), "connection closed");
        }
        Err(_) => {
            let reason = format!("TLS took longer than {} s", TLS_TIMEOUT.as_secs());
            return tracing::info!(target: LOG, %client, reason, "connection closed");
        }
    };
    let open_connection = shared.journal.open_connection(peer);
    let (reader, writer) = tokio::io::split(stream);
    let (queue, frames) = mpsc::channel(64);
    let mut writing = JoinSet::new();
    writing.spawn(wire::write_all(writer, frames, Sender::Client));
    let handle = ConnectionHandle::new(shared.commands.clone());
    let rate_limit = Arc::new(shared.throttling.connection_rate_limit());
    let requests_in_progress = Budget::new(OWN_REQUESTS, &shared.requests);
    let memory = Budget::new(OWN_REQUEST_BYTES, &shared.request_bytes);
    let answers = Budget::new(OWN_ANSWERS, &shared.answers);
    let mut connection = Connection {
        peer,
        exchange: Exchange {
            journal: ConnectionJournal::new(
                shared.journal.clone(),
                open_connection.number,
                peer,
                client,
                Arc::clone(&shared.clock),
                shared.faults.clone(),
            ),
            connection: handle.clone(),
        },
        _open_connection: open_connection,
        shared,
        reader: BufReader::with_capacity(16 << 10, reader),
        queue,
        phase: LoginPhase::BeforeStartup,
        in_flight: Arc::default(),
        requests_in_progress,
        memory,
        answers,
        keyspace: Arc::default(),
        rate_limit,
        requests: JoinSet::new(),
    };
    let end = tokio::select! {
        end = connection.run() => end,
        _ = writing.join_next() => {
            return tracing::debug!(target: LOG, %client, reason = "the client no longer reads", "connection closed");
        }
        state = handle.closed_or_silenced() => {
            let mut reason = "a fault closed it";
            if state == ConnectionState::Silent {
                reason = "a fault silenced it ten minutes ago";
                connection.exchange.journal.log_silence();
                // Both halves of the socket stay open and unused.
                writing.shutdown().await;
                tokio::time::sleep(SILENCE_TIMEOUT).await;
            }
            return connection.exchange.journal.log_close(reason);
        }
    };
    match end {
        ConnectionEnd::ClientGone => {
            tracing::debug!(target: LOG, %client, reason = "the client has disconnected", "connection closed")
        }
        ConnectionEnd::ErrorSent => connection.finish(writing).await,
        ConnectionEnd::CassandraLost => {
            connection.exchange.journal.log_close("the connection to the backing Cassandra ended");
            connection.finish_requests().await;
            connection.finish(writing).await;
        }
    }
}

struct Connection {
    /// The address that the client has connected to.
    peer: SocketAddr,
    shared: Arc<Shared>,
    exchange: Exchange,
    _open_connection: OpenConnection,
    reader: BufReader<ReadHalf<TlsStream<TcpStream>>>,
    queue: mpsc::Sender<Frame>,
    phase: LoginPhase,
    in_flight: Arc<Mutex<HashSet<i16>>>,
    requests_in_progress: Budget,
    memory: Budget,
    answers: Budget,
    keyspace: Arc<Mutex<Option<String>>>,
    rate_limit: Arc<ConnectionRateLimit>,
    requests: JoinSet<()>,
}

/// The phase of a connection.
enum LoginPhase {
    /// Before STARTUP.
    BeforeStartup,
    /// The client was asked to authenticate.
    AwaitingResponse,
    /// The client was sent a challenge.
    Challenged(Challenge),
    /// The client is authenticated and has a connection to Cassandra.
    Ready(Arc<Upstream>),
}

/// How a connection ends.
enum ConnectionEnd {
    /// The client has disconnected.
    ClientGone,
    /// An error was sent to the client; the connection stays open until the client has read it.
    ErrorSent,
    /// The connection to Cassandra is lost. Requests in progress have to be answered.
    CassandraLost,
}

impl Connection {
    async fn run(&mut self) -> ConnectionEnd {
        match tokio::time::timeout(LOGIN_TIMEOUT, self.log_in()).await {
            Ok(Err(end)) => return end,
            Ok(Ok(())) => {}
            Err(_) => {
                let seconds = LOGIN_TIMEOUT.as_secs();
                self.exchange.journal.log_close(&format!("no login within {seconds} s"));
                return ConnectionEnd::ClientGone;
            }
        }
        let LoginPhase::Ready(upstream) = &self.phase else { return ConnectionEnd::ClientGone };
        let upstream = Arc::clone(upstream);
        tokio::select! {
            end = self.serve_requests(&upstream) => end,
            () = upstream.closed() => ConnectionEnd::CassandraLost,
        }
    }

    /// Executes requests until the client is authenticated.
    async fn log_in(&mut self) -> Result<(), ConnectionEnd> {
        while !matches!(self.phase, LoginPhase::Ready(_)) {
            let frame = self.read(MAX_UNAUTHENTICATED_BYTES).await?;
            let stream = frame.stream;
            let entry = match self.record_login_request(&frame) {
                Ok(entry) => entry,
                Err(problem) => return Err(self.refuse(stream, &problem).await),
            };
            let exchange = self.exchange.clone();
            let answer = exchange.run(&entry, stream, self.execute_login_request(&frame)).await;
            let Some(answer) = answer else { continue };
            let refused = answer.opcode == Opcode::Error;
            self.send(answer).await?;
            if refused {
                return Err(ConnectionEnd::ErrorSent);
            }
        }
        Ok(())
    }

    /// Records a request that is allowed before authentication. Any other request is a protocol error.
    fn record_login_request(&self, frame: &Frame) -> Result<JournalEntry, String> {
        let journal = &self.exchange.journal;
        let reader = || Reader::new(&frame.body);
        match (&self.phase, frame.opcode) {
            (_, Opcode::Options) => Ok(journal.options(frame)),
            (LoginPhase::BeforeStartup, Opcode::Startup) => {
                let options = reader().string_map().map_err(|malformed| malformed.to_string())?;
                Ok(journal.startup(frame, &options))
            }
            (LoginPhase::AwaitingResponse | LoginPhase::Challenged(_), Opcode::AuthResponse) => {
                let token = reader().bytes().map_err(|malformed| malformed.to_string())?.unwrap_or_default();
                let method = match &self.phase {
                    LoginPhase::Challenged(_) => "answer to the challenge",
                    _ if token.starts_with(b"SigV4") => "SigV4",
                    _ => "password",
                };
                Ok(journal.auth_response(frame, method))
            }
            (LoginPhase::BeforeStartup, other) => {
                Err(format!("Unexpected message {}, expecting STARTUP or OPTIONS", name(other)))
            }
            (_, other) => Err(format!("Unexpected message {}, expecting SASL_RESPONSE", name(other))),
        }
    }

    async fn execute_login_request(&mut self, frame: &Frame) -> Answer {
        match frame.opcode {
            Opcode::Startup => self.start_up(frame),
            Opcode::AuthResponse => self.authenticate(frame).await,
            _ => startup::supported(frame.stream),
        }
    }

    fn start_up(&mut self, frame: &Frame) -> Answer {
        let options = Reader::new(&frame.body).string_map().unwrap_or_default();
        if let Some(text) = startup::problem(&options) {
            return refused(frame.stream, Refusal { code: error_code::PROTOCOL_ERROR, text });
        }
        self.phase = LoginPhase::AwaitingResponse;
        let mut body = BytesMut::new();
        body.string(self.shared.authority.authenticator_name());
        (Frame::new(frame.stream, Opcode::Authenticate, body.freeze()), Outcome::Answered)
    }

    async fn authenticate(&mut self, frame: &Frame) -> Answer {
        let token = Reader::new(&frame.body).bytes().ok().flatten().unwrap_or_default();
        let decided = match std::mem::replace(&mut self.phase, LoginPhase::AwaitingResponse) {
            LoginPhase::Challenged(challenge) => challenge.verify(token),
            _ => match self.shared.authority.begin(token) {
                FirstResponse::Accepted => Ok(()),
                FirstResponse::Refused(refusal) => Err(refusal),
                FirstResponse::Challenge(challenge) => {
                    let mut body = BytesMut::new();
                    body.bytes(Some(&challenge.bytes));
                    self.phase = LoginPhase::Challenged(challenge);
                    return (Frame::new(frame.stream, Opcode::AuthChallenge, body.freeze()), Outcome::Answered);
                }
            },
        };
        if let Err(refusal) = decided {
            return refused(frame.stream, refusal);
        }
        match Upstream::connect(self.shared.cassandra).await {
            Ok(upstream) => {
                self.phase = LoginPhase::Ready(Arc::new(upstream));
                let mut body = BytesMut::new();
                body.bytes(None);
                (Frame::new(frame.stream, Opcode::AuthSuccess, body.freeze()), Outcome::Answered)
            }
            Err(lost) => {
                let reason = self.shared.cassandra_exit.summary().await.unwrap_or_else(|| lost.to_string());
                let text = format!("keyspaces-local: {reason}");
                refused(frame.stream, Refusal { code: error_code::SERVER_ERROR, text })
            }
        }
    }

    /// Executes requests after authentication.
    async fn serve_requests(&mut self, upstream: &Arc<Upstream>) -> ConnectionEnd {
        loop {
            // Waits until another request may be in progress before the next one is read.
            let permit = self.requests_in_progress.take(1).await;
            let frame = match self.read(MAX_REQUEST_BYTES).await {
                Ok(frame) => frame,
                Err(end) => return end,
            };
            let stream = frame.stream;
            if !self.in_flight.lock().insert(stream) {
                return self
                    .refuse(stream, &format!("Stream {stream} is in use by a request that was not answered yet"))
                    .await;
            }
            if let Some(request) = Request::read(&frame) {
                let request = match request {
                    Ok(request) => request,
                    Err(unread) => return self.refuse(stream, &unread.to_string()).await,
                };
                self.start(upstream, frame, request, permit);
                continue;
            }
            let entry = match frame.opcode {
                Opcode::Options => Ok((self.exchange.journal.options(&frame), startup::supported(stream))),
                Opcode::Register => self.register(&frame),
                Opcode::Startup => Err("Unexpected message STARTUP, the connection is already initialized".to_owned()),
                other => Err(format!("Unexpected message {}: the request is not possible after login", name(other))),
            };
            match entry {
                Ok((entry, answer)) => self.spawn(stream, entry, permit, async { answer }),
                Err(problem) => return self.refuse(stream, &problem).await,
            }
        }
    }

    /// Starts a request in a task of its own.
    fn start(&mut self, upstream: &Arc<Upstream>, frame: Frame, request: Request, permit: OwnedSemaphorePermit) {
        let entry = self.exchange.journal.statement(frame.stream, &request, |id| self.shared.prepared.text(id));
        let (shared, upstream, keyspace) = (Arc::clone(&self.shared), Arc::clone(upstream), Arc::clone(&self.keyspace));
        let (rate_limit, peer, answers) = (Arc::clone(&self.rate_limit), self.peer, self.answers.clone());
        let empty_page = entry.fault.as_ref().is_some_and(|fault| fault.effect == Effect::EmptyPage);
        self.spawn(frame.stream, entry, permit, async move {
            let context = RequestContext {
                shared: &shared,
                upstream: &upstream,
                keyspace: &keyspace,
                peer,
                empty_page,
                rate_limit: &rate_limit,
                answers: &answers,
            };
            pipeline::answer(&context, frame, request).await
        });
    }

    fn spawn(
        &mut self,
        stream: i16,
        entry: JournalEntry,
        permit: OwnedSemaphorePermit,
        work: impl Future<Output = Answer> + Send + 'static,
    ) {
        while self.requests.try_join_next().is_some() {}
        let (queue, in_flight, exchange) = (self.queue.clone(), Arc::clone(&self.in_flight), self.exchange.clone());
        let work = Box::pin(work);
        let _: AbortHandle = self.requests.spawn(async move {
            let answer = exchange.run(&entry, stream, work).await;
            in_flight.lock().remove(&stream);
            if let Some(answer) = answer {
                // The receiver is gone if the client has disconnected.
                let _ = queue.send(answer).await;
            }
            drop(permit);
        });
    }

    /// Accepts any events, and never sends one.
    fn register(&self, frame: &Frame) -> Result<(JournalEntry, Answer), String> {
        let events = Reader::new(&frame.body).string_list().map_err(|malformed: Malformed| malformed.to_string())?;
        let entry = self.exchange.journal.register(frame, &events);
        Ok((entry, (Frame::new(frame.stream, Opcode::Ready, Bytes::new()), Outcome::Answered)))
    }

    async fn read(&mut self, max_bytes: usize) -> Result<Frame, ConnectionEnd> {
        match wire::read_request(&mut self.reader, max_bytes, &self.memory).await {
            Ok(frame) => {
                let stream = frame.stream;
                match frame.strip_extensions(false) {
                    Ok(frame) => Ok(frame),
                    Err(malformed) => Err(self.refuse(stream, &malformed.to_string()).await),
                }
            }
            Err(FrameReadError::Refused { stream, text }) => Err(self.refuse(stream, &text).await),
            Err(FrameReadError::Closed | FrameReadError::ConnectionBroken) => Err(ConnectionEnd::ClientGone),
        }
    }

    async fn send(&self, frame: Frame) -> Result<(), ConnectionEnd> {
        self.queue.send(frame).await.map_err(|_| ConnectionEnd::ClientGone)
    }

    /// Answers with a protocol error, which ends the connection.
    async fn refuse(&self, stream: i16, problem: &str) -> ConnectionEnd {
        self.exchange.journal.log_close(problem);
        match self.send(Frame::error(stream, error_code::PROTOCOL_ERROR, problem)).await {
            Ok(()) => ConnectionEnd::ErrorSent,
            Err(end) => end,
        }
    }

    /// Waits for the requests in progress, so that each is answered with how Cassandra ended.
    async fn finish_requests(&mut self) {
        const TIMEOUT: Duration = Duration::from_secs(5);
        let answered = async { while self.requests.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(TIMEOUT, answered).await;
    }

    /// Lets the client read its last answer: closing a socket with unread bytes would discard it.
    async fn finish(self, mut writing: JoinSet<io::Result<()>>) {
        const TIMEOUT: Duration = Duration::from_secs(1);
        const MAX_BYTES: u64 = 1 << 20;
        let Self { mut requests, queue, reader, .. } = self;
        requests.shutdown().await;
        drop(queue);
        let last = async {
            writing.join_next().await;
            tokio::io::copy(&mut reader.take(MAX_BYTES), &mut tokio::io::sink()).await
        };
        let _ = tokio::time::timeout(TIMEOUT, last).await;
    }
}

/// The name of an opcode in Cassandra's errors.
fn name(opcode: Opcode) -> String {
    format!("{opcode:?}").to_uppercase()
}
