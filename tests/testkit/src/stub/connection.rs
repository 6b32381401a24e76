//! The connections of clients.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::{At, Does, Fault, Request, SaysTopology, Seen, system_tables};
use crate::frame::{self, Answer, opcode};

/// What all connections share.
pub(super) struct State {
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) other_tls: HashMap<IpAddr, Arc<rustls::ServerConfig>>,
    pub(super) authenticator: Option<&'static str>,
    pub(super) faults: Mutex<Vec<Fault>>,
    pub(super) topology: SaysTopology,
    pub(super) prepared: Mutex<Vec<String>>,
    pub(super) connections: AtomicU64,
    pub(super) seen: watch::Sender<Seen>,
    pub(super) release: Notify,
    pub(super) sever: watch::Sender<()>,
    pub(super) script: Mutex<VecDeque<Does>>,
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

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
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
        misbehave(&mut stream, does, [0, 0]).await;
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
    while let Ok(Some(request)) = frame::Request::read(&mut stream).await {
        let statement = system_tables::statement(&request, &state.prepared.lock().unwrap());
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

async fn misbehave(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), does: Does, stream_id: [u8; 2]) {
    match does {
        Does::Close => {}
        Does::Late(by) => tokio::time::sleep(by).await,
        Does::Nothing => until_closed(stream).await,
        Does::Says(code, text) => {
            let _ = stream.write_all(&Answer::error(code, text).on_stream(stream_id)).await;
        }
        Does::Throttles => {
            let _ = stream.write_all(&Answer::throttled().on_stream(stream_id)).await;
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
