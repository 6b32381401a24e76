//! The session: its builder, connecting, the requests made on it, its health and closing.

mod builder;
mod configure;
mod connect;
mod defaults;
mod diagnose;
mod diagnosis;
pub(crate) mod driver;
mod gate;
mod health;
mod in_flight;
mod operations;
mod peer;
mod pool_advice;
mod ready;
mod rotation;
mod settings;
mod translator;
mod watch;

#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use scylla::client::session::Session as DriverSession;
use scylla::policies::load_balancing::NodeIdentifier;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::info;

use self::connect::Connected;
use self::defaults::{IN_FLIGHT, MIN_RETRIES, REQUESTS_PER_SECOND};
use self::gate::Gate;
use self::settings::Settings;
use self::watch::Watch;
use crate::handshake::Handshake;
use crate::lock::{read_locked, write_locked};
use crate::observe::{Observers, StatementMetrics};
use crate::peer_limiter::{PeerLimiter, PeerLimits, PeerState};
use crate::rate_limiter::RateLimiters;
use crate::retry::{Random, Retry, RetryBudget};
use crate::saturated::saturated;
use crate::schema::MAX_CONCURRENT_DEFINITIONS;
use crate::statement::Cache;
use crate::{Endpoint, Error, ErrorKind, ReadConsistency};

pub use self::builder::SessionBuilder;
pub(crate) use self::defaults::MAX_TIMEOUT;
pub use self::diagnosis::{Check, Diagnosis};
pub use self::health::{CredentialsHealth, Health, HealthProblem, PeerHealth, TopologyHealth};
pub(crate) use self::in_flight::InFlight;
pub use self::peer::Peer;
pub use self::pool_advice::PoolAdvice;
pub use self::ready::ReadyWhen;

/// A session with Amazon Keyspaces: verified, authenticated connections, and every operation on them.
///
/// A session is cheap to clone, and all clones share its connections. When the last clone is dropped, the connections
/// are closed at once; [`close`](Self::close) waits for the calls in flight first.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
    keyspace: DefaultKeyspace,
}

/// The keyspace of table and type names without one, if the session has a default.
type DefaultKeyspace = Option<Arc<str>>;

/// The state shared by all clones of a session.
struct Inner {
    /// `None` once the session is closed.
    connected: RwLock<Option<Arc<Connected>>>,
    handshake: Handshake,
    settings: Settings,
    data_center: String,
    gate: Gate,
    /// Shared with tasks that must not keep the session alive.
    statements: Arc<Cache>,
    /// A permit for each definition that may be in progress at once.
    definitions: Semaphore,
    started_at: Instant,
    retry: Retry,
    peer_limiter: PeerLimiter,
    rate_limiters: RateLimiters,
    watch: Watch,
}

/// How often `warm_up` checks which peers are connected. The driver does not notify.
const WARM_UP_INTERVAL: Duration = Duration::from_millis(20);

const PEERS_REACHABLE: &str = "Check that security groups and network ACLs let this machine reach every address that \
                               system.peers lists, not only the endpoint's";

impl Session {
    /// Returns a builder with the defaults: the region and credentials of the environment.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// The endpoint that the session is connected to.
    pub fn endpoint(&self) -> &Endpoint {
        self.inner.handshake.endpoint()
    }

    /// The default keyspace, for tables and types that a statement names without a keyspace; `None` if there is no
    /// default. It is set with [`SessionBuilder::keyspace`] or [`in_keyspace`](Self::in_keyspace).
    pub fn keyspace(&self) -> Option<&str> {
        self.keyspace.as_deref()
    }

