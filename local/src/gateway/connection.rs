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
use super::inject::Exchange;
use super::link::{Link, LinkState};
use super::pipeline;
use super::request_context::RequestContext;
use super::startup;
use crate::auth::{Challenge, FirstResponse};
use crate::budget::Budget;
use crate::fault::Effect;
use crate::journal::{JournalEntry, LOG, OpenConnection, Outcome, Record};
use crate::lock::Mutex;
use crate::protocol::request::Request;
use crate::protocol::{
    Frame, LONGEST_REQUEST, Malformed, Opcode, Reader, Refusal, Sender, Unreadable, Writer, error_code,
};
use crate::throttle::Requests;
use crate::upstream::Upstream;
use crate::wire;

/// The time limits for TLS, and then for authentication.
const HANDSHAKE: Duration = Duration::from_secs(10);
const AUTHENTICATION: Duration = Duration::from_secs(30);

/// How many bytes of unanswered requests each connection may always have in memory.
const OWN_REQUEST_BYTES: usize = 1 << 20;

/// How many more all connections together may have.
pub(super) const SHARED_REQUEST_BYTES: usize = 64 << 20;

/// How many answers with rows each connection may always have in memory.
const OWN_ANSWERS: usize = 1;

/// How many more all connections together may have: the number of rows that Cassandra is asked for at once. So a client that
/// reads its answers waits only for Cassandra.
pub(super) const SHARED_ANSWERS: usize = 32;

/// The longest frame before authentication. A session token fits.
const LONGEST_BEFORE_AUTHENTICATION: usize = 64 << 10;

/// How many requests each connection may always have in progress. Beyond its limit no request is read.
const OWN_REQUESTS: usize = 64;

/// How many more all connections together may have.
pub(super) const SHARED_REQUESTS: usize = 2048;

/// How long a connection that a fault has silenced stays open.
const SILENCE: Duration = Duration::from_secs(600);

/// Serves one client until either side ends it.
pub(super) async fn serve(shared: Arc<Shared>, socket: TcpStream, client: SocketAddr) {
    let (Ok(peer), Ok(())) = (socket.local_addr(), socket.set_nodelay(true)) else { return };
    let stream = match tokio::time::timeout(HANDSHAKE, shared.tls.acceptor().accept(socket)).await {
        Ok(Ok(stream)) => stream,
        // Port checks connect and leave at once.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return tracing::debug!(target: LOG, %client, reason = "it left before TLS", "connection closed");
        }
        Ok(Err(error)) => {
            return tracing::info!(target: LOG, %client, reason = format!("no TLS: {error}"), "connection closed");
        }
        Err(_) => {
            let reason = format!("TLS took longer than {} s", HANDSHAKE.as_secs());
            return tracing::info!(target: LOG, %client, reason, "connection closed");
        }
    };
    let connected = shared.journal.connected(peer);
    let (reader, writer) = tokio::io::split(stream);
    let (queue, frames) = mpsc::channel(64);
    let mut writing = JoinSet::new();
    writing.spawn(wire::write_all(writer, frames, Sender::Client));
    let link = Link::new(shared.commands.clone());
    let allowance = Arc::new(shared.throttling.connection());
    let room = Budget::new(OWN_REQUESTS, &shared.requests);
    let memory = Budget::new(OWN_REQUEST_BYTES, &shared.request_bytes);
    let answers = Budget::new(OWN_ANSWERS, &shared.answers);
    let mut connection = Connection {
        peer,
        exchange: Exchange {
            record: Record::new(
                shared.journal.clone(),
                connected.number,
                peer,
                client,
                Arc::clone(&shared.clock),
                shared.faults.clone(),
            ),
            link: link.clone(),
        },
        _connected: connected,
        shared,
        reader: BufReader::with_capacity(16 << 10, reader),
        queue,
        phase: LoginPhase::Fresh,
        in_flight: Arc::default(),
        room,
        memory,
        answers,
        keyspace: Arc::default(),
        allowance,
        requests: JoinSet::new(),
    };
    let ending = tokio::select! {
        ending = connection.run() => ending,
        _ = writing.join_next() => {
            return tracing::debug!(target: LOG, %client, reason = "it reads no more", "connection closed");
        }
        state = link.cut() => {
            connection.exchange.record.log_end("a fault wants it so");
            if state == LinkState::Silent {
                // Both halves of the socket stay open and unused.
                writing.shutdown().await;
                tokio::time::sleep(SILENCE).await;
            }
            return;
        }
    };
    match ending {
        Ending::Gone => tracing::debug!(target: LOG, %client, reason = "the client has gone", "connection closed"),
        Ending::Said => connection.end(writing).await,
        Ending::Lost => {
            connection.exchange.record.log_end("the connection to the Cassandra behind ended");
            connection.answer_all().await;
            connection.end(writing).await;
        }
    }
}

