//! Connects to an endpoint within one deadline, or reports the stage that failed.

mod optimistic;

use std::iter::repeat;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use scylla::client::session::Session as DriverSession;
use scylla::cluster::Node;
use scylla::errors::NewSessionError;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, warn};

use self::optimistic::first_attempt;
use super::defaults::{PROBE_TIMEOUT, probe_timeout};
use super::driver;
use super::ready::FirstPeerFilter;
use super::settings::Settings;
use super::translator::Translator;
use crate::auth::Identity;
use crate::handshake::{
    EC2_PERMISSIONS, Handshake, HandshakeAttempt, HandshakeDepth, HandshakeFailure, Topology, refuse_unauthenticated,
    resolve,
};
use crate::{Error, ErrorKind};

/// The share of the time limit that the first attempt may take. The rest is for finding the problem and for a retry.
const FIRST_ATTEMPT_SHARE: f64 = 0.4;
/// The minimum times for the handshakes and for the build of a retry. Each may take half of the time left, so that
/// another retry is possible, or all of it if half is less than this minimum. A handshake takes a few round trips; a
/// build makes several handshakes and waits for the probes of its peers.
const MIN_HANDSHAKE_TIME: Duration = Duration::from_secs(1);
const MIN_BUILD_TIME: Duration = Duration::from_secs(3);
/// The pause after a failed attempt starts with `MIN_PAUSE` and doubles up to `MAX_PAUSE`.
const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// The maximum number of reasons for excluded peers in an error. There may be hundreds of peers.
const MAX_REASONS: usize = 3;

/// A working driver session, with the translator that knows its peers.
pub(super) struct Connected {
    pub(super) driver: Arc<DriverSession>,
    pub(super) translator: Arc<Translator>,
    /// The filter that lets the driver connect to one peer only, if the session waits for one peer.
    pub(super) first_peer: Option<Arc<FirstPeerFilter>>,
}

impl Connected {
    /// The address that a peer's connections go to.
    pub(super) fn address(&self, node: &Node) -> SocketAddr {
        let listed = || SocketAddr::new(node.address.ip(), node.address.port());
        self.translator.translated(node.host_id).unwrap_or_else(listed)
    }

    /// Lets the driver connect to every peer at its next read of the list of peers. Returns whether it was limited to
    /// one peer before.
    pub(super) fn accept_all_peers(&self) -> bool {
        self.first_peer.as_ref().inspect(|first_peer| first_peer.accept_all()).is_some()
    }
}

/// Tries to connect until the deadline. In the first attempt, the driver connects at once, and peers are probed only if
/// that takes long. Each retry makes a full handshake before the driver connects: the handshake finds the stage that
/// fails, and peers that are silent at a late stage are excluded.
pub(super) fn connect<'a>(
    handshake: &'a Handshake,
    settings: &'a Settings,
    started: Instant,
) -> BoxFuture<'a, Result<Connected, Error>> {
    async move {
        let connecting = Connecting { handshake, settings, started, deadline: started + settings.connect_timeout };
        // The request to the credentials provider is dropped with its last waiter, and an attempt may end before the
        // provider answers. This waiter keeps the request alive through all attempts.
        let prefetching = pin!(handshake.authenticator().prefetch_credentials());
        match select(pin!(connecting.run()), prefetching).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(((), connecting)) => connecting.await,
        }
    }
    .boxed()
}

/// The state shared by all attempts of one `connect()`.
struct Connecting<'a> {
    handshake: &'a Handshake,
    settings: &'a Settings,
    started: Instant,
    deadline: Instant,
}

/// Why one attempt failed.
struct ConnectFailure {
    /// Whether a retry within this `connect()` would fail, too.
    permanent: bool,
    /// Whether the deadline passed without a known cause.
    timed_out: bool,
    error: Error,
}

/// The endpoint's addresses that passed a probe.
struct ReachableContactPoints {
    passed: Vec<HandshakeAttempt>,
    /// The number of addresses that had not answered when the first one passed.
    unanswered: usize,
}

impl From<HandshakeFailure> for ConnectFailure {
    fn from(failure: HandshakeFailure) -> Self {
        Self { permanent: failure.permanent, timed_out: false, error: failure.error }
    }
}

