//! The health of a session, from what it knows without sending anything.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Session;
use super::defaults::TOPOLOGY_TIMEOUT;
use crate::auth::Identity;

/// The health of a session, from [`Session::health`](crate::Session::health). Its `Display` describes it in words.
///
/// It is a snapshot of what the session has already observed; taking it sends nothing. It contains no secret.
#[derive(Clone, Debug)]
pub struct Health {
    endpoint: String,
    closed: bool,
    peers: Vec<PeerHealth>,
    alone_since: Option<SystemTime>,
    credentials: CredentialsHealth,
    topology: TopologyHealth,
    reconnected: u64,
    reconnecting: Option<Trouble>,
}

/// The health of one peer, part of [`Health`].
#[derive(Clone, Debug)]
pub struct PeerHealth {
    address: SocketAddr,
    connected: bool,
    since: SystemTime,
    trouble: Option<Trouble>,
}

/// The credentials that a session signs or logs in with, part of [`Health`].
#[derive(Clone, Debug)]
pub struct CredentialsHealth {
    identity: Identity,
    trouble: Option<Trouble>,
}

/// When and how well the session read its list of peers, part of [`Health`].
#[derive(Clone, Debug)]
pub struct TopologyHealth {
    read: SystemTime,
    overdue: bool,
    trouble: Option<Trouble>,
}

/// The last problem, and the number of problems so far.
#[derive(Clone, Debug)]
pub struct Trouble {
    text: String,
    last: Instant,
    times: u64,
}

impl Health {
    pub(super) fn of(session: &Session) -> Self {
        let connected = session.connected();
        if let Some(connected) = &connected {
            session.0.watch.look(connected, Instant::now());
        }
        let authenticator = session.0.handshake.authenticator();
        let seen = session.0.watch.seen();
        let mut peers: Vec<PeerHealth> = connected.as_ref().map_or_else(Vec::new, |connected| {
            let state = connected.driver.get_cluster_state();
            let known = state.get_nodes_info().iter().filter_map(|node| {
                let (is_connected, since) = seen.peers.get(&node.host_id).copied()?;
                Some(PeerHealth {
                    address: connected.address(node),
                    connected: is_connected,
                    since: system_time(since),
                    trouble: connected.translator.trouble(node.host_id),
                })
            });
            known.collect()
        });
        peers.sort_by_key(PeerHealth::address);
        let overdue = session.0.settings.topology_interval * 2 + TOPOLOGY_TIMEOUT;
        Self {
            endpoint: session.endpoint().to_string(),
            closed: connected.is_none(),
            peers,
            alone_since: seen.alone_since.map(system_time),
            credentials: CredentialsHealth {
                identity: authenticator.describe(),
                trouble: authenticator.trouble().map(|(at, error)| Trouble::new(error.to_string(), at)),
            },
            topology: TopologyHealth {
                read: system_time(seen.topology_read),
                overdue: seen.topology_read.elapsed() > overdue,
                trouble: seen.topology_trouble,
            },
            reconnected: seen.reconnected,
            reconnecting: seen.reconnecting,
        }
    }

    /// The peers that the system tables list, ordered by address.
    pub fn peers(&self) -> &[PeerHealth] {
        &self.peers
    }

    /// When the session lost its last connected peer; `None` if a peer is connected.
    pub fn alone_since(&self) -> Option<SystemTime> {
        self.alone_since
    }

    /// The credentials that the session signs or logs in with.
    pub fn credentials(&self) -> &CredentialsHealth {
        &self.credentials
    }

    /// The state of the list of peers.
    pub fn topology(&self) -> &TopologyHealth {
        &self.topology
    }

    /// How often the session has reconnected, starting with the lookup of the endpoint's name, because no peer was left or
    /// the topology could not be read.
    pub fn reconnected(&self) -> u64 {
        self.reconnected
    }

