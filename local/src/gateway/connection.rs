//! One client's connection: TLS, who it is, and then its requests.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, BufReader, ReadHalf};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::server::TlsStream;

use super::frame::{self, Frame, From, LONGEST_REQUEST, Opcode, Unreadable};
use super::notation::{Malformed, Notation, Reader};
use super::record::Record;
use super::statement::{Request, Statement};
use super::upstream::Upstream;
use super::{Shared, error_code};
use crate::auth::{Begin, Challenge};
use crate::journal::{Connected, Outcome};
use crate::topology;

/// How long TLS may take, and then how long a client may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
const AUTHENTICATION: Duration = Duration::from_secs(30);

/// What the requests of one connection may take of memory that were read and not yet sent on.
const REQUESTS: usize = 2 * LONGEST_REQUEST;

/// The longest frame of somebody who has not said yet who he is: a session token fits.
const LONGEST_BEFORE_AUTHENTICATION: usize = 64 << 10;

/// How many requests of one connection may be worked on at once; then no more are read.
const IN_FLIGHT: usize = 2048;

/// Serves one client until either side ends it.
pub(super) async fn serve(shared: Arc<Shared>, socket: TcpStream, client: SocketAddr) {
    let (Ok(peer), Ok(())) = (socket.local_addr(), socket.set_nodelay(true)) else { return };
    let stream = match tokio::time::timeout(HANDSHAKE, shared.tls.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%client, %error, "no TLS"),
        Err(_) => return tracing::debug!(%client, "TLS took too long"),
    };
    let connected = shared.journal.connected(peer);
    let (reader, writer) = tokio::io::split(stream);
    let (queue, frames) = mpsc::channel(64);
    let mut writing = JoinSet::new();
    writing.spawn(frame::write_all(writer, frames, From::Client));
    let mut connection = Connection {
        record: Record::new(shared.journal.clone(), connected.number, peer, client, Arc::clone(&shared.clock)),
        _connected: connected,
        shared,
        reader: BufReader::with_capacity(16 << 10, reader),
        queue,
        phase: Phase::Fresh,
        in_flight: Arc::default(),
        room: Arc::new(Semaphore::new(IN_FLIGHT)),
        memory: Arc::new(Semaphore::new(REQUESTS)),
        keyspace: Arc::default(),
        requests: JoinSet::new(),
    };
    let ending = tokio::select! {
        ending = connection.run() => ending,
        _ = writing.join_next() => return,
    };
    if let Ending::Said = ending {
        connection.end(writing).await;
    }
}

struct Connection {
    shared: Arc<Shared>,
    record: Record,
    _connected: Connected,
    reader: BufReader<ReadHalf<TlsStream<TcpStream>>>,
    queue: mpsc::Sender<Frame>,
    phase: Phase,
    in_flight: Arc<Mutex<HashSet<i16>>>,
    room: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    keyspace: Arc<Mutex<Option<String>>>,
    requests: JoinSet<()>,
}

/// How far a client has come.
enum Phase {
    /// Nothing was agreed upon yet.
    Fresh,
    /// It was asked who it is.
    Asked,
    /// It was sent a challenge.
    Challenged(Challenge),
    /// It is known, and Cassandra is there for it.
    Ready(Arc<Upstream>),
}

/// How a connection ends.
enum Ending {
    /// A side is gone.
    Gone,
    /// The client was told why, and must be able to read it.
    Said,
}

impl Connection {
    async fn run(&mut self) -> Ending {
        match tokio::time::timeout(AUTHENTICATION, self.greet()).await {
            Ok(Err(ending)) => return ending,
            Ok(Ok(())) => {}
            Err(_) => return Ending::Gone,
        }
        let Phase::Ready(upstream) = &self.phase else { return Ending::Gone };
        let upstream = Arc::clone(upstream);
        tokio::select! {
            ending = self.work(&upstream) => ending,
            () = upstream.closed() => Ending::Gone,
        }
    }

