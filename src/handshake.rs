//! Opens one connection, stage by stage.
//!
//! The driver reports little about a connection that fails, and nothing about one that hangs. This module opens a
//! connection of its own, which passes the same stages, and records the result of each stage. The results explain a
//! failed `connect()` and are what `diagnose` reports; in a running session, a peer has to pass this handshake before
//! the driver gets the peer's address.
//!
//! Bounds: the whole handshake has a deadline; the length of a frame, the number of events before an answer and the
//! depth of nested types have a maximum (`wire.rs`); a text from the server is shortened before it appears in an error
//! or a report (`failure.rs`).
//!
//! Trust: the TLS handshake comes before the first request, so the server's certificate is verified before any of its
//! answers is used. Only an endpoint of a plain Cassandra has no TLS.

mod failure;
mod resolve;
mod topology;
mod wire;

#[cfg(test)]
mod tests;

use self::failure::{credentials_missing, exchange_failed, tcp_failed, timed_out, tls_failed, unexpected_response};
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
pub(crate) use failure::{HandshakeFailure, refuse_unauthenticated};
pub(crate) use resolve::{Resolver, resolve};
pub(crate) use topology::{EC2_PERMISSIONS, Topology};
use wire::{Response, WireRequest, exchange};

/// The stages of a connection, in order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum HandshakeStage {
    Resolve,
    Tcp,
    Tls,
    Options,
    Startup,
    /// Waits for the credentials provider; the server is not involved.
    Credentials,
    Authentication,
    Register,
    SystemTables,
}

/// How far a handshake goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum HandshakeDepth {
    /// TCP only, to find out whether anything listens at the address.
    Tcp,
    /// TCP, TLS and OPTIONS. An answer has to be read, because with TLS 1.3 the session ticket arrives with it, and the
    /// driver's handshake needs that ticket to resume the TLS session.
    Options,
    /// Up to the end of authentication, like a connection of the driver's pools.
    Authentication,
    /// Up to the registration for events and the read of the two topology tables, like the driver's control connection.
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

/// The results of one handshake, up to the stage at which it ended.
#[derive(Debug)]
pub(crate) struct HandshakeAttempt {
    pub(crate) address: SocketAddr,
    /// The stages passed, and the time of each.
    pub(crate) passed: Vec<(HandshakeStage, Duration)>,
    pub(crate) tls: Option<TlsDetails>,
    /// The name of the server's authenticator; `None` if the server did not require authentication.
    pub(crate) authenticator: Option<String>,
    pub(crate) topology: Option<Topology>,
    pub(crate) failure: Option<HandshakeFailure>,
    stage: HandshakeStage,
    stage_started: Instant,
}

/// The properties of the TLS session.
#[derive(Clone, Debug)]
pub(crate) struct TlsDetails {
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
            // The version that the driver sends, too. Servers of CQL 3 accept it.
            ("CQL_VERSION", "4.0.0".to_owned()),
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

