//! A server for tests that speaks as much of CQL as connecting takes, and fails where it is told to.

mod ca;
mod frames;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

pub(crate) use ca::Ca;
use frames::{Frame, opcode};

/// Where a connection can be made to go wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum At {
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
pub(crate) enum Does {
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

/// One row of `system.local` or `system.peers`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) host_id: Option<Uuid>,
    pub(crate) rpc_address: Option<IpAddr>,
    pub(crate) data_center: Option<String>,
    pub(crate) tokens: Option<Vec<String>>,
    pub(crate) cluster_name: Option<String>,
}

impl Row {
    /// A peer as the service shows it: host id derived from its address, a token that is no i64.
    pub(crate) fn of(address: IpAddr) -> Self {
        let IpAddr::V4(v4) = address else { unimplemented!("the stub's peers are IPv4") };
        let number = u128::from(u32::from(v4));
        Self {
            host_id: Some(Uuid::from_u128(0x6c94_5ed5_b04e_3fc4_8000_0000_0000_0000 + number)),
            rpc_address: Some(address),
            data_center: Some("us-east-1".into()),
            tokens: Some(vec![(number * 0x1234_5678_9abc_def0_1234_5678).to_string()]),
            cluster_name: None,
        }
    }
}

/// What `system.local` and `system.peers` say.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    pub(crate) local: Row,
    pub(crate) peers: Vec<Row>,
}

impl Topology {
    /// As the service: the local row has an address where nothing listens and the host id of the first peer.
    pub(crate) fn like_keyspaces(peers: &[IpAddr]) -> Self {
        let peers: Vec<Row> = peers.iter().copied().map(Row::of).collect();
        let dead = IpAddr::V4(Ipv4Addr::new(127, 255, 1, 1));
        let local = Row {
            host_id: peers.first().map_or_else(|| Row::of(dead).host_id, |first| first.host_id),
            cluster_name: Some("Amazon Keyspaces".into()),
            ..Row::of(dead)
        };
        Self { local, peers }
    }
}

type Fault = (Option<IpAddr>, At, Does);
type SaysTopology = Arc<dyn Fn(u64) -> Topology + Send + Sync>;

pub(crate) struct Builder {
    addresses: Vec<IpAddr>,
    tls: Option<Arc<rustls::ServerConfig>>,
    other_tls: HashMap<IpAddr, Arc<rustls::ServerConfig>>,
    authenticator: Option<&'static str>,
    faults: Vec<Fault>,
    topology: Option<SaysTopology>,
}

impl Builder {
    pub(crate) fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    pub(crate) fn tls_at(mut self, address: IpAddr, config: Arc<rustls::ServerConfig>) -> Self {
        self.other_tls.insert(address, config);
        self
    }

    pub(crate) fn authenticator(mut self, name: &'static str) -> Self {
        self.authenticator = Some(name);
        self
    }

    /// Every connection fails there.
    pub(crate) fn fault(mut self, at: At, does: Does) -> Self {
        self.faults.push((None, at, does));
        self
    }

    /// Connections to one address fail there.
    pub(crate) fn fault_of(mut self, address: IpAddr, at: At, does: Does) -> Self {
        self.faults.push((Some(address), at, does));
        self
    }

    /// What the system tables say, given the number of the connection that asks.
    pub(crate) fn topology(mut self, says: impl Fn(u64) -> Topology + Send + Sync + 'static) -> Self {
        self.topology = Some(Arc::new(says));
        self
    }

