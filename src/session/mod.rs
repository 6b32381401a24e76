//! The session: its builder, connecting, the requests made on it, its health and closing.

mod builder;
mod connect;
mod defaults;
mod diagnose;
pub(crate) mod driver;
mod gate;
mod health;
mod in_flight;
mod operations;
mod peer;
mod pool_advice;
mod ready;
mod report;
mod rotation;
mod set_up;
mod settings;
mod topology;
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

pub use self::builder::Builder;
pub(crate) use self::defaults::MAX_TIMEOUT;
pub use self::health::{CredentialsHealth, Health, PeerHealth, TopologyHealth, Trouble};
pub(crate) use self::in_flight::InFlight;
pub use self::peer::Peer;
pub use self::pool_advice::PoolAdvice;
pub use self::ready::ReadyWhen;
pub use self::report::{Finding, Report};

/// A session with Amazon Keyspaces: verified, authenticated connections, and every operation on them.
///
/// A session is cheap to clone, and all clones share its connections. When the last clone is dropped, the connections are
/// closed at once; [`close`](Self::close) waits for the calls in flight first.
#[derive(Clone)]
pub struct Session(Arc<Inner>, DefaultKeyspace);

/// The keyspace of table and type names without one, if the session has a default.
type DefaultKeyspace = Option<Arc<str>>;

struct Inner {
    connected: RwLock<Option<Arc<Connected>>>,
    handshake: Handshake,
    settings: Settings,
    data_center: String,
    gate: Gate,
    /// Shared with tasks that must not keep the session alive.
    statements: Arc<Cache>,
    /// A permit for each definition that may be in progress at once.
    definitions: Semaphore,
    began: Instant,
    retry: Retry,
    peer_limiter: PeerLimiter,
    rate_limiters: RateLimiters,
    watch: Watch,
}

/// How often `warm_up` checks which peers are connected.
const WARM_UP_INTERVAL: Duration = Duration::from_millis(20);

const PEERS_REACHABLE: &str = "Check that security groups and network ACLs let this machine reach every address that \
                               system.peers names, not only the endpoint's";

impl Session {
    /// Returns a builder with the defaults: the region and credentials of the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The endpoint that the session is connected to.
    pub fn endpoint(&self) -> &Endpoint {
        self.0.handshake.endpoint()
    }

    /// The keyspace for tables and types that a text names without one, as set by [`Builder::keyspace`] or
    /// [`in_keyspace`](Self::in_keyspace). Default: none.
    pub fn keyspace(&self) -> Option<&str> {
        self.1.as_deref()
    }

