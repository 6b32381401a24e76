//! A session: built, connected, used by the rest of the crate, closed.

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
use self::defaults::{IN_FLIGHT, REPEATS_AT_LEAST, REQUESTS_PER_SECOND};
use self::gate::Gate;
use self::settings::Settings;
use self::watch::Watch;
use crate::handshake::Handshake;
use crate::limit::{Limiter, Limits, PeerState};
use crate::lock::{read_locked, write_locked};
use crate::observe::{Meters, Observers};
use crate::pace::RateLimiters;
use crate::retry::{Budget, Random, Retry};
use crate::saturated::saturated;
use crate::schema::MOST_UNDER_WAY;
use crate::statement::Cache;
use crate::{Endpoint, Error, ErrorKind, ReadConsistency};

pub use self::builder::Builder;
pub(crate) use self::defaults::LONGEST_TIMEOUT;
pub use self::health::{CredentialsHealth, Health, PeerHealth, TopologyHealth, Trouble};
pub(crate) use self::in_flight::InFlight;
pub use self::peer::Peer;
pub use self::pool_advice::PoolAdvice;
pub use self::ready::ReadyWhen;
pub use self::report::{Finding, Report};

/// Connections to Amazon Keyspaces, verified and signed, and all that is done over them.
///
/// Cheap to clone; all clones are one session. When the last is dropped, its connections are closed at once;
/// [`close`](Self::close) waits for what is in flight.
#[derive(Clone)]
pub struct Session(Arc<Inner>, DefaultKeyspace);

/// The keyspace of names that have none, if the session has one.
type DefaultKeyspace = Option<Arc<str>>;

struct Inner {
    connected: RwLock<Option<Arc<Connected>>>,
    handshake: Handshake,
    settings: Settings,
    data_center: String,
    gate: Gate,
    /// Shared with what must not keep a session alive.
    statements: Arc<Cache>,
    /// A place for each definition that may be under way.
    definitions: Semaphore,
    began: Instant,
    retry: Retry,
    limiter: Limiter,
    paces: RateLimiters,
    watch: Watch,
}

/// How often `warm_up` looks which peers are connected.
const WARM_UP_INTERVAL: Duration = Duration::from_millis(20);

const PEERS_REACHABLE: &str = "Check that security groups and network ACLs let this machine reach every address that \
                               system.peers names, not only the endpoint's";

impl Session {
    /// A builder with the defaults: the region and credentials of the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it is connected to.
    pub fn endpoint(&self) -> &Endpoint {
        self.0.handshake.endpoint()
    }

    /// The keyspace of tables and types that a text names without one: what [`Builder::keyspace`] or
    /// [`in_keyspace`](Self::in_keyspace) gave. Default: none.
    pub fn keyspace(&self) -> Option<&str> {
        self.1.as_deref()
    }

    /// The same session with another keyspace for names that have none: for one statement, or for a part of a program.
    ///
    /// It is a clone: connections, prepared statements and limits are those of this session, and nothing is sent. The name
    /// is the keyspace's own, without the quotes that CQL needs for some.
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

    /// The same session without a keyspace, for calls: their statements are complete.
    pub(crate) fn without_keyspace(&self) -> Self {
        Self(Arc::clone(&self.0), None)
    }

    /// The peers that the server shows, in no order. None once the session is closed.
    ///
    /// A public endpoint shows nine (`DG:connections`), a VPC endpoint one for each availability zone it is in.
    pub fn peers(&self) -> Vec<Peer> {
        let Some(connected) = self.connected() else { return Vec::new() };
        let state = connected.driver.get_cluster_state();
        let peers = state.get_nodes_info().iter().map(|node| Peer::new(connected.address(node), node.is_connected()));
        peers.collect()
    }

    /// How the session is: which peers are connected and since when, what is wrong with those that are not, the
    /// credentials, and when it was last read which peers there are. Asks nobody and waits for nothing.
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
    /// A session recovers by itself. How long that takes, from when the cause is gone:
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
    /// Each change is logged once by `tracing`, not with each request; the driver has log lines of its own.
    pub fn health(&self) -> Health {
        Health::of(self)
    }

    /// Shows the limiter which peers there are and whether they are connected.
    pub(crate) fn look_at_peers(&self, now: Duration) {
        // What a peer has is closed with the last who holds it.
        // Once the session is closed, what is still in flight goes on with the peers that it knows.
        let Some(connected) = self.connected() else { return };
        let state = connected.driver.get_cluster_state();
        let seen = state.get_nodes_info().iter().map(|node| PeerState {
            node: NodeIdentifier::Node(Arc::clone(node)),
            address: connected.address(node),
            is_connected: node.is_connected(),
        });
        self.0.limiter.look(seen, now);
    }