    pub(crate) async fn start(self) -> Stub {
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
pub(crate) struct Seen {
    /// Connections open now, by the address that they came to.
    pub(crate) open: HashMap<IpAddr, usize>,
    pub(crate) accepted: HashMap<IpAddr, usize>,
    pub(crate) resumed: usize,
    pub(crate) requests: Vec<Request>,
}

impl Seen {
    pub(crate) fn all_open(&self) -> usize {
        self.open.values().sum()
    }

    /// How many statements other than over system tables each address got.
    pub(crate) fn statements(&self) -> HashMap<IpAddr, usize> {
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
pub(crate) struct Request {
    pub(crate) address: IpAddr,
    pub(crate) connection: u64,
    pub(crate) opcode: u8,
    pub(crate) body: Vec<u8>,
    pub(crate) statement: Option<String>,
}

/// The running server; dropping it ends it.
pub(crate) struct Stub {
    addresses: Vec<IpAddr>,
    port: u16,
    state: Arc<State>,
    _listening: JoinSet<()>,
}

struct State {
    tls: Option<Arc<rustls::ServerConfig>>,
    other_tls: HashMap<IpAddr, Arc<rustls::ServerConfig>>,
    authenticator: Option<&'static str>,
    faults: Mutex<Vec<Fault>>,
    topology: SaysTopology,
    prepared: Mutex<Vec<String>>,
    connections: AtomicU64,
    seen: watch::Sender<Seen>,
    release: Notify,
    sever: watch::Sender<()>,
    script: Mutex<VecDeque<Does>>,
}

impl Stub {
    /// At 127.0.0.1, 127.0.0.2, and so on, all on one port.
    pub(crate) fn at(addresses: u8) -> Builder {
        Builder {
            addresses: (1..=addresses).map(loopback).collect(),
            tls: None,
            other_tls: HashMap::new(),
            authenticator: None,
            faults: Vec::new(),
            topology: None,
        }
    }

    pub(crate) fn at_ipv6() -> Builder {
        Builder { addresses: vec![IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)], ..Self::at(0) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.addresses[0], self.port)
    }

    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    pub(crate) fn seen(&self) -> Seen {
        self.state.seen.borrow().clone()
    }

    /// Waits for the event, a minute at most.
    pub(crate) async fn until(&self, mut happened: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.state.seen.subscribe();
        let waiting = seen.wait_for(|seen| happened(seen));
        match tokio::time::timeout(Duration::from_secs(60), waiting).await {
            Ok(seen) => seen.unwrap().clone(),
            Err(_) => panic!("it never happened; seen: {:?}", self.seen()),
        }
    }

    /// Lets one statement go on that has `held` in its text.
    pub(crate) fn release(&self) {
        self.state.release.notify_one();
    }

    /// Breaks all connections that are open.
    pub(crate) fn sever(&self) {
        self.state.sever.send_replace(());
    }

    /// What is done with the next statements over other than system tables, one after the other.
    pub(crate) fn next(&self, does: impl IntoIterator<Item = Does>) {
        self.state.script.lock().unwrap().extend(does);
    }

    /// From now on connections to one address fail there.
    pub(crate) fn fails(&self, address: IpAddr, at: At, does: Does) {
        self.state.faults.lock().unwrap().push((Some(address), at, does));
    }

    pub(crate) fn heal(&self) {
        self.state.faults.lock().unwrap().clear();
    }
}

pub(crate) fn loopback(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

/// An address that takes no TCP connection and refuses none: its queue is full and nobody accepts.
pub(crate) async fn silent_at_tcp(address: SocketAddr) -> Vec<Box<dyn std::any::Any + Send>> {
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

async fn serve(listener: TcpListener, state: Arc<State>) {
    let address = listener.local_addr().unwrap().ip();
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let number = state.connections.fetch_add(1, Ordering::Relaxed);
            state.seen.send_modify(|seen| {
                *seen.open.entry(address).or_default() += 1;
                *seen.accepted.entry(address).or_default() += 1;
            });
            let mut severed = state.sever.subscribe();
            tokio::select! {
                () = connection(stream, address, number, &state) => {}
                _ = severed.changed() => {}
            }
            state.seen.send_modify(|seen| *seen.open.entry(address).or_default() -= 1);
        });
    }
}

async fn connection(mut stream: TcpStream, address: IpAddr, number: u64, state: &State) {
    if let Some(does) = state.fault(address, At::Accept) {
        misbehave(&mut stream, does, 0).await;
        return;
    }
    match state.other_tls.get(&address).or(state.tls.as_ref()) {
        None => speak(stream, address, number, state).await,
        Some(config) => {
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(config));
            if let Ok(stream) = acceptor.accept(stream).await {
                if stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                    state.seen.send_modify(|seen| seen.resumed += 1);
                }
                speak(stream, address, number, state).await;
            }
        }
    }
}