    /// Up to the point where the client is known.
    async fn greet(&mut self) -> Result<(), Ending> {
        while !matches!(self.phase, Phase::Ready(_)) {
            let frame = self.read(LONGEST_BEFORE_AUTHENTICATION).await?;
            let stream = frame.stream;
            let answered = match (&self.phase, frame.opcode) {
                (_, Opcode::Options) => Ok(self.options(&frame)),
                (Phase::Fresh, Opcode::Startup) => self.start_up(&frame),
                (Phase::Asked | Phase::Challenged(_), Opcode::AuthResponse) => self.authenticate(&frame).await,
                (Phase::Fresh, other) => {
                    Err(format!("Unexpected message {}, expecting STARTUP or OPTIONS", name(other)))
                }
                (_, other) => Err(format!("Unexpected message {}, expecting SASL_RESPONSE", name(other))),
            };
            match answered {
                Ok(answer) => {
                    let refused = answer.opcode == Opcode::Error;
                    self.send(answer).await?;
                    if refused {
                        return Err(Ending::Said);
                    }
                }
                Err(problem) => return Err(self.refuse(stream, &problem).await),
            }
        }
        Ok(())
    }

    fn options(&self, frame: &Frame) -> Frame {
        self.record.options(frame);
        let mut body = BytesMut::new();
        body.put_u16(2);
        body.string("CQL_VERSION");
        body.put_u16(1);
        body.string(topology::CQL_VERSION);
        body.string("COMPRESSION");
        body.put_u16(0);
        Frame::new(frame.stream, Opcode::Supported, body.freeze())
    }

    fn start_up(&mut self, frame: &Frame) -> Result<Frame, String> {
        let options = Reader::new(&frame.body).string_map().map_err(|malformed| malformed.to_string())?;
        let number = self.record.startup(frame, &options);
        let get =
            |wanted: &str| options.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
        let problem = match (get("CQL_VERSION"), get("COMPRESSION")) {
            (None, _) => Some("Missing value CQL_VERSION in STARTUP message".to_owned()),
            // Nothing is known of the service here; Cassandra says this of what it does not know.
            (_, Some(algorithm)) if !algorithm.is_empty() => {
                Some(format!("Unknown compression algorithm: {algorithm}"))
            }
            (Some(version), _) if !is_cql_3_or_later(version) => Some(format!(
                "CQL version {version} is not supported by the binary protocol (supported version are >= 3.0.0)"
            )),
            _ => None,
        };
        if let Some(problem) = problem {
            self.record
                .settle(number, Outcome::Refused { code: error_code::PROTOCOL_ERROR, text: problem.as_str().into() });
            return Err(problem);
        }
        self.record.settle(number, Outcome::Answered);
        self.phase = Phase::Asked;
        let mut body = BytesMut::new();
        body.string(self.shared.authority.authenticator_name());
        Ok(Frame::new(frame.stream, Opcode::Authenticate, body.freeze()))
    }

    async fn authenticate(&mut self, frame: &Frame) -> Result<Frame, String> {
        let token = Reader::new(&frame.body).bytes().map_err(|malformed| malformed.to_string())?.unwrap_or_default();
        let challenged = std::mem::replace(&mut self.phase, Phase::Asked);
        let number = self.record.auth_response(
            frame,
            match &challenged {
                Phase::Challenged(_) => "answer to the challenge",
                _ if token.starts_with(b"SigV4") => "SigV4",
                _ => "password",
            },
        );
        let decided = match challenged {
            Phase::Challenged(challenge) => challenge.verify(token),
            _ => match self.shared.authority.begin(token) {
                Begin::Accepted => Ok(()),
                Begin::Refused(refusal) => Err(refusal),
                Begin::Challenge(challenge) => {
                    let mut body = BytesMut::new();
                    body.bytes(Some(&challenge.bytes));
                    self.phase = Phase::Challenged(challenge);
                    self.record.settle(number, Outcome::Answered);
                    return Ok(Frame::new(frame.stream, Opcode::AuthChallenge, body.freeze()));
                }
            },
        };
        if let Err(refusal) = decided {
            let error = Frame::error(frame.stream, refusal.code, &refusal.text);
            self.record.settle(number, Outcome::Refused { code: refusal.code, text: refusal.text.into() });
            return Ok(error);
        }
        self.record.settle(number, Outcome::Answered);
        match Upstream::connect(self.shared.cassandra).await {
            Ok(upstream) => {
                self.phase = Phase::Ready(Arc::new(upstream));
                let mut body = BytesMut::new();
                body.bytes(None);
                Ok(Frame::new(frame.stream, Opcode::AuthSuccess, body.freeze()))
            }
            Err(lost) => Ok(Frame::error(frame.stream, error_code::SERVER_ERROR, &format!("keyspaces-local: {lost}"))),
        }
    }

