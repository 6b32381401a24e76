//! Opens one connection, stage by stage.
//!
//! The driver reports little about a connection that fails, and nothing about one that hangs. This module opens its own
//! connection through the same stages and records the result of each. The results explain a failed `connect()` and are what
//! `diagnose` reports; in a running session, a peer has to pass this handshake before the driver gets the peer's address.

mod failure;
mod picture;
mod resolve;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use self::failure::was_not_asked;
use self::failure::{no_answer, no_connection, no_credentials, no_tls, silent, unexpected};
pub(crate) use self::resolve::resolve;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::auth::{Authenticator, Identity};
use crate::tls::{PeerCertificate, Trust};
use crate::{Endpoint, Error};
pub(crate) use failure::HandshakeFailure;
pub(crate) use picture::{EC2_PERMISSIONS, Picture};
pub(crate) use resolve::Resolver;
use wire::{Response, WireRequest, ask};

/// The stages of a connection, in order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    Resolve,
    Tcp,
    Tls,
    Options,
    Startup,
    /// Waits for the credentials provider, not for the server.
    Credentials,
    Authentication,
    Register,
    SystemTables,
}

/// How far a handshake goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Depth {
    /// TCP only: whether anything listens.
    Tcp,
    /// TCP, TLS and OPTIONS. Without an answer to read, TLS 1.3 would not deliver the ticket with which the driver's own
    /// handshake resumes.
    Options,
    /// As far as a pool's connection goes: authentication.
    Authentication,
    /// As far as the control connection goes: events and the two topology tables.
    SystemTables,
}

/// The settings shared by all connections of a session.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    endpoint: Endpoint,
    tls: Option<Arc<ClientConfig>>,
    trust: Trust,
    authenticator: Arc<Authenticator>,
    startup: Arc<BTreeMap<&'static str, String>>,
    resolver: Resolver,
}

/// The result of one handshake, as far as it came.
#[derive(Debug)]
pub(crate) struct HandshakeAttempt {
    pub(crate) address: SocketAddr,
    /// The stages passed, and the time of each.
    pub(crate) passed: Vec<(Stage, Duration)>,
    pub(crate) tls: Option<TlsFound>,
    /// The server's name for its authenticator; `None` if it asked for no credentials.
    pub(crate) authenticator: Option<String>,
    pub(crate) picture: Option<Picture>,
    pub(crate) failure: Option<HandshakeFailure>,
    stage: Stage,
    since: Instant,
}

/// The properties of the TLS session.
#[derive(Clone, Debug)]
pub(crate) struct TlsFound {
    pub(crate) version: String,
    pub(crate) leaf: PeerCertificate,
    pub(crate) root: Option<String>,
}

const EVENTS: [&str; 3] = ["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"];