    /// The TLS configuration, with the verification of certificates. The driver uses the same configuration, so it
    /// verifies the same name, and its handshakes resume the TLS sessions of this module's handshakes. `None` for a
    /// plain Cassandra.
    pub(crate) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }

    /// Opens a connection to one address, takes it as far as `depth` within the deadline, and closes it.
    pub(crate) fn attempt(
        &self,
        address: SocketAddr,
        depth: HandshakeDepth,
        deadline: Instant,
    ) -> BoxFuture<'_, HandshakeAttempt> {
        self.run(address, depth, deadline).boxed()
    }

    async fn run(&self, address: SocketAddr, depth: HandshakeDepth, deadline: Instant) -> HandshakeAttempt {
        let started = Instant::now();
        let mut attempt = HandshakeAttempt {
            address,
            passed: Vec::new(),
            tls: None,
            authenticator: None,
            topology: None,
            failure: None,
            stage: HandshakeStage::Tcp,
            stage_started: started,
        };
        let outcome = timeout_at(deadline, self.run_stages(&mut attempt, depth)).await;
        let failure = match outcome {
            Ok(Ok(())) => return attempt,
            Ok(Err(failure)) => failure,
            Err(_) => timed_out(self, attempt.stage),
        };
        attempt.failure = Some(failure.with_peer(address, started.elapsed()));
        attempt
    }

    async fn run_stages(&self, attempt: &mut HandshakeAttempt, depth: HandshakeDepth) -> Result<(), HandshakeFailure> {
        let tcp = TcpStream::connect(attempt.address).await.map_err(|error| tcp_failed(self, error))?;
        if depth == HandshakeDepth::Tcp {
            attempt.enter(attempt.stage);
            return Ok(());
        }
        let mut stream: Box<dyn Transport> = match &self.tls {
            None => Box::new(tcp),
            Some(config) => {
                attempt.enter(HandshakeStage::Tls);
                // The driver also passes the address as the name, and rustls stores TLS sessions by this name. The
                // verifier ignores it and checks the endpoint's name.
                let name = ServerName::IpAddress(attempt.address.ip().into());
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name, tcp).await.map_err(|error| tls_failed(self, error))?;
                attempt.tls = Some(self.tls_details(stream.get_ref().1));
                Box::new(stream)
            }
        };
        self.run_cql_stages(attempt, &mut stream, depth).await?;
        attempt.enter(attempt.stage);
        // The result of the handshake does not depend on how the connection ends.
        let _ = stream.shutdown().await;
        Ok(())
    }

    async fn run_cql_stages(
        &self,
        attempt: &mut HandshakeAttempt,
        stream: &mut Box<dyn Transport>,
        depth: HandshakeDepth,
    ) -> Result<(), HandshakeFailure> {
        attempt.enter(HandshakeStage::Options);
        match self.exchange(attempt, stream, &WireRequest::Options).await? {
            Response::Supported => {}
            other => return Err(unexpected_response(self, HandshakeStage::Options, other)),
        }
        if depth == HandshakeDepth::Options {
            return Ok(());
        }
        attempt.enter(HandshakeStage::Startup);
        let options = self.startup.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.exchange(attempt, stream, &WireRequest::Startup(options)).await? {
            Response::Ready => refuse_unauthenticated(self)?,
            Response::Authenticate(name) => {
                attempt.authenticator = Some(failure::sanitized(&name));
                self.authenticate(attempt, stream).await?;
            }
            other => return Err(unexpected_response(self, HandshakeStage::Startup, other)),
        }
        if depth == HandshakeDepth::Authentication {
            return Ok(());
        }
        attempt.enter(HandshakeStage::Register);
        match self.exchange(attempt, stream, &WireRequest::Register(&EVENTS)).await? {
            Response::Ready => {}
            other => return Err(unexpected_response(self, HandshakeStage::Register, other)),
        }
        attempt.enter(HandshakeStage::SystemTables);
        let local = self.rows(attempt, stream, topology::LOCAL).await?;
        let peers = self.rows(attempt, stream, topology::PEERS).await?;
        attempt.topology = Some(Topology::new(&local, &peers));
        Ok(())
    }

    async fn authenticate(
        &self,
        attempt: &mut HandshakeAttempt,
        stream: &mut Box<dyn Transport>,
    ) -> Result<(), HandshakeFailure> {
        attempt.enter(HandshakeStage::Credentials);
        if self.authenticator.identity() == Identity::Anonymous {
            return Err(credentials_missing(self, attempt.authenticator.as_deref().unwrap_or_default()));
        }
        let first = self.authenticator.initial_response().await.map_err(HandshakeFailure::credentials)?;
        attempt.enter(HandshakeStage::Authentication);
        let challenge = match self.exchange(attempt, stream, &WireRequest::AuthResponse(&first)).await? {
            Response::Success => return Ok(()),
            Response::Challenge(challenge) => challenge,
            other => return Err(unexpected_response(self, HandshakeStage::Authentication, other)),
        };
        attempt.enter(HandshakeStage::Credentials);
        let answer = self.authenticator.answer(challenge.as_deref()).await.map_err(HandshakeFailure::credentials)?;
        attempt.enter(HandshakeStage::Authentication);
        match self.exchange(attempt, stream, &WireRequest::AuthResponse(&answer)).await? {
            Response::Success => Ok(()),
            Response::Challenge(_) => Err(HandshakeFailure::credentials(self.authenticator.second_challenge())),
            other => Err(unexpected_response(self, HandshakeStage::Authentication, other)),
        }
    }

    async fn rows(
        &self,
        attempt: &HandshakeAttempt,
        stream: &mut Box<dyn Transport>,
        statement: &str,
    ) -> Result<wire::WireRows, HandshakeFailure> {
        match self.exchange(attempt, stream, &WireRequest::Query(statement)).await? {
            Response::Rows(rows) => Ok(rows),
            other => Err(unexpected_response(self, HandshakeStage::SystemTables, other)),
        }
    }

    async fn exchange(
        &self,
        attempt: &HandshakeAttempt,
        stream: &mut Box<dyn Transport>,
        request: &WireRequest<'_>,
    ) -> Result<Response, HandshakeFailure> {
        exchange(stream, request).await.map_err(|error| exchange_failed(self, attempt.stage, error))
    }

    fn tls_details(&self, connection: &rustls::ClientConnection) -> TlsDetails {
        let chain = connection.peer_certificates().unwrap_or_default();
        TlsDetails {
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "1.2".to_owned(),
                Some(rustls::ProtocolVersion::TLSv1_3) => "1.3".to_owned(),
                other => format!("{other:?}"),
            },
            leaf: chain.first().and_then(PeerCertificate::read).unwrap_or_default(),
            root: self.trust.root_name(chain),
        }
    }
}

impl HandshakeAttempt {
    /// The time of the stages that a probe of a peer passes. It excludes the time of the credentials provider and of
    /// reading the system tables, because these do not depend on the distance of the server.
    pub(crate) fn probe_duration(&self) -> Duration {
        let is_probe_stage =
            |stage: HandshakeStage| stage <= HandshakeStage::Authentication && stage != HandshakeStage::Credentials;
        self.passed.iter().filter(|(stage, _)| is_probe_stage(*stage)).map(|(_, took)| *took).sum()
    }

    /// Records that the current stage was passed, and begins the next.
    fn enter(&mut self, stage: HandshakeStage) {
        let now = Instant::now();
        // Authentication alternates between waiting for the credentials and for the server, so these two stages are
        // entered twice. Each is listed once, with the sum of its times.
        match self.passed.iter_mut().find(|(passed, _)| *passed == self.stage) {
            Some((_, took)) => *took += now - self.stage_started,
            None => self.passed.push((self.stage, now - self.stage_started)),
        }
        self.stage = stage;
        self.stage_started = now;
    }
}

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}