    /// Returns the same session with another default keyspace, for one statement or for a part of a program. Nothing is
    /// sent.
    ///
    /// The returned session shares the connections, prepared statements and limits of this one. Write the name without
    /// quotes, even if it needs quotes in CQL.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::Select;
    ///
    /// let archived_name: Select<(&str,), (String,)> =
    ///     session.in_keyspace("archive").prepare("SELECT name FROM names WHERE id = ?").await?;
    /// # drop(archived_name);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn in_keyspace(&self, keyspace: impl AsRef<str>) -> Self {
        Self { inner: Arc::clone(&self.inner), keyspace: Some(keyspace.as_ref().into()) }
    }

    /// Returns the same session without a default keyspace. A call does not need one, because the names in its
    /// statement already have a keyspace.
    pub(crate) fn without_keyspace(&self) -> Self {
        Self::from_inner(Arc::clone(&self.inner))
    }

    fn from_inner(inner: Arc<Inner>) -> Self {
        Self { inner, keyspace: None }
    }

    /// The peers that the system tables list, in no particular order; empty once the session is closed.
    ///
    /// A public endpoint lists nine peers (`DG:connections`), a VPC endpoint one for each of its availability zones.
    pub fn peers(&self) -> Vec<Peer> {
        let Some(connected) = self.connected() else { return Vec::new() };
        let state = connected.driver.get_cluster_state();
        let peers = state.get_nodes_info().iter().map(|node| Peer::new(connected.address(node), node.is_connected()));
        peers.collect()
    }

    /// Returns the health of the session: which peers are connected and since when, the problems of the others, the
    /// credentials, and when the list of peers was last read. Sends nothing and does not wait.
    ///
    /// ```no_run
    /// # async fn example(session: keyspaces::Session) {
    /// let health = session.health();
    /// if health.is_degraded() {
    ///     // cassandra.us-east-1.amazonaws.com:9142: 8 of 9 peers connected
    ///     // - 3.234.248.200:9142 has been disconnected for 12 s: connecting to … TCP was not answered. …
    ///     eprintln!("{health}");
    /// }
    /// // For a readiness probe: a peer is connected.
    /// let ready = health.is_ready();
    /// # }
    /// ```
    ///
    /// A session recovers by itself. This table lists the maximum time until then, from the end of the cause:
    ///
    /// | problem | recovered after |
    /// |---|---|
    /// | all connections were closed, or the server restarted within 3 s | 2 s |
    /// | a connection is half open, so nothing arrives any more | 12 s from the last answer: 5 s until a keepalive, 5 s for its answer, and the time to connect |
    /// | a peer was down or silent, or its certificate was not accepted | 13 s: the driver waits up to 11.5 s between attempts; meanwhile, requests go to the other peers |
    /// | the program was frozen, as on AWS Lambda between two invocations, and its connections were closed meanwhile | the first call, which waits for new connections within its deadline |
    /// | all peers were down, or the endpoint's name has other addresses | 16 s: after 3 s without a connected peer the session reconnects; it tries again after up to 5 s, and an attempt without an answer takes up to 10 s |
    /// | the credentials expired or were refused, and no connection was left | 30 s: the provider is asked again after up to 15 s, and the driver tries again within another 12 s |
    /// | the system tables list other peers | 60 s, the [`topology_interval`](SessionBuilder::topology_interval) |
    ///
    /// Each change is logged once through `tracing`, not with each request. The driver also logs events of its own.
    pub fn health(&self) -> Health {
        Health::new(self)
    }

    /// Passes the peers, and whether they are connected, to the peer limiter.
    pub(crate) fn refresh_peers(&self, now: Duration) {
        // The connections of a peer are closed when its last holder drops it, so a closed session must not pass peers
        // to the limiter again. Calls in flight continue with the peers that the limiter still holds.
        let Some(connected) = self.connected() else { return };
        let state = connected.driver.get_cluster_state();
        let peers = state.get_nodes_info().iter().map(|node| PeerState {
            node: NodeIdentifier::Node(Arc::clone(node)),
            address: connected.address(node),
            is_connected: node.is_connected(),
        });
        self.inner.peer_limiter.update(peers, now);
    }

    /// Waits until every peer that the service lists is connected. It is meant for a program that connects with
    /// [`ReadyWhen::OnePeer`] and does other work before its first request, such as preparing its statements.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), keyspaces::Error> {
    /// use std::time::Duration;
    ///
    /// use keyspaces::{ReadyWhen, Session};
    ///
    /// let session = Session::builder().region("us-east-1").ready_when(ReadyWhen::OnePeer).connect().await?;
    /// // Read the configuration, prepare statements, bind the port.
    /// session.warm_up(Duration::from_secs(5)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The future may be dropped at any time. Only the first connection of each peer is awaited; the driver opens the
    /// others in the background, and does not report how many are open.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if a peer is not connected after `deadline`. The text names the peer. The session can
    /// still be used. [`ErrorKind::Closed`] after [`close`](Self::close).
    pub async fn warm_up(&self, deadline: Duration) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            if self.connected().is_none() {
                return Err(self.closed());
            }
            let missing: Vec<_> = self.peers().into_iter().filter(|peer| !peer.is_connected()).collect();
            let left = deadline.saturating_sub(started.elapsed());
            if missing.is_empty() {
                return Ok(());
            }
            if left.is_zero() {
                let missing: Vec<_> = missing.iter().map(|peer| peer.address().to_string()).collect();
                let problem = format!("not connected yet: {}", missing.join(", "));
                return Err(Error::new(ErrorKind::Timeout, format!("warming up {}", self.endpoint()), problem)
                    .with_elapsed(started.elapsed())
                    .with_advice("The session keeps connecting, and health() names the problem of each peer"));
            }
            tokio::time::sleep(WARM_UP_INTERVAL.min(left)).await;
        }
    }

    /// Refuses new calls from now on, waits for the calls in flight, and closes the connections.
    ///
    /// Calls in flight keep their own deadlines. If calls are still in flight after `deadline`, they continue, and the
    /// connections are closed when the last of them ends. A second `close` waits again.
    ///
    /// If the future is dropped while it waits, new calls are still refused; the connections stay open until `close` is
    /// called again or the session is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if calls were still in flight at the deadline.
    pub async fn close(&self, deadline: Duration) -> Result<(), Error> {
        let drained = tokio::time::timeout(deadline, self.inner.gate.close()).await;
        write_locked(&self.inner.connected).take();
        self.inner.watch.stop();
        if drained.is_ok() {
            self.inner.peer_limiter.clear();
        }
        drained.map_err(|_| {
            Error::new(
                ErrorKind::Timeout,
                format!("closing the session with {}", self.endpoint()),
                format!("calls still in flight: {}", self.inner.gate.in_flight()),
            )
            .with_elapsed(deadline)
            .with_advice("They continue until their own deadlines; give close() a longer deadline to wait for them")
        })
    }

    /// Returns the driver's own session, for features that this crate does not have.
    ///
    /// The driver's session has none of this crate's protections: it accepts consistencies that the service refuses;
    /// statements are not checked, limited or retried; unpaged reads fail at 1 MB; DDL is not awaited; errors are the
    /// driver's; and [`close`](Self::close) does not wait for its requests. TLS, the check of each certificate's name,
    /// and SigV4 still apply. After the session has had to reconnect ([`health`](Self::health)), it uses a new driver
    /// session, and the old one has no connections: do not keep it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] after [`close`](Self::close).
    pub fn dangerous_driver(&self) -> Result<Arc<DriverSession>, Error> {
        self.connected().map(|connected| Arc::clone(&connected.driver)).ok_or_else(|| self.closed())
    }

    /// Registers a call as in flight, or fails if the session is closed.
    pub(crate) fn begin(&self) -> Result<InFlight, Error> {
        if !self.inner.gate.enter() {
            // This refused call may be the last one to leave the gate, so it has to release the peers.
            if self.inner.gate.in_flight() == 0 {
                self.inner.peer_limiter.clear();
            }
            return Err(self.closed());
        }
        match self.connected() {
            Some(connected) => Ok(InFlight::new(connected, self.clone())),
            None => {
                self.inner.gate.leave();
                Err(self.closed())
            }
        }
    }

    pub(crate) fn call_timeout(&self) -> Duration {
        self.inner.settings.call_timeout
    }

    pub(crate) fn read_consistency(&self) -> ReadConsistency {
        self.inner.settings.read_consistency
    }

    /// The page size in the driver's type.
    pub(crate) fn page_size(&self) -> i32 {
        saturated::<i32>(self.inner.settings.page_size.get())
    }

    pub(crate) fn definitions(&self) -> &Semaphore {
        &self.inner.definitions
    }

    pub(crate) fn statements(&self) -> &Cache {
        &self.inner.statements
    }

    pub(crate) fn attempt_timeout(&self) -> Duration {
        self.inner.settings.attempt_timeout
    }

    /// Whether spans may contain statement texts, which include the values written as literals.
    pub(crate) fn traces_query_text(&self) -> bool {
        self.inner.settings.traces_query_text
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.inner.settings.observers
    }

    pub(crate) fn retry(&self) -> &Retry {
        &self.inner.retry
    }

    pub(crate) fn peer_limiter(&self) -> &PeerLimiter {
        &self.inner.peer_limiter
    }

    pub(crate) fn rate_limiters(&self) -> &RateLimiters {
        &self.inner.rate_limiters
    }

    pub(crate) fn started_at(&self) -> Instant {
        self.inner.started_at
    }

    /// The time since the session began; counters per second use it.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.inner.started_at)
    }

    pub(crate) fn connections_per_host(&self) -> NonZeroUsize {
        self.inner.settings.connections_per_host
    }

    pub(crate) fn is_plain_cassandra(&self) -> bool {
        self.endpoint().is_cassandra()
    }

    /// The data center in `system.local`; on Keyspaces, the region.
    pub(crate) fn data_center(&self) -> &str {
        &self.inner.data_center
    }

    async fn open(handshake: Handshake, settings: Settings, started: Instant) -> Result<Self, Error> {
        let connected = connect::connect(&handshake, &settings, started).await?;
        let peers_pending = connected.accept_all_peers();
        let state = connected.driver.get_cluster_state();
        let data_center = state.get_nodes_info().iter().find_map(|node| node.datacenter.clone()).unwrap_or_default();
        let started_at = Instant::now();
        let limits = PeerLimits {
            connections: settings.connections_per_host,
            requests_per_second: (!handshake.endpoint().is_cassandra()).then_some(REQUESTS_PER_SECOND),
            in_flight: IN_FLIGHT,
            when_full: settings.when_full,
        };
        let budget = RetryBudget::new(settings.retry_percent, MIN_RETRIES);
        let keyspace = settings.keyspace.clone();
        let inner = Inner {
            connected: RwLock::new(Some(Arc::new(connected))),
            watch: Watch::new(),
            handshake,
            data_center,
            gate: Gate::default(),
            statements: Arc::default(),
            definitions: Semaphore::new(MAX_CONCURRENT_DEFINITIONS),
            started_at,
            retry: Retry::new(settings.backoff, budget, Random::new()),
            peer_limiter: PeerLimiter::new(limits, started_at),
            rate_limiters: RateLimiters::new(settings.table_limits.clone()),
            settings,
        };
        let session = Self { inner: Arc::new(inner), keyspace };
        StatementMetrics::describe();
        let peers = session.peers();
        info!(
            endpoint = %session.endpoint(),
            identity = %session.inner.handshake.authenticator().identity(),
            peers = peers.len(),
            connected = peers.iter().filter(|peer| peer.is_connected()).count(),
            elapsed = ?started.elapsed(),
            "connected"
        );
        session.refresh_peers(Duration::ZERO);
        session.inner.watch.start(
            &Arc::downgrade(&session.inner),
            session.inner.settings.topology_interval,
            peers_pending,
        );
        Ok(session)
    }

    fn connected(&self) -> Option<Arc<Connected>> {
        read_locked(&self.inner.connected).clone()
    }

    fn closed(&self) -> Error {
        Error::new(ErrorKind::Closed, format!("using the session with {}", self.endpoint()), "the session was closed")
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("endpoint", &self.endpoint().to_string())
            .field("keyspace", &self.keyspace())
            .field("peers", &self.peers())
            .field("in_flight", &self.inner.gate.in_flight())
            .finish_non_exhaustive()
    }
}