struct Connection {
    /// The address that the client has connected to.
    peer: SocketAddr,
    shared: Arc<Shared>,
    exchange: Exchange,
    _connected: OpenConnection,
    reader: BufReader<ReadHalf<TlsStream<TcpStream>>>,
    queue: mpsc::Sender<Frame>,
    phase: LoginPhase,
    in_flight: Arc<Mutex<HashSet<i16>>>,
    room: Budget,
    memory: Budget,
    answers: Budget,
    keyspace: Arc<Mutex<Option<String>>>,
    allowance: Arc<Requests>,
    requests: JoinSet<()>,
}

/// The phase of a connection.
enum LoginPhase {
    /// STARTUP has not come yet.
    Fresh,
    /// The client was asked to authenticate.
    Asked,
    /// The client was sent a challenge.
    Challenged(Challenge),
    /// The client is authenticated and has a connection to Cassandra.
    Ready(Arc<Upstream>),
}

/// How a connection ends.
enum Ending {
    /// The client has disconnected.
    Gone,
    /// The client was sent an error; the connection stays open until it has been read.
    Said,
    /// The connection to Cassandra is lost. Requests in progress have to be answered.
    Lost,
}

impl Connection {
    async fn run(&mut self) -> Ending {
        match tokio::time::timeout(AUTHENTICATION, self.greet()).await {
            Ok(Err(ending)) => return ending,
            Ok(Ok(())) => {}
            Err(_) => {
                let seconds = AUTHENTICATION.as_secs();
                self.exchange.record.log_end(&format!("no login within {seconds} s"));
                return Ending::Gone;
            }
        }
        let LoginPhase::Ready(upstream) = &self.phase else { return Ending::Gone };
        let upstream = Arc::clone(upstream);
        tokio::select! {
            ending = self.work(&upstream) => ending,
            () = upstream.closed() => Ending::Lost,
        }
    }

    /// Carries out requests until the client is authenticated.
    async fn greet(&mut self) -> Result<(), Ending> {
        while !matches!(self.phase, LoginPhase::Ready(_)) {
            let frame = self.read(LONGEST_BEFORE_AUTHENTICATION).await?;
            let stream = frame.stream;
            let entered = match self.enter(&frame) {
                Ok(entered) => entered,
                Err(problem) => return Err(self.refuse(stream, &problem).await),
            };
            let exchange = self.exchange.clone();
            let answer = exchange.run(&entered, stream, self.carry_out(&frame)).await;
            let Some(answer) = answer else { continue };
            let refused = answer.opcode == Opcode::Error;
            self.send(answer).await?;
            if refused {
                return Err(Ending::Said);
            }
        }
        Ok(())
    }

    /// Records a request before authentication, if it is allowed then.
    fn enter(&self, frame: &Frame) -> Result<JournalEntry, String> {
        let record = &self.exchange.record;
        let reader = || Reader::new(&frame.body);
        match (&self.phase, frame.opcode) {
            (_, Opcode::Options) => Ok(record.options(frame)),
            (LoginPhase::Fresh, Opcode::Startup) => {
                let options = reader().string_map().map_err(|malformed| malformed.to_string())?;
                Ok(record.startup(frame, &options))
            }
            (LoginPhase::Asked | LoginPhase::Challenged(_), Opcode::AuthResponse) => {
                let token = reader().bytes().map_err(|malformed| malformed.to_string())?.unwrap_or_default();
                let what = match &self.phase {
                    LoginPhase::Challenged(_) => "answer to the challenge",
                    _ if token.starts_with(b"SigV4") => "SigV4",
                    _ => "password",
                };
                Ok(record.auth_response(frame, what))
            }
            (LoginPhase::Fresh, other) => {
                Err(format!("Unexpected message {}, expecting STARTUP or OPTIONS", name(other)))
            }
            (_, other) => Err(format!("Unexpected message {}, expecting SASL_RESPONSE", name(other))),
        }
    }

    async fn carry_out(&mut self, frame: &Frame) -> Answer {
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
        self.phase = LoginPhase::Asked;
        let mut body = BytesMut::new();
        body.string(self.shared.authority.authenticator_name());
        (Frame::new(frame.stream, Opcode::Authenticate, body.freeze()), Outcome::Answered)
    }

