//! The connections of clients.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::{Fault, FaultPoint, Observed, Reaction, Request, TopologyFn, system_tables};
use crate::frame::{self, Answer, opcode};

/// The state that all connections share.
pub(super) struct State {
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) other_tls: HashMap<IpAddr, Arc<rustls::ServerConfig>>,
    pub(super) authenticator: Option<&'static str>,
    pub(super) faults: Mutex<Vec<Fault>>,
    pub(super) topology: TopologyFn,
    pub(super) prepared: Mutex<Vec<String>>,
    pub(super) connections: AtomicU64,
    pub(super) observed: watch::Sender<Observed>,
    pub(super) release: Notify,
    pub(super) close: watch::Sender<()>,
    pub(super) script: Mutex<VecDeque<Reaction>>,
}

impl State {
    fn fault(&self, address: IpAddr, point: FaultPoint) -> Option<Reaction> {
        let faults = self.faults.lock().unwrap();
        faults
            .iter()
            .find(|(only, at, _)| *at == point && only.is_none_or(|only| only == address))
            .map(|(_, _, reaction)| reaction.clone())
    }
}

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    let address = listener.local_addr().unwrap().ip();
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let number = state.connections.fetch_add(1, Ordering::Relaxed);
            state.observed.send_modify(|observed| {
                *observed.open.entry(address).or_default() += 1;
                *observed.accepted.entry(address).or_default() += 1;
            });
            let mut closed = state.close.subscribe();
            tokio::select! {
                () = connection(stream, address, number, &state) => {}
                _ = closed.changed() => {}
            }
            state.observed.send_modify(|observed| *observed.open.entry(address).or_default() -= 1);
        });
    }
}

async fn connection(mut stream: TcpStream, address: IpAddr, number: u64, state: &State) {
    if let Some(reaction) = state.fault(address, FaultPoint::Accept) {
        react(&mut stream, reaction, [0, 0]).await;
        return;
    }
    match state.other_tls.get(&address).or(state.tls.as_ref()) {
        None => serve_cql(stream, address, number, state).await,
        Some(config) => {
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(config));
            if let Ok(stream) = acceptor.accept(stream).await {
                if stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                    state.observed.send_modify(|observed| observed.resumed += 1);
                }
                serve_cql(stream, address, number, state).await;
            }
        }
    }
}

async fn serve_cql(mut stream: impl AsyncRead + AsyncWrite + Unpin, address: IpAddr, number: u64, state: &State) {
    let mut challenged = false;
    while let Ok(Some(request)) = frame::Request::read(&mut stream).await {
        let statement = system_tables::statement(&request, &state.prepared.lock().unwrap());
        state.observed.send_modify(|observed| {
            observed.requests.push(Request {
                address,
                connection: number,
                opcode: request.opcode,
                body: request.body.clone(),
                statement: statement.clone(),
            });
        });
        let point = match (request.opcode, statement.as_deref()) {
            (opcode::OPTIONS, _) => Some(FaultPoint::Options),
            (opcode::STARTUP, _) => Some(FaultPoint::Startup),
            (opcode::AUTH_RESPONSE, _) if challenged => Some(FaultPoint::ChallengeResponse),
            (opcode::AUTH_RESPONSE, _) => Some(FaultPoint::AuthResponse),
            (opcode::REGISTER, _) => Some(FaultPoint::Register),
            (opcode::PREPARE, _) => Some(FaultPoint::Prepare),
            (_, Some(text)) if text.contains("system.") => Some(FaultPoint::SystemTable),
            _ => None,
        };
        let scripted = || {
            let is_statement = matches!(request.opcode, opcode::QUERY | opcode::EXECUTE)
                && statement.as_deref().is_none_or(|text| !text.contains("system"));
            is_statement.then(|| state.script.lock().unwrap().pop_front()).flatten()
        };
        if let Some(reaction) = point.and_then(|point| state.fault(address, point)).or_else(scripted) {
            let continues = matches!(reaction, Reaction::Error(..) | Reaction::Throttle);
            let is_delayed = matches!(reaction, Reaction::Delay(_));
            react(&mut stream, reaction, request.stream).await;
            if continues {
                continue;
            }
            if !is_delayed {
                return;
            }
        }
        let answer = match request.opcode {
            opcode::OPTIONS => Answer::supported(),
            opcode::STARTUP => state.authenticator.map_or_else(Answer::ready, Answer::authenticate),
            opcode::AUTH_RESPONSE if !challenged && request.body[4..].starts_with(b"SigV4") => {
                challenged = true;
                Answer::challenge(b"nonce=91703fdc2ef562e19fbdab0f58e42fe5")
            }
            opcode::AUTH_RESPONSE => Answer::success(),
            opcode::REGISTER => Answer::ready(),
            opcode::PREPARE => {
                let text = statement.unwrap();
                state.prepared.lock().unwrap().push(text.clone());
                system_tables::prepared(&text)
            }
            _ => {
                let text = statement.unwrap_or_default();
                if text.contains("held") {
                    state.release.notified().await;
                }
                system_tables::result(&text, &(state.topology)(number))
            }
        };
        if stream.write_all(&answer.on_stream(request.stream)).await.is_err() {
            return;
        }
    }
}

async fn react(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), reaction: Reaction, stream_id: [u8; 2]) {
    match reaction {
        Reaction::Close => {}
        Reaction::Delay(by) => tokio::time::sleep(by).await,
        Reaction::Hang => wait_until_closed(stream).await,
        Reaction::Error(code, text) => {
            let _ = stream.write_all(&Answer::error(code, text).on_stream(stream_id)).await;
        }
        Reaction::Throttle => {
            let _ = stream.write_all(&Answer::throttled().on_stream(stream_id)).await;
        }
        Reaction::LoseAnswer => {}
        Reaction::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            wait_until_closed(stream).await;
        }
    }
}

async fn wait_until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut ignored = [0; 4096];
    loop {
        match stream.read(&mut ignored).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
