//! Connects an endpoint within one deadline, or reports the stage that failed.

mod optimistic;

use self::optimistic::first;
use crate::handshake::resolve;
use crate::handshake::was_not_asked;
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

use super::defaults::{PROBE_TIMEOUT, probe_timeout};
use super::driver;
use super::ready::FirstPeer;
use super::settings::Settings;
use super::topology::Translator;
use crate::auth::Identity;
use crate::handshake::{Depth, EC2_PERMISSIONS, Handshake, HandshakeAttempt, HandshakeFailure, Picture};
use crate::{Error, ErrorKind};

/// The share of the deadline that the first try may take; the rest is for finding the problem and for another try.
const FIRST_SHARE: f64 = 0.4;
/// A wait that may be in vain takes half of the time left, so that another try is possible, but at least this long: a
/// handshake takes a few round trips; a build takes several handshakes and waits for the probes of its peers.
const LEAST_FOR_A_HANDSHAKE: Duration = Duration::from_secs(1);
const LEAST_FOR_A_BUILD: Duration = Duration::from_secs(3);
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// The most reasons for left-out peers that an error lists; there may be hundreds.
const MOST_REASONS: usize = 3;
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A working driver session, with the translator that knows its peers.
pub(super) struct Connected {
    pub(super) driver: Arc<DriverSession>,
    pub(super) translator: Arc<Translator>,
    /// The filter that lets the driver connect to one peer only, if the session waits for one peer.
    pub(super) first_peer: Option<Arc<FirstPeer>>,
}

impl Connected {
    /// The address that a peer's connections go to.
    pub(super) fn address(&self, node: &Node) -> SocketAddr {
        let named = || SocketAddr::new(node.address.ip(), node.address.port());
        self.translator.given(node.host_id).unwrap_or_else(named)
    }

    /// Lets the driver connect to every peer at its next read of the peer list. Returns whether it was limited to one peer.
    pub(super) fn let_others_in(&self) -> bool {
        self.first_peer.as_ref().inspect(|first_peer| first_peer.open()).is_some()
    }
}

/// In the first try the driver connects at once, and peers are probed only if it is held up. If that fails or takes too
/// long, each further try makes a full handshake before it builds: the handshake explains the failure, and leaves out peers
/// that fall silent at a later stage.
pub(super) fn connect<'a>(
    handshake: &'a Handshake,
    settings: &'a Settings,
    started: Instant,
) -> BoxFuture<'a, Result<Connected, Error>> {
    async move {
        let connecting = Connecting { handshake, settings, started, deadline: started + settings.connect_timeout };
        // A request for credentials ends when its last waiter is dropped, and a try may end before the request does. This
        // waiter keeps the request alive through all tries.
        let asking = pin!(handshake.authenticator().ask_ahead());
        match select(pin!(connecting.tries()), asking).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(((), tries)) => tries.await,
        }
    }
    .boxed()
}

struct Connecting<'a> {
    handshake: &'a Handshake,
    settings: &'a Settings,
    started: Instant,
    deadline: Instant,
}

/// Why one try failed.
struct Miss {
    /// Another try within this `connect()` cannot help.
    permanent: bool,
    /// Nothing is known but that no session was ready in time.
    vague: bool,
    error: Error,
}

/// The endpoint's addresses that passed a probe.
struct Reached {
    passed: Vec<HandshakeAttempt>,
    /// How many addresses had not answered when the first one passed.
    unanswered: usize,
}

impl From<HandshakeFailure> for Miss {
    fn from(failure: HandshakeFailure) -> Self {
        Self { permanent: failure.permanent, vague: false, error: failure.error }
    }
}