impl Handshake {
    pub(crate) fn new(
        endpoint: Endpoint,
        trust: Trust,
        authenticator: Arc<Authenticator>,
        application_name: Option<&str>,
    ) -> Result<Self, Error> {
        let tls = endpoint.server_name().map(|name| trust.client_config(name)).transpose()?;
        let mut startup = BTreeMap::from([
            ("CQL_VERSION", "4.0.0".to_owned()), // what the driver sends; servers of 3.x take it
            ("DRIVER_NAME", env!("CARGO_PKG_NAME").to_owned()),
            ("DRIVER_VERSION", env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        if let Some(name) = application_name {
            startup.insert("APPLICATION_NAME", name.to_owned());
        }
        Ok(Self { endpoint, tls, trust, authenticator, startup: Arc::new(startup), resolver: Resolver::System })
    }

    #[cfg(test)]
    pub(crate) fn with_resolver(self, resolver: Resolver) -> Self {
        Self { resolver, ..self }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn authenticator(&self) -> &Arc<Authenticator> {
        &self.authenticator
    }

    /// The TLS configuration, which the driver has to share so that its handshakes can resume ours. `None` for a plain
    /// Cassandra.
    pub(crate) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }

    /// Opens a connection to one address, takes it as far as `depth` within the deadline, and closes it.
    pub(crate) fn try_at(
        &self,
        address: SocketAddr,
        depth: Depth,
        deadline: Instant,
    ) -> BoxFuture<'_, HandshakeAttempt> {
        self.attempt(address, depth, deadline).boxed()
    }

    async fn attempt(&self, address: SocketAddr, depth: Depth, deadline: Instant) -> HandshakeAttempt {
        let started = Instant::now();
        let mut attempt = HandshakeAttempt {
            address,
            passed: Vec::new(),
            tls: None,
            authenticator: None,
            picture: None,
            failure: None,
            stage: Stage::Tcp,
            since: started,
        };
        let outcome = timeout_at(deadline, self.stages(&mut attempt, depth)).await;
        let failure = match outcome {
            Ok(Ok(())) => return attempt,
            Ok(Err(failure)) => failure,
            Err(_) => silent(self, attempt.stage),
        };
        attempt.failure = Some(failure.at(address, started.elapsed()));
        attempt
    }

    async fn stages(&self, attempt: &mut HandshakeAttempt, depth: Depth) -> Result<(), HandshakeFailure> {
        let tcp = TcpStream::connect(attempt.address).await.map_err(|error| no_connection(self, error))?;
        if depth == Depth::Tcp {
            attempt.enter(attempt.stage);
            return Ok(());
        }
        let mut stream: Box<dyn Transport> = match &self.tls {
            None => Box::new(tcp),
            Some(config) => {
                attempt.enter(Stage::Tls);
                // The same name as the driver uses, so that both share TLS sessions. The verifier checks the pinned name
                // instead.
                let name = ServerName::IpAddress(attempt.address.ip().into());
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name, tcp).await.map_err(|error| no_tls(self, error))?;
                attempt.tls = Some(self.look_at(stream.get_ref().1));
                Box::new(stream)
            }
        };
        self.speak(attempt, &mut stream, depth).await?;
        attempt.enter(attempt.stage);
        // A polite close; the result does not matter.
        let _ = stream.shutdown().await;
        Ok(())
    }

    async fn speak(
        &self,
        attempt: &mut HandshakeAttempt,
        stream: &mut Box<dyn Transport>,
        depth: Depth,
    ) -> Result<(), HandshakeFailure> {
        attempt.enter(Stage::Options);
        match self.ask(attempt, stream, &WireRequest::Options).await? {
            Response::Supported => {}
            other => return Err(unexpected(self, Stage::Options, other)),
        }
        if depth == Depth::Options {
            return Ok(());
        }
        attempt.enter(Stage::Startup);
        let options = self.startup.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.ask(attempt, stream, &WireRequest::Startup(options)).await? {
            Response::Ready => was_not_asked(self)?,
            Response::Authenticate(name) => {
                attempt.authenticator = Some(failure::word_for_word(&name));
                self.authenticate(attempt, stream).await?;
            }
            other => return Err(unexpected(self, Stage::Startup, other)),
        }
        if depth == Depth::Authentication {
            return Ok(());
        }
        attempt.enter(Stage::Register);
        match self.ask(attempt, stream, &WireRequest::Register(&EVENTS)).await? {
            Response::Ready => {}
            other => return Err(unexpected(self, Stage::Register, other)),
        }
        attempt.enter(Stage::SystemTables);
        let local = self.rows(attempt, stream, picture::LOCAL).await?;
        let peers = self.rows(attempt, stream, picture::PEERS).await?;
        attempt.picture = Some(Picture::new(&local, &peers));
        Ok(())
    }

    async fn authenticate(
        &self,
        attempt: &mut HandshakeAttempt,
        stream: &mut Box<dyn Transport>,
    ) -> Result<(), HandshakeFailure> {
        attempt.enter(Stage::Credentials);
        if self.authenticator.describe() == Identity::Nobody {
            return Err(no_credentials(self, attempt.authenticator.as_deref().unwrap_or_default()));
        }
        let first = self.authenticator.initial_response().await.map_err(HandshakeFailure::credentials)?;
        attempt.enter(Stage::Authentication);
        let challenge = match self.ask(attempt, stream, &WireRequest::AuthResponse(&first)).await? {
            Response::Success => return Ok(()),
            Response::Challenge(challenge) => challenge,
            other => return Err(unexpected(self, Stage::Authentication, other)),
        };
        attempt.enter(Stage::Credentials);
        let answer = self.authenticator.answer(challenge.as_deref()).await.map_err(HandshakeFailure::credentials)?;
        attempt.enter(Stage::Authentication);
        match self.ask(attempt, stream, &WireRequest::AuthResponse(&answer)).await? {
            Response::Success => Ok(()),
            Response::Challenge(_) => Err(HandshakeFailure::credentials(self.authenticator.second_challenge())),
            other => Err(unexpected(self, Stage::Authentication, other)),
        }
    }

    async fn rows(
        &self,
        attempt: &HandshakeAttempt,
        stream: &mut Box<dyn Transport>,
        statement: &str,
    ) -> Result<wire::WireRows, HandshakeFailure> {
        match self.ask(attempt, stream, &WireRequest::Query(statement)).await? {
            Response::Rows(rows) => Ok(rows),
            other => Err(unexpected(self, Stage::SystemTables, other)),
        }
    }

    async fn ask(
        &self,
        attempt: &HandshakeAttempt,
        stream: &mut Box<dyn Transport>,
        request: &WireRequest<'_>,
    ) -> Result<Response, HandshakeFailure> {
        ask(stream, request).await.map_err(|fault| no_answer(self, attempt.stage, fault))
    }

    fn look_at(&self, connection: &rustls::ClientConnection) -> TlsFound {
        let chain = connection.peer_certificates().unwrap_or_default();
        TlsFound {
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "1.2".to_owned(),
                Some(rustls::ProtocolVersion::TLSv1_3) => "1.3".to_owned(),
                other => format!("{other:?}"),
            },
            leaf: chain.first().and_then(PeerCertificate::read).unwrap_or_default(),
            root: self.trust.root_of(chain),
        }
    }
}

impl HandshakeAttempt {
    /// The time of the stages that a probe of a peer passes. The time of a credentials provider and of reading the system
    /// tables is left out, because it says nothing about the distance of the server.
    pub(crate) fn took(&self) -> Duration {
        let of_a_probe = |stage: Stage| stage <= Stage::Authentication && stage != Stage::Credentials;
        self.passed.iter().filter(|(stage, _)| of_a_probe(*stage)).map(|(_, took)| *took).sum()
    }

    /// Records that the current stage was passed, and begins the next.
    fn enter(&mut self, stage: Stage) {
        let now = Instant::now();
        // Authentication waits for the credentials and the server in turn, so each stage is listed once and its times are
        // added.
        match self.passed.iter_mut().find(|(passed, _)| *passed == self.stage) {
            Some((_, took)) => *took += now - self.since,
            None => self.passed.push((self.stage, now - self.since)),
        }
        self.stage = stage;
        self.since = now;
    }
}

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}