    /// All that comes after authentication.
    async fn work(&mut self, upstream: &Arc<Upstream>) -> Ending {
        loop {
            // The last of many that may be worked on at once has to be done before the next is read.
            let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { return Ending::Gone };
            let frame = match self.read(LONGEST_REQUEST).await {
                Ok(frame) => frame,
                Err(ending) => return ending,
            };
            let stream = frame.stream;
            if !self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(stream) {
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
            let answered = match frame.opcode {
                Opcode::Options => Ok(self.options(&frame)),
                Opcode::Register => self.register(&frame),
                Opcode::Startup => Err("Unexpected message STARTUP, the connection is already initialized".to_owned()),
                other => Err(format!("Unexpected message {}: no request that can be made here", name(other))),
            };
            self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&stream);
            let sent = match answered {
                Ok(answer) => self.send(answer).await,
                Err(problem) => Err(self.refuse(stream, &problem).await),
            };
            if let Err(ending) = sent {
                return ending;
            }
        }
    }

    /// Works on a request beside the others.
    fn start(
        &mut self,
        upstream: &Arc<Upstream>,
        frame: Frame,
        request: Request,
        room: tokio::sync::OwnedSemaphorePermit,
    ) {
        while self.requests.try_join_next().is_some() {}
        let number = self.record.statement(frame.stream, &request, &self.shared.prepared);
        let (shared, upstream, keyspace) = (Arc::clone(&self.shared), Arc::clone(upstream), Arc::clone(&self.keyspace));
        let (queue, in_flight, record) = (self.queue.clone(), Arc::clone(&self.in_flight), self.record.clone());
        let _: AbortHandle = self.requests.spawn(async move {
            let stream = frame.stream;
            let statement = Statement { shared: &shared, upstream: &upstream, keyspace: &keyspace };
            let (answer, outcome) = statement.answer(frame, request).await;
            record.settle(number, outcome);
            in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&stream);
            // The client is gone if nobody takes it.
            let _ = queue.send(answer).await;
            drop(room);
        });
    }

    /// Whatever it is that a client wants to hear of, nothing is ever pushed.
    fn register(&self, frame: &Frame) -> Result<Frame, String> {
        let events = Reader::new(&frame.body).string_list().map_err(|malformed: Malformed| malformed.to_string())?;
        self.record.register(frame, &events);
        Ok(Frame::new(frame.stream, Opcode::Ready, Bytes::new()))
    }

    async fn read(&mut self, longest: usize) -> Result<Frame, Ending> {
        match frame::read(&mut self.reader, From::Client, longest, &self.memory).await {
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

    /// A protocol error, which is the last that the client hears.
    async fn refuse(&self, stream: i16, problem: &str) -> Ending {
        match self.send(Frame::error(stream, error_code::PROTOCOL_ERROR, problem)).await {
            Ok(()) => Ending::Said,
            Err(ending) => ending,
        }
    }

    /// Lets the client read what it was told: a socket that is closed with unread bytes would take that away from it.
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

/// Cassandra takes whatever is not below 2.99.
fn is_cql_3_or_later(version: &str) -> bool {
    version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 3)
}

/// As Cassandra's own refusals name them.
fn name(opcode: Opcode) -> String {
    format!("{opcode:?}").to_uppercase()
}
