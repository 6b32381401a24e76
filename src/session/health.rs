//! How a session is, as far as it knows without asking anybody.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Session;
use super::defaults::TOPOLOGY_TIMEOUT;
use crate::auth::Identity;

/// How a session is: what [`Session::health`](crate::Session::health) gives. As text, it says so in words.
///
/// A snapshot, made of what the session has seen by itself; nobody was asked. It holds no secret.
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

/// A peer, of a [`Health`].
#[derive(Clone, Debug)]
pub struct PeerHealth {
    address: SocketAddr,
    connected: bool,
    since: SystemTime,
    trouble: Option<Trouble>,
}

/// What a session signs or logs in with, of a [`Health`].
#[derive(Clone, Debug)]
pub struct CredentialsHealth {
    identity: Identity,
    trouble: Option<Trouble>,
}

/// What a session knows of which peers there are, of a [`Health`].
#[derive(Clone, Debug)]
pub struct TopologyHealth {
    read: SystemTime,
    overdue: bool,
    trouble: Option<Trouble>,
}

/// What was wrong the last time that something was, and how often something was.
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

    /// The peers that the server shows, by address.
    pub fn peers(&self) -> &[PeerHealth] {
        &self.peers
    }

    /// Since when no peer is connected, if none is.
    pub fn alone_since(&self) -> Option<SystemTime> {
        self.alone_since
    }

    /// What it signs or logs in with.
    pub fn credentials(&self) -> &CredentialsHealth {
        &self.credentials
    }

    /// What it knows of which peers there are.
    pub fn topology(&self) -> &TopologyHealth {
        &self.topology
    }

    /// How often it connected anew, from the look-up of the endpoint's name on, because no peer was left or the topology
    /// could not be read.
    pub fn reconnected(&self) -> u64 {
        self.reconnected
    }

    /// What was wrong with the last try to connect anew, while it is trying.
    pub fn reconnecting(&self) -> Option<&Trouble> {
        self.reconnecting.as_ref()
    }

    /// Whether calls can be made now: the session is open and some peer is connected. For a readiness probe: an instance that
    /// is not ready is to get no requests for now.
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

    /// Whether the session is open. For a liveness probe: a session without peers recovers by itself, so to start the program
    /// again helps only after it was closed.
    pub fn is_live(&self) -> bool {
        !self.closed
    }

    /// Whether anything is not as it should be: [`problems`](Self::problems) has what.
    pub fn is_degraded(&self) -> bool {
        !self.problems().is_empty()
    }

    /// Whatever is not as it should be, in words, the worst first.
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
    /// Where its connections lead.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether there is at least one connection.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Since when it is so, to within half a second.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// What was wrong with it the last time that something was: found by the session before it connects, or says nothing of
    /// a connection that broke.
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
    /// When those that are held expire. `None`: they do not say, or none are held yet, or it is a password.
    pub fn expiry(&self) -> Option<SystemTime> {
        match &self.identity {
            Identity::SigV4 { expiry, .. } => expiry.flatten(),
            Identity::Password { .. } | Identity::Nobody => None,
        }
    }

    /// Why their provider gives none, if it failed since it last gave some. Those that are held serve until they expire.
    /// That a server refuses them is the [`PeerHealth::trouble`] of its peers.
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
    /// When it was last read.
    pub fn read(&self) -> SystemTime {
        self.read
    }

    /// Why it could not be read, if it failed since it was last read.
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
    /// What it was, in words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When it was seen last.
    pub fn at(&self) -> SystemTime {
        system_time(self.last)
    }

    /// How often something was wrong, this or another thing.
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