    /// Waits until every peer that the service shows is connected. For a program that connected with
    /// [`ReadyWhen::OnePeer`] and has something else to do before its first request: prepare its statements, for instance.
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
    /// It may be dropped at any time. The connections after the first of each peer are opened in the background: the driver
    /// does not tell how many there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if a peer is not connected after `deadline`, which the text names: the session can be used all
    /// the same. [`ErrorKind::Closed`] after [`close`](Self::close).
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
            // The driver tells nobody that a peer is connected.
            tokio::time::sleep(WARM_UP_INTERVAL.min(left)).await;
        }
    }

    /// Refuses new work from now on, waits for what is in flight, and closes the connections.
    ///
    /// What is in flight has its own deadlines and is not cut off: if some is left when `deadline` has passed, it goes
    /// on, and its connections are closed when the last of it has ended. Closing again waits again.
    ///
    /// Dropped while it waits, new work is refused all the same; the connections stay open until it is called again or the
    /// session is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if something was still in flight at the deadline.
    pub async fn close(&self, deadline: Duration) -> Result<(), Error> {
        let drained = tokio::time::timeout(deadline, self.0.gate.close()).await;
        write_locked(&self.0.connected).take();
        self.0.watch.end();
        if drained.is_ok() {
            self.0.limiter.forget();
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

    /// The driver's own session, for what this crate does not do.
    ///
    /// Nothing of what this crate is for holds on it: consistencies that the service refuses can be asked for,
    /// statements are not checked, not limited and not repeated, unpaged reads fail at 1 MB, DDL is not awaited, errors
    /// are the driver's, and [`close`](Self::close) waits for nothing that is done with it. TLS, the name that each
    /// certificate is held to, and SigV4 do hold. When the session had to connect anew ([`health`](Self::health)), it is
    /// another driver's session, and this one stays without connections: do not keep it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] after [`close`](Self::close).
    pub fn dangerous_driver(&self) -> Result<Arc<DriverSession>, Error> {
        self.connected().map(|connected| Arc::clone(&connected.driver)).ok_or_else(|| self.closed())
    }

    /// Begins something on the session.
    pub(crate) fn begin(&self) -> Result<InFlight, Error> {
        if !self.0.gate.enter() {
            // Refused last, it leaves after the last that was in flight.
            if self.0.gate.in_flight() == 0 {
                self.0.limiter.forget();
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

    /// In the driver's type.
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

    /// Whether the text of a statement, with the values that are literals in it, may be in a span.
    pub(crate) fn traces_query_text(&self) -> bool {
        self.0.settings.traces_query_text
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.0.settings.observers
    }

    pub(crate) fn retry(&self) -> &Retry {
        &self.0.retry
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    pub(crate) fn paces(&self) -> &RateLimiters {
        &self.0.paces
    }

    pub(crate) fn began(&self) -> Instant {
        self.0.began
    }

    /// Since the session began, for counts by the second.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.0.began)
    }

    pub(crate) fn connections_per_host(&self) -> NonZeroUsize {
        self.0.settings.connections_per_host
    }

    pub(crate) fn is_plain_cassandra(&self) -> bool {
        self.endpoint().is_cassandra()
    }

    /// As `system.local` has it: the region, on Keyspaces.
    pub(crate) fn data_center(&self) -> &str {
        &self.0.data_center
    }

    async fn open(handshake: Handshake, settings: Settings, started: Instant) -> Result<Self, Error> {
        let connected = connect::connect(&handshake, &settings, started).await?;
        let others_wait = connected.let_others_in();
        let state = connected.driver.get_cluster_state();
        let data_center = state.get_nodes_info().iter().find_map(|node| node.datacenter.clone()).unwrap_or_default();
        let began = Instant::now();
        let limits = Limits {
            connections: settings.connections_per_host,
            requests_per_second: (!handshake.endpoint().is_cassandra()).then_some(REQUESTS_PER_SECOND),
            in_flight: IN_FLIGHT,
            when_full: settings.when_full,
        };
        let budget = Budget::new(settings.retry_percent, REPEATS_AT_LEAST);
        let keyspace = settings.keyspace.clone();
        let inner = Inner {
            connected: RwLock::new(Some(Arc::new(connected))),
            watch: Watch::new(),
            handshake,
            data_center,
            gate: Gate::default(),
            statements: Arc::default(),
            definitions: Semaphore::new(MOST_UNDER_WAY),
            began,
            retry: Retry::new(settings.backoff, budget, Random::new()),
            limiter: Limiter::new(limits, began),
            paces: RateLimiters::new(settings.table_limits.clone()),
            settings,
        };
        let session = Self(Arc::new(inner), keyspace);
        Meters::describe();
        let peers = session.peers();
        info!(
            endpoint = %session.endpoint(),
            identity = %session.0.handshake.authenticator().describe(),
            peers = peers.len(),
            connected = peers.iter().filter(|peer| peer.is_connected()).count(),
            elapsed = ?started.elapsed(),
            "connected"
        );
        session.look_at_peers(Duration::ZERO);
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
