//! The health of a session, from its recorded state.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Session;
use super::defaults::TOPOLOGY_TIMEOUT;
use crate::auth::Identity;

/// The health of a session, from [`Session::health`](crate::Session::health). Its `Display` describes it in words.
///
/// It is a snapshot of the session's recorded state, taken without sending anything. It contains no secret.
#[derive(Clone, Debug)]
pub struct Health {
    endpoint: String,
    is_closed: bool,
    peers: Vec<PeerHealth>,
    disconnected_since: Option<SystemTime>,
    credentials: CredentialsHealth,
    topology: TopologyHealth,
    reconnects: u64,
    reconnect_problem: Option<HealthProblem>,
}

/// The health of one peer, part of [`Health`].
#[derive(Clone, Debug)]
pub struct PeerHealth {
    address: SocketAddr,
    is_connected: bool,
    since: SystemTime,
    problem: Option<HealthProblem>,
}

/// The credentials that a session signs or logs in with, part of [`Health`].
#[derive(Clone, Debug)]
pub struct CredentialsHealth {
    identity: Identity,
    problem: Option<HealthProblem>,
}

/// When the session last read its list of peers, and why a read failed, part of [`Health`].
#[derive(Clone, Debug)]
pub struct TopologyHealth {
    last_read: SystemTime,
    is_overdue: bool,
    problem: Option<HealthProblem>,
}

/// The last problem of one kind, and the number of such problems.
#[derive(Clone, Debug)]
pub struct HealthProblem {
    text: String,
    last_seen: Instant,
    count: u64,
}

impl Health {
    pub(super) fn new(session: &Session) -> Self {
        let connected = session.connected();
        if let Some(connected) = &connected {
            session.inner.watch.record_peers(connected, Instant::now());
        }
        let authenticator = session.inner.handshake.authenticator();
        let state = session.inner.watch.state();
        let mut peers: Vec<PeerHealth> = connected.as_ref().map_or_else(Vec::new, |connected| {
            let cluster = connected.driver.get_cluster_state();
            let known = cluster.get_nodes_info().iter().filter_map(|node| {
                let (is_connected, since) = state.peers.get(&node.host_id).copied()?;
                Some(PeerHealth {
                    address: connected.address(node),
                    is_connected,
                    since: system_time(since),
                    problem: connected.translator.problem(node.host_id),
                })
            });
            known.collect()
        });
        peers.sort_by_key(PeerHealth::address);
        let overdue_after = session.inner.settings.topology_interval * 2 + TOPOLOGY_TIMEOUT;
        Self {
            endpoint: session.endpoint().to_string(),
            is_closed: connected.is_none(),
            peers,
            disconnected_since: state.disconnected_since.map(system_time),
            credentials: CredentialsHealth {
                identity: authenticator.identity(),
                problem: authenticator.last_failure().map(|(at, error)| HealthProblem::new(error.to_string(), at)),
            },
            topology: TopologyHealth {
                last_read: system_time(state.topology_read),
                is_overdue: state.topology_read.elapsed() > overdue_after,
                problem: state.topology_problem,
            },
            reconnects: state.reconnects,
            reconnect_problem: state.reconnect_problem,
        }
    }

    /// The peers that the system tables list, ordered by address.
    pub fn peers(&self) -> &[PeerHealth] {
        &self.peers
    }

    /// When the session lost its last connected peer; `None` if a peer is connected.
    pub fn disconnected_since(&self) -> Option<SystemTime> {
        self.disconnected_since
    }

    /// The credentials that the session signs or logs in with.
    pub fn credentials(&self) -> &CredentialsHealth {
        &self.credentials
    }

    /// The state of the list of peers.
    pub fn topology(&self) -> &TopologyHealth {
        &self.topology
    }

    /// How many times the session has reconnected because no peer was connected or reads of the topology got no answer.
    /// Reconnecting begins with the lookup of the endpoint's name.
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Why the last attempt to reconnect failed. It is kept until a peer is connected again after none was.
    pub fn reconnect_problem(&self) -> Option<&HealthProblem> {
        self.reconnect_problem.as_ref()
    }

    /// Whether calls can be made now: the session is open and a peer is connected. Use it for a readiness probe: an
    /// instance that is not ready should receive no requests.
    ///
    /// ```no_run
    /// # fn run(session: &keyspaces::Session) {
    /// let health = session.health();
    /// let ready = if health.is_ready() { 200 } else { 503 };
    /// let live = if health.is_live() { 200 } else { 503 };
    /// # let _ = (ready, live);
    /// # }
    /// ```
    pub fn is_ready(&self) -> bool {
        !self.is_closed && self.peers.iter().any(PeerHealth::is_connected)
    }

