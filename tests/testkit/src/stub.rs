//! A server for tests that speaks as much of CQL as connecting takes, and fails where it is told to.

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

/// Where a connection can be made to go wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum At {
    /// After TCP accept: no TLS, no bytes.
    Accept,
    Options,
    Startup,
    /// The first AUTH_RESPONSE.
    AuthResponse,
    /// The second AUTH_RESPONSE, which answers the challenge.
    Answer,
    Register,
    Prepare,
    /// A statement over `system.local` or `system.peers`.
    System,
}

/// What it does there.
#[derive(Clone, Debug)]
pub enum Does {
    Nothing,
    Close,
    Says(i32, &'static str),
    Bytes(Vec<u8>),
    /// As the service throttles a write.
    Throttles,
    /// What is due, after it has been carried out, to nobody: the connection is closed.
    AnswersNobody,
    /// What is due, and late.
    Late(Duration),
}

type Fault = (Option<IpAddr>, At, Does);
type SaysTopology = Arc<dyn Fn(u64) -> Topology + Send + Sync>;

pub struct Builder {
    addresses: Vec<IpAddr>,
    tls: Option<Arc<rustls::ServerConfig>>,
    other_tls: HashMap<IpAddr, Arc<rustls::ServerConfig>>,
    authenticator: Option<&'static str>,
    faults: Vec<Fault>,
    topology: Option<SaysTopology>,
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

    /// Every connection fails there.
    pub fn fault(mut self, at: At, does: Does) -> Self {
        self.faults.push((None, at, does));
        self
    }

    /// Connections to one address fail there.
    pub fn fault_of(mut self, address: IpAddr, at: At, does: Does) -> Self {
        self.faults.push((Some(address), at, does));
        self
    }

    /// What the system tables say, given the number of the connection that asks.
    pub fn topology(mut self, says: impl Fn(u64) -> Topology + Send + Sync + 'static) -> Self {
        self.topology = Some(Arc::new(says));
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
            seen: watch::Sender::new(Seen::default()),
            release: Notify::new(),
            sever: watch::Sender::new(()),
            script: Mutex::default(),
        });
        let mut listening = JoinSet::new();
        for listener in listeners {
            listening.spawn(serve(listener, Arc::clone(&state)));
        }
        Stub { addresses: self.addresses, port, state, _listening: listening }
    }
}

/// What the stub has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Connections open now, by the address that they came to.
    pub open: HashMap<IpAddr, usize>,
    pub accepted: HashMap<IpAddr, usize>,
    pub resumed: usize,
    pub requests: Vec<Request>,
}

impl Seen {
    pub fn all_open(&self) -> usize {
        self.open.values().sum()
    }

    /// How many statements other than over system tables each address got.
    pub fn statements(&self) -> HashMap<IpAddr, usize> {
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

/// The running server; dropping it ends it.
pub struct Stub {
    addresses: Vec<IpAddr>,
    port: u16,
    state: Arc<State>,
    _listening: JoinSet<()>,
}

impl Stub {
    /// At 127.0.0.1, 127.0.0.2, and so on, all on one port.
    pub fn at(addresses: u8) -> Builder {
        Builder {
            addresses: (1..=addresses).map(loopback).collect(),
            tls: None,
            other_tls: HashMap::new(),
            authenticator: None,
            faults: Vec::new(),
            topology: None,
        }
    }

    pub fn at_ipv6() -> Builder {
        Builder { addresses: vec![IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)], ..Self::at(0) }
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

    pub fn seen(&self) -> Seen {
        self.state.seen.borrow().clone()
    }

    /// Waits for the event, a minute at most.
    pub async fn until(&self, mut happened: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.state.seen.subscribe();
        let waiting = seen.wait_for(|seen| happened(seen));
        match tokio::time::timeout(Duration::from_secs(60), waiting).await {
            Ok(seen) => seen.unwrap().clone(),
            Err(_) => panic!("it never happened; seen: {:?}", self.seen()),
        }
    }

    /// Lets one statement go on that has `held` in its text.
    pub fn release(&self) {
        self.state.release.notify_one();
    }

    /// Breaks all connections that are open.
    pub fn sever(&self) {
        self.state.sever.send_replace(());
    }

    /// What is done with the next statements over other than system tables, one after the other.
    pub fn next(&self, does: impl IntoIterator<Item = Does>) {
        self.state.script.lock().unwrap().extend(does);
    }

    /// From now on connections to one address fail there.
    pub fn fails(&self, address: IpAddr, at: At, does: Does) {
        self.state.faults.lock().unwrap().push((Some(address), at, does));
    }

    pub fn heal(&self) {
        self.state.faults.lock().unwrap().clear();
    }
}

pub fn loopback(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

/// An address that takes no TCP connection and refuses none: its queue is full and nobody accepts.
pub async fn silent_at_tcp(address: SocketAddr) -> Vec<Box<dyn std::any::Any + Send>> {
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

/// One port that is free at every address.
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