async fn speak(mut stream: impl AsyncRead + AsyncWrite + Unpin, address: IpAddr, number: u64, state: &State) {
    let mut challenged = false;
    while let Some(request) = Frame::read(&mut stream).await {
        let statement = request.statement(&state.prepared.lock().unwrap());
        state.seen.send_modify(|seen| {
            seen.requests.push(Request {
                address,
                connection: number,
                opcode: request.opcode,
                body: request.body.clone(),
                statement: statement.clone(),
            });
        });
        let at = match (request.opcode, statement.as_deref()) {
            (opcode::OPTIONS, _) => Some(At::Options),
            (opcode::STARTUP, _) => Some(At::Startup),
            (opcode::AUTH_RESPONSE, _) if challenged => Some(At::Answer),
            (opcode::AUTH_RESPONSE, _) => Some(At::AuthResponse),
            (opcode::REGISTER, _) => Some(At::Register),
            (opcode::PREPARE, _) => Some(At::Prepare),
            (_, Some(text)) if text.contains("system.") => Some(At::System),
            _ => None,
        };
        let scripted = || {
            let is_ours = matches!(request.opcode, opcode::QUERY | opcode::EXECUTE)
                && statement.as_deref().is_none_or(|text| !text.contains("system"));
            is_ours.then(|| state.script.lock().unwrap().pop_front()).flatten()
        };
        if let Some(does) = at.and_then(|at| state.fault(address, at)).or_else(scripted) {
            let goes_on = matches!(does, Does::Says(..) | Does::Throttles);
            let is_late = matches!(does, Does::Late(_));
            misbehave(&mut stream, does, request.stream).await;
            if goes_on {
                continue;
            }
            if !is_late {
                return;
            }
        }
        let answer = match request.opcode {
            opcode::OPTIONS => frames::supported(),
            opcode::STARTUP => state.authenticator.map_or_else(frames::ready, frames::authenticate),
            opcode::AUTH_RESPONSE if !challenged && request.body[4..].starts_with(b"SigV4") => {
                challenged = true;
                frames::challenge(b"nonce=91703fdc2ef562e19fbdab0f58e42fe5")
            }
            opcode::AUTH_RESPONSE => frames::success(),
            opcode::REGISTER => frames::ready(),
            opcode::PREPARE => {
                let text = statement.unwrap();
                state.prepared.lock().unwrap().push(text.clone());
                frames::prepared(&text)
            }
            _ => {
                let text = statement.unwrap_or_default();
                if text.contains("held") {
                    state.release.notified().await;
                }
                frames::result(&text, &(state.topology)(number))
            }
        };
        if stream.write_all(&answer.on_stream(request.stream)).await.is_err() {
            return;
        }
    }
}

async fn misbehave(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), does: Does, stream_id: i16) {
    match does {
        Does::Close => {}
        Does::Late(by) => tokio::time::sleep(by).await,
        Does::Nothing => until_closed(stream).await,
        Does::Says(code, text) => {
            let _ = stream.write_all(&frames::error(code, text).on_stream(stream_id)).await;
        }
        Does::Throttles => {
            let _ = stream.write_all(&frames::throttled().on_stream(stream_id)).await;
        }
        Does::AnswersNobody => {}
        Does::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            until_closed(stream).await;
        }
    }
}

async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut ignored = [0; 4096];
    loop {
        match stream.read(&mut ignored).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

impl State {
    fn fault(&self, address: IpAddr, at: At) -> Option<Does> {
        let faults = self.faults.lock().unwrap();
        faults
            .iter()
            .find(|(of, there, _)| *there == at && of.is_none_or(|of| of == address))
            .map(|(_, _, does)| does.clone())
    }
}