impl Connecting<'_> {
    async fn run(&self) -> Result<Connected, Error> {
        let mut last_failure = match first_attempt(self).await {
            Ok(connected) => return Ok(connected),
            Err(failure) => failure,
        };
        let mut pause = MIN_PAUSE;
        while !last_failure.permanent && self.has_time_for_retry() {
            debug!(reason = %last_failure.error, "connecting again");
            match self.retry().await {
                Ok(connected) => return Ok(connected),
                // The error found before is more useful than an expired deadline.
                Err(failure) if failure.timed_out && !last_failure.timed_out => {}
                Err(failure) => last_failure = failure,
            }
            if !last_failure.permanent {
                sleep_until((Instant::now() + pause).min(self.deadline)).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
        Err(last_failure.error.with_elapsed(self.started.elapsed()))
    }

    async fn retry(&self) -> Result<Connected, ConnectFailure> {
        let limit = self.half_of_time_left(MIN_HANDSHAKE_TIME);
        let addresses = resolve(self.handshake, limit).await?;
        let contact_points = self.contact_points(&addresses, HandshakeDepth::SystemTables, limit).await?.passed;
        let topology = self.topology(&contact_points)?;
        let translator = Arc::new(Translator::new(self.handshake.clone(), &[]));
        let limit = self.half_of_time_left(MIN_BUILD_TIME);
        self.build(&contact_points, translator, HandshakeDepth::Authentication, Some(&topology), limit).await
    }

    /// Whether enough time is left for a retry. A retry with too little time would find every peer silent.
    fn has_time_for_retry(&self) -> bool {
        let min = (self.settings.connect_timeout / 8).min(PROBE_TIMEOUT);
        self.deadline.saturating_duration_since(Instant::now()) >= min
    }

    /// The end of half of the time left, or the deadline if half is less than `min`.
    fn half_of_time_left(&self, min: Duration) -> Instant {
        let now = Instant::now();
        let half = self.deadline.saturating_duration_since(now) / 2;
        if half < min { self.deadline } else { now + half }
    }

    /// Probes the endpoint's addresses and returns those that have passed when the first one passes.
    async fn contact_points(
        &self,
        addresses: &[SocketAddr],
        depth: HandshakeDepth,
        limit: Instant,
    ) -> Result<ReachableContactPoints, ConnectFailure> {
        let mut attempts: FuturesUnordered<_> =
            addresses.iter().map(|address| self.handshake.attempt(*address, depth, limit)).collect();
        let (mut passed, mut failures) = (Vec::new(), Vec::new());
        while let Some(attempt) = attempts.next().await {
            let mut next = Some(attempt);
            while let Some(mut attempt) = next {
                match attempt.failure.take() {
                    None => passed.push(attempt),
                    Some(failure) => failures.push(failure),
                }
                next = attempts.next().now_or_never().flatten();
            }
            if !passed.is_empty() {
                let silent = failures.iter().filter(|failure: &&HandshakeFailure| failure.silent).count();
                return Ok(ReachableContactPoints { passed, unanswered: silent + attempts.len() });
            }
        }
        let permanent = failures.iter().all(|failure| failure.permanent);
        // A temporary failure is reported in preference to a permanent one, and among several the one at the latest
        // stage.
        let reported = failures.into_iter().max_by_key(|failure| (failure.permanent == permanent, failure.stage));
        Err(match reported {
            Some(failure) => ConnectFailure { permanent, ..failure.into() },
            None => self.topology_error("the endpoint has no address").into(),
        })
    }

    /// Returns the topology in the system tables, if the driver can build a session from it.
    fn topology(&self, attempts: &[HandshakeAttempt]) -> Result<Topology, ConnectFailure> {
        let topology = attempts.iter().find_map(|attempt| attempt.topology.clone()).unwrap_or_default();
        match topology.problem() {
            None => Ok(topology),
            Some(problem) => Err(ConnectFailure {
                permanent: true,
                ..self.topology_error(problem).with_advice(EC2_PERMISSIONS).into()
            }),
        }
    }

    /// Builds a driver session with contact points that passed a probe. Each peer has to pass a probe of `depth`.
    async fn build(
        &self,
        contact_points: &[HandshakeAttempt],
        translator: Arc<Translator>,
        depth: HandshakeDepth,
        topology: Option<&Topology>,
        limit: Instant,
    ) -> Result<Connected, ConnectFailure> {
        let addresses: Vec<SocketAddr> = contact_points.iter().map(|attempt| attempt.address).collect();
        translator.require_probe(depth, probe_timeout(contact_points));
        for address in &addresses {
            translator.record_passed(*address, depth);
        }
        let passed = match depth {
            HandshakeDepth::Options => "TCP, TLS and OPTIONS passed",
            _ => "every stage of a connection passed",
        };
        let builder = driver::builder(self.handshake, self.settings, &addresses, Arc::clone(&translator) as _);
        match timeout_at(limit, driver::build(builder)).await {
            Ok(Ok(driver)) => {
                let connected = Connected { driver: Arc::new(driver), translator, first_peer: None };
                self.verify(connected, topology, limit).await
            }
            Ok(Err(error)) => Err(self.driver_error(passed, error).into()),
            Err(_) => Err(self.timeout_failure(passed)),
        }
    }

    /// Checks a new driver session. The driver reports success even if it could not read the system tables, has no
    /// connected peer, or was accepted without authentication.
    async fn verify(
        &self,
        connected: Connected,
        topology: Option<&Topology>,
        limit: Instant,
    ) -> Result<Connected, ConnectFailure> {
        let authenticator = self.handshake.authenticator();
        if authenticator.identity() != Identity::Anonymous && !authenticator.was_requested() {
            refuse_unauthenticated(self.handshake)?;
        }
        let unconnected = || {
            let state = connected.driver.get_cluster_state();
            let nodes = || state.get_nodes_info().iter().filter(|node| node.is_enabled());
            (nodes().filter(|node| !node.is_connected()).count(), nodes().count())
        };
        if unconnected().0 > 0 {
            // The local row has the host id of a peer. The driver opens two pools for that host, and may report the
            // state of the pool that it does not wait for. Reading the tables again merges the two pools.
            let _ = timeout_at(limit, driver::refresh_metadata(&connected.driver)).await;
        }
        let (missing, peers) = unconnected();
        if missing == peers {
            let reasons = connected.translator.exclusion_reasons();
            let mut problem = format!("none of the {peers} peers that the server lists could be connected");
            for (reason, lead) in reasons.iter().take(MAX_REASONS).zip([": "].into_iter().chain(repeat("; "))) {
                problem.push_str(lead);
                problem.push_str(reason);
            }
            return Err(self.topology_error(problem).with_advice(super::PEERS_REACHABLE).into());
        }
        if self.may_be_invented(&connected.driver) {
            let read = match topology {
                Some(topology) => topology.clone(),
                None => {
                    let limit = self.half_of_time_left(MIN_HANDSHAKE_TIME);
                    let addresses = resolve(self.handshake, limit).await?;
                    self.topology(&self.contact_points(&addresses, HandshakeDepth::SystemTables, limit).await?.passed)?
                }
            };
            let state = connected.driver.get_cluster_state();
            if !state.get_nodes_info().iter().all(|node| read.has_host_id(node.host_id)) {
                return Err(self
                    .topology_error("the driver could not read system.local and system.peers")
                    .with_advice("A probe of this session could read them, so another try may succeed")
                    .into());
            }
        }
        if connected.driver.get_cluster_state().get_nodes_info().len() < 2 && !self.handshake.endpoint().is_cassandra()
        {
            warn!(endpoint = %self.handshake.endpoint(), "only one peer is visible. {EC2_PERMISSIONS}");
        }
        connected.translator.require_full_handshake();
        Ok(connected)
    }

    /// Whether this may be the topology that the driver generates if it cannot read the system tables. A real topology
    /// with null fields looks the same.
    fn may_be_invented(&self, driver: &DriverSession) -> bool {
        let state = driver.get_cluster_state();
        state.cluster_name().is_empty() && state.get_nodes_info().iter().all(|node| node.datacenter.is_none())
    }

    /// The error of a driver session that could not be built. The driver keeps only the text of an authentication
    /// error, so the error itself is taken from the authenticator.
    fn driver_error(&self, passed: &str, error: NewSessionError) -> Error {
        if let Some(ours) = self.handshake.authenticator().take_last_error() {
            return ours;
        }
        self.topology_error(format!("{passed}, but the driver could not open a session"))
            .with_advice("The cause is in the error's source; another try may reach another address")
            .with_source(error)
    }

    fn timeout_failure(&self, passed: &str) -> ConnectFailure {
        let error = self
            .topology_error(format!("{passed}, but no session was ready in time"))
            .with_advice("A peer may be silent at a late stage; another try may succeed");
        ConnectFailure { timed_out: true, ..error.into() }
    }

    fn topology_error(&self, problem: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::Topology, format!("connecting to {}", self.handshake.endpoint()), problem)
    }
}

impl From<Error> for ConnectFailure {
    fn from(error: Error) -> Self {
        Self { permanent: false, timed_out: false, error }
    }
}