impl Connecting<'_> {
    async fn tries(&self) -> Result<Connected, Error> {
        let mut pause = SHORTEST_PAUSE;
        let mut told = match first(self).await {
            Ok(connected) => return Ok(connected),
            Err(miss) => miss,
        };
        while !told.permanent && self.has_time_for_another() {
            debug!(reason = %told.error, "connecting again");
            match self.again().await {
                Ok(connected) => return Ok(connected),
                // An expired deadline says less than the error found before it.
                Err(miss) if miss.vague && !told.vague => {}
                Err(miss) => told = miss,
            }
            if !told.permanent {
                sleep_until((Instant::now() + pause).min(self.deadline)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        Err(told.error.with_elapsed(self.started.elapsed()))
    }

    async fn again(&self) -> Result<Connected, Miss> {
        let limit = self.half(LEAST_FOR_A_HANDSHAKE);
        let addresses = resolve(self.handshake, limit).await?;
        let contact_points = self.contact_points(&addresses, Depth::SystemTables, limit).await?.passed;
        let picture = self.picture(&contact_points)?;
        let translator = Arc::new(Translator::new(self.handshake.clone(), &[]));
        let limit = self.half(LEAST_FOR_A_BUILD);
        self.build(&contact_points, translator, Depth::Authentication, Some(&picture), limit).await
    }

    /// A try without time to wait would find every peer silent.
    fn has_time_for_another(&self) -> bool {
        let least = (self.settings.connect_timeout / 8).min(PROBE_TIMEOUT);
        self.deadline.saturating_duration_since(Instant::now()) >= least
    }

    fn half(&self, least: Duration) -> Instant {
        let now = Instant::now();
        let half = self.deadline.saturating_duration_since(now) / 2;
        if half < least { self.deadline } else { now + half }
    }

    /// Probes the endpoint's addresses and returns those that have passed when the first one passes.
    async fn contact_points(&self, addresses: &[SocketAddr], depth: Depth, limit: Instant) -> Result<Reached, Miss> {
        let mut trying: FuturesUnordered<_> =
            addresses.iter().map(|address| self.handshake.try_at(*address, depth, limit)).collect();
        let (mut passed, mut failures) = (Vec::new(), Vec::new());
        while let Some(attempt) = trying.next().await {
            let mut next = Some(attempt);
            while let Some(mut attempt) = next {
                match attempt.failure.take() {
                    None => passed.push(attempt),
                    Some(failure) => failures.push(failure),
                }
                next = trying.next().now_or_never().flatten();
            }
            if !passed.is_empty() {
                let silent = failures.iter().filter(|failure: &&HandshakeFailure| failure.silent).count();
                return Ok(Reached { passed, unanswered: silent + trying.len() });
            }
        }
        let permanent = failures.iter().all(|failure| failure.permanent);
        // Reports a temporary failure rather than a permanent one, and among those the one that came farthest.
        let telling = failures.into_iter().max_by_key(|failure| (failure.permanent == permanent, failure.stage));
        Err(match telling {
            Some(failure) => Miss { permanent, ..failure.into() },
            None => self.no_session("the endpoint has no address").into(),
        })
    }

    /// Returns the topology in the system tables, if the driver can build a session from it.
    fn picture(&self, attempts: &[HandshakeAttempt]) -> Result<Picture, Miss> {
        let picture = attempts.iter().find_map(|attempt| attempt.picture.clone()).unwrap_or_default();
        match picture.fault() {
            None => Ok(picture),
            Some(fault) => Err(Miss { permanent: true, ..self.no_session(fault).with_advice(EC2_PERMISSIONS).into() }),
        }
    }

    /// Builds a driver session with contact points that passed; a peer has to pass a probe of `depth`.
    async fn build(
        &self,
        contact_points: &[HandshakeAttempt],
        translator: Arc<Translator>,
        depth: Depth,
        picture: Option<&Picture>,
        limit: Instant,
    ) -> Result<Connected, Miss> {
        let addresses: Vec<SocketAddr> = contact_points.iter().map(|attempt| attempt.address).collect();
        translator.distrust(depth, probe_timeout(contact_points));
        for address in &addresses {
            translator.passed(*address, depth);
        }
        let passed = match depth {
            Depth::Options => "TCP, TLS and OPTIONS passed",
            _ => "every stage of a connection passed",
        };
        let builder = driver::builder(self.handshake, self.settings, &addresses, Arc::clone(&translator) as _);
        match timeout_at(limit, driver::build(builder)).await {
            Ok(Ok(driver)) => {
                let connected = Connected { driver: Arc::new(driver), translator, first_peer: None };
                self.inspect(connected, picture, limit).await
            }
            Ok(Err(error)) => Err(self.driver_failed(passed, error).into()),
            Err(_) => Err(self.no_session_in_time(passed)),
        }
    }

    /// Checks a new driver session, because the driver reports success even if it has read no system table or reached no
    /// peer.
    async fn inspect(
        &self,
        connected: Connected,
        picture: Option<&Picture>,
        limit: Instant,
    ) -> Result<Connected, Miss> {
        let authenticator = self.handshake.authenticator();
        if authenticator.describe() != Identity::Nobody && !authenticator.was_asked() {
            was_not_asked(self.handshake)?;
        }
        let unconnected = || {
            let state = connected.driver.get_cluster_state();
            let nodes = || state.get_nodes_info().iter().filter(|node| node.is_enabled());
            (nodes().filter(|node| !node.is_connected()).count(), nodes().count())
        };
        if unconnected().0 > 0 {
            // The local row has the host id of a peer. The driver opens two pools for it and may show the pool that it does
            // not wait for. Reading the tables again merges the two.
            let _ = timeout_at(limit, driver::refresh_metadata(&connected.driver)).await;
        }
        let (missing, peers) = unconnected();
        if missing == peers {
            let reasons = connected.translator.left_out();
            let mut problem = format!("none of the {peers} peers that the server names can be connected with");
            for (reason, lead) in reasons.iter().take(MOST_REASONS).zip([": "].into_iter().chain(repeat("; "))) {
                problem.push_str(lead);
                problem.push_str(reason);
            }
            return Err(self.no_session(problem).with_advice(super::PEERS_REACHABLE).into());
        }
        if self.is_made_up(&connected.driver) {
            let read = match picture {
                Some(picture) => picture.clone(),
                None => {
                    let limit = self.half(LEAST_FOR_A_HANDSHAKE);
                    let addresses = resolve(self.handshake, limit).await?;
                    self.picture(&self.contact_points(&addresses, Depth::SystemTables, limit).await?.passed)?
                }
            };
            let state = connected.driver.get_cluster_state();
            if !state.get_nodes_info().iter().all(|node| read.knows(node.host_id)) {
                return Err(self
                    .no_session("the driver could not read system.local and system.peers")
                    .with_advice("The server answered others who asked; another try may do")
                    .into());
            }
        }
        if connected.driver.get_cluster_state().get_nodes_info().len() < 2 && !self.handshake.endpoint().is_cassandra()
        {
            warn!(endpoint = %self.handshake.endpoint(), "only one peer is visible. {EC2_PERMISSIONS}");
        }
        connected.translator.deepen();
        Ok(connected)
    }

    /// Whether this may be the topology that the driver invents when it cannot read one. A topology with null fields looks
    /// the same.
    fn is_made_up(&self, driver: &DriverSession) -> bool {
        let state = driver.get_cluster_state();
        state.cluster_name().is_empty() && state.get_nodes_info().iter().all(|node| node.datacenter.is_none())
    }

    /// Returns the error for a failed driver session. The driver keeps only the text of an authenticator's error, so the
    /// authenticator stores the error itself.
    fn driver_failed(&self, passed: &str, error: NewSessionError) -> Error {
        if let Some(ours) = self.handshake.authenticator().take_last_error() {
            return ours;
        }
        self.no_session(format!("{passed}, and the driver made no session of it"))
            .with_advice("The cause is in the error's source; another try may reach another address")
            .with_source(error)
    }

    fn no_session_in_time(&self, passed: &str) -> Miss {
        let error = self
            .no_session(format!("{passed}, and there was no session in time"))
            .with_advice("One of the peers may be silent at a late stage; another try may find it well");
        Miss { vague: true, ..error.into() }
    }

    fn no_session(&self, problem: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::Topology, format!("connecting to {}", self.handshake.endpoint()), problem)
    }
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Self { permanent: false, vague: false, error }
    }
}