    /// Whether the session is open. Use it for a liveness probe: a session without peers recovers by itself, so
    /// restarting the program helps only after the session was closed.
    pub fn is_live(&self) -> bool {
        !self.is_closed
    }

    /// Whether the session has [`problems`](Self::problems).
    pub fn is_degraded(&self) -> bool {
        !self.problems().is_empty()
    }

    /// The problems of the session in words, the worst first.
    pub fn problems(&self) -> Vec<String> {
        if self.is_closed {
            return vec!["the session is closed".to_owned()];
        }
        let mut problems = Vec::new();
        if let Some(since) = self.disconnected_since {
            let mut text = format!("no peer has been connected for {}", ago(since));
            if let Some(problem) = &self.reconnect_problem {
                text.push_str(&format!("; reconnecting failed {} times, last: {problem}", problem.count));
            }
            problems.push(text);
        }
        for peer in self.peers.iter().filter(|peer| !peer.is_connected) {
            problems.push(peer.to_string());
        }
        if let Some(problem) = &self.credentials.problem {
            problems.push(format!("the credentials could not be renewed: {problem}"));
        }
        if self.topology.is_overdue {
            problems.push(self.topology.to_string());
        }
        problems
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.peers.iter().filter(|peer| peer.is_connected).count();
        write!(f, "{}: {connected} of {} peers connected", self.endpoint, self.peers.len())?;
        for problem in self.problems() {
            write!(f, "\n- {problem}")?;
        }
        Ok(())
    }
}

impl PeerHealth {
    /// The address that the peer's connections go to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the peer has at least one connection.
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// When the peer was last connected or disconnected, accurate to half a second.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// The peer's last problem. It is found when the session probes the peer before connecting to it; a connection that
    /// breaks later is not recorded.
    pub fn problem(&self) -> Option<&HealthProblem> {
        self.problem.as_ref()
    }
}

impl fmt::Display for PeerHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.is_connected { "connected" } else { "disconnected" };
        write!(f, "{} has been {how} for {}", self.address, ago(self.since))?;
        match &self.problem {
            Some(problem) if !self.is_connected => write!(f, ": {problem}"),
            _ => Ok(()),
        }
    }
}

impl CredentialsHealth {
    /// When the current credentials expire. `None` if they have no expiry, if there are none yet, or if the session
    /// uses a password.
    pub fn expiry(&self) -> Option<SystemTime> {
        match &self.identity {
            Identity::SigV4 { expiry, .. } => expiry.flatten(),
            Identity::Password { .. } | Identity::Anonymous => None,
        }
    }

    /// Why the credentials provider failed, if its last request did. The current credentials are used until they
    /// expire. A refusal of the credentials by a server is the [`PeerHealth::problem`] of its peers.
    pub fn problem(&self) -> Option<&HealthProblem> {
        self.problem.as_ref()
    }
}

impl fmt::Display for CredentialsHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.identity.fmt(f)
    }
}

impl TopologyHealth {
    /// When the list of peers was last read.
    pub fn last_read(&self) -> SystemTime {
        self.last_read
    }

    /// Why the list of peers could not be read, if the last read failed.
    pub fn problem(&self) -> Option<&HealthProblem> {
        self.problem.as_ref()
    }
}

impl fmt::Display for TopologyHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the list of peers was last read {} ago", ago(self.last_read))?;
        match &self.problem {
            Some(problem) => write!(f, ": {problem}"),
            None => Ok(()),
        }
    }
}

impl HealthProblem {
    /// The problem in words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When the problem was last seen.
    pub fn last_seen(&self) -> SystemTime {
        system_time(self.last_seen)
    }

    /// How many such problems there have been, including this one.
    pub fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn new(text: String, last_seen: Instant) -> Self {
        Self { text, last_seen, count: 1 }
    }

    pub(super) fn record(problem: &mut Option<Self>, text: String) {
        let count = problem.as_ref().map_or(0, |problem| problem.count);
        *problem = Some(Self { count: count.saturating_add(1), ..Self::new(text, Instant::now()) });
    }
}

impl fmt::Display for HealthProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub(super) fn system_time(then: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(then.elapsed()).unwrap_or(now)
}

fn ago(then: SystemTime) -> String {
    let ago = then.elapsed().unwrap_or_default();
    if ago < Duration::from_secs(1) { format!("{} ms", ago.as_millis()) } else { format!("{} s", ago.as_secs()) }
}