    async fn authenticate(&mut self, frame: &Frame) -> Answer {
        let token = Reader::new(&frame.body).bytes().ok().flatten().unwrap_or_default();
        let decided = match std::mem::replace(&mut self.phase, LoginPhase::Asked) {
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
                let why = self.shared.fate.told().await.unwrap_or_else(|| lost.to_string());
                let text = format!("keyspaces-local: {why}");
                refused(frame.stream, Refusal { code: error_code::SERVER_ERROR, text })
            }
        }
    }

    /// Carries out requests after authentication.
    async fn work(&mut self, upstream: &Arc<Upstream>) -> Ending {
        loop {
            // Waits until another request may be in progress before the next one is read.
            let room = self.room.take(1).await;
            let frame = match self.read(LONGEST_REQUEST).await {
                Ok(frame) => frame,
                Err(ending) => return ending,
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
                self.start(upstream, frame, request, room);
                continue;
            }
            let entered = match frame.opcode {
                Opcode::Options => Ok((self.exchange.record.options(&frame), startup::supported(stream))),
                Opcode::Register => self.register(&frame),
                Opcode::Startup => Err("Unexpected message STARTUP, the connection is already initialized".to_owned()),
                other => Err(format!("Unexpected message {}: no request that can be made here", name(other))),
            };
            match entered {
                Ok((entered, answer)) => self.spawn(stream, entered, room, async { answer }),
                Err(problem) => return self.refuse(stream, &problem).await,
            }
        }
    }

    /// Starts a request in a task of its own.
    fn start(&mut self, upstream: &Arc<Upstream>, frame: Frame, request: Request, room: OwnedSemaphorePermit) {
        let entered = self.exchange.record.statement(frame.stream, &request, |id| self.shared.prepared.text(id));
        let (shared, upstream, keyspace) = (Arc::clone(&self.shared), Arc::clone(upstream), Arc::clone(&self.keyspace));
        let (allowance, peer, answers) = (Arc::clone(&self.allowance), self.peer, self.answers.clone());
        let empty_page = entered.fault.as_ref().is_some_and(|fault| fault.effect == Effect::EmptyPage);
        self.spawn(frame.stream, entered, room, async move {
            let context = RequestContext {
                shared: &shared,
                upstream: &upstream,
                keyspace: &keyspace,
                peer,
                empty_page,
                requests: &allowance,
                answers: &answers,
            };
            pipeline::answer(&context, frame, request).await
        });
    }

    fn spawn(
        &mut self,
        stream: i16,
        entered: JournalEntry,
        room: OwnedSemaphorePermit,
        work: impl Future<Output = Answer> + Send + 'static,
    ) {
        while self.requests.try_join_next().is_some() {}
        let (queue, in_flight, exchange) = (self.queue.clone(), Arc::clone(&self.in_flight), self.exchange.clone());
        let work = Box::pin(work);
        let _: AbortHandle = self.requests.spawn(async move {
            let answer = exchange.run(&entered, stream, work).await;
            in_flight.lock().remove(&stream);
            if let Some(answer) = answer {
                // The receiver is gone if the client has disconnected.
                let _ = queue.send(answer).await;
            }
            drop(room);
        });
    }

    /// Accepts any events, and never sends one.
    fn register(&self, frame: &Frame) -> Result<(JournalEntry, Answer), String> {
        let events = Reader::new(&frame.body).string_list().map_err(|malformed: Malformed| malformed.to_string())?;
        let entered = self.exchange.record.register(frame, &events);
        Ok((entered, (Frame::new(frame.stream, Opcode::Ready, Bytes::new()), Outcome::Answered)))
    }

    async fn read(&mut self, longest: usize) -> Result<Frame, Ending> {
        match wire::read_request(&mut self.reader, longest, &self.memory).await {
            Ok(frame) => {
                let stream = frame.stream;
                match frame.without_extras(false) {
                    Ok(frame) => Ok(frame),
                    Err(malformed) => Err(self.refuse(stream, &malformed.to_string()).await),
                }
            }
            Err(Unreadable::Refused { stream, text }) => Err(self.refuse(stream, &text).await),
            Err(Unreadable::Closed | Unreadable::Broken) => Err(Ending::Gone),
        }
    }

    async fn send(&self, frame: Frame) -> Result<(), Ending> {
        self.queue.send(frame).await.map_err(|_| Ending::Gone)
    }

    /// Answers with a protocol error, which ends the connection.
    async fn refuse(&self, stream: i16, problem: &str) -> Ending {
        self.exchange.record.log_end(problem);
        match self.send(Frame::error(stream, error_code::PROTOCOL_ERROR, problem)).await {
            Ok(()) => Ending::Said,
            Err(ending) => ending,
        }
    }

    /// Waits for the requests in progress, so that each is answered with how Cassandra ended.
    async fn answer_all(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        let answered = async { while self.requests.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(PATIENCE, answered).await;
    }

    /// Lets the client read its last answer: closing a socket with unread bytes would discard it.
    async fn end(self, mut writing: JoinSet<io::Result<()>>) {
        const PATIENCE: Duration = Duration::from_secs(1);
        const MOST: u64 = 1 << 20;
        let Self { mut requests, queue, reader, .. } = self;
        requests.shutdown().await;
        drop(queue);
        let last = async {
            writing.join_next().await;
            tokio::io::copy(&mut reader.take(MOST), &mut tokio::io::sink()).await
        };
        let _ = tokio::time::timeout(PATIENCE, last).await;
    }
}

/// The name of an opcode in Cassandra's errors.
fn name(opcode: Opcode) -> String {
    format!("{opcode:?}").to_uppercase()
}
