//! A server for tests. It supports the part of CQL that clients need to connect, and fails at the configured points.

mod ca;
mod connection;
mod system_tables;
mod topology;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use self::connection::{State, serve};

pub use self::ca::Ca;
pub use self::topology::{Row, Topology};

/// A point of a connection at which a fault can be injected.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FaultPoint {
    /// After TCP accept: no TLS, no bytes.
    Accept,
    Options,
    Startup,
    /// The first AUTH_RESPONSE.
    AuthResponse,
    /// The second AUTH_RESPONSE, which answers the challenge.
    ChallengeResponse,
    Register,
    Prepare,
    /// A statement over `system.local` or `system.peers`.
    SystemTable,
}

/// The reaction of the stub to a request, instead of its usual answer.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Keeps the connection open and sends nothing.
    Hang,
    /// Closes the connection.
    Close,
    /// Answers with an ERROR of this code and message.
    Error(i32, &'static str),
    /// Sends these bytes and keeps the connection open.
    Bytes(Vec<u8>),
    /// Answers like the service when it throttles a write.
    Throttle,
    /// Closes the connection, so that the client cannot know whether the request was executed.
    LoseAnswer,
    /// Sends the usual answer after this time.
    Delay(Duration),
}

type Fault = (Option<IpAddr>, FaultPoint, Reaction);
type TopologyFn = Arc<dyn Fn(u64) -> Topology + Send + Sync>;

pub struct Builder {
    addresses: Vec<IpAddr>,
    tls: Option<Arc<rustls::ServerConfig>>,
    other_tls: HashMap<IpAddr, Arc<rustls::ServerConfig>>,
    authenticator: Option<&'static str>,
    faults: Vec<Fault>,
    topology: Option<TopologyFn>,
}

impl Builder {
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    pub fn tls_at(mut self, address: IpAddr, config: Arc<rustls::ServerConfig>) -> Self {
        self.other_tls.insert(address, config);
        self
    }

    pub fn authenticator(mut self, name: &'static str) -> Self {
        self.authenticator = Some(name);
        self
    }

    /// Injects a fault into every connection.
    pub fn fault(mut self, point: FaultPoint, reaction: Reaction) -> Self {
        self.faults.push((None, point, reaction));
        self
    }

    /// Injects a fault into connections to one address.
    pub fn fault_at(mut self, address: IpAddr, point: FaultPoint, reaction: Reaction) -> Self {
        self.faults.push((Some(address), point, reaction));
        self
    }

    /// The contents of the system tables, given the number of the connection.
    pub fn topology(mut self, topology: impl Fn(u64) -> Topology + Send + Sync + 'static) -> Self {
        self.topology = Some(Arc::new(topology));
        self
    }

    pub async fn start(self) -> Stub {
        let listeners = listen(&self.addresses).await;
        let port = listeners[0].local_addr().unwrap().port();
        let addresses = self.addresses.clone();
        let state = Arc::new(State {
            tls: self.tls,
            other_tls: self.other_tls,
            authenticator: self.authenticator,
            faults: Mutex::new(self.faults),
            topology: self.topology.unwrap_or_else(|| Arc::new(move |_| Topology::like_keyspaces(&addresses))),
            prepared: Mutex::default(),
            connections: AtomicU64::new(0),
            observed: watch::Sender::new(Observed::default()),
            release: Notify::new(),
            close: watch::Sender::new(()),
            script: Mutex::default(),
        });
        let mut listening = JoinSet::new();
        for listener in listeners {
            listening.spawn(serve(listener, Arc::clone(&state)));
        }
        Stub { addresses: self.addresses, port, state, _listening: listening }
    }
}

/// What the stub has observed so far.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The open connections by address.
    pub open: HashMap<IpAddr, usize>,
    pub accepted: HashMap<IpAddr, usize>,
    pub resumed: usize,
    pub requests: Vec<Request>,
}

impl Observed {
    pub fn open_connections(&self) -> usize {
        self.open.values().sum()
    }

    /// The number of statements by address, except those over system tables.
    pub fn statement_counts(&self) -> HashMap<IpAddr, usize> {
        let mut counts = HashMap::new();
        for request in &self.requests {
            if request.statement.as_deref().is_some_and(|text| !text.contains("system.")) {
                *counts.entry(request.address).or_default() += 1;
            }
        }
        counts
    }
}

#[derive(Clone, Debug)]
pub struct Request {
    pub address: IpAddr,
    pub connection: u64,
    pub opcode: u8,
    pub body: Vec<u8>,
    pub statement: Option<String>,
}

/// The running server. Dropping it stops it.
pub struct Stub {
    addresses: Vec<IpAddr>,
    port: u16,
    state: Arc<State>,
    _listening: JoinSet<()>,
}

impl Stub {
    /// Listens on 127.0.0.1, 127.0.0.2, and so on, all on one port.
    pub fn with_addresses(addresses: u8) -> Builder {
        Builder {
            addresses: (1..=addresses).map(loopback).collect(),
            tls: None,
            other_tls: HashMap::new(),
            authenticator: None,
            faults: Vec::new(),
            topology: None,
        }
    }

    pub fn on_ipv6() -> Builder {
        Builder { addresses: vec![IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)], ..Self::with_addresses(0) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.addresses[0], self.port)
    }

    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    pub fn observed(&self) -> Observed {
        self.state.observed.borrow().clone()
    }

    /// Waits for a condition, for at most a minute.
    pub async fn wait_until(&self, mut happened: impl FnMut(&Observed) -> bool) -> Observed {
        let mut observed = self.state.observed.subscribe();
        let waiting = observed.wait_for(|observed| happened(observed));
        match tokio::time::timeout(Duration::from_secs(60), waiting).await {
            Ok(observed) => observed.unwrap().clone(),
            Err(_) => panic!("the condition was never met; observed: {:?}", self.observed()),
        }
    }

    /// Answers one of the waiting statements. A statement with `held` in its text waits for this call.
    pub fn release(&self) {
        self.state.release.notify_one();
    }

    /// Closes all open connections.
    pub fn close_connections(&self) {
        self.state.close.send_replace(());
    }

    /// Sets the reactions to the next statements, one after the other, except those over system tables.
    pub fn script(&self, reactions: impl IntoIterator<Item = Reaction>) {
        self.state.script.lock().unwrap().extend(reactions);
    }

    /// Injects a fault into connections to one address from now on.
    pub fn inject_fault(&self, address: IpAddr, point: FaultPoint, reaction: Reaction) {
        self.state.faults.lock().unwrap().push((Some(address), point, reaction));
    }

    pub fn clear_faults(&self) {
        self.state.faults.lock().unwrap().clear();
    }
}

pub fn loopback(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

/// Makes an address neither accept nor refuse a TCP connection while the result is held: its listener accepts nothing, and
/// its backlog is full.
pub async fn unresponsive_address(address: SocketAddr) -> Vec<Box<dyn std::any::Any + Send>> {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held: Vec<Box<dyn std::any::Any + Send>> = vec![Box::new(listener)];
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        held.push(Box::new(stream));
    }
    held
}

/// Listens on all addresses, at one port that is free on each of them.
async fn listen(addresses: &[IpAddr]) -> Vec<TcpListener> {
    'port: loop {
        let first = TcpListener::bind((addresses[0], 0)).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let mut listeners = vec![first];
        for address in &addresses[1..] {
            match TcpListener::bind((*address, port)).await {
                Ok(listener) => listeners.push(listener),
                Err(_) => continue 'port,
            }
        }
        return listeners;
    }
}