    /// Returns the same session with another default keyspace, for one statement or for a part of a program.
    ///
    /// The clone shares the connections, prepared statements and limits of this session, and nothing is sent. Give the name
    /// without the quotes that CQL needs for some names.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::Select;
    ///
    /// let of_the_archive: Select<(&str,), (String,)> =
    ///     session.in_keyspace("archive").prepare("SELECT name FROM names WHERE id = ?").await?;
    /// # drop(of_the_archive);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn in_keyspace(&self, keyspace: impl AsRef<str>) -> Self {
        Self(Arc::clone(&self.0), Some(keyspace.as_ref().into()))
    }

    /// Returns the same session without a default keyspace. Calls need none, because their statements' names are complete.
    pub(crate) fn without_keyspace(&self) -> Self {
        Self(Arc::clone(&self.0), None)
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
    ///     // - 3.234.248.200:9142 has been not connected for 12 s: connecting to … TCP was not answered. …
    ///     eprintln!("{health}");
    /// }
    /// // For a readiness probe: some peer is connected.
    /// let ready = health.alone_since().is_none();
    /// # }
    /// ```
    ///
    /// A session recovers by itself. This table says how long that takes once the cause is gone:
    ///
    /// | what happened | recovered after |
    /// |---|---|
    /// | all connections were closed, or the server restarted within 3 s | 2 s |
    /// | a connection is half open: nothing arrives any more | 12 s from the last answer: 5 s until a keepalive, 5 s for its answer, and connecting |
    /// | a peer was gone or silent, or its certificate was not to be trusted | 13 s: the driver waits up to 11.5 s between tries; the other peers go on |
    /// | the program was frozen, as on AWS Lambda between two invocations, and its connections were closed meanwhile | the first call: it is made once there are connections again, within its deadline |
    /// | all peers were gone, or the endpoint's name has other addresses | 16 s: after 3 s without any peer it connects anew, tries again after up to 5 s, and a try that meets silence takes up to 10 s |
    /// | the credentials expired or were refused, while no connection was left | 30 s: their provider is asked again after up to 15 s, and the driver tries again within 12 s more |
    /// | the system tables show other peers | 60 s, the [`topology_interval`](Builder::topology_interval) |
    ///
    /// Each change is logged once through `tracing`, not with each request; the driver logs lines of its own.
    pub fn health(&self) -> Health {
        Health::of(self)
    }

    /// Tells the limiter which peers exist and whether they are connected.
    pub(crate) fn refresh_peers(&self, now: Duration) {
        // A peer's connections are closed when its last holder drops it, so a closed session tells the limiter no peers.
        // Calls still in flight then continue with the peers that the limiter knows.
        let Some(connected) = self.connected() else { return };
        let state = connected.driver.get_cluster_state();
        let peers = state.get_nodes_info().iter().map(|node| PeerState {
            node: NodeIdentifier::Node(Arc::clone(node)),
            address: connected.address(node),
            is_connected: node.is_connected(),
        });
        self.0.peer_limiter.update(peers, now);
    }

    /// Waits until every peer that the service lists is connected. It is meant for a program that connects with
    /// [`ReadyWhen::OnePeer`] and has other work before its first request, such as preparing its statements.
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
    /// The future may be dropped at any time. The connections after the first of each peer are opened in the background;
    /// the driver does not report how many are open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if a peer is not connected after `deadline`; the text names the peer, and the session can be
    /// used nevertheless. [`ErrorKind::Closed`] after [`close`](Self::close).
    pub async fn warm_up(&self, deadline: Duration) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            if self.connected().is_none() {
                return Err(self.closed());
            }
            let missing: Vec<_> = self.peers().into_iter().filter(|peer| !peer.is_connected()).collect();
            let left = deadline.saturating_sub(began.elapsed());
            if missing.is_empty() {
                return Ok(());
            }
            if left.is_zero() {
                let missing: Vec<_> = missing.iter().map(|peer| peer.address().to_string()).collect();
                let problem = format!("not connected yet: {}", missing.join(", "));
                return Err(Error::new(ErrorKind::Timeout, format!("warming up {}", self.endpoint()), problem)
                    .with_elapsed(began.elapsed())
                    .with_advice("The session goes on connecting, and health() says what is wrong with each peer"));
            }
            // The driver sends no notice when a peer is connected, so this polls.
            tokio::time::sleep(WARM_UP_INTERVAL.min(left)).await;
        }
    }

    /// Refuses new calls from now on, waits for the calls in flight, and closes the connections.
    ///
    /// Calls in flight keep their own deadlines and are not cut off. Calls left after `deadline` continue, and the
    /// connections are closed when the last of them has ended. A second `close` waits again.
    ///
    /// If the future is dropped while it waits, new calls are still refused; the connections stay open until `close` is
    /// called again or the session is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if calls were still in flight at the deadline.
    pub async fn close(&self, deadline: Duration) -> Result<(), Error> {
        let drained = tokio::time::timeout(deadline, self.0.gate.close()).await;
        write_locked(&self.0.connected).take();
        self.0.watch.end();
        if drained.is_ok() {
            self.0.peer_limiter.clear();
        }
        drained.map_err(|_| {
            Error::new(
                ErrorKind::Timeout,
                format!("closing the session with {}", self.endpoint()),
                format!("{} calls were still in flight", self.0.gate.in_flight()),
            )
            .with_elapsed(deadline)
            .with_advice("They go on to their own deadlines; give close() a longer one to wait for them")
        })
    }

    /// Returns the driver's own session, for features that this crate does not have.
    ///
    /// The driver's session has none of this crate's protections: it accepts consistencies that the service refuses;
    /// statements are not checked, limited or repeated; unpaged reads fail at 1 MB; DDL is not awaited; errors are the
    /// driver's; and [`close`](Self::close) does not wait for its requests. TLS, the check of each certificate's name, and
    /// SigV4 still apply. After the session has had to reconnect ([`health`](Self::health)), it uses a new driver session,
    /// and the old one has no connections: do not keep it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] after [`close`](Self::close).
    pub fn dangerous_driver(&self) -> Result<Arc<DriverSession>, Error> {
        self.connected().map(|connected| Arc::clone(&connected.driver)).ok_or_else(|| self.closed())
    }

    /// Registers a call as in flight, or fails if the session is closed.
    pub(crate) fn begin(&self) -> Result<InFlight, Error> {
        if !self.0.gate.enter() {
            // This refused call may be the last to leave the gate, so it has to release the peers.
            if self.0.gate.in_flight() == 0 {
                self.0.peer_limiter.clear();
            }
            return Err(self.closed());
        }
        match self.connected() {
            Some(connected) => Ok(InFlight::new(connected, self.clone())),
            None => {
                self.0.gate.leave();
                Err(self.closed())
            }
        }
    }

    pub(crate) fn call_timeout(&self) -> Duration {
        self.0.settings.call_timeout
    }

    pub(crate) fn read_consistency(&self) -> ReadConsistency {
        self.0.settings.read_consistency
    }

    /// The page size in the driver's type.
    pub(crate) fn page_size(&self) -> i32 {
        saturated::<i32>(self.0.settings.page_size.get())
    }

    pub(crate) fn definitions(&self) -> &Semaphore {
        &self.0.definitions
    }

    pub(crate) fn statements(&self) -> &Cache {
        &self.0.statements
    }

    pub(crate) fn attempt_timeout(&self) -> Duration {
        self.0.settings.attempt_timeout
    }

    /// Whether spans may contain statement texts, which include the values written as literals.
    pub(crate) fn traces_query_text(&self) -> bool {
        self.0.settings.traces_query_text
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.0.settings.observers
    }

    pub(crate) fn retry(&self) -> &Retry {
        &self.0.retry
    }

    pub(crate) fn peer_limiter(&self) -> &PeerLimiter {
        &self.0.peer_limiter
    }

    pub(crate) fn rate_limiters(&self) -> &RateLimiters {
        &self.0.rate_limiters
    }

    pub(crate) fn began(&self) -> Instant {
        self.0.began
    }

    /// The time since the session began; counters per second use it.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.0.began)
    }

    pub(crate) fn connections_per_host(&self) -> NonZeroUsize {
        self.0.settings.connections_per_host
    }

    pub(crate) fn is_plain_cassandra(&self) -> bool {
        self.endpoint().is_cassandra()
    }

    /// The data center in `system.local`; on Keyspaces, the region.
    pub(crate) fn data_center(&self) -> &str {
        &self.0.data_center
    }

    async fn open(handshake: Handshake, settings: Settings, started: Instant) -> Result<Self, Error> {
        let connected = connect::connect(&handshake, &settings, started).await?;
        let others_wait = connected.let_others_in();
        let state = connected.driver.get_cluster_state();
        let data_center = state.get_nodes_info().iter().find_map(|node| node.datacenter.clone()).unwrap_or_default();
        let began = Instant::now();
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
            began,
            retry: Retry::new(settings.backoff, budget, Random::new()),
            peer_limiter: PeerLimiter::new(limits, began),
            rate_limiters: RateLimiters::new(settings.table_limits.clone()),
            settings,
        };
        let session = Self(Arc::new(inner), keyspace);
        StatementMetrics::describe();
        let peers = session.peers();
        info!(
            endpoint = %session.endpoint(),
            identity = %session.0.handshake.authenticator().describe(),
            peers = peers.len(),
            connected = peers.iter().filter(|peer| peer.is_connected()).count(),
            elapsed = ?started.elapsed(),
            "connected"
        );
        session.refresh_peers(Duration::ZERO);
        session.0.watch.begin(&Arc::downgrade(&session.0), session.0.settings.topology_interval, others_wait);
        Ok(session)
    }

    fn connected(&self) -> Option<Arc<Connected>> {
        read_locked(&self.0.connected).clone()
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
            .field("in_flight", &self.0.gate.in_flight())
            .finish_non_exhaustive()
    }
}