    /// The problem of the last attempt to reconnect, while the session is reconnecting.
    pub fn reconnecting(&self) -> Option<&Trouble> {
        self.reconnecting.as_ref()
    }

    /// Whether calls can be made now: the session is open and a peer is connected. Use it for a readiness probe: an
    /// instance that is not ready should get no requests for now.
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
        !self.closed && self.peers.iter().any(PeerHealth::is_connected)
    }

    /// Whether the session is open. Use it for a liveness probe: a session without peers recovers by itself, so restarting
    /// the program helps only after the session was closed.
    pub fn is_live(&self) -> bool {
        !self.closed
    }

    /// Whether the session has [`problems`](Self::problems).
    pub fn is_degraded(&self) -> bool {
        !self.problems().is_empty()
    }

    /// The problems of the session in words, the worst first.
    pub fn problems(&self) -> Vec<String> {
        if self.closed {
            return vec!["the session is closed".to_owned()];
        }
        let mut problems = Vec::new();
        if let Some(since) = self.alone_since {
            let mut text = format!("no peer has been connected for {}", ago(since));
            if let Some(trouble) = &self.reconnecting {
                text.push_str(&format!("; connecting anew failed {} times, last: {trouble}", trouble.times));
            }
            problems.push(text);
        }
        for peer in self.peers.iter().filter(|peer| !peer.connected) {
            problems.push(peer.to_string());
        }
        if let Some(trouble) = &self.credentials.trouble {
            problems.push(format!("there are no new credentials: {trouble}"));
        }
        if self.topology.overdue {
            problems.push(self.topology.to_string());
        }
        problems
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.peers.iter().filter(|peer| peer.connected).count();
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
        self.connected
    }

    /// When the peer was connected or disconnected last, to within half a second.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// The peer's last problem. The session finds it when it probes the peer before connecting; a connection that breaks
    /// later is not recorded.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }
}

impl fmt::Display for PeerHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.connected { "connected" } else { "not connected" };
        write!(f, "{} has been {how} for {}", self.address, ago(self.since))?;
        match &self.trouble {
            Some(trouble) if !self.connected => write!(f, ": {trouble}"),
            _ => Ok(()),
        }
    }
}

impl CredentialsHealth {
    /// When the current credentials expire. `None` if they have no expiry, if there are none yet, or if the session uses a
    /// password.
    pub fn expiry(&self) -> Option<SystemTime> {
        match &self.identity {
            Identity::SigV4 { expiry, .. } => expiry.flatten(),
            Identity::Password { .. } | Identity::Nobody => None,
        }
    }

    /// Why the provider last failed, if it has failed since it last returned credentials. The current credentials are used
    /// until they expire. If a server refuses them, that is the [`PeerHealth::trouble`] of its peers.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }
}

impl fmt::Display for CredentialsHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.identity.fmt(f)
    }
}

impl TopologyHealth {
    /// When the list of peers was last read.
    pub fn read(&self) -> SystemTime {
        self.read
    }

    /// Why the list of peers could not be read, if a read has failed since the last success.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }
}

impl fmt::Display for TopologyHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "which peers there are was last read {} ago", ago(self.read))?;
        match &self.trouble {
            Some(trouble) => write!(f, ": {trouble}"),
            None => Ok(()),
        }
    }
}

impl Trouble {
    /// The problem in words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When the problem was last seen.
    pub fn at(&self) -> SystemTime {
        system_time(self.last)
    }

    /// The number of problems so far, this one and others.
    pub fn times(&self) -> u64 {
        self.times
    }

    pub(super) fn new(text: String, last: Instant) -> Self {
        Self { text, last, times: 1 }
    }

    pub(super) fn note(trouble: &mut Option<Self>, text: String) {
        let times = trouble.as_ref().map_or(0, |trouble| trouble.times);
        *trouble = Some(Self { times: times.saturating_add(1), ..Self::new(text, Instant::now()) });
    }
}

impl fmt::Display for Trouble {
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
